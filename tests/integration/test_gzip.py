# SPDX-License-Identifier: GPL-3.0-or-later
"""Compressed answers (MS-ASHTTP 2.2.2.1.2, Content-Encoding) of the whole
house: what a phone unpacks is what it would have got."""

import gzip
import random
import unittest

from lib import wbxml
from lib.house import House
from lib.http_raw import Connection
from lib.mail import message
from lib.phone import INBOX, PATH, Phone
from lib.process import need_program, run

TEXT = "The bells ring when something arrives.\n" * 100
MULTIPART = ("MS-ASAcceptMultiPart", "T")


class Unpacking(Connection):
    """Notes (octets that came, octets of the answer) of what was packed."""

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self.packed = []

    def receive(self, head_only=False):
        response = super().receive(head_only)
        if response.header("Content-Encoding") == "gzip":
            if response.header("Vary") != "Accept-Encoding":
                raise AssertionError("no Vary in %s" % response.headers)
            came = len(response.body)
            response.body = gzip.decompress(response.body)
            self.packed.append((came, len(response.body)))
        return response


class GzipPhone(Phone):
    def headers(self, content_type=None):
        return super().headers(content_type) + [
            ("Accept-Encoding", "gzip, deflate")]

    def connect(self):
        return Unpacking(self.host, self.port, self.tls, self.timeout_s)

    @property
    def packed(self):
        return self.connection.packed


class Gzip(House):

    def mails(self, count):
        for number in range(count):
            self.dovecot.append(self.user, message("m%d" % number, body=TEXT))

    def synchronised(self):
        phone = self.phone_of(kind=GzipPhone)
        self.assertEqual(phone.packed, [])     # all that was short
        box = phone.sync_all(phone.folder(INBOX))
        return phone, box

    @staticmethod
    def fetch_of(phone, *items):
        return wbxml.encode(("ItemOperations:ItemOperations", *[
            ("Fetch", ("Store", "Mailbox"),
             ("AirSync:CollectionId", phone.folder(INBOX)),
             ("AirSync:ServerId", item),
             ("Options", ("AirSyncBase:BodyPreference", ("Type", 1))))
            for item in items]))

    def test_a_sync_is_a_tenth_of_its_length(self):
        self.mails(30)
        phone, box = self.synchronised()
        self.assertEqual(len(box.items), 30)
        (came, length), = phone.packed
        self.assertGreater(length, 30 * len(TEXT))
        self.assertLess(came, length / 10)

    def test_of_several_slices(self):
        for number in range(10):
            self.dovecot.append(self.user, message(
                "m%d" % number, body=TEXT * 20))
        phone, _ = self.synchronised()
        phone.packed.clear()
        ids = list(phone.collection(phone.folder(INBOX)).items)
        root = phone.check_answer("ItemOperations", phone.raw(
            "ItemOperations", self.fetch_of(phone, *ids)))
        bodies = [wbxml.text(node, "Properties/AirSyncBase:Body/"
                             "AirSyncBase:Data").split()
                  for node in wbxml.find_all(root, "Response/Fetch")]
        self.assertEqual(bodies, [(TEXT * 20).split()] * 10)
        (came, length), = phone.packed
        self.assertGreater(length, 10 * 20 * len(TEXT))
        self.assertLess(came, length / 10)

    def test_a_multipart_answer_too_and_a_picture_as_it_is(self):
        self.mails(1)
        noise = random.Random(1).randbytes(200000)
        self.dovecot.append(self.user, message(
            "picture", attachments=[("a.jpg", "image/jpeg", noise)]))
        phone, box = self.synchronised()
        phone.packed.clear()
        ids = sorted(box.items, key=lambda i: box.value(i, "Email:Subject"))
        plain = self.belfry.phone(self.user)
        plain.policy_key = phone.policy_key
        fetch = self.fetch_of(phone, ids[0])
        got = phone.raw("ItemOperations", fetch, headers=[MULTIPART])
        self.assertEqual(got.header("Content-Type"),
                         "application/vnd.ms-sync.multipart")
        self.assertEqual(got.body, plain.raw(
            "ItemOperations", fetch, headers=[MULTIPART]).body)
        self.assertEqual(len(phone.packed), 1)
        reference = box.items[ids[1]][wbxml.q(
            "AirSyncBase:Attachments")].findtext(".//" + wbxml.q(
                "AirSyncBase:FileReference"))
        got = phone.raw("ItemOperations", wbxml.encode((
            "ItemOperations:ItemOperations", ("Fetch", (
                "Store", "Mailbox"), ("AirSyncBase:FileReference",
                                      reference)))), headers=[MULTIPART])
        self.assertIsNone(got.header("Content-Encoding"))
        self.assertTrue(got.body.endswith(noise))

    def test_what_a_held_sync_announces_comes_so(self):
        phone, _ = self.synchronised()
        inbox = phone.folder(INBOX)
        held = phone.sync_start(inbox, ("HeartbeatInterval", 600))
        self.assert_held(held, 0.5)
        self.dovecot.append(self.user, message("new", body=TEXT))
        phone.apply_sync(held.wait(), [inbox])
        self.assertTrue(phone.collection(inbox).more)
        self.assertEqual(held.connection.packed, [])    # that was short
        self.assertEqual(len(phone.sync_all(inbox).items), 1)
        self.assertEqual(len(phone.packed), 1)

    def test_as_curl_reads_it(self):
        self.mails(1)
        phone, box = self.synchronised()
        item, = box.items
        body = self.fetch_of(phone, item)
        plain = self.belfry.phone(self.user)
        plain.policy_key = phone.policy_key
        with open(self.folder("curl.request"), "wb") as file:
            file.write(body)
        argv = [need_program("curl"), "-s", "--cacert", self.certificates.ca,
                "--compressed", "-D", self.folder("curl.headers"),
                "-o", self.folder("curl.body"), "--data-binary",
                "@" + self.folder("curl.request")]
        for header in plain.headers("application/vnd.ms-sync.wbxml"):
            argv += ["-H", "%s: %s" % header]
        run(argv + ["https://localhost:%d%s" % (
            self.belfry.port, phone.target("ItemOperations"))])
        with open(self.folder("curl.body"), "rb") as file:
            self.assertEqual(file.read(),
                             plain.raw("ItemOperations", body).body)
        self.assertIn("Content-Encoding: gzip",
                      self.folder.read("curl.headers"))

    def test_options_and_head_have_nothing_to_compress(self):
        phone = self.belfry.phone(self.user, kind=GzipPhone)
        phone.options()
        connection = phone.connect()
        connection.send("HEAD", PATH, phone.headers())
        self.assertIsNone(connection.receive(True).header("Content-Encoding"))
        self.assertEqual(phone.packed, [])

    def test_a_compressed_request_is_refused(self):
        phone = self.phone_of()
        response = phone.raw("FolderSync", gzip.compress(b"x"),
                             headers=[("Content-Encoding", "gzip")])
        self.assertEqual(response.status, 415)
        self.assertEqual(response.header("Accept-Encoding"), "identity")


class GzipOff(House):

    BELFRY = {"gzip": "false"}

    def test_nothing_is_compressed(self):
        for number in range(3):
            self.dovecot.append(self.user, message("m%d" % number, body=TEXT))
        phone = self.phone_of(kind=GzipPhone)
        self.assertEqual(
            len(phone.sync_all(phone.folder(INBOX)).items), 3)
        self.assertEqual(phone.packed, [])


if __name__ == "__main__":
    unittest.main()
