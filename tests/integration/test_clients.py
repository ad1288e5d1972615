# SPDX-License-Identifier: GPL-3.0-or-later
"""A client that is not ours: the one that Debian has (doc/clients.md)."""

import json
import os
import zipfile

from lib.house import House
from lib.mail import deliver_lmtp, message
from lib.postfix import DOMAIN
from lib.process import need_program, run, unavailable

HERE = os.path.dirname(os.path.abspath(__file__))
# It depends on Thunderbird, of which lib/tbsync.js is all that is needed.
ADD_ON = "webext-eas4tbsync"
ADD_ON_FILE = "usr/share/webext/eas4tbsync@jobisoft.de.xpi"
INSTALL_S = 120


def download_debian(package, folder):
    """The package's files below the folder, nothing of it installed."""
    argv = ["sh", "-c", "cd \"$1\" && apt-get -qq download \"$2\"", "sh",
            folder, package]
    if run(argv, check=False, timeout_s=INSTALL_S).returncode != 0:
        run(["apt-get", "-qq", "update"], check=False, timeout_s=INSTALL_S)
        done = run(argv, check=False, timeout_s=INSTALL_S)
        if done.returncode != 0:
            unavailable("no package %s: %s" % (package, done.stderr))
    found, = [name for name in os.listdir(folder) if name.endswith(".deb")]
    run(["dpkg", "-x", os.path.join(folder, found), folder])


class TbSync(House):
    """EAS-4-TbSync, the add-on of Thunderbird: ActiveSync 14.0 for contacts,
    calendars and tasks. Of mail it knows the trash only."""

    BELFRY = {"hook": "no"}
    TEST_TIMEOUT_S = 2 * INSTALL_S + 60

    @classmethod
    def set_up_class(cls):
        place = cls.folder.make("add-on")
        download_debian(ADD_ON, place)
        with zipfile.ZipFile(os.path.join(place, ADD_ON_FILE)) as file:
            file.extractall(place)

    def found(self, user):
        server = "https://localhost:%d" % self.belfry.port
        done = run([need_program("node"), os.path.join(HERE, "lib/tbsync.js")],
                   input=json.dumps({
                       "folder": self.folder("add-on"), "host": "localhost",
                       "port": self.belfry.port, "user": user,
                       "ca": self.certificates.ca,
                       "password": self.dovecot.password_of(self.user),
                       "autodiscover": server
                       + "/autodiscover/autodiscover.xml"}))
        return json.loads(done.stdout)

    def test_an_account_is_set_up(self):
        deliver_lmtp(self.dovecot.lmtp_port, self.user, message("One"))
        self.dovecot.append(self.user, message("Two"), mailbox="Trash")
        found = self.found("%s@%s" % (self.user, DOMAIN))
        account = found["account"]
        self.assertEqual(account["asversion"], "14.0")
        # it began without a policy, and was told that it needs one
        self.assertTrue(account["provision"])
        self.assertNotEqual(account["policykey"], "0")
        self.assertEqual([(f["foldername"], f["type"])
                          for f in found["folders"]], [("Trash", "4")])
        self.assertEqual(found["estimate"], "1")
        self.assertEqual(found["discovered"]["error"], "")
        self.assertIn("https://localhost", found["discovered"]["server"])
        self.assertEqual({status for _, _, status in found["requests"]}, {200})
