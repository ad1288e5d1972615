# SPDX-License-Identifier: GPL-3.0-or-later
"""The units as systemd runs them: installed, started in their sandbox,
reloaded, restarted, killed, hung, and started by their socket."""

import os
import signal
import unittest

from lib.belfry import configuration, build_folder
from lib.certificates import Certificates
from lib.container import Container, numbers_of
from lib.dovecot import MASTER_PASSWORD, MASTER_USER, Dovecot
from lib.http_raw import tls_context
from lib.mail import deliver_lmtp, message
from lib.phone import INBOX, Phone
from lib.process import (Folder, free_port, need_root, port_answers, run,
                         wait_until)

# The real one is a minute. A sanitizer may not look at its own process here,
# so it cannot tell what leaks.
SERVICE_HERE = """[Service]
WatchdogSec=3
Environment=ASAN_OPTIONS=detect_leaks=0
"""
SOCKET_HERE = "[Socket]\nListenStream=\nListenStream=127.0.0.1:%d\n"
USER = "alice"


class Systemd(unittest.TestCase):
    TEST_TIMEOUT_S = 180

    @classmethod
    def setUpClass(cls):
        need_root()
        cls.folder = Folder("systemd")
        cls.addClassCleanup(cls.folder.remove)
        cls.certificates = Certificates(cls.folder)
        cls.dovecot = Dovecot(cls.folder, cls.certificates)
        cls.port = free_port()
        cls.install()
        cls.addClassCleanup(cls.dovecot.stop)
        cls.dovecot.start()
        cls.container = Container(cls.folder, cls.folder("layer"))
        cls.addClassCleanup(cls.container.stop)
        cls.container.start()

    @classmethod
    def install(cls):
        """As an admin does, into a layer over this machine."""
        cls.folder.make("layer")
        run(["make", "-s", "-C", build_folder(), "install",
             "DESTDIR=" + cls.folder("layer")])
        for part in ("etc", "etc/systemd", "etc/systemd/system",
                     "etc/systemd/system/belfry.service.d",
                     "etc/systemd/system/belfry.socket.d",
                     "usr/local/etc/belfry"):
            cls.folder.make("layer", part)
        cls.put("etc/systemd/system/belfry.service.d/here.conf", SERVICE_HERE)
        cls.put("etc/systemd/system/belfry.socket.d/here.conf",
                SOCKET_HERE % cls.port)
        # as Debian's installer writes it; Dovecot is at one of the two only
        cls.put("etc/hosts", "::1 localhost\n127.0.0.1 localhost\n")
        # not among the secrets: the connector's user reads it
        cls.put("etc/belfry-test-ca.pem", cls.read(cls.certificates.ca))
        for name, path in zip(("chain.pem", "key.pem"), cls.certificates.good):
            cls.put("usr/local/etc/belfry/" + name, cls.read(path))
        cls.put("usr/local/etc/belfry/master.password", MASTER_PASSWORD + "\n")
        cls.put("usr/local/etc/belfry/belfry.conf", cls.configuration())

    @classmethod
    def configuration(cls):
        text = configuration(
            cls.folder, cls.port, ["/usr/local/etc/belfry/" + name
                                   for name in ("chain.pem", "key.pem")],
            {"host": '"localhost"', "port": str(cls.dovecot.imap_port),
             "ca_file": '"/etc/belfry-test-ca.pem"', "watch_as": '"master"',
             "master_user": '"%s"' % MASTER_USER, "master_password_file":
             '"/usr/local/etc/belfry/master.password"'},
            run_dir='"/run/belfry"')
        # the users and the store are those of the installation
        return "\n".join(line for line in text.split("\n")
                         if not line.startswith(("user_", "state_dir")))

    @classmethod
    def put(cls, name, text):
        cls.folder.write("layer/" + name, text, mode=0o644 if name.startswith(
            "etc") else 0o600)

    @staticmethod
    def read(path):
        with open(path, encoding="utf-8") as file:
            return file.read()

    def setUp(self):
        self.systemctl("start", "belfry")
        self.phone = Phone("localhost", self.port, USER,
                           self.dovecot.password_of(USER),
                           tls=tls_context(self.certificates.ca))
        self.addCleanup(self.phone.close)
        self.phone.set_up()
        self.inbox = self.phone.folder(INBOX)
        self.phone.sync_all(self.inbox)

    def tearDown(self):
        self.systemctl("stop", "belfry.socket", "belfry")
        self.systemctl("reset-failed", check=False)

    def systemctl(self, *arguments, **more):
        return self.container.run("systemctl", *arguments, **more)

    def show(self, what, unit="belfry"):
        return self.systemctl("show", "-P", what, unit).stdout.strip()

    def main_pid(self):
        """Of belfryd, as this machine numbers it."""
        inside = self.show("MainPID")
        for name in os.listdir("/proc"):
            if name.isdigit() and numbers_of(name)[1:] == [inside]:
                return int(name)
        return None

    def assert_synchronises(self, subject):
        """With the keys that the phone has; so the store is there, and can
        be written."""
        deliver_lmtp(self.dovecot.lmtp_port, USER, message(subject))
        self.phone.close()
        box = self.phone.sync_all(self.inbox)
        self.assertEqual(box.status, "1")
        self.assertIn(subject, box.values())

    def assert_started_anew(self, before):
        wait_until(lambda: self.main_pid() not in (None, before)
                   and self.show("ActiveState") == "active"
                   and port_answers(self.port), "another belfryd", 60)

    def test_a_hook_rings_a_phone(self):
        held = self.phone.ping_start(600, [self.inbox])
        self.assertFalse(held.answered(0.5))
        deliver_lmtp(self.dovecot.lmtp_port, USER, message("ring"))
        self.container.run("/usr/local/libexec/belfry/belfry-hook", "-s",
                           "/run/belfry/hook.sock", USER)
        self.assertEqual(self.phone.ping_wait(held)[0], "2")

    def test_a_reload_leaves_everything_as_it_is(self):
        before = self.main_pid()
        self.systemctl("reload", "belfry")
        self.assert_synchronises("after a reload")
        self.assertEqual(self.main_pid(), before)

    def test_phones_go_on_after_a_restart(self):
        before = self.main_pid()
        self.systemctl("restart", "belfry")
        self.assert_started_anew(before)
        self.assert_synchronises("after a restart")

    def test_who_is_killed_is_started_anew(self):
        before = self.main_pid()
        os.kill(before, signal.SIGKILL)
        self.assert_started_anew(before)
        self.assert_synchronises("after a kill")

    def test_who_hangs_is_started_anew(self):
        before = self.main_pid()
        os.kill(before, signal.SIGSTOP)
        self.assert_started_anew(before)
        self.assertIn("watchdog", self.container.journal("belfry").lower())
        self.assert_synchronises("after the watchdog")

    def test_the_socket_starts_the_service(self):
        self.systemctl("stop", "belfry")
        self.systemctl("start", "belfry.socket")
        self.assertEqual(self.show("ActiveState"), "inactive")
        self.assert_synchronises("by the socket")
        self.assertEqual(self.show("ActiveState"), "active")

    def test_phones_wait_at_the_socket_while_belfryd_is_restarted(self):
        self.systemctl("stop", "belfry")
        self.systemctl("start", "belfry.socket")
        self.assert_synchronises("before")
        self.systemctl("restart", "belfry")
        self.assert_synchronises("meanwhile")

    def test_the_store_is_the_hubs_alone(self):
        found = self.container.run(
            "find", "/usr/local/var/lib/belfry", "!", "-user", "belfry-hub",
            "-o", "-perm", "/077").stdout
        self.assertEqual(found, "")
