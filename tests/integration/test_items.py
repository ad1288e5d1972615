# SPDX-License-Identifier: GPL-3.0-or-later
"""What a phone does with single mails outside of Sync, against a real
Dovecot."""

from lib import wbxml
from lib.house import House
from lib.mail import message
from lib.phone import INBOX


class Moves:
    """Whatever the server can."""

    def setUp(self):
        super().setUp()
        client = self.dovecot.imap(self.user)
        client.create("Work")
        client.logout()
        self.phone = self.phone_of()
        self.inbox = self.phone.folder(INBOX)
        self.work = self.phone.folder("Work")

    def fill(self, *subjects):
        for subject in subjects:
            self.dovecot.append(self.user, message(subject))
        for folder in (self.inbox, self.work):
            self.phone.sync_all(folder)

    def move(self, *items, source=None, target=None):
        """[(Status, DstMsgId)] of the items, in their order."""
        root = self.phone.command("MoveItems", (
            "Move:MoveItems", *[
                ("Move", ("SrcMsgId", item),
                 ("SrcFldId", source or self.inbox),
                 ("DstFldId", target or self.work)) for item in items]))
        responses = wbxml.find_all(root, "Response")
        self.assertEqual([wbxml.text(r, "SrcMsgId") for r in responses],
                         list(items))
        return [(wbxml.text(r, "Status"), wbxml.text(r, "DstMsgId"))
                for r in responses]

    def subjects(self, mailbox="INBOX"):
        return self.dovecot.subjects(self.user, mailbox)

    def items(self, folder):
        """{subject: ServerId} on the phone."""
        return {data["{Email}Subject"].text: server_id for server_id, data
                in self.phone.collection(folder).items.items()}

    def test_mails_are_moved_and_have_the_ids_that_were_told(self):
        self.dovecot.append(self.user, message("there"), "Work")
        self.fill("a", "b", "c")
        ids = self.items(self.inbox)
        answer = self.move(ids["c"], ids["a"])
        self.assertEqual([status for status, _ in answer], ["3", "3"])
        self.assertEqual((self.subjects(), self.subjects("Work")),
                         (["b"], ["there", "a", "c"]))
        # the answer was lost
        self.assertEqual(self.move(ids["c"], ids["a"]), answer)
        self.assertEqual(self.subjects("Work"), ["there", "a", "c"])
        box = self.phone.sync(self.inbox)
        self.assertEqual(sorted(box.deleted), sorted([ids["a"], ids["c"]]))
        self.phone.sync(self.work)
        now = self.items(self.work)
        self.assertEqual([now["c"], now["a"]], [new for _, new in answer])
        # and back, to an id of its own
        (status, back), = self.move(now["a"], source=self.work,
                                    target=self.inbox)
        self.assertEqual(status, "3")
        self.assertNotIn(back, ids.values())
        self.phone.sync(self.inbox)
        self.assertEqual(self.items(self.inbox)["a"], back)

    def test_a_mail_that_another_client_removed_is_no_source(self):
        self.fill("a", "b")
        ids = self.items(self.inbox)
        client = self.dovecot.imap(self.user)
        client.select("INBOX")
        client.store("1", "+FLAGS", "\\Deleted")
        client.expunge()
        client.logout()
        self.assertEqual(
            [status for status, _ in self.move(ids["a"], ids["b"])],
            ["1", "3"])

    def test_what_cannot_be_moved_has_its_status(self):
        self.fill("a")
        item = self.items(self.inbox)["a"]
        for source, target, status in (
                (self.inbox, self.inbox, "4"), (self.inbox, "999", "2"),
                ("999", self.work, "1"), (self.work, self.inbox, "1")):
            self.assertEqual(self.move(item, source=source, target=target),
                             [(status, None)])
        client = self.dovecot.imap(self.user)
        client.delete("Work")
        client.logout()
        self.assertEqual(self.move(item), [("2", None)])
        self.assertEqual(self.subjects(), ["a"])

    def test_own_moves_do_not_ring(self):
        self.fill("a", "b")
        ids = self.items(self.inbox)
        self.assertEqual(self.move(ids["a"])[0][0], "3")
        held = self.held_ping(self.phone, [self.inbox, self.work])
        self.dovecot.append(self.user, message("new"), "Work")
        self.assertEqual(self.phone.ping_wait(held)[:2], ("2", [self.work]))
        self.phone.sync(self.work)
        self.assertEqual(sorted(self.items(self.work)), ["a", "new"])

    def test_two_hundred_at_once(self):
        self.fill(*("m%03d" % n for n in range(200)))
        ids = self.items(self.inbox)
        answer = dict(zip(ids, self.move(*ids.values())))
        self.assertEqual({status for status, _ in answer.values()}, {"3"})
        self.phone.sync_all(self.work)
        self.assertEqual(self.items(self.work), {
            subject: new for subject, (_, new) in answer.items()})


class MovesOfDovecot(Moves, House):
    BELFRY = {"hook": "no"}


class MovesOfOldServers(Moves, House):
    BELFRY = {"hook": "no"}
    DOVECOT = {"mask": ("UIDPLUS", "MOVE", "CONDSTORE", "QRESYNC", "ENABLE",
                        "ESEARCH")}
