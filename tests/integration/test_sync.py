# SPDX-License-Identifier: GPL-3.0-or-later
"""What Sync does beside the plain exchange, before a real server: requests
that repeat the last one, mails that both sides change, conversations."""

import imaplib
import time

from lib import wbxml
from lib.house import House
from lib.mail import message
from lib.phone import INBOX

DAY_S = 86400


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

    def store(self, subject, sign, flag):
        """Another client of the user changes a flag."""
        client = self.dovecot.imap(self.user)
        try:
            client.select("INBOX")
            _, found = client.search(None, "SUBJECT", '"%s"' % subject)
            client.store(found[0].decode(), sign + "FLAGS", flag)
        finally:
            client.logout()

    def flags(self, subject):
        client = self.dovecot.imap(self.user)
        try:
            client.select("INBOX", readonly=True)
            _, found = client.search(None, "SUBJECT", '"%s"' % subject)
            _, data = client.fetch(found[0].decode(), "(FLAGS)")
            return {flag.decode() for flag in imaplib.ParseFlags(data[0])}
        finally:
            client.logout()


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


class Conflict(SyncCase):
    def change(self, subject, read, conflict=None):
        """The phone says so; the status of its Change."""
        options = self.phone.sync_options()
        if conflict is not None:
            options = (*options, ("Conflict", conflict))
        item = self.phone.collection(self.inbox).server_id_of(subject)
        box = self.phone.sync(self.inbox, {self.inbox: [("Change", (
            "ServerId", item), ("ApplicationData", ("Email:Read", read)))]},
            options=options)
        return [wbxml.text(r, "Status") for r in box.responses]

    def test_the_server_wins_unless_told_otherwise(self):
        self.deliver("conflict")
        self.phone.sync_all(self.inbox)
        self.store("conflict", "+", "\\Seen")
        self.assertEqual(self.change("conflict", 0), ["7"])
        box = self.phone.collection(self.inbox)
        self.assertEqual(box.value(box.server_id_of("conflict"), "Email:Read"), "1")
        self.assertIn("\\Seen", self.flags("conflict"))
        self.store("conflict", "-", "\\Seen")
        self.assertEqual(self.change("conflict", 1, 0), [])
        self.assertIn("\\Seen", self.flags("conflict"))

    def test_different_flags_are_both_kept(self):
        self.deliver("both")
        self.phone.sync_all(self.inbox)
        self.store("both", "+", "\\Flagged")
        self.assertEqual(self.change("both", 1), [])
        self.assertLessEqual({"\\Seen", "\\Flagged"}, self.flags("both"))


class Conversations(SyncCase):
    def append(self, subject, age_days, answers=None):
        mail = message(subject)
        if answers is not None:
            mail["References"] = mail["In-Reply-To"] = answers["Message-ID"]
        client = self.dovecot.imap(self.user)
        try:
            client.append("INBOX", "", imaplib.Time2Internaldate(
                time.time() - age_days * DAY_S), mail.as_bytes())
        finally:
            client.logout()
        return mail

    def options(self):
        return self.phone.sync_options(filter_type=3)

    def ask(self, mode):
        """One Sync with this ConversationMode, to its end."""
        spec = self.phone._sync_spec([self.inbox], {}, 100, self.options(), 1, ())
        name, (collections, collection) = spec
        at = [part[0] for part in collection[1:]].index("Options") + 1
        collection = (*collection[:at], ("ConversationMode", mode), *collection[at:])
        root = self.phone.command("Sync", (name, (collections, collection)))
        return self.phone.apply_sync(root, [self.inbox])[0]

    def test_all_of_a_conversation_comes_with_its_last_mail(self):
        first = self.append("plan", 60)
        self.append("Re: plan", 50, first)
        self.append("other", 60)
        self.append("Re: plan", 1, first)
        self.phone.sync(self.inbox)
        self.assertEqual(self.subjects(self.ask(0)), ["Re: plan"])
        box = self.ask(1)
        self.assertEqual(self.subjects(box), ["Re: plan", "plan"])
        for item in box.added:
            body = box.items[item][wbxml.q("AirSyncBase:Body")]
            self.assertIsNone(wbxml.find(body, "Data"))
        box = self.ask(0)
        self.assertEqual(len(box.deleted), 2)


del SyncCase, House
