#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signed and encrypted mails: what a phone gets, and what it has sent, is
looked at by openssl, which knows nothing of Belfry."""

import os
import unittest

from lib import wbxml
from lib.house import House
from lib.phone import INBOX
from lib.process import need_program, run
from test_send import Sending, address

TEXT = b"Content-Type: text/plain; charset=utf-8\r\n\r\nI mean it, " \
    b"gr\xc3\xbc\xc3\x9fe.  \r\n\r\n-- \r\nAlice\r\n"
SMIME_ONLY, ALWAYS = 1, 2


class Smime:
    """Mixed into a house: a certificate, and mails made with it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.openssl = need_program("openssl")
        cls.key, cls.certificate = (cls.folder("smime.key"),
                                    cls.folder("smime.pem"))
        run([cls.openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes",
             "-keyout", cls.key, "-out", cls.certificate, "-days", "2",
             "-subj", "/CN=Alice", "-addext",
             "extendedKeyUsage=emailProtection"])

    def smime(self, *arguments, octets, last=()):
        """openssl smime; the octets that it writes."""
        source, target = self.folder("smime.in"), self.folder("smime.out")
        with open(source, "wb") as file:
            file.write(octets)
        if os.path.exists(target):
            os.unlink(target)
        done = run([self.openssl, "smime", *arguments, "-in", source,
                    "-out", target, *last], check=False)
        if done.returncode != 0:
            self.fail("openssl smime %s: %s" % (arguments, done.stderr))
        with open(target, "rb") as file:
            return file.read()

    def made(self, *arguments, sender="alice@example.org",
             to="bob@example.org", octets=TEXT, last=()):
        made = self.smime(*arguments, "-from", sender, "-to", to, "-subject",
                          "Secret", octets=octets, last=last)
        return made.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")

    def signed(self, *more, **arguments):
        return self.made("-sign", "-signer", self.certificate, "-inkey",
                         self.key, *more, **arguments)

    def encrypted(self, **arguments):
        return self.made("-encrypt", "-aes256", last=(self.certificate,),
                         **arguments)

    def decrypted(self, octets):
        return self.smime("-decrypt", "-recip", self.certificate, "-inkey",
                          self.key, octets=octets)

    def verified(self, octets):
        """What was signed, when the signature is right."""
        return self.smime("-verify", "-CAfile", self.certificate,
                          octets=octets)


class TestReceived(Smime, House):
    BELFRY = {"hook": "no"}

    def setUp(self):
        super().setUp()
        self.phone = self.phone_of()
        self.inbox = self.phone.folder(INBOX)

    def sync(self, octets, mime_support=SMIME_ONLY, preferences=("4", "1"),
             truncation=None):
        """The item on the phone."""
        client = self.dovecot.imap(self.user)
        client.append("INBOX", "", None, octets)
        client.logout()
        options = ("Options", ("MIMESupport", mime_support), *[
            ("AirSyncBase:BodyPreference", ("Type", kind),
             *([("TruncationSize", truncation)] if truncation else []))
            for kind in preferences])
        box = self.phone.sync_all(self.inbox, options=options)
        return box.items[box.added[-1]]

    def body(self, item, name):
        return wbxml.text(item["{AirSyncBase}Body"], name)

    def octets(self, item):
        self.assertEqual((self.body(item, "Type"),
                          self.body(item, "Truncated")), ("4", "0"))
        return self.body(item, "Data").encode()

    def test_a_signed_mail_comes_byte_for_byte(self):
        mail = self.signed()
        item = self.sync(mail)
        self.assertEqual(item["{Email}MessageClass"].text,
                         "IPM.Note.SMIME.MultipartSigned")
        self.assertEqual(self.octets(item), mail)
        self.assertEqual(self.verified(self.octets(item)), TEXT)

    def test_a_large_one_too(self):
        """So large that it comes to the worker in pieces."""
        text = TEXT + b"".join(b"line %d of many\r\n" % n
                               for n in range(40000))
        mail = self.signed(octets=text)
        item = self.sync(mail)
        self.assertEqual(self.octets(item), mail)
        self.assertEqual(self.verified(self.octets(item)), text)

    def test_an_opaque_signature_comes_byte_for_byte(self):
        mail = self.signed("-nodetach")
        item = self.sync(mail)
        self.assertEqual(item["{Email}MessageClass"].text, "IPM.Note.SMIME")
        self.assertEqual(self.octets(item), mail)
        self.assertEqual(self.verified(self.octets(item)), TEXT)

    def test_an_encrypted_mail_can_be_read_with_the_key_only(self):
        mail = self.encrypted()
        item = self.sync(mail)
        self.assertEqual(item["{Email}MessageClass"].text, "IPM.Note.SMIME")
        self.assertEqual(self.octets(item), mail)
        self.assertEqual(self.decrypted(self.octets(item)), TEXT)
        attachment, = wbxml.find_all(item["{AirSyncBase}Attachments"],
                                     "Attachment")
        self.assertEqual(wbxml.text(attachment, "DisplayName"), "smime.p7m")

    def test_signed_and_encrypted(self):
        mail = self.encrypted(octets=self.signed())
        got = self.octets(self.sync(mail))
        self.assertEqual(got, mail)
        self.assertEqual(self.verified(self.decrypted(got)), TEXT)

    def test_other_mails_come_as_text(self):
        item = self.sync(b"Subject: plain\r\n\r\nnot signed\r\n")
        self.assertEqual((self.body(item, "Type"), self.body(item, "Data")),
                         ("1", "not signed\r\n"))
        item = self.sync(b"Subject: plain\r\n\r\nnot signed\r\n", ALWAYS)
        self.assertEqual(self.octets(item),
                         b"Subject: plain\r\n\r\nnot signed\r\n")

    def test_without_mime_the_text_can_be_read(self):
        item = self.sync(self.signed(), mime_support=0)
        self.assertEqual(self.body(item, "Type"), "1")
        self.assertIn("I mean it", self.body(item, "Data"))
        attachment, = wbxml.find_all(item["{AirSyncBase}Attachments"],
                                     "Attachment")
        self.assertEqual(wbxml.text(attachment, "DisplayName"), "smime.p7s")

    def test_what_is_cut_says_so_and_comes_whole_when_asked_for(self):
        mail = self.signed()
        item = self.sync(mail, truncation=100)
        self.assertEqual((self.body(item, "Truncated"),
                          self.body(item, "EstimatedDataSize"),
                          self.body(item, "Data").encode()),
                         ("1", str(len(mail)), mail[:100]))
        item_id, = self.phone.collection(self.inbox).items
        root = self.phone.command("ItemOperations", (
            "ItemOperations:ItemOperations", (
                "Fetch", ("Store", "Mailbox"),
                ("AirSync:CollectionId", self.inbox),
                ("AirSync:ServerId", item_id), (
                    "Options", ("AirSync:MIMESupport", SMIME_ONLY), (
                        "AirSyncBase:BodyPreference", ("Type", 4))))))
        data = wbxml.text(wbxml.find(
            root, "Response/Fetch/Properties/AirSyncBase:Body"), "Data")
        self.assertEqual(self.verified(data.encode()), TEXT)


class TestSent(Smime, Sending):

    def test_a_signed_mail_leaves_as_it_came(self):
        mail = self.signed(sender=address(self.user), to=address(self.other))
        self.assertIsNone(self.phone.send_mail(mail))
        self.arrived()
        for user, mailbox in ((self.other, "INBOX"), (self.user, "Sent")):
            octets, = self.octets_of(user, mailbox)
            self.assertEqual(octets.partition(b"\r\n\r\n")[2],
                             mail.partition(b"\r\n\r\n")[2])
            self.assertEqual(self.verified(octets), TEXT)

    def test_an_encrypted_mail_too(self):
        mail = self.encrypted(sender=address(self.user),
                              to=address(self.other))
        self.assertIsNone(self.phone.send_mail(mail))
        self.arrived()
        octets, = self.octets_of(self.other)
        self.assertEqual(self.decrypted(octets), TEXT)

    def test_a_signed_reply_quotes_nothing(self):
        """What is added would not be signed; what is replaced is whole."""
        self.dovecot.append(self.user, self.mail("Original"))
        inbox = self.phone.folder(INBOX)
        self.phone.sync_all(inbox)
        item, = self.phone.collection(inbox).items
        mail = self.signed(sender=address(self.user), to=address(self.other))
        self.assertIsNone(self.phone.send_mail(
            mail, cmd="SmartReply", source=(inbox, item)))
        self.arrived()
        octets, = self.octets_of(self.other)
        self.assertEqual(self.verified(octets), TEXT)


if __name__ == "__main__":
    unittest.main()
