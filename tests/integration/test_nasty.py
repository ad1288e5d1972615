# SPDX-License-Identifier: GPL-3.0-or-later
"""Mails as nobody should write them: each is shown as well as it can be, and
none stops its folder."""

import base64
import threading

from lib import wbxml
from lib.house import House
from lib.mail import mail_octets
from lib.phone import BODY_HTML, BODY_MIME, INBOX, Phone

BROKEN = "(unreadable message)"


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


def is_carried_whole(octets):
    """Whether all of it are characters that XML 1.0 knows."""
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        return False
    return all(c >= " " or c in "\t\r\n" for c in text)


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
        items = self.nasty_phone(Phone.mime_options())
        for (what, octets, _, _), item in zip(NASTY, items[1:]):
            with self.subTest(what):
                body = item.get("{AirSyncBase}Body")
                data = wbxml.text(body, "Data", "")
                self.assertEqual(wbxml.text(body, "Type"), str(BODY_MIME))
                if is_carried_whole(octets):
                    self.assertEqual(data.replace("\r\n", "\n"), octets
                                     .decode().replace("\r\n", "\n"))


FLOOD = 1000000
# Each would take hours if it took time with its square.
FLOODS = (
    HEAD + b"To: " + b"".join(b"N%d <a%d@example.org>,\r\n " % (n, n)
                              for n in range(100000)) + b"\r\n\r\nx",
    HEAD + b"".join(b"To: a%d@example.org\r\n" % n for n in range(100000))
    + b"\r\nx",
    HEAD + b"Content-Type: text/plain; " + b"".join(
        b"name*%d*=%%41;\r\n " % n for n in range(100000)) + b"\r\n\r\nx",
    HEAD + b"Subject: " + b"=?utf-8?Q?a?= =?koi8-r?B?8A==?=\r\n "
    * (FLOOD // 2) + b"\r\n\r\nx",
    HEAD + b"Subject: " + b"x" * 5 * FLOOD + b"\r\n\r\nx",
    HEAD + nested(1000) * 20,
    HEAD + b"Content-Type: multipart/mixed; boundary=x\r\n\r\n"
    + b"--x\r\nContent-Disposition: attachment; filename=a\r\n\r\nx\r\n"
    * 100000,
    HEAD + b"Content-Type: text/html\r\n\r\n" + b"<div>" * FLOOD,
    HEAD + b"Content-Type: text/html\r\n\r\n" + b"<dd><li>" * FLOOD,
    HEAD + b"Content-Type: text/html\r\n\r\n<a " + b"".join(
        b"a%d " % n for n in range(FLOOD // 4)) + b">x",
    HEAD + b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64"
    b"\r\n\r\n" + b"=!A=" * FLOOD,
    HEAD + b"Content-Type: text/plain\r\nContent-Transfer-Encoding: "
    b"quoted-printable\r\n\r\n" + b"=      " * FLOOD,
)


class Floods(House):
    BELFRY = {"hook": "no"}
    TEST_TIMEOUT_S = 600

    def synchronise(self, phone, options, boxes):
        boxes.append(phone.sync_all(phone.folder(INBOX), options=options))

    def test_mails_made_to_take_long_keep_nobody_waiting(self):
        mails = [mail_octets("good before"), *FLOODS,
                 mail_octets("good after")]
        self.write_mails(mails)
        other = self.ready_phone(self.next_user(), device_id="OTHER")
        for number, options in enumerate((
                None, Phone.sync_options(body_type=BODY_HTML),
                Phone.mime_options())):
            phone, boxes = self.phone_of(device_id="FLOOD%d" % number,
                                         timeout_s=200), []
            thread = threading.Thread(target=self.synchronise,
                                      args=(phone, options, boxes))
            thread.start()
            rounds = 0
            while rounds == 0 or thread.is_alive():
                held = self.held_ping(other)
                self.deliver("mail %d" % rounds, user=other.user)
                self.assert_rings(held, ["mail %d" % rounds])
                rounds += 1
            thread.join()
            box, = boxes
            self.assertEqual(len(box.items), len(mails))
            subjects = box.values()
            self.assertIn("good before", subjects)
            self.assertIn("good after", subjects)
            self.assertNotIn(BROKEN, subjects)
