# SPDX-License-Identifier: GPL-3.0-or-later
"""What a phone does with single mails outside of Sync, against a real
Dovecot."""

import base64
import os
import random
import re
import struct
from unittest import mock

from lib import schema, wbxml
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


class Operations(House):
    """ItemOperations and GetAttachment."""

    BELFRY = {"hook": "no"}
    DATA = random.Random(7).randbytes(1 << 20)
    LARGE = DATA * 25

    @classmethod
    def set_up_class(cls):
        """A sanitizer would keep back all that has been freed."""
        small = mock.patch.dict(os.environ, ASAN_OPTIONS=":".join(filter(
            None, (os.environ.get("ASAN_OPTIONS"), "quarantine_size_mb=1",
                   "thread_local_quarantine_size_kb=64"))))
        small.start()
        cls.addClassCleanup(small.stop)

    def setUp(self):
        super().setUp()
        self.phone = self.phone_of()
        self.inbox = self.phone.folder(INBOX)

    def append(self, *attachments, subject="m", mailbox="INBOX", **mail):
        self.dovecot.append(self.user, message(subject, attachments=[
            ("f%d.bin" % n, "application/x-data", data)
            for n, data in enumerate(attachments)], **mail), mailbox)

    def item(self, subject="m"):
        self.phone.sync_all(self.inbox)
        for server_id, data in self.phone.collection(self.inbox).items.items():
            if data["{Email}Subject"].text == subject:
                return server_id
        raise AssertionError("no %s" % subject)

    def operate(self, *operations):
        return self.phone.command("ItemOperations", (
            "ItemOperations:ItemOperations", *operations))

    def fetch(self, *what, store="Mailbox", options=()):
        spec = ["Fetch", ("Store", store), *what]
        if options:
            spec.append(("Options", *options))
        return tuple(spec)

    def fetched(self, *what, **arguments):
        return wbxml.find(self.operate(self.fetch(*what, **arguments)),
                          "Response/Fetch")

    def by_item(self, item, collection=None, **arguments):
        return self.fetched(
            ("AirSync:CollectionId", collection or self.inbox),
            ("AirSync:ServerId", item), **arguments)

    def by_reference(self, reference, **arguments):
        return self.fetched(("AirSyncBase:FileReference", reference),
                            **arguments)

    def references(self, item):
        node = self.by_item(item)
        return [a.text for a in wbxml.find_all(
            node, "Properties/AirSyncBase:Attachments/AirSyncBase:Attachment/"
                  "AirSyncBase:FileReference")]

    def parts(self, *operations):
        """The multipart answer's (document, [part])."""
        body = wbxml.encode(("ItemOperations:ItemOperations", *operations))
        response = self.phone.raw("ItemOperations", body,
                                  headers=[("MS-ASAcceptMultiPart", "T")])
        self.assertEqual(response.status, 200)
        self.assertEqual(response.header("Content-Type"),
                         "application/vnd.ms-sync.multipart")
        count, = struct.unpack_from("<I", response.body)
        table = [struct.unpack_from("<II", response.body, 4 + 8 * n)
                 for n in range(count)]
        self.assertEqual(table[0][0], 4 + 8 * count)
        self.assertEqual(sum(table[-1]), len(response.body))
        parts = [response.body[start:start + length]
                 for start, length in table]
        root = wbxml.decode(parts[0])
        schema.validate(root)
        return root, parts[1:]

    # items

    def test_an_item_is_fetched_whole(self):
        self.append(body="Gr\u00fc\u00dfe.\n" * 20000)
        item = self.item()
        node = self.by_item(item)
        self.assertEqual(
            [wbxml.text(node, name) for name in (
                "Status", "AirSync:CollectionId", "AirSync:ServerId",
                "AirSync:Class", "Properties/Email:Subject")],
            ["1", self.inbox, item, "Email", "m"])
        data = wbxml.text(node, "Properties/AirSyncBase:Body/AirSyncBase:Data")
        self.assertEqual(data.split(), ["Gr\u00fc\u00dfe."] * 20000)
        node = self.fetched(("Search:LongId", item))
        self.assertEqual(wbxml.text(node, "Search:LongId"), item)
        self.assertEqual(wbxml.text(node, "Properties/Email:Subject"), "m")

    def test_options_choose_what_comes(self):
        self.append(b"x", body="Hello.\n", html="<p>Hello.</p>")
        item = self.item()

        def body(*options):
            node = wbxml.find(self.by_item(item, options=options),
                              "Properties/AirSyncBase:Body")
            return (wbxml.text(node, "AirSyncBase:Type"),
                    wbxml.text(node, "AirSyncBase:Data"))
        preference = "AirSyncBase:BodyPreference"
        self.assertEqual(body((preference, ("Type", 1),
                               ("TruncationSize", 3))), ("1", "Hel"))
        self.assertIn("<p>Hello.</p>",
                      body((preference, ("Type", 2)))[1])
        kind, mime = body(("AirSync:MIMESupport", 2),
                          (preference, ("Type", 4)))
        self.assertEqual(kind, "4")
        self.assertIn("Message-ID", mime)
        node = self.by_item(item, options=[
            ("Schema", ("Email:Subject",), ("AirSyncBase:Body",))])
        self.assertEqual(
            sorted(child.tag for child in wbxml.find(node, "Properties")),
            ["{AirSyncBase}Body", "{Email}Subject"])

    def test_several_at_once_and_failures_beside_them(self):
        self.append(b"x")
        item = self.item()
        reference, = self.references(item)
        root = self.operate(
            self.fetch(("AirSyncBase:FileReference", reference)),
            ("EmptyFolderContents", ("AirSync:CollectionId", "999")),
            self.fetch(("AirSync:CollectionId", self.inbox),
                       ("AirSync:ServerId", self.inbox + ":77")),
            self.fetch(("AirSync:CollectionId", "999"),
                       ("AirSync:ServerId", "999:1")),
            self.fetch(("AirSync:ServerId", item)),
            self.fetch(("AirSyncBase:FileReference", item + ":9")),
            self.fetch(("AirSyncBase:FileReference", "junk")),
            self.fetch(("AirSyncBase:FileReference", item)),
            self.fetch(("DocumentLibrary:LinkId", "file://x/y"),
                       store="Document Library"),
            ("Move", ("ConversationId", b"c" * 16), ("DstFldId", self.inbox)),
            ("Move", ("ConversationId", b"c" * 16), ("DstFldId", self.inbox),
             ("Options", ("MoveAlways",))))
        self.assertEqual(wbxml.text(root, "Status"), "1")
        self.assertEqual(
            [(n.tag.partition("}")[2], wbxml.text(n, "Status"))
             for n in wbxml.find(root, "Response")],
            [("Move", "155"), ("Move", "156"), ("EmptyFolderContents", "6")]
            + [("Fetch", status) for status in (
                "1", "6", "6", "2", "15", "15", "15", "9")])
        self.assertEqual(wbxml.text(self.operate(), "Status"), "2")

    # attachments

    def test_an_attachment_is_exact_inline_and_in_parts(self):
        for data in (b"x", self.DATA[:100_000], self.LARGE):
            subject = str(len(data))
            self.append(data, b"", subject=subject)
            reference, empty = self.references(self.item(subject))
            with self.subTest(len(data)):
                node = self.by_reference(reference)
                self.assertEqual(wbxml.text(node, "Status"), "1")
                self.assertEqual(wbxml.text(
                    node, "Properties/AirSyncBase:ContentType"),
                    "application/x-data")
                coded = wbxml.text(node, "Properties/Data")
                self.assertTrue(base64.b64decode(coded) == data)
                root, parts = self.parts(self.fetch(
                    ("AirSyncBase:FileReference", reference)))
                self.assertEqual(wbxml.text(
                    root, "Response/Fetch/Properties/Part"), "1")
                self.assertEqual(len(parts), 1)
                self.assertTrue(parts[0] == data)
                self.assertEqual(wbxml.text(self.by_reference(empty),
                                            "Status"), "10")

    def test_a_large_attachment_passes_no_heap(self):
        self.append(self.LARGE)
        reference, = self.references(self.item())
        self.by_reference(reference, options=[("Range", "0-0")])
        before = self.peaks_kb()
        response = self.phone.raw("ItemOperations", wbxml.encode((
            "ItemOperations:ItemOperations", self.fetch(
                ("AirSyncBase:FileReference", reference)))))
        self.assertGreater(len(response.body), len(self.LARGE) * 4 // 3)
        for pid, peak in self.peaks_kb().items():
            self.assertLess(peak - before[pid], len(self.LARGE) // 2048)

    def peaks_kb(self):
        """Of each front, the most that it ever had in memory."""
        found = {}
        for pid in self.belfry.role_pids("front"):
            with open("/proc/%d/status" % pid, encoding="ascii") as status:
                found[pid] = int(re.search(r"VmHWM:\s+(\d+)",
                                           status.read()).group(1))
        return found

    def test_a_range_comes_with_the_total(self):
        data = self.DATA[:300_000]
        self.append(data)
        reference, = self.references(self.item())
        for asked, told in (("0-9", "0-9"), ("100-250000", "100-250000"),
                            ("299999-999999", "299999-299999")):
            options = [("Range", asked)]
            node = self.by_reference(reference, options=options)
            first, last = map(int, told.split("-"))
            self.assertEqual(
                (wbxml.text(node, "Properties/Range"),
                 wbxml.text(node, "Properties/Total")), (told, "300000"))
            self.assertEqual(base64.b64decode(
                wbxml.text(node, "Properties/Data")), data[first:last + 1])
            _, parts = self.parts(self.fetch(
                ("AirSyncBase:FileReference", reference), options=options))
            self.assertEqual(parts, [data[first:last + 1]])
        for asked in ("300000-300001", "5-4", "x", "1-2-3"):
            self.assertEqual(wbxml.text(self.by_reference(
                reference, options=[("Range", asked)]), "Status"), "8")

    def test_parts_of_several_items_are_told_apart(self):
        self.append(b"first", body="one " * 30000)
        self.append(b"second", subject="n", body="two\n")
        one, two = self.item("m"), self.item("n")
        references = self.references(one) + self.references(two)
        root, parts = self.parts(
            *(self.fetch(("AirSync:CollectionId", self.inbox),
                         ("AirSync:ServerId", item)) for item in (one, two)),
            *(self.fetch(("AirSyncBase:FileReference", reference))
              for reference in references))
        numbers = [wbxml.text(node, "Properties/AirSyncBase:Body/"
                              "ItemOperations:Part")
                   or wbxml.text(node, "Properties/Part")
                   for node in wbxml.find_all(root, "Response/Fetch")]
        self.assertEqual(numbers, ["1", "2", "3", "4"])
        self.assertEqual([part.split()[0] for part in parts],
                         [b"one", b"two", b"first", b"second"])

    def test_get_attachment_gives_it_as_it_is(self):
        self.append(self.DATA)
        reference, = self.references(self.item())
        for version, status in (("12.1", 200), ("14.0", 200), ("14.1", 501)):
            self.phone.version = version
            response = self.phone.raw(
                "GetAttachment", b"",
                parameters=[("AttachmentName", reference)])
            self.assertEqual(response.status, status)
            if status == 200:
                self.assertTrue(response.body == self.DATA)
                self.assertEqual(response.header("Content-Type"),
                                 "application/x-data")
        self.phone.version = "12.1"
        for name in (reference + "9", "junk", "", "999:1:2"):
            self.assertEqual(self.phone.raw(
                "GetAttachment", b"",
                parameters=[("AttachmentName", name)]).status, 500)

    # folders

    def test_a_folder_is_emptied_with_what_is_below(self):
        client = self.dovecot.imap(self.user)
        for name in ("Trash/Old", "Trash/Old/Older", "Other"):
            client.create(name)
        client.logout()
        self.phone.folder_sync()
        trash = self.phone.folder("4")
        for n in range(3):
            self.append(subject="t%d" % n, mailbox="Trash")
        self.append(mailbox="Other")
        self.phone.sync_all(trash)

        def empty(*options):
            root = self.operate(("EmptyFolderContents",
                                 ("AirSync:CollectionId", trash), *options))
            return wbxml.text(root, "Response/EmptyFolderContents/Status")
        self.assertEqual(empty(), "1")
        self.assertEqual(self.dovecot.subjects(self.user, "Trash"), [])
        self.assertEqual(len(self.phone.sync(trash).deleted), 3)
        before = len(self.phone.folders)
        self.assertEqual(empty(("Options", ("DeleteSubFolders",))), "1")
        self.assertEqual(self.phone.folder_sync(), "1")
        self.assertEqual(len(self.phone.folders), before - 2)
        self.assertEqual(self.dovecot.subjects(self.user, "Other"), ["m"])
