# SPDX-License-Identifier: GPL-3.0-or-later
"""Mailboxes as they are: fresh, huge, full of broken mails, made anew."""

import base64
import os
import random
import re
import signal
import threading
import time

from lib import wbxml
from lib.dovecot import ImapLines
from lib.house import House
from lib.phone import BODY_MIME, BODY_TEXT, INBOX, Refused
from lib.process import children_of, wait_until

MANY = 20000
WINDOW = 512
ATTACHMENT_BYTES = 25 * 1000 * 1000
MIME_PIECE = 5000
BROKEN = "(unreadable message)"
KILLS = 4
# HTTP 503 or Sync Status 16: come again
RETRY_ROUNDS = 60


def mail_octets(subject, body=b"Hello.\r\n", headers=b""):
    return (b"From: Sender <sender@elsewhere.example>\r\n"
            b"To: alice@example.org\r\nSubject: " + subject.encode()
            + b"\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\n"
            + headers + b"\r\n" + body)


class Fresh(House):
    """A mailbox that nobody has ever opened."""

    BELFRY = {"hook": "no"}

    # what Dovecot says of mod-sequences at SELECT: nothing yet
    MODSEQ = []

    def modseq_codes(self):
        client = ImapLines(self.dovecot, self.user)
        lines = client.command("SELECT INBOX")
        client.close()
        return re.findall(r"\[(\w*MODSEQ)", "\n".join(lines))

    def test_a_mailbox_without_modseq_is_pushed_and_synchronised(self):
        self.assertEqual(self.modseq_codes(), self.MODSEQ)
        phone = self.ready_phone()
        held = self.held_ping(phone)
        self.deliver("first")
        self.assert_rings(held, ["first"])
        inbox = phone.folder(INBOX)
        box = phone.collection(inbox)
        client = self.dovecot.imap(self.user)
        self.addCleanup(client.logout)
        client.select("INBOX")

        held = self.held_ping(phone)
        client.store("1", "+FLAGS", "(\\Seen)")
        self.assertEqual(phone.ping_wait(held)[:2], ("2", [inbox]))
        phone.sync_all(inbox)
        self.assertEqual([box.value(i, "Email:Read") for i in box.changed],
                         ["1"])

        held = self.held_ping(phone)
        client.store("1", "+FLAGS", "(\\Deleted)")
        client.expunge()
        self.assertEqual(phone.ping_wait(held)[:2], ("2", [inbox]))
        phone.sync_all(inbox)
        self.assertEqual(box.items, {})


class FreshForever(Fresh):
    """Indexes in memory: no mod-sequence ever."""

    # Dovecot 2.3 takes NOTIFY for such a mailbox, and then never says a word
    DOVECOT = {"mask": ("NOTIFY",),
               "extra": "mail_location = maildir:~/Maildir:INDEX=MEMORY\n"}
    MODSEQ = ["NOMODSEQ"]


class Large(House):
    BELFRY = {"hook": "no", "connector": {"timeout_s": "60"}}
    TEST_TIMEOUT_S = 300

    def test_20000_mails_arrive_each_once(self):
        subjects = ["mail %d" % n for n in range(MANY)]
        self.write_mails(mail_octets(s) for s in subjects)
        phone = self.phone_of(timeout_s=120)
        inbox = phone.folder(INBOX)
        # an Add of what is there already is an error of the phone
        box = phone.sync_all(inbox, window=WINDOW)
        self.assertEqual(len(box.added), MANY)
        self.assertEqual(sorted(box.values()), sorted(subjects))
        self.assertFalse(box.changed or box.deleted)
        held = self.held_ping(phone)
        self.deliver("one more")
        self.assert_rings(held, ["one more"])

    def test_a_25_mb_attachment_is_listed_and_comes_only_when_wanted(self):
        content = random.Random(1).randbytes(ATTACHMENT_BYTES)
        encoded = base64.encodebytes(content).replace(b"\n", b"\r\n")
        octets = mail_octets(
            "large",
            b"--b\r\nContent-Type: text/plain\r\n\r\nSee the file.\r\n"
            b"--b\r\nContent-Type: application/octet-stream\r\n"
            b"Content-Disposition: attachment; filename=\"large.bin\"\r\n"
            b"Content-Transfer-Encoding: base64\r\n\r\n"
            + encoded + b"--b--\r\n",
            b"MIME-Version: 1.0\r\n"
            b"Content-Type: multipart/mixed; boundary=b\r\n")
        self.write_mails([mail_octets("before"), octets, mail_octets("after")])
        self.assert_listed()
        self.assert_beginning(octets)
        self.assert_whole(octets)

    def large_of(self, options, device_id):
        """The large mail as this phone gets it; others come as well."""
        phone = self.phone_of(device_id=device_id, timeout_s=120)
        box = phone.sync_all(phone.folder(INBOX), options=options)
        self.assertEqual(sorted(box.values()), ["after", "before", "large"])
        return box.items[box.server_id_of("large")]

    def assert_listed(self):
        started = time.monotonic()
        data = self.large_of(None, "TEXTPHONE")
        print("# text in %.1f s" % (time.monotonic() - started))
        body = data["{AirSyncBase}Body"]
        self.assertEqual(wbxml.text(body, "Type"), str(BODY_TEXT))
        self.assertEqual(wbxml.text(body, "Data").strip(), "See the file.")
        attachment, = data["{AirSyncBase}Attachments"]
        self.assertEqual(wbxml.text(attachment, "DisplayName"), "large.bin")
        size = int(wbxml.text(attachment, "EstimatedDataSize"))
        self.assertAlmostEqual(size, ATTACHMENT_BYTES,
                               delta=ATTACHMENT_BYTES * 0.05)

    def assert_beginning(self, octets):
        data = self.large_of(self.sync_mime(MIME_PIECE), "PIECEPHONE")
        body = data["{AirSyncBase}Body"]
        self.assertEqual(wbxml.text(body, "Type"), str(BODY_MIME))
        self.assertEqual(wbxml.text(body, "Truncated"), "1")
        self.assertEqual(self.data_of(body), octets[:MIME_PIECE].decode())
        self.assertEqual(int(wbxml.text(body, "EstimatedDataSize")),
                         len(octets))

    def assert_whole(self, octets):
        data = self.large_of(self.sync_mime(None), "WHOLEPHONE")
        body = data["{AirSyncBase}Body"]
        self.assertEqual(wbxml.text(body, "Type"), str(BODY_MIME))
        self.assertNotEqual(wbxml.text(body, "Truncated"), "1")
        self.assertTrue(self.data_of(body) == octets.decode(),
                        "the mail is not what it was")

    @staticmethod
    def data_of(body):
        return wbxml.text(body, "Data")

    @staticmethod
    def sync_mime(truncation):
        parts = [("Type", BODY_MIME)]
        if truncation is not None:
            parts.append(("TruncationSize", truncation))
        return ("Options", ("FilterType", 0), ("MIMESupport", 2),
                ("AirSyncBase:BodyPreference", *parts))


def nested(depth):
    """multipart within multipart, a text in the innermost."""
    lines = []
    for level in range(depth):
        lines.append(b"Content-Type: multipart/mixed; boundary=n%d\r\n\r\n"
                     b"--n%d\r\n" % (level, level))
    lines.append(b"Content-Type: text/plain\r\n\r\ndeep\r\n")
    lines += [b"--n%d--\r\n" % level for level in reversed(range(depth))]
    return b"".join(lines)


JAPANESE = "\u65e5\u672c\u8a9e\u306e\u4ef6\u540d"
JIS_TEXT = JAPANESE.encode("iso-2022-jp")
HEAD = b"From: a@b.example\r\n"

# (what, octets, subject that the phone is to show or None, part of the body)
NASTY = (
    ("no headers", b"\r\njust text\r\n", None, "just text"),
    ("no header end", b"Subject: endless", "endless", None),
    ("empty", b"", None, None),
    ("one newline", b"\n", None, None),
    ("NULs", HEAD + b"Subject: n\0ul\r\n\r\nbefore\0after\r\n", None, "before"),
    ("only NULs", b"\0" * 5000, None, None),
    ("no last boundary", HEAD + b"Subject: open\r\nContent-Type: "
     b"multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nfirst part\r\n--x\r\n"
     b"Content-Type: image/png\r\n\r\n", "open", "first part"),
    ("no boundary at all", HEAD + b"Subject: none\r\nContent-Type: "
     b"multipart/mixed\r\n\r\n--x\r\n\r\ntext\r\n", "none", None),
    ("boundary never comes", HEAD + b"Subject: never\r\nContent-Type: "
     b"multipart/mixed; boundary=zzz\r\n\r\nhello\r\n", "never", None),
    ("empty boundary", HEAD + b"Subject: void\r\nContent-Type: multipart/mixed;"
     b" boundary=\"\"\r\n\r\n--\r\n\r\nx\r\n----\r\n", "void", None),
    ("raw UTF-8", HEAD + "Subject: gr\u00fc\u00df dich\r\n\r\nM\u00fcller\r\n"
     .encode(), "gr\u00fc\u00df dich", None),
    ("raw latin1", HEAD + b"Subject: gr\xfc\xdf\r\nContent-Type: text/plain; "
     b"charset=iso-8859-1\r\n\r\nM\xfcller\r\n", "gr\u00fc\u00df",
     "M\u00fcller"),
    ("ISO-2022-JP", HEAD + b"Subject: =?ISO-2022-JP?B?"
     + base64.b64encode(JIS_TEXT) + b"?=\r\nContent-Type: text/plain; "
     b"charset=ISO-2022-JP\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
     + JIS_TEXT + b"\r\n", JAPANESE, JAPANESE),
    ("raw ISO-2022-JP subject", HEAD + b"Subject: " + JIS_TEXT
     + b"\r\n\r\nx\r\n", None, "x"),
    ("base64 rubbish", HEAD + b"Subject: rubbish\r\nContent-Type: text/plain\r\n"
     b"Content-Transfer-Encoding: base64\r\n\r\n!!!*&^%$#@\r\n====\r\nA\r\n",
     "rubbish", None),
    ("quoted-printable rubbish", HEAD + b"Subject: qp\r\n"
     b"Content-Transfer-Encoding: quoted-printable\r\n\r\n=ZZ=\r\n=4=", "qp",
     None),
    ("unknown charset", HEAD + b"Subject: =?x-nowhere?B?//8=?=\r\n"
     b"Content-Type: text/plain; charset=x-nowhere\r\n\r\nabc\r\n", None,
     "abc"),
    ("broken encoded words", HEAD + b"Subject: =?utf-8?Q?=ZZ?= =?utf-8?B?gIA=?="
     b" =?\r\n\r\nx\r\n", None, "x"),
    ("1000 nested parts", HEAD + b"Subject: nested\r\n" + nested(1000),
     "nested", None),
    ("10000 flat parts", HEAD + b"Subject: flat\r\nContent-Type: "
     b"multipart/mixed; boundary=x\r\n\r\n" + b"--x\r\n\r\np\r\n" * 10000,
     "flat", "p"),
    ("message in message", HEAD + b"Subject: rfc822\r\n"
     + b"Content-Type: message/rfc822\r\n\r\n" * 500, "rfc822", None),
    ("long header line", HEAD + b"Subject: " + b"x" * 300000
     + b"\r\n\r\nlong\r\n", None, None),
    ("long body line", HEAD + b"Subject: line\r\n\r\n" + b"y" * 600000, "line",
     "yyy"),
    ("many headers", HEAD + b"X-A: b\r\n" * 20000
     + b"Subject: late\r\n\r\nmany\r\n", "late", None),
    ("control characters", HEAD + b"Subject: bell\x07\x1b[31m\r\n\r\n"
     b"\x01\x02text\x7f\x0b\r\n", None, "text"),
    ("broken HTML", HEAD + b"Subject: html\r\nContent-Type: text/html\r\n\r\n"
     + b"<div>" * 20000 + b"<b>bold<&#xFFFFFFFF;&#0;<!--", "html", "bold"),
    ("broken dates", HEAD + b"Subject: date\r\nDate: Foo, 99 Bar 99999 "
     b"99:99:99 +9999\r\n\r\nx\r\n", "date", "x"),
    ("large and broken", HEAD + b"Subject: big\r\nContent-Type: multipart/mixed;"
     b" boundary=x\r\n\r\n--x\r\n\r\ntop\r\n--x\r\nContent-Type: image/gif\r\n"
     b"Content-Transfer-Encoding: base64\r\n\r\n" + b"\xff\0!" * 300000,
     "big", "top"),
)


class Nasty(House):
    BELFRY = {"hook": "no"}
    TEST_TIMEOUT_S = 200

    def nasty_phone(self, options=None):
        mails = [mail_octets("good before")]
        mails += [octets for _, octets, _, _ in NASTY]
        self.write_mails(mails + [mail_octets("good after")])
        phone = self.phone_of()
        box = phone.sync_all(phone.folder(INBOX), options=options)
        self.assertEqual(len(box.items), len(mails) + 1, box.values())
        self.assertNotIn(BROKEN, box.values())
        # uids are given in the order of the file names
        return [box.items[i] for i in sorted(
            box.items, key=lambda i: int(i.rpartition(":")[2]))]

    @staticmethod
    def text_of(item, name):
        node = item.get(wbxml.q(name))
        return None if node is None else node.text or ""

    def test_broken_mails_are_shown_as_well_as_they_can_be(self):
        items = self.nasty_phone()
        subjects = [self.text_of(i, "Email:Subject") for i in items]
        self.assertEqual((subjects[0], subjects[-1]),
                         ("good before", "good after"))
        for (what, _, subject, inside), item in zip(NASTY, items[1:]):
            with self.subTest(what):
                if subject is not None:
                    self.assertEqual(self.text_of(item, "Email:Subject"),
                                     subject)
                body = item.get("{AirSyncBase}Body")
                if inside is not None:
                    self.assertIn(inside, wbxml.text(body, "Data", ""))

    def test_broken_mails_arrive_in_mime(self):
        items = self.nasty_phone(Large.sync_mime(None))
        for (what, octets, _, _), item in zip(NASTY, items[1:]):
            with self.subTest(what):
                body = item.get("{AirSyncBase}Body")
                data = wbxml.text(body, "Data", "")
                if octets.isascii() and b"\0" not in octets \
                        and not set(octets) & set(range(9)):
                    print("#", what, len(data), len(octets))
                self.assertEqual(wbxml.text(body, "Type"), str(BODY_MIME))


class Anew(House):
    """UIDVALIDITY changes: the ids that the phone has mean other mails."""

    BELFRY = {"hook": "no"}

    def assert_new_sync(self, phone, folder_id, subjects):
        box = phone.sync(folder_id)
        self.assertEqual(box.status, "3", self.belfry.log()[-3000:])
        box = phone.sync_all(folder_id)
        self.assertEqual(sorted(box.values()), subjects)
        self.assertFalse(box.changed or box.deleted)

    def test_a_lost_uidlist_makes_the_phone_synchronise_anew(self):
        self.write_mails([mail_octets("one"), mail_octets("two")])
        phone = self.ready_phone()
        inbox = phone.folder(INBOX)
        held = self.held_ping(phone)
        self.dovecot.stop()
        self.lose_uids()
        self.dovecot.start()
        self.deliver("three")
        self.assertEqual(phone.ping_wait(held)[:2], ("2", [inbox]))
        self.assert_new_sync(phone, inbox, ["one", "three", "two"])
        held = self.held_ping(phone)
        self.deliver("four")
        self.assert_rings(held, ["four"])

    def lose_uids(self):
        path = self.maildir()
        for name in os.listdir(path):
            if name.startswith("dovecot"):
                os.unlink(os.path.join(path, name))

    def test_a_folder_that_was_made_anew_is_synchronised_anew(self):
        client = self.dovecot.imap(self.user)
        self.addCleanup(client.logout)
        client.create("Work")
        client.append("Work", "", None, mail_octets("old"))
        phone = self.ready_phone()
        work = phone.folder("Work")
        self.assertEqual(phone.sync_all(work).values(), ["old"])
        client.delete("Work")
        # the validity is a time in seconds
        time.sleep(1.1)
        client.create("Work")
        client.append("Work", "", None, mail_octets("new"))
        self.assert_new_sync(phone, work, ["new"])


class Dying(House):
    """Workers die in the middle of a fetch."""

    BELFRY = {"hook": "no", "connector": {"workers": "1"}}
    TEST_TIMEOUT_S = 200

    def workers(self):
        return [pid for daemon, line in self.belfry.roles()
                if "belfry-imap" in line
                for pid, child in children_of(daemon) if "--worker" in child]

    def kill_workers(self, done):
        """Several, each when it had time to be in the middle."""
        for _ in range(KILLS):
            wait_until(lambda: done.is_set() or self.workers(), "a worker")
            if done.wait(0.3):
                return
            for pid in self.workers():
                os.kill(pid, signal.SIGKILL)
                self.killed += 1

    def sync_stubbornly(self, phone, folder_id):
        """As a phone does: what could not be done now is tried again."""
        for _ in range(RETRY_ROUNDS):
            try:
                box = phone.sync(folder_id, window=200)
            except Refused as refused:
                self.assertEqual(refused.status, 503)
                time.sleep(0.2)
                continue
            if box.status == "16":
                time.sleep(0.2)
                continue
            self.assertEqual(box.status, "1")
            if box.items and not box.more:
                return box
        self.fail("never whole\n" + self.belfry.log()[-3000:])

    def test_dying_workers_stop_no_folder(self):
        count = 1500
        subjects = ["mail %d" % n for n in range(count)]
        self.write_mails(mail_octets(s) for s in subjects)
        phone = self.phone_of(timeout_s=60)
        self.killed, done = 0, threading.Event()
        killer = threading.Thread(target=self.kill_workers, args=(done,))
        killer.start()
        try:
            box = self.sync_stubbornly(phone, phone.folder(INBOX))
        finally:
            done.set()
            killer.join()
        self.assertGreater(self.killed, 0)
        self.assertEqual(len(box.items), count)
        bad = [s for s in box.values() if s == BROKEN]
        self.assertLessEqual(len(bad), self.killed)
        self.assertEqual(len(set(box.values()) & set(subjects)),
                         count - len(bad))
        held = self.held_ping(phone)
        self.deliver("alive")
        self.assert_rings(held, ["alive"])
