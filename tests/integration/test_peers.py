# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of other ActiveSync servers that Belfry must not have, where no
other test shows it: doc/tests.md has them all."""

import os
import re

from lib import wbxml
from lib.house import HELD_S, House
from lib.http_raw import Connection
from lib.mail import mail_octets
from lib.phone import INBOX, Phone
from lib.process import run, wait_until

RAWLOG = """
protocol imap {
  rawlog_dir = %h/rawlog
}
"""
HELD = 30
MAILS = 300


class FromElsewhere(Phone):
    """A phone whose address changes: source is where it comes from."""

    source = None

    def connect(self):
        return Connection(self.host, self.port, self.tls, self.timeout_s,
                          self.source)


class Peers(House):
    DOVECOT = {"extra": RAWLOG}
    BELFRY = {"hook": "yes", "connector": {"workers": "2"}}

    def logins(self):
        return len(re.findall(r"(?:imap|imap-login).*?: (?:Info: )?Login: ",
                              self.dovecot.log()))

    def watched(self):
        """Makes Dovecot write down what it hears of this user."""
        account = self.dovecot.accounts[self.user]
        place = os.path.join(account["home"], "rawlog")
        os.makedirs(place)
        for path in (account["home"], place):
            os.chown(path, account["uid"], account["gid"])
        return place

    def deliver_and_tell(self, subject):
        self.deliver(subject)
        run(self.belfry.hook_command(self.user))

    def test_held_pings_take_no_worker_and_no_login(self):
        held = []
        for number in range(HELD):
            phone = self.ready_phone(self.next_user(), device_id="H%d" % number)
            held.append(self.held_ping(phone))
            phone.close()
        # each new Ping is looked at once, and sessions stay for a while
        before = self.logins()
        self.assertGreater(before, 0)
        for one in held:
            self.assert_held(one, HELD_S / 10)
        self.assertEqual(self.logins(), before)
        # two workers, thirty phones that hold: whoever comes is served
        phone = self.ready_phone()
        self.deliver("served")
        wait_until(lambda: phone.sync_all(phone.folder(INBOX)).items,
                   "the mail")
        for one in held:
            self.assert_held(one)
            one.drop()

    def test_mails_are_fetched_many_at_a_time(self):
        self.write_mails([mail_octets("mail %d" % n) for n in range(MAILS)])
        place = self.watched()
        phone = self.phone_of()
        box = phone.sync_all(phone.folder(INBOX), window=MAILS)
        self.assertEqual(len(box.items), MAILS)
        heard = ""
        for name in os.listdir(place):
            if name.endswith(".in"):
                with open(os.path.join(place, name), encoding="utf-8",
                          errors="replace") as file:
                    heard += file.read()
        fetches = re.findall(r" UID FETCH \S+ \(.*BODY", heard)
        self.assertGreater(len(fetches), 0)
        self.assertLess(len(fetches), MAILS / 10, heard)

    def test_a_phone_whose_address_changes_goes_on_ringing(self):
        phone = self.belfry.phone(self.user, kind=FromElsewhere).set_up()
        phone.sync_all(phone.folder(INBOX))
        old = self.held_ping(phone)
        # it cannot say goodbye: its network is gone
        phone.source = "127.0.0.7"
        new = self.held_ping(phone)
        self.assertTrue(old.answered(5))
        self.deliver_and_tell("elsewhere")
        self.assert_rings(new, ["elsewhere"])

    def test_commands_that_are_not_there_say_so(self):
        phone = self.ready_phone()
        held = self.held_ping(phone)
        for cmd, tree in (
                ("Find", ("Find:Find", ("SearchId", "1"), (
                    "ExecuteSearch", ("MailBoxSearchCriterion", (
                        "Query", ("FreeText", "x")))))),
                ("ResolveRecipients", ("ResolveRecipients:ResolveRecipients", (
                    "To", "alice"))),
                ("ValidateCert", ("ValidateCert:ValidateCert", (
                    "Certificates", ("Certificate", "AAAA"))))):
            with self.subTest(cmd):
                root = phone.command(cmd, tree)
                self.assertTrue(wbxml.text(root, "Status"))
        self.assert_held(held)
        self.deliver_and_tell("after")
        self.assert_rings(held, ["after"])
