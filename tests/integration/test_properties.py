#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a mail has beside its text, between a phone and other IMAP clients of
the same mailbox: categories, replies and forwards, its conversation."""

import base64
import unittest

from lib import wbxml
from lib.house import HELD_S, House
from lib.mail import mail_octets, message
from lib.phone import INBOX


def categories_of(data):
    """Of an item on a phone; None: it was not told of any."""
    node = data.get("{Email}Categories")
    return None if node is None else sorted(
        child.text for child in wbxml.find_all(node, "Category"))


class Properties(House):
    BELFRY = {"hook": "no"}

    def setUp(self):
        super().setUp()
        self.dovecot.append(self.user, message("one"))
        self.phone = self.ready_phone()
        self.inbox = self.phone.folder(INBOX)
        self.item, = self.phone.collection(self.inbox).items

    def store(self, change, number="1"):
        """As another client does."""
        client = self.dovecot.imap(self.user)
        client.select("INBOX")
        status, data = client.store(number, *change.split(" ", 1))
        self.assertEqual(status, "OK", data)
        client.logout()

    def keywords(self):
        client = self.dovecot.imap(self.user)
        client.select("INBOX", readonly=True)
        _, data = client.fetch("1", "(FLAGS)")
        client.logout()
        flags = data[0].decode().partition("FLAGS (")[2].partition(")")[0]
        return {flag for flag in flags.split() if flag[0] != "\\"}

    def changed(self, phone=None):
        """The item as one Sync leaves it; it was told of that."""
        box = (phone or self.phone).sync(self.inbox)
        self.assertEqual(box.changed, [self.item])
        return box.items[self.item]

    def assert_quiet(self):
        """Nothing is told, and nothing rings."""
        box = self.phone.sync(self.inbox)
        self.assertEqual((box.added, box.changed), ([], []))
        held = self.phone.ping_start()
        self.assert_held(held, HELD_S)
        held.drop()


class TestCategories(Properties):

    def categorize(self, *names, phone=None):
        phone = phone or self.phone
        return phone.sync(self.inbox, {self.inbox: [(
            "Change", ("ServerId", self.item), ("ApplicationData", (
                "Email:Categories",
                *[("Category", name) for name in names])))]})

    def test_keywords_of_other_clients_are_categories(self):
        self.store("+FLAGS (Work Red&ACA-Category $MDNSent Junk $label1)")
        self.assertEqual(categories_of(self.changed()),
                         ["Red Category", "Work"])
        self.store("-FLAGS (Work)")
        self.assertEqual(categories_of(self.changed()), ["Red Category"])
        self.store("-FLAGS (Red&ACA-Category)")
        self.assertEqual(categories_of(self.changed()), [])

    def test_keywords_of_programs_are_no_news(self):
        self.store("+FLAGS ($MDNSent NonJunk)")
        box = self.phone.sync(self.inbox)
        self.assertEqual(box.changed, [])

    def test_what_a_phone_sets_others_see(self):
        names = ["Red Category", "Priv\u00e9", "Q&A", "\u53f0\u5317", "100%",
                 "Junk", "$x", "(a)"]
        self.assertEqual(self.categorize(*names).responses, [])
        self.assertEqual(self.keywords(), {
            "Red&ACA-Category", "Priv&AOk-", "Q&-A", "&U,BTFw-", "100&ACU-",
            "&AEo-unk", "&ACQ-x", "&ACg-a&ACk-"})
        self.assert_quiet()
        other = self.ready_phone(device_id="OTHER")
        item = other.collection(self.inbox).items[self.item]
        self.assertEqual(categories_of(item), sorted(names))
        self.categorize("Q&A")
        self.assertEqual(self.keywords(), {"Q&-A"})
        self.assertEqual(categories_of(self.changed(other)), ["Q&A"])
        self.categorize()
        self.assertEqual(self.keywords(), set())
        self.assert_quiet()
        self.assertEqual(categories_of(self.changed(other)), [])

    def test_what_a_phone_does_not_know_of_stays(self):
        self.store("+FLAGS (Late $MDNSent)")
        self.phone.sync(self.inbox, {self.inbox: [(
            "Change", ("ServerId", self.item), ("ApplicationData", (
                "Email:Categories", ("Category", "Early"))))]})
        self.assertEqual(self.keywords(), {"Late", "Early", "$MDNSent"})
        self.assertEqual(categories_of(self.phone.collection(
            self.inbox).items[self.item]), ["Early", "Late"])

    def test_case_is_the_mailboxs(self):
        self.store("+FLAGS (Work)")
        self.changed()
        self.categorize("work", "New")
        self.assertEqual(self.keywords(), {"Work", "New"})
        self.assert_quiet()

    def test_a_change_rings(self):
        held = self.held_ping(self.phone)
        self.store("+FLAGS (Work)")
        self.assertEqual(self.phone.ping_wait(held)[:2], ("2", [self.inbox]))
        self.assertEqual(categories_of(self.changed()), ["Work"])

    def test_what_the_server_does_not_take_is_taken_back(self):
        """Dovecot's keywords have at most 50 bytes."""
        box = self.categorize("Fine", "x" * 60)
        self.assertEqual([wbxml.text(r, "Status") for r in box.responses],
                         ["5"])
        self.assertEqual(self.keywords(), set())
        self.assertEqual(categories_of(box.items[self.item]), [])
        self.assert_quiet()

    def test_what_is_no_category_has_its_status(self):
        box = self.categorize("x" * 300)
        self.assertEqual([wbxml.text(r, "Status") for r in box.responses],
                         ["6"])

    def test_an_older_phone_knows_none(self):
        old = self.ready_phone(device_id="OLD", version="12.1")
        self.store("+FLAGS (Work)")
        self.assertEqual(old.sync(self.inbox).changed, [])
        self.assertIsNone(categories_of(
            old.collection(self.inbox).items[self.item]))

    def test_they_move_along(self):
        client = self.dovecot.imap(self.user)
        client.create("Elsewhere")
        client.logout()
        self.store("+FLAGS (Work)")
        self.changed()
        self.phone.folder_sync()
        elsewhere = self.phone.folder("Elsewhere")
        self.phone.sync_all(elsewhere)
        self.phone.command("MoveItems", ("Move:MoveItems", (
            "Move", ("SrcMsgId", self.item), ("SrcFldId", self.inbox),
            ("DstFldId", elsewhere))))
        box = self.phone.sync_all(elsewhere)
        self.assertEqual([categories_of(i) for i in box.items.values()],
                         [["Work"]])


class TestCategoriesOfOldServers(TestCategories):
    DOVECOT = {"mask": ("CONDSTORE", "QRESYNC", "ENABLE", "ESEARCH")}

    def test_a_change_rings(self):
        """The position of such a mailbox says nothing of keywords: they come
        with the next Sync."""
        self.store("+FLAGS (Work)")
        self.assertEqual(categories_of(self.changed()), ["Work"])


class TestVerbs(Properties):

    def verb(self, data):
        found = [data.get("{Email2}" + name) for name in
                 ("LastVerbExecuted", "LastVerbExecutionTime")]
        return tuple(None if node is None else node.text for node in found)

    def test_replies_and_forwards_of_other_clients_are_told(self):
        self.store("+FLAGS (\\Answered)")
        self.assertEqual(self.verb(self.changed())[0], "1")
        self.store("-FLAGS (\\Answered)")
        self.assertEqual(self.verb(self.changed())[0], "0")
        self.store("+FLAGS ($Forwarded)")
        verb, when = self.verb(self.changed())
        self.assertEqual(verb, "3")
        self.assertRegex(when, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$")

    def test_a_new_phone_sees_them(self):
        self.store("+FLAGS (\\Answered)")
        other = self.ready_phone(device_id="OTHER")
        self.assertEqual(self.verb(other.collection(
            self.inbox).items[self.item]), ("1", None))


class TestConversations(Properties):

    def ids(self, phone):
        box = phone.sync_all(self.inbox)
        return {box.value(i, "Email:Subject"): tuple(
            base64.b64decode(box.items[i]["{Email2}Conversation" + name].text)
            for name in ("Id", "Index")) for i in box.items}

    def test_they_are_the_same_after_a_restart(self):
        def answer(number, *references):
            return mail_octets(
                "Re: plan" if references else "plan", headers=(
                    "Message-ID: <%d.%s@example.org>\r\n" % (
                        number, self.user) + ("References: %s\r\n" % " ".join(
                            "<%d.%s@example.org>" % (n, self.user)
                            for n in references) if references else "")
                ).encode())

        self.write_mails([answer(1), answer(2, 1).replace(
            b"Re: plan", b"AW: plan"), answer(3, 1, 2)])
        before = self.ids(self.phone)
        conversations = [before[s] for s in ("plan", "AW: plan", "Re: plan")]
        self.assertEqual(len({identity for identity, _ in conversations}), 1)
        self.assertEqual([len(index) for _, index in conversations],
                         [5, 10, 15])
        for (_, shorter), (_, longer) in zip(conversations, conversations[1:]):
            self.assertEqual(longer[:len(shorter)], shorter)
        self.assertNotEqual(before["one"][0], conversations[0][0])
        self.belfry.stop()
        self.belfry.start()
        other = self.phone_of(device_id="OTHER")
        other.sync_all(self.inbox)
        self.assertEqual(self.ids(other), before)


if __name__ == "__main__":
    unittest.main()
