# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole house for a test class: a Dovecot and a Belfry in front of it."""

import os
import unittest

from lib.belfry import Belfry
from lib.certificates import Certificates
from lib.dovecot import Dovecot
from lib.mail import deliver_lmtp, message
from lib.phone import INBOX
from lib.process import Folder

# A Ping that is to stay held would be answered at once if it were wrong.
HELD_S = 0.5
HEARTBEAT_S = 600


class House(unittest.TestCase):
    """Servers for the class; every test has a user of its own (self.user)."""

    DOVECOT = {}
    BELFRY = {}
    users = 0

    @classmethod
    def setUpClass(cls):
        if cls is House:
            raise unittest.SkipTest("only what its subclasses have in common")
        cls.folder = Folder("house")
        cls.addClassCleanup(cls.folder.remove)
        cls.certificates = Certificates(cls.folder)
        cls.dovecot = Dovecot(cls.folder, cls.certificates,
                              **dict({"users": 40}, **cls.DOVECOT))
        cls.addClassCleanup(cls.dovecot.stop)
        cls.belfry = Belfry(cls.folder, cls.dovecot, cls.certificates,
                            **dict(cls.BELFRY, **cls.more_of_belfry()))
        cls.set_up_class()
        cls.dovecot.start()
        cls.addClassCleanup(cls.belfry.stop)
        cls.belfry.start()

    @classmethod
    def more_of_belfry(cls):
        """For subclasses: what else Belfry gets, known only now."""
        return {}

    @classmethod
    def set_up_class(cls):
        """For subclasses: what is to be ready before the servers start."""

    @classmethod
    def next_user(cls):
        House.users = cls.users = House.users % 40 + 1
        return "u%04d" % cls.users

    def setUp(self):
        self.user = self.next_user()
        self.addCleanup(self.belfry.close_phones)

    def phone_of(self, user=None, **arguments):
        """A phone that knows its folders, and nothing in them."""
        return self.belfry.phone(user or self.user, **arguments).set_up()

    def ready_phone(self, user=None, **arguments):
        """A phone with its inbox synchronised."""
        phone = self.phone_of(user, **arguments)
        phone.sync_all(phone.folder(INBOX))
        return phone

    def deliver(self, subject, user=None):
        deliver_lmtp(self.dovecot.lmtp_port, user or self.user,
                     message(subject))

    # mails that are files before Dovecot looks

    def maildir(self, user=None, mailbox=None):
        """Path of a Maildir, made when it is not there."""
        account = self.dovecot.accounts[user or self.user]
        path = account["home"]
        for part in [None, "Maildir"] + (["." + mailbox] if mailbox else []):
            path = os.path.join(path, part) if part else path
            if not os.path.isdir(path):
                os.makedirs(path)
                os.chown(path, account["uid"], account["gid"])
        for part in ("new", "cur", "tmp"):
            part = os.path.join(path, part)
            if not os.path.isdir(part):
                os.mkdir(part)
                os.chown(part, account["uid"], account["gid"])
        return path

    def write_mails(self, mails, user=None, mailbox=None):
        """bytes each, in order, as a delivery agent would write them."""
        account = self.dovecot.accounts[user or self.user]
        new = os.path.join(self.maildir(user, mailbox), "new")
        for number, octets in enumerate(mails):
            name = os.path.join(new, "%d.M%dP1.localhost"
                                % (1700000000 + number, number))
            with open(name, "wb") as file:
                file.write(octets)
            os.chown(name, account["uid"], account["gid"])

    # bells

    def held_ping(self, phone, folder_ids=None):
        held = phone.ping_start(HEARTBEAT_S, folder_ids)
        self.assert_held(held, HELD_S)
        return held

    def assert_held(self, held, for_s=0.0):
        if held.answered(for_s):
            self.fail("Ping is not held, but answered: %s\n%s" % (
                held.phone.ping_wait(held), self.belfry.log()[-4000:]))

    def assert_rings(self, held, subjects):
        """The Ping names the inbox, and one Sync brings these subjects."""
        phone = held.phone
        inbox = phone.folder(INBOX)
        status, folders, _ = phone.ping_wait(held)
        self.assertEqual((status, folders), ("2", [inbox]))
        box = phone.sync_all(inbox)
        self.assertEqual([box.value(i, "Email:Subject") for i in box.added],
                         subjects)
