# SPDX-License-Identifier: GPL-3.0-or-later
"""What Sync does beside the plain exchange, before a real server: requests
that repeat the last one."""

from lib import wbxml
from lib.house import House
from lib.mail import message
from lib.phone import INBOX


class SyncCase(House):
    def setUp(self):
        super().setUp()
        self.phone = self.phone_of()
        self.inbox = self.phone.folder(INBOX)

    def ask_empty(self):
        """A Sync without a body, which is the last one again."""
        root = self.phone.command("Sync", None)
        return self.phone.apply_sync(root, [self.inbox])[0]

    def subjects(self, box):
        return sorted(box.value(i, "Email:Subject") for i in box.added)


class EmptySync(SyncCase):
    def test_it_repeats_the_last_one_whoever_died_meanwhile(self):
        self.phone.sync_all(self.inbox)
        self.assertIsNone(self.phone.check_answer("Sync", self.phone.raw(
            "Sync", self.last_body())))
        self.assertEqual(self.ask_empty().added, [])
        for role in ("hub", "front"):
            self.belfry.kill_role(role)
            self.phone.close()
            self.deliver("after the end of the %s" % role)
            self.assertEqual(self.subjects(self.ask_empty()),
                             ["after the end of the %s" % role])
            self.phone.sync(self.inbox)

    def last_body(self):
        return wbxml.encode(self.phone._sync_spec(
            [self.inbox], {}, 100, self.phone.sync_options(), 1, ()))

    def test_it_waits_as_the_last_one_did(self):
        self.phone.sync_all(self.inbox)
        first = self.phone.sync_start(self.inbox, ("HeartbeatInterval", 60))
        self.assertFalse(first.answered(0.5))
        first.drop()
        held = self.phone.start("Sync", None)
        self.assertFalse(held.answered(0.5))
        self.deliver("rings")
        box, = self.phone.apply_sync(held.wait(), [self.inbox])
        self.assertTrue(box.more)
        self.assertEqual(self.subjects(self.phone.sync(self.inbox)), ["rings"])

    def test_a_device_that_has_asked_nothing_is_to_say_it_all(self):
        root = self.phone.command("Sync", None)
        self.assertEqual(wbxml.text(root, "Status"), "13")

    def test_a_partial_one_names_what_is_new(self):
        sent = self.phone.folder("Sent")
        self.phone.sync_all(self.inbox)
        self.phone.sync_all(sent)
        self.phone.sync([self.inbox, sent])
        self.deliver("one")
        self.dovecot.append(self.user, message("two"), "Sent")
        spec = self.phone._sync_spec([self.inbox], {}, 100,
                                     self.phone.sync_options(), 1, [("Partial",)])
        boxes = self.phone.apply_sync(self.phone.command("Sync", spec),
                                      [self.inbox, sent])
        self.assertEqual([self.subjects(box) for box in boxes],
                         [["one"], ["two"]])


del SyncCase, House
