# SPDX-License-Identifier: GPL-3.0-or-later
"""belfry-imap's worker against a real Dovecot, and against servers that lie.

The test is the worker's daemon: it speaks connectors/imap/worker.proto."""

import base64
import email
import email.policy
import glob
import os
import random
import re
import socket
import time
import unittest

from lib.certificates import Certificates
from lib.dovecot import MASTER_PASSWORD, MASTER_USER, Dovecot, ImapLines
from lib.mail import message
from lib.process import Folder, wait_until
from lib.proto import ROOT
from lib.scripted_imap import ScriptedImap
from lib.worker import BODY, FLAG, OUTCOME, ROLE, STATUS, Worker, WorkerGone

BOARD_IDLE, BOARD_FETCHING, BOARD_PARSING = 0, 1, 2
PLAIN = [dict(type=BODY["PLAIN"])]
HTML_OR_PLAIN = [dict(type=BODY["HTML"]), dict(type=BODY["PLAIN"])]
WHOLE_MAX = 256 * 1024


def octets(mail):
    """As it lies in an IMAP mailbox."""
    return mail.as_bytes(policy=email.policy.SMTP)


def span(bounds):
    return [n for first, last in zip(bounds[::2], bounds[1::2])
            for n in range(first, last + 1)]


class WorkerCase(unittest.TestCase):
    """One Dovecot for a class; each test has a user and a worker of its own."""

    MASK = ()
    EXTRA = ""

    @classmethod
    def setUpClass(cls):
        cls.folder = Folder("worker")
        cls.addClassCleanup(cls.folder.remove)
        cls.certificates = Certificates(cls.folder)
        cls.dovecot = Dovecot(cls.folder, cls.certificates, users=40,
                              mask=cls.MASK, extra=cls.EXTRA)
        cls.addClassCleanup(cls.dovecot.stop)
        cls.dovecot.start()
        cls.users = iter("u%04d" % (n + 1) for n in range(40))

    def setUp(self):
        self.user = next(self.users)
        self.password = self.dovecot.password_of(self.user)
        self.log = self.folder("%s.log" % self.user)
        self.worker = None

    def tearDown(self):
        if self.worker:
            self.worker.close()
        log = self.folder.read("%s.log" % self.user)
        self.assertNotRegex(log, "Sanitizer|runtime error")

    def start(self, **settings):
        if self.worker:
            self.worker.close()
        self.worker = Worker(dict(
            dict(host="127.0.0.1", port=self.dovecot.imap_port, tls="none"),
            **settings), self.log)
        return self.worker

    def ask(self, **request):
        worker = self.worker or self.start()
        return worker.ask(self.user, self.password, **request)

    def one(self, status="OK", **request):
        responses = self.ask(**request)
        self.assertEqual(len(responses), 1)
        self.assertEqual(responses[0]["status"], STATUS[status], responses[0])
        return responses[0]

    def collections(self):
        found = self.one(list={})["collections"]["collections"]
        return {c["name"]: c for c in found}

    def survey(self, collection="INBOX", **survey):
        return self.one(survey=dict(collection=collection, **survey))["surveyed"]

    def present(self, collection="INBOX", **survey):
        return span(self.survey(collection, **survey)["present"]["bounds"])

    def flags(self, collection="INBOX", **survey):
        surveyed = self.survey(collection, **survey)
        return {i["id"]: i["flags"] for i in surveyed["changed"]}

    def fetch(self, ids, collection="INBOX", wishes=PLAIN, mime_support=0,
              validity=0, **request):
        responses = self.ask(fetch=dict(
            collection=collection, ids=ids, wishes=wishes, validity=validity,
            mime_support=mime_support), **request)
        items = [r["fetched"]["item"] for r in responses]
        self.assertEqual([i["id"] for i in items], list(ids))
        self.assertEqual([r["fetched"]["last"] for r in responses],
                         [0] * (len(ids) - 1) + [1])
        return items

    def apply(self, *operations, collection="INBOX", **apply):
        response = self.one(apply=dict(collection=collection,
                                       operations=operations, **apply))
        results = response["applied"]["results"]
        words = {n: w for w, n in STATUS.items()}
        return [words[n] for n in results]

    def append(self, *mails, mailbox="INBOX", flags=None):
        for mail in mails:
            if isinstance(mail, str):
                mail = message(mail)
            self.dovecot.append(self.user, mail, mailbox, flags)

    def append_raw(self, raw, mailbox="INBOX"):
        client = self.dovecot.imap(self.user)
        status, data = client.append(mailbox, "", None, raw)
        self.assertEqual(status, "OK", data)
        client.logout()

    def lines(self, *commands):
        """IMAP commands of another client; the untagged lines of the last."""
        client = ImapLines(self.dovecot, self.user)
        for command in commands:
            result = client.command(command)
        client.close()
        return result


class Lists(WorkerCase):
    def test_special_folders_have_their_roles(self):
        found = self.collections()
        self.assertEqual(list(found)[0], "INBOX")
        roles = {name: c["role"] for name, c in found.items()}
        self.assertEqual(roles, {"INBOX": ROLE["INBOX"], "Sent": ROLE["SENT"],
                                 "Drafts": ROLE["DRAFTS"],
                                 "Trash": ROLE["TRASH"]})
        self.assertEqual(self.worker.login, OUTCOME["ACCEPTED"])

    def test_a_hierarchy_has_parents_and_readable_names(self):
        self.lines('CREATE "Projekte/&ANw-bersicht/a&-b"',
                   'CREATE "\\"quoted\\""')
        found = self.collections()
        name = "Projekte/\u00dcbersicht/a&b"
        self.assertEqual(found[name]["display_name"], "a&b")
        self.assertEqual(found[name]["parent"], "Projekte/\u00dcbersicht")
        self.assertEqual(found["Projekte/\u00dcbersicht"]["parent"], "Projekte")
        self.assertEqual(found["Projekte"]["parent"], "")
        self.append("there", mailbox="Projekte/&ANw-bersicht/a&-b")
        self.assertEqual(self.present(name), [1])
        self.assertEqual(self.present('"quoted"'), [])

    def test_a_parent_without_mails_is_not_selectable(self):
        self.lines("CREATE a/b/c")
        found = self.collections()
        self.assertEqual([found[n]["selectable"] for n in ("a/b", "a/b/c")],
                         [0, 1])

    def test_two_thousand_folders_are_listed(self):
        client = ImapLines(self.dovecot, self.user)
        for first in range(0, 2000, 100):
            for n in range(first, first + 100):
                client.send("x%d CREATE many/f%04d" % (n, n))
            for n in range(first, first + 100):
                while not client.line().startswith("x%d OK" % n):
                    pass
        client.close()
        found = self.collections()
        self.assertGreaterEqual(len(found), 2004)
        self.assertEqual(found["many/f1999"]["parent"], "many")


class ListsWithoutAttributes(WorkerCase):
    MASK = ("SPECIAL-USE", "LIST-EXTENDED")
    # Dovecot would still give the attributes, so this one has none
    EXTRA = """namespace inbox {
  mailbox Drafts {
    special_use =
  }
  mailbox Sent {
    special_use =
  }
  mailbox Trash {
    special_use =
  }
}
"""

    def test_roles_are_guessed_by_name(self):
        self.lines("CREATE Papierkorb/Sent", 'CREATE "Entw&APw-rfe"',
                   "CREATE Spam", "CREATE Spamverdacht")
        found = self.collections()
        roles = {name: c["role"] for name, c in found.items() if c["role"]}
        self.assertEqual(roles.pop("INBOX"), ROLE["INBOX"])
        self.assertEqual(sorted(roles.values()), sorted(
            ROLE[r] for r in ("SENT", "DRAFTS", "TRASH", "JUNK")))
        self.assertNotIn("Papierkorb/Sent", roles)


class Surveys(WorkerCase):
    def test_present_items_are_ranges(self):
        self.append(*"abcdef")
        self.lines("SELECT INBOX", "UID STORE 3 +FLAGS (\\Deleted)",
                   "UID EXPUNGE 3")
        surveyed = self.survey()
        self.assertEqual(surveyed["present"]["bounds"], [1, 2, 4, 6])
        self.assertEqual(surveyed["position"]["next"], 7)
        self.assertTrue(surveyed["flags_complete"])
        self.assertEqual(len(surveyed["changed"]), 5)

    def test_an_empty_mailbox_has_a_position(self):
        surveyed = self.survey()
        self.assertEqual(surveyed["present"]["bounds"], [])
        self.assertEqual(surveyed["changed"], [])
        self.assertGreater(surveyed["position"]["validity"], 0)
        self.assertGreater(surveyed["position"]["token"], 0)

    def test_deleted_mails_are_not_present(self):
        self.append("a", "b")
        self.lines("SELECT INBOX", "UID STORE 1 +FLAGS (\\Deleted)")
        self.assertEqual(self.present(), [2])
        self.assertEqual(list(self.flags()), [2])

    def test_flags_are_told(self):
        self.append("a", flags="(\\Seen \\Flagged)")
        self.append("b", flags="(\\Answered $Forwarded other)")
        self.assertEqual(self.flags(), {
            1: FLAG["SEEN"] | FLAG["FLAGGED"],
            2: FLAG["ANSWERED"] | FLAG["FORWARDED"]})

    def test_only_changed_flags_since_a_position(self):
        self.append("a", "b", "c")
        position = self.survey()["position"]
        surveyed = self.survey(since_token=position["token"])
        self.assertEqual(surveyed["changed"], [])
        self.assertEqual(surveyed["position"], position)
        self.assertFalse(surveyed["flags_complete"])
        self.lines("SELECT INBOX", "UID STORE 2 +FLAGS (\\Seen)")
        self.assertEqual(self.flags(since_token=position["token"]),
                         {2: FLAG["SEEN"]})
        self.assertNotEqual(self.survey()["position"], position)

    def test_what_others_did_shows_in_the_same_session(self):
        self.append("a", "b")
        self.assertEqual(self.present(), [1, 2])
        self.append("c")
        self.assertEqual(self.present(), [1, 2, 3])
        self.lines("SELECT INBOX", "UID STORE 1 +FLAGS (\\Deleted)", "EXPUNGE")
        self.assertEqual(self.present(), [2, 3])
        position = self.survey()["position"]
        fresh = self.one(key=b"another", survey=dict(collection="INBOX"))
        self.assertEqual(fresh["surveyed"]["position"], position)
        self.present("Sent")
        self.assertEqual(self.survey()["position"], position)

    def test_a_filter_leaves_old_mails_out(self):
        now = int(time.time())
        client = self.dovecot.imap(self.user)
        for age_days in (40, 20, 2, 0):
            client.append("INBOX", "(\\Seen)", now - age_days * 86400,
                          octets(message("%d days" % age_days)))
        client.logout()
        self.assertEqual(self.present(received_since_s=now - 3 * 86400), [3, 4])
        self.assertEqual(self.flags(received_since_s=now - 30 * 86400),
                         {n: FLAG["SEEN"] for n in (2, 3, 4)})
        token = self.survey()["position"]["token"]
        self.lines("SELECT INBOX", "UID STORE 1,4 -FLAGS (\\Seen)")
        self.filtered_flags_since(token, now - 3 * 86400)

    def filtered_flags_since(self, token, since_s):
        self.assertEqual(self.flags(received_since_s=since_s,
                                    since_token=token), {4: 0})

    def test_another_validity_is_stale(self):
        self.append("a")
        validity = self.survey()["position"]["validity"]
        self.survey(validity=validity)
        self.one("STALE", survey=dict(collection="INBOX", validity=validity + 1))
        self.one("STALE", fetch=dict(collection="INBOX", ids=[1],
                                     validity=validity + 1))
        self.one("STALE", apply=dict(collection="INBOX", validity=validity + 1,
                                     operations=[dict(id=1, remove=1)]))
        self.assertEqual(self.present(), [1])

    def test_a_mailbox_made_anew_is_stale(self):
        self.lines("CREATE again")
        self.append("a", mailbox="again")
        validity = self.survey("again")["position"]["validity"]
        self.lines("DELETE again")
        time.sleep(2.1)  # the validity counts seconds
        self.lines("CREATE again")
        self.one("STALE", survey=dict(collection="again", validity=validity))

    def test_no_such_mailbox(self):
        for name in ("nobody made it", "", "a\nb", "x" * 5000, "\x7fraw\r\n"):
            self.one("NOT_FOUND", survey=dict(collection=name))
            self.one("NOT_FOUND", fetch=dict(collection=name, ids=[1]))
            self.one("NOT_FOUND", apply=dict(collection=name, operations=[]))
        self.append("a")
        self.assertEqual(self.present(), [1])


class SurveysOfOldServers(Surveys):
    """The same without CONDSTORE, ESEARCH and UNSELECT."""

    MASK = ("CONDSTORE", "QRESYNC", "ESEARCH", "UNSELECT", "ENABLE", "ID",
            "SASL-IR", "UIDPLUS", "MOVE")

    def test_only_changed_flags_since_a_position(self):
        self.append("a", "b")
        position = self.survey()["position"]
        surveyed = self.survey(since_token=position["token"])
        self.assertEqual(surveyed["position"], position)
        self.assertTrue(surveyed["flags_complete"])
        self.assertEqual(len(surveyed["changed"]), 2)
        self.lines("SELECT INBOX", "UID STORE 2 +FLAGS (\\Seen)")
        self.assertNotEqual(self.survey()["position"], position)

    def filtered_flags_since(self, token, since_s):
        """Without mod-sequences all flags come."""
        self.assertEqual(self.flags(received_since_s=since_s,
                                    since_token=token),
                         {3: FLAG["SEEN"], 4: 0})


class Fetches(WorkerCase):
    def big(self, subject="big", size=3000000, **arguments):
        return message(subject, attachments=[
            ("a.bin", "application/octet-stream", os.urandom(size))],
            **arguments)

    def test_items_come_in_the_order_asked(self):
        self.append(*("mail %d" % n for n in range(1, 8)))
        for ids in ([1, 2, 3], [7, 5, 3, 1], [4, 4, 2], [6, 99, 1]):
            items = self.fetch(ids)
            self.assertEqual(
                [i["mail"]["subject"] if "mail" in i else i["status"]
                 for i in items],
                ["mail %d" % n if n < 99 else STATUS["NOT_FOUND"] for n in ids])

    def test_more_than_a_batch_comes_in_order(self):
        self.append_many(600)
        for ids in (list(range(1, 601)), list(range(600, 0, -1))):
            items = self.fetch(ids)
            self.assertEqual([i["mail"]["subject"] for i in items],
                             ["mail %d" % n for n in ids])

    def append_many(self, count):
        client = ImapLines(self.dovecot, self.user)
        raw = "Subject: mail %d\r\n\r\ntext\r\n"
        parts = ["{%d+}\r\n%s" % (len(raw % n), raw % n)
                 for n in range(1, count + 1)]
        client.command("APPEND INBOX " + " ".join(parts))
        client.close()

    def test_a_mail_newer_than_the_session_s_view_is_found(self):
        self.append("a")
        self.fetch([1])
        self.append("b")
        self.assertEqual(self.fetch([2])[0]["mail"]["subject"], "b")

    def fetches_said(self, ids):
        """The UID FETCHes of bodies that a survey and a Fetch after it take,
        as the server hears them; what is fetched."""
        before = len(self.folder.read("%s.log" % self.user))
        self.survey()
        surveyed = len(self.folder.read("%s.log" % self.user))
        items = self.fetch(ids)
        log = self.folder.read("%s.log" % self.user)
        return [re.findall(r'C: B\d+ "UID FETCH (\S+) \(UID', part)
                for part in (log[before:surveyed], log[surveyed:])], items

    def test_new_mails_come_along_with_the_survey(self):
        self.start().send(trace=dict(subsystem="imap", on=True))
        self.append("a")
        self.assertEqual(self.fetches_said([1])[0], [[], ["1"]])
        self.append("b", "c")
        said, items = self.fetches_said([3, 2, 1])
        self.assertEqual(said, [["2:5"], ["1"]])
        self.assertEqual([i["mail"]["subject"] for i in items],
                         ["c", "b", "a"])
        self.assertEqual(self.fetches_said([3])[0], [[], ["3"]])

    def test_new_mails_have_the_flags_of_the_last_survey(self):
        self.append("a")
        self.survey()
        self.append("b")
        self.survey()
        self.lines("SELECT INBOX", "UID STORE 2 +FLAGS (\\Flagged)")
        self.survey()
        self.assertEqual(self.fetch([2])[0]["flags"], FLAG["FLAGGED"])

    def test_what_came_along_is_of_its_mailbox(self):
        self.append("a")
        self.append("other", mailbox="Sent")
        self.append("another", mailbox="Sent")
        self.survey()
        self.append("b")
        self.survey()
        self.assertEqual(self.fetch([2], collection="Sent")[0]["mail"]
                         ["subject"], "another")

    def test_flags_dates_and_keywords(self):
        client = self.dovecot.imap(self.user)
        client.append("INBOX", "(\\Seen $MDNSent Junk Important)",
                      '"02-Mar-2024 10:00:00 +0100"', octets(message("x")))
        client.logout()
        item, = self.fetch([1])
        self.assertEqual(item["flags"], FLAG["SEEN"])
        self.assertEqual(item["mail"]["keywords"], ["Important"])
        self.assertEqual(item["mail"]["received_s"], 1709370000)

    def test_fetching_does_not_mark_as_read(self):
        self.append("a", self.big())
        self.fetch([1, 2], wishes=HTML_OR_PLAIN)
        self.assertEqual(self.flags(), {1: 0, 2: 0})

    def test_of_a_large_mail_only_the_text_is_loaded(self):
        self.append(self.big(body="Gr\u00fc\u00dfe!\n", html="<p>Gr\u00fc\u00dfe!</p>\n"))
        item, = self.fetch([1], wishes=HTML_OR_PLAIN)
        self.assertEqual(item["body"]["data"].decode().strip(),
                         "<p>Gr\u00fc\u00dfe!</p>")
        self.assertFalse(item["body"]["truncated"])
        attachment, = item["mail"]["attachments"]
        self.assertEqual((attachment["name"], attachment["part"]),
                         ("a.bin", "2"))
        self.assertAlmostEqual(attachment["size"], 3000000, delta=3000)
        self.worker.close()
        self.worker = None
        sent = wait_until(lambda: re.findall(
            r"imap\(%s\).* out=(\d+)" % self.user, self.dovecot.log()),
            "the session's end in the log")
        self.assertLess(int(sent[-1]), 2 * WHOLE_MAX)

    def test_of_a_large_answer_what_is_new_comes_beside_the_body(self):
        mail = self.big(body="yes\n\nAnn wrote:\n> will you?\n")
        mail["In-Reply-To"] = "<one@example.org>"
        self.append(mail)
        response, = self.ask(fetch=dict(
            collection="INBOX", ids=[1], wishes=PLAIN,
            part=dict(type=BODY["HTML"], preview=20)))
        item = response["fetched"]["item"]
        self.assertIn(b"> will you?", item["body"]["data"])
        part = item["part"]
        self.assertEqual((part["type"], part["preview"], part["too_large"]),
                         (BODY["HTML"], "yes", 0))
        self.assertEqual(part["data"],
                         b"<html><body>yes<br>\r\n<br>\r\n</body></html>")

    def test_mime_of_a_large_mail_has_a_preview_and_makes_place(self):
        """A wish for all or nothing that gets nothing is passed over."""
        self.append(self.big(body="What it says.\n"))
        mime = dict(type=BODY["MIME"], has_truncate=1, truncate=1000,
                    preview=9)
        body = self.fetch([1], wishes=[mime] + PLAIN, mime_support=2)[0]["body"]
        self.assertEqual((body["type"], body["preview"], len(body["data"])),
                         (BODY["MIME"], "What it s", 1000))
        body = self.fetch([1], wishes=[dict(mime, all_or_none=1)] + PLAIN,
                          mime_support=2)[0]["body"]
        self.assertEqual((body["type"], body["data"].strip()),
                         (BODY["PLAIN"], b"What it says."))

    def test_large_and_small_mails_come_in_order(self):
        self.append("one", self.big("two"), "three", self.big("four"), "five")
        for ids in ([1, 2, 3, 4, 5], [5, 4, 3, 2, 1]):
            items = self.fetch(ids)
            self.assertEqual([i["mail"]["subject"] for i in items],
                             [["one", "two", "three", "four", "five"][n - 1]
                              for n in ids])
            self.assertEqual({i["body"]["data"] for i in items},
                             {b"Hello.\r\n"})

    def test_a_long_body_comes_in_a_descriptor(self):
        text = "line of text\n" * 20000
        self.append(message("long", body=text))
        for collection_of_wishes in (PLAIN, HTML_OR_PLAIN):
            body = self.fetch([1], wishes=collection_of_wishes)[0]["body"]
            self.assertTrue(body["in_descriptor"])
            self.assertEqual(body["data"].decode(), text.replace("\n", "\r\n"))
        body = self.fetch([1], wishes=[dict(type=1, has_truncate=1,
                                            truncate=1000)])[0]["body"]
        self.assertEqual((len(body["data"]), body["truncated"]), (1000, 1))
        self.assertFalse(body["in_descriptor"])

    def test_a_huge_text_is_cut(self):
        self.append(message("huge", body="line of text\n" * 800000))
        body = self.fetch([1])[0]["body"]
        self.assertTrue(body["truncated"])
        self.assertEqual(len(body["data"]), 4 * 1024 * 1024)
        self.assertGreater(body["full_size"], 10000000)
        body = self.fetch([1], wishes=[dict(type=1, has_truncate=1,
                                            truncate=5000)])[0]["body"]
        self.assertEqual((len(body["data"]), body["truncated"]), (5000, 1))

    def test_mime_is_the_mail_octet_by_octet(self):
        for mail in (message("small"), self.big(size=100000), self.big()):
            self.append(mail)
        for n in (1, 2, 3):
            raw = self.raw(n)
            mime = [dict(type=BODY["MIME"])]
            body = self.fetch([n], wishes=mime, mime_support=2)[0]["body"]
            self.assertEqual(body["type"], BODY["MIME"])
            self.assertTrue(body["data"] == raw)
            self.assertEqual((body["full_size"], body["truncated"]),
                             (len(raw), 0))
            mime[0].update(has_truncate=1, truncate=len(raw) - 1)
            body = self.fetch([n], wishes=mime, mime_support=2)[0]["body"]
            self.assertTrue(body["data"] == raw[:-1])
            self.assertEqual((body["full_size"], body["truncated"]),
                             (len(raw), 1))
            mime[0].update(all_or_none=1)
            body = self.fetch([n], wishes=mime, mime_support=2)[0]["body"]
            self.assertEqual((body["data"], body["truncated"]), (b"", 1))

    def test_mime_of_an_8_bit_mail_is_text_that_loses_nothing(self):
        mime = [dict(type=BODY["MIME"])]
        text = "Gr\u00fc\u00dfe \u2013 \u20ac\r\n".encode("cp1252")
        client = self.dovecot.imap(self.user)
        for content in (b"\0\1\2", random.Random(1).randbytes(700000)):
            client.append(
                "INBOX", None, None,
                b"Subject: \xfc\r\nMIME-Version: 1.0\r\n"
                b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
                b"--b\r\nContent-Type: text/plain; charset=cp1252\r\n"
                b"Content-Transfer-Encoding: 8bit\r\n\r\n" + text +
                b"\r\n--b\r\nContent-Type: a/b\r\n"
                b"Content-Transfer-Encoding: base64\r\n\r\n" +
                base64.encodebytes(content).replace(b"\n", b"\r\n") +
                b"\r\n--b--\r\n")
        client.logout()
        for n, size in ((1, 3), (2, 700000)):
            mime[0].pop("truncate", None)
            mime[0]["has_truncate"] = 0
            body = self.fetch([n], wishes=mime, mime_support=2)[0]["body"]
            self.assertEqual((body["full_size"], body["truncated"]),
                             (len(body["data"]), 0))
            data = body["data"].decode()
            self.assertNotIn("\ufffd", data)
            self.assertTrue(data.startswith("Subject: \u00fc\r\n"))
            parts = email.message_from_bytes(body["data"]).get_payload()
            self.assertEqual(parts[0].get_payload(decode=True), text)
            self.assertEqual(len(parts[1].get_payload(decode=True)), size)
            for cut in (10, 9, len(data) - 1):   # at 10 the u is cut in two
                mime[0].update(has_truncate=1, truncate=cut)
                part = self.fetch([n], wishes=mime, mime_support=2)[0]["body"]
                self.assertTrue(part["truncated"])
                self.assertEqual(part["data"].decode(),
                                 data.encode()[:cut].decode(errors="ignore"))

    def raw(self, uid):
        client = self.dovecot.imap(self.user)
        client.select("INBOX", readonly=True)
        _, data = client.uid("fetch", str(uid), "(BODY.PEEK[])")
        client.logout()
        return data[0][1]

    def test_nasty_mails_do_not_stop_the_folder(self):
        names = sorted(glob.glob(os.path.join(
            ROOT, "tests/unit/connectors/mail/fixtures/*.eml")))
        self.assertGreater(len(names), 20)
        count = 0
        for name in names:
            with open(name, "rb") as file:
                raw = file.read()
            if raw and b"\0" not in raw:
                self.append_raw(raw)
                count += 1
        padding = b"".join(b"x" * 76 + b"\r\n" for _ in range(5000))
        for name in names:
            with open(name, "rb") as file:
                raw = file.read()
            if raw and b"\0" not in raw:
                self.append_raw(raw + b"\r\n" + padding)
                count += 1
        for wishes in (PLAIN, HTML_OR_PLAIN):
            items = self.fetch(range(1, count + 1), wishes=wishes)
            self.assertEqual({i["status"] for i in items}, {STATUS["OK"]})

    def test_quarantined_items_are_not_touched(self):
        self.append("a", "b", "c")
        items = self.fetch([1, 2, 3], quarantined=[2])
        self.assertEqual([i["status"] for i in items],
                         [STATUS["OK"], STATUS["BAD_ITEM"], STATUS["OK"]])

    def test_careful_fetching_gives_the_same(self):
        self.append("a", self.big(), "c")
        for ids in ([1, 2, 3, 9], [3, 2, 1]):
            self.assertEqual(self.fetch(ids, careful=True), self.fetch(ids))

    def test_the_board_is_wiped_after_a_request(self):
        self.append("a")
        self.fetch([1])
        self.assertEqual(self.worker.board()[2], BOARD_IDLE)


class Applies(WorkerCase):
    def test_flags_are_set_and_cleared(self):
        self.append("a", "b", "c")
        every = FLAG["SEEN"] | FLAG["FLAGGED"] | FLAG["ANSWERED"] \
            | FLAG["FORWARDED"] | FLAG["DRAFT"]
        self.assertEqual(self.apply(
            dict(id=1, set_flags=FLAG["SEEN"]),
            dict(id=2, set_flags=every),
            dict(id=3, set_flags=FLAG["SEEN"])), ["OK"] * 3)
        self.assertEqual(self.flags(), {1: FLAG["SEEN"], 2: every,
                                        3: FLAG["SEEN"]})
        self.assertEqual(self.apply(
            dict(id=2, clear_flags=every & ~FLAG["FLAGGED"]),
            dict(id=1, set_flags=FLAG["FLAGGED"], clear_flags=FLAG["SEEN"])),
            ["OK"] * 2)
        self.assertEqual(self.flags(), {1: FLAG["FLAGGED"], 2: FLAG["FLAGGED"],
                                        3: FLAG["SEEN"]})

    def test_the_order_counts_when_an_item_comes_twice(self):
        self.append("a", "b")
        self.assertEqual(self.apply(
            dict(id=1, set_flags=FLAG["SEEN"]),
            dict(id=1, clear_flags=FLAG["SEEN"]),
            dict(id=2, set_flags=FLAG["SEEN"]),
            dict(id=1, set_flags=FLAG["SEEN"])), ["OK"] * 4)
        self.assertEqual(self.flags(), {1: FLAG["SEEN"], 2: FLAG["SEEN"]})

    def test_removed_mails_go_to_the_trash(self):
        self.append("a", "b", "c")
        operations = [dict(id=n, remove=1, to_trash=1) for n in (1, 3)]
        self.assertEqual(self.apply(*operations), ["OK", "OK"])
        self.assertEqual(self.present(), [2])
        self.assertEqual(self.dovecot.subjects(self.user, "Trash"), ["a", "c"])
        self.assertEqual(self.apply(*operations), ["NOT_FOUND"] * 2)
        self.assertEqual(self.dovecot.subjects(self.user, "Trash"), ["a", "c"])

    def claim(self, *commands):
        """What a move that somebody left leaves behind."""
        self.append("a", "b")
        self.lines("SELECT INBOX", "UID STORE 1 +FLAGS ($BelfryMove)",
                   *commands)

    def moved_once(self):
        self.assertEqual(self.apply(dict(id=1, remove=1, to_trash=1)), ["OK"])
        self.assertEqual(self.dovecot.subjects(self.user), ["b"])
        self.assertEqual(self.dovecot.subjects(self.user, "Trash"), ["a"])
        self.assertNotIn("$BelfryMove", "".join(
            self.lines("SELECT Trash", "FETCH 1:* FLAGS")))

    def test_a_move_that_has_copied_is_finished(self):
        self.claim("UID COPY 1 Trash")
        self.moved_once()

    def test_a_move_that_was_never_begun_is_made(self):
        self.claim()
        self.start(timeout_s=3)
        self.moved_once()

    def moves(self, *operations, to="Work", **apply):
        """[(result, id in the target)] of (id, Message-ID)."""
        applied = self.one(apply=dict(
            collection="INBOX", operations=[
                dict(id=n, move_to=to, message_id=name)
                for n, name in operations], **apply))["applied"]
        words = {n: w for w, n in STATUS.items()}
        return list(zip((words[n] for n in applied["results"]),
                        applied["moved"]))

    def test_moved_mails_have_the_ids_that_are_told(self):
        mails = [message(subject) for subject in "abcd"]
        ids = [mail["Message-ID"] for mail in mails]
        self.append(*mails)
        self.lines("CREATE Work")
        self.append("w", mailbox="Work")
        self.assertEqual(self.moves((3, ids[2]), (1, ids[0])),
                         [("OK", 3), ("OK", 2)])
        self.assertEqual(self.dovecot.subjects(self.user), ["b", "d"])
        self.assertEqual(self.dovecot.subjects(self.user, "Work"),
                         ["w", "a", "c"])
        self.assertNotIn("$BelfryMove", "".join(
            self.lines("SELECT Work", "FETCH 1:* FLAGS")))
        # the answer was lost: they are where they were brought
        self.assertEqual(self.moves((1, ids[0]), (3, ids[2]), (4, ids[3]),
                                    (9, "<none@x>"), (3, "")),
                         [("OK", 2), ("OK", 3), ("OK", 4), ("NOT_FOUND", 0),
                          ("NOT_FOUND", 0)])
        self.assertEqual(self.dovecot.subjects(self.user, "Work"),
                         ["w", "a", "c", "d"])

    def test_a_target_that_is_not_there_is_refused(self):
        self.append("a")
        for name in ("None", "bad\x01name"):
            self.assertEqual(self.moves((1, "<x@y>"), to=name),
                             [("UNSUPPORTED", 0)])
        self.assertEqual(self.present(), [1])

    def test_a_move_elsewhere_that_has_copied_is_finished(self):
        self.append(mail := message("a"), "b")
        self.lines("CREATE Work", "SELECT INBOX",
                   "UID STORE 1 +FLAGS ($BelfryMove)", "UID COPY 1 Work")
        self.assertEqual(self.moves((1, mail["Message-ID"])), [("OK", 1)])
        self.assertEqual(self.dovecot.subjects(self.user), ["b"])
        self.assertEqual(self.dovecot.subjects(self.user, "Work"), ["a"])

    def test_a_copy_that_is_found_is_a_mail_like_others(self):
        self.append(mail := message("a"))
        self.lines("CREATE Work", "SELECT INBOX",
                   "UID STORE 1 +FLAGS ($BelfryMove)", "UID COPY 1 Work",
                   "UID STORE 1 +FLAGS (\\Deleted)", "EXPUNGE")
        self.assertEqual(self.moves((1, mail["Message-ID"])), [("OK", 1)])
        if "CONDSTORE" not in self.MASK:
            self.assertNotIn("$BelfryMove", "".join(
                self.lines("SELECT Work", "FETCH 1:* FLAGS")))

    def test_in_the_trash_and_without_to_trash_they_are_gone(self):
        self.append("a", "b")
        self.append("t", mailbox="Trash")
        self.assertEqual(self.apply(dict(id=1, remove=1)), ["OK"])
        self.assertEqual(self.apply(dict(id=1, remove=1, to_trash=1),
                                    collection="Trash"), ["OK"])
        self.assertEqual(self.dovecot.subjects(self.user), ["b"])
        self.assertEqual(self.dovecot.subjects(self.user, "Trash"), [])

    def test_what_others_marked_as_deleted_stays(self):
        self.append("a", "b", "c")
        self.lines("SELECT INBOX", "UID STORE 1 +FLAGS (\\Deleted)")
        self.assertEqual(self.apply(dict(id=2, remove=1)), ["OK"])
        self.assertIn("a", self.dovecot.subjects(self.user))
        self.assertEqual(self.present(), [3])

    def test_missing_items_do_not_stop_the_others(self):
        self.append("a")
        self.assertEqual(self.apply(dict(id=7, set_flags=1),
                                    dict(id=1, set_flags=1),
                                    dict(id=8, remove=1)),
                         ["NOT_FOUND", "OK", "NOT_FOUND"])
        self.assertEqual(self.apply(), [])

    def test_a_change_shows_in_the_next_survey(self):
        self.append("a", "b")
        token = self.survey()["position"]["token"]
        self.apply(dict(id=1, set_flags=FLAG["SEEN"]))
        self.assertEqual(self.flags(since_token=token), {1: FLAG["SEEN"]}
                         if "CONDSTORE" not in self.MASK
                         else {1: FLAG["SEEN"], 2: 0})

    def test_six_hundred_operations(self):
        client = ImapLines(self.dovecot, self.user)
        client.command("APPEND INBOX " + " ".join(
            ["{3+}\r\nA:\r\n"[:-1] + "\n"] * 600).replace("{3+}", "{4+}"))
        client.close()
        self.assertEqual(self.apply(*(
            dict(id=n, set_flags=FLAG["SEEN"] if n % 2 else FLAG["FLAGGED"])
            for n in range(1, 601))), ["OK"] * 600)
        flags = self.flags()
        self.assertEqual((flags[599], flags[600]),
                         (FLAG["SEEN"], FLAG["FLAGGED"]))


class Parts(WorkerCase):
    DATA = random.Random(1).randbytes(1_000_001)

    def part(self, number, item=1, status="OK", **fetch_part):
        return self.one(status, fetch_part=dict(
            collection="INBOX", id=item, part=number,
            **fetch_part)).get("part")

    def letter(self, data, filler=""):
        return message("m", body="Hello.\n" + filler, attachments=[
            ("d.bin", "application/x-data", data),
            ("e.bin", "application/x-empty", b"")])

    def test_an_attachment_is_decoded_whatever_the_size(self):
        for data in (b"x", self.DATA[:300], self.DATA[:150_000], self.DATA,
                     self.DATA * 25):
            self.append(self.letter(data))
            item = self.present()[-1]
            with self.subTest(len(data)):
                part = self.part("2", item)
                self.assertTrue(part["data"] == data)
                self.assertEqual((part["size"], part["count"]),
                                 (len(data), len(data)))
                self.assertEqual(part["content_type"], "application/x-data")
                coded = self.part("2", item, base64=1)
                self.assertTrue(
                    coded["data"] == base64.b64encode(data))
        empty = self.part("3")
        self.assertEqual((empty["size"], empty.get("data")), (0, None))

    def test_a_range_is_cut_out(self):
        self.append(self.letter(self.DATA), self.letter(self.DATA[:1000]))
        for item, length in ((1, len(self.DATA)), (2, 1000)):
            data = self.DATA[:length]
            for first, last in ((0, 0), (0, 1), (1, 3), (7, 998),
                                (length - 1, length), (5, 1 << 40)):
                part = self.part("2", item, has_range=1, first=first,
                                 last=last, base64=1)
                wanted = data[first:last + 1]
                self.assertEqual(part["data"], base64.b64encode(wanted))
                self.assertEqual(
                    (part["size"], part["first"], part["count"]),
                    (length, first, len(wanted)))
            for first, last in ((length, length + 1), (3, 2)):
                self.part("2", item, "LIMIT", has_range=1, first=first,
                          last=last)

    def test_quoted_printable_comes_apart_nowhere(self):
        text = "".join("gr\u00fc\u00dfe=%d " % n + "x" * (n % 120) + "\r\n"
                       for n in range(30000))
        mail = message("q")
        mail.add_attachment(text.encode(), maintype="application",
                            subtype="x-q", cte="quoted-printable")
        self.append(mail)
        self.assertTrue(self.part("2")["data"] == text.encode())

    def test_what_is_not_there_is_not_found(self):
        self.append(self.letter(b"x"))
        for number in ("4", "2.1", "0", "", "2]<0.1> BODY[1", "2.MIME",
                       "1" * 500):
            self.part(number, status="NOT_FOUND")
        self.part("2", 7, "NOT_FOUND")
        self.part("2", status="STALE", validity=5)
        self.one("NOT_FOUND", fetch_part=dict(collection="None", id=1,
                                              part="2"))
        self.one("BAD_ITEM", fetch_part=dict(collection="INBOX", id=1,
                                             part="2"), quarantined=[1])

    def test_a_mail_within_the_mail_is_a_part(self):
        mail = message("outer")
        inner = message("inner", attachments=[("i", "a/b", b"inner data")])
        mail.add_attachment(inner)
        self.append(mail)
        found = email.message_from_bytes(self.part("2")["data"])
        self.assertEqual(found["Subject"], "inner")

    def test_what_is_listed_can_be_fetched(self):
        self.append(self.letter(self.DATA), self.letter(b"small"))
        for item, size in ((1, len(self.DATA)), (2, 5)):
            listed = self.fetch([item])[0]["mail"]["attachments"]
            self.assertEqual(self.part(listed[0]["part"], item)["size"], size)


class AppliesOnOldServers(Applies):
    MASK = ("UIDPLUS", "MOVE", "CONDSTORE", "QRESYNC", "ENABLE", "ESEARCH")
    # it takes no claims
    test_a_move_that_has_copied_is_finished = None
    test_a_move_elsewhere_that_has_copied_is_finished = None


class AppliesWithoutTrash(WorkerCase):
    """As many a server is set up."""

    EXTRA = """namespace inbox {
  mailbox Trash {
    auto = no
    special_use =
  }
}
"""
    TRASH = "Trash"

    def test_the_trash_is_made(self):
        self.append("a", "b", "c")
        self.assertNotIn(self.TRASH, self.collections())
        for n, subjects in ((1, ["a"]), (2, ["a", "b"])):
            self.assertEqual(self.apply(dict(id=n, remove=1, to_trash=1)),
                             ["OK"])
            self.assertEqual(self.dovecot.subjects(self.user, self.TRASH),
                             subjects)
        self.assertIn(self.TRASH, "".join(self.lines('LSUB "" *')))
        self.assertEqual(self.apply(dict(id=1, remove=1, to_trash=1),
                                    collection=self.TRASH), ["OK"])
        self.assertEqual(self.dovecot.subjects(self.user, self.TRASH), ["b"])


class AppliesBelowAPrefix(AppliesWithoutTrash):
    EXTRA = AppliesWithoutTrash.EXTRA.replace(
        "{\n", "{\n  prefix = INBOX/\n", 1)
    TRASH = "INBOX/Trash"


class Logins(WorkerCase):
    def test_a_wrong_password_is_refused(self):
        self.password = "wrong"
        self.one("REFUSED", list={})
        self.assertEqual(self.worker.login, OUTCOME["REFUSED"])

    def test_a_session_is_used_again(self):
        def logins():
            return self.dovecot.log().count("Login: user=<%s>" % self.user)
        self.one(list={})
        self.assertEqual(self.worker.login, OUTCOME["ACCEPTED"])
        self.password = "not asked for any more"
        self.one(list={})
        self.assertEqual(self.worker.login, OUTCOME["NONE"])
        self.assertEqual(logins(), 1)
        self.worker.send(id=9, forget=self.user.encode())
        self.one("REFUSED", list={})

    def test_passwords_may_be_anything(self):
        for password in ('"quoted" \\ back', "gr\u00fc\u00dfe \u20ac", "a{1}"):
            self.dovecot.set_password(self.user, password)
            self.password = password
            self.start()
            self.one(list={})

    def test_the_master_user_logs_in_for_others(self):
        self.append("a")
        self.start()
        response = self.worker.one(
            MASTER_USER, MASTER_PASSWORD, authorize_as=self.user,
            survey=dict(collection="INBOX"))
        self.assertEqual(response["surveyed"]["present"]["bounds"], [1, 1])

    def test_a_session_that_the_server_closed_is_replaced(self):
        self.one(list={})
        self.dovecot.restart()
        wait_until(lambda: self.ask(list={})[0]["status"] == STATUS["OK"],
                   "a new session", 10)

    def test_a_server_that_is_away_is_unavailable(self):
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        listener.close()
        self.start(port=port)
        self.one("UNAVAILABLE", list={})
        self.assertEqual(self.worker.login, OUTCOME["NONE"])


class Encryption(WorkerCase):
    def secure(self, **settings):
        self.start(host="localhost", ca_file=self.certificates.ca, **settings)

    def test_tls_and_starttls(self):
        self.append("a")
        for settings in (dict(tls="tls", port=self.dovecot.imaps_port),
                         dict(tls="starttls"),
                         dict(tls="tls", port=self.dovecot.imaps_port,
                              tls_name="127.0.0.1")):
            self.secure(**settings)
            self.assertEqual(self.present(), [1])
            self.assertEqual(len(self.fetch([1])), 1)

    def test_a_certificate_of_another_name_is_refused(self):
        for tls, port in (("tls", self.dovecot.imaps_port),
                          ("starttls", self.dovecot.imap_port)):
            self.secure(tls=tls, port=port, tls_name="imap.example.org")
            response = self.one("UNAVAILABLE", list={})
            self.assertIn("certificate", response["reason"])

    def test_a_certificate_of_an_unknown_ca_is_refused(self):
        self.start(host="localhost", tls="starttls")
        response = self.one("UNAVAILABLE", list={})
        self.assertIn("certificate", response["reason"])

    def test_no_starttls_no_login(self):
        server = ScriptedImap()
        self.addCleanup(server.close)
        self.secure(tls="starttls", port=server.port)
        self.one("UNAVAILABLE", list={})
        self.assertNotIn("AUTHENTICATE", " ".join(server.commands))

    def test_plain_text_behind_starttls_is_refused(self):
        server = ScriptedImap(
            [("STARTTLS", "{tag} OK go\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\n")],
            capabilities="IMAP4rev1 STARTTLS")
        self.addCleanup(server.close)
        self.secure(tls="starttls", port=server.port)
        response = self.one("UNAVAILABLE", list={})
        self.assertIn("plain text", response["reason"])


SELECTED = ("* 3 EXISTS\n* OK [UIDVALIDITY 7] ok\n* OK [UIDNEXT 4] ok\n"
            "{tag} OK [READ-ONLY] done\n")


def mail_line(uid, octets_="Subject: mail\r\n\r\ntext\r\n"):
    octets_ = octets_.replace("\r\n", "\n")
    return ("* %d FETCH (UID %d FLAGS () INTERNALDATE \"01-Jan-2024 00:00:00 "
            "+0000\" RFC822.SIZE %d BODY[]<0> {%d}\n%s)\n" % (
                uid, uid, len(octets_) + octets_.count("\n"),
                len(octets_) + octets_.count("\n"), octets_))


class Liars(unittest.TestCase):
    """Servers that break the protocol, and one whose mail breaks it."""

    def setUp(self):
        self.folder = Folder("liar")
        self.addCleanup(self.folder.remove)

    def ask(self, answers, capabilities=ScriptedImap.CAPABILITIES, trace=None,
            **request):
        self.server = ScriptedImap(answers, capabilities)
        self.addCleanup(self.server.close)
        worker = Worker(dict(host="127.0.0.1", port=self.server.port,
                             tls="none", timeout_s=2), self.folder("log"))
        if trace:
            worker.send(trace=trace)
        try:
            return worker.ask("alice", "secret", **request)
        finally:
            worker.close()
            self.assertNotRegex(self.folder.read("log"), "Sanitizer|runtime")

    def statuses(self, answers, **request):
        responses = self.ask(answers, **request)
        words = {n: w for w, n in STATUS.items()}
        return [words[(r["fetched"]["item"] if "fetched" in r else r)["status"]]
                for r in responses]

    FETCH = dict(fetch=dict(collection="INBOX", ids=[1, 2, 3], wishes=PLAIN))

    def test_a_mail_that_makes_the_server_leave_is_bad_the_others_are_not(self):
        def fetch(command, tag, connection):
            if "2" in command.split()[2].replace("1:3", "2"):
                return None
            return mail_line(int(command.split()[2])) + "{tag} OK\n"
        self.assertEqual(self.statuses(
            [("EXAMINE", SELECTED), ("UID FETCH", fetch)], **self.FETCH),
            ["OK", "BAD_ITEM", "OK"])

    def test_a_mail_that_the_server_cannot_read_is_bad_the_others_are_not(self):
        def fetch(command, tag, connection):
            uids = command.split()[2]
            if uids == "1:3":
                return mail_line(1) + "{tag} NO [SERVERBUG] cannot read\n"
            return "{tag} NO cannot read\n" if uids == "2" \
                else mail_line(int(uids)) + "{tag} OK\n"
        self.assertEqual(self.statuses(
            [("EXAMINE", SELECTED), ("UID FETCH", fetch)], **self.FETCH),
            ["OK", "BAD_ITEM", "OK"])

    def mime_of(self, size, octets_):
        """The body when RFC822.SIZE says this, and there are these octets."""
        def fetch(command, tag, connection):
            start = re.search(r"BODY.PEEK\[\]<(\d+)\.(\d+)>", command)
            if start is None:
                return "* 1 FETCH (UID 1 BODYSTRUCTURE NIL)\n{tag} OK\n"
            at, length = map(int, start.groups())
            part = octets_[at:at + length]
            return ("* 1 FETCH (UID 1 FLAGS () RFC822.SIZE %d INTERNALDATE "
                    "\"01-Jan-2024 00:00:00 +0000\" BODY[]<%d> {%d}\n%s)\n"
                    "{tag} OK\n" % (size, at, len(part), part))
        response, = self.ask(
            [("EXAMINE", SELECTED), ("UID FETCH", fetch)],
            fetch=dict(collection="INBOX", ids=[1], mime_support=2,
                       wishes=[dict(type=BODY["MIME"])]))
        return response["fetched"]["item"]["body"]

    def test_a_keyword_that_the_mailbox_would_forget_is_refused(self):
        """PERMANENTFLAGS without \\*: only those that it names are kept."""
        select = ("* 1 EXISTS\n* OK [UIDVALIDITY 7] ok\n* OK [UIDNEXT 2] ok\n"
                  "* OK [PERMANENTFLAGS (\\Seen Known)] ok\n"
                  "{tag} OK [READ-WRITE] done\n")
        for name, status in (("known", "OK"), ("New", "UNSUPPORTED")):
            response, = self.ask([
                ("SELECT", select),
                ("UID SEARCH", "* SEARCH 1\n{tag} OK done\n")],
                apply=dict(collection="INBOX", operations=[
                    dict(id=1, set_keywords=[name])]))
            self.assertEqual(response["applied"]["results"], [STATUS[status]])
            self.assertEqual([c for c in self.server.commands
                              if c.startswith("UID STORE")],
                             ["UID STORE 1 +FLAGS.SILENT (known)"]
                             if status == "OK" else [])

    def test_a_mail_that_is_shorter_than_its_size_says_so(self):
        for size, there in ((100, 60), (400000, 399990), (400000, 300000),
                            (400000, 400000)):
            with self.subTest(size=size, there=there):
                body = self.mime_of(size, "X: y" + "z" * (there - 4))
                self.assertEqual(len(body["data"]), there)
                self.assertEqual(body["full_size"], size)
                self.assertEqual(bool(body["truncated"]), there < size)

    def survey_of_two_makers(self, examined, **survey):
        """STATUS says UIDVALIDITY 7, EXAMINE one of these each time."""
        examined = iter(examined)

        def examine(command, tag, connection):
            return SELECTED.replace("UIDVALIDITY 7",
                                    "UIDVALIDITY %d" % next(examined))
        response, = self.ask([
            ("STATUS", "* STATUS INBOX (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 7 "
                       "UNSEEN 0)\n{tag} OK\n"),
            ("EXAMINE", examine), ("CLOSE", "{tag} OK\n"),
            ("UID SEARCH", "* SEARCH 1 2 3\n{tag} OK\n"),
            ("UID FETCH", "* 1 FETCH (UID 1 FLAGS ())\n{tag} OK\n")],
            survey=dict(collection="INBOX", **survey))
        words = {n: w for w, n in STATUS.items()}
        return words[response["status"]]

    def test_a_mailbox_that_two_are_making_is_opened_again(self):
        # without UNSELECT each EXAMINE but the first comes twice
        for examined, validity, status in (
                ([7], 0, "OK"), ([8, 7, 7], 0, "OK"),
                ([8, 8, 8, 7, 7], 0, "OK"), ([8] * 5, 0, "UNAVAILABLE"),
                ([8, 7, 7], 7, "OK"), ([8] * 3, 7, "STALE"),
                ([7] * 3, 8, "STALE")):
            with self.subTest(examined=examined, validity=validity):
                self.assertEqual(self.survey_of_two_makers(
                    examined, validity=validity), status)

    def test_mails_that_were_not_asked_are_ignored(self):
        answer = (mail_line(9) + mail_line(3) + "* 3 FETCH (FLAGS (\\Seen))\n"
                  + mail_line(3, "Subject: again\r\n\r\n") + mail_line(1)
                  + "* 2 FETCH (UID 2 BODY[]<0> NIL)\n{tag} OK\n")
        self.assertEqual(self.statuses(
            [("EXAMINE", SELECTED), ("UID FETCH", answer)], **self.FETCH),
            ["OK", "NOT_FOUND", "OK"])

    def test_nonsense_is_unavailable(self):
        for text in ("nonsense\n", "* {999999999}\n", "* BYE go away\n",
                     "B99 OK never asked\n", "* " + "(" * 100000 + "\n",
                     "\x00\xff\xfe\n", None):
            with self.subTest(text=text and text[:20]):
                for request in (self.FETCH, dict(list={}),
                                dict(survey=dict(collection="INBOX"))):
                    self.assertEqual(self.statuses(
                        [("EXAMINE|LIST|STATUS|NOOP", text)], **request),
                        ["UNAVAILABLE"])

    def test_broken_lists_leave_out_what_cannot_be_read(self):
        lines = ['() "/" INBOX', '(\\HasNoChildren "/" a', '', 'NIL',
                 '() NIL &AOQ-', '() "/" "&broken"', '() "/" {3}\nabc',
                 '(\\Sent) "/" "x/y/"', '() "/" ""', '(\\NonExistent) "/" z',
                 '() "/" INBOX']
        response, = self.ask([("LIST", "".join(
            "* LIST %s\n" % line for line in lines) + "{tag} OK\n")], list={})
        names = [c["name"] for c in response["collections"]["collections"]]
        self.assertEqual(names, ["INBOX", "abc", "x/y/", "z", "\x7f&broken",
                                 "\u00e4"])

    def test_what_could_not_be_opened_is_looked_at_before_it_is_listed(self):
        def listed(answer, doubted):
            response, = self.ask([
                ("LIST", '* LIST () "/" a\n* LIST () "/" a/b\n'
                         '* LIST (\\Noselect) "/" c\n{tag} OK\n'),
                ("STATUS", answer)], list={}, doubted=doubted)
            asked = [c for c in self.server.commands if "STATUS" in c]
            self.assertEqual(response["status"], STATUS["OK"])
            return asked, {c["name"]: c["selectable"] for c in
                           response["collections"]["collections"]}
        asked = ['STATUS "%s" (UIDVALIDITY)' % name for name in ("a", "a/b")]
        for answer, doubted, expected in (
                ("{tag} NO none\n", (), ([], {"a": 1, "a/b": 1, "c": 0})),
                ("{tag} NO none\n", ("a", "c", "d"),
                 (asked[:1], {"a": 0, "a/b": 1, "c": 0})),
                ("{tag} NO [NOPERM] not yours\n", ("a/b", "a"),
                 (asked, {"a": 0, "a/b": 0, "c": 0})),
                ("{tag} NO [INUSE] later\n", ("a",),
                 (asked[:1], {"a": 1, "a/b": 1, "c": 0})),
                ("* STATUS a (UIDVALIDITY 1)\n{tag} OK\n", ("a",),
                 (asked[:1], {"a": 1, "a/b": 1, "c": 0}))):
            with self.subTest(answer=answer, doubted=doubted):
                self.assertEqual(listed(answer, doubted), expected)

    def test_what_the_server_left_at_is_not_gone(self):
        self.assertEqual(self.statuses([
            ("LIST", '* LIST () "/" a\n{tag} OK\n'), ("STATUS", None)],
            list={}, doubted=("a",)), ["UNAVAILABLE"])

    def test_odd_status_and_search_answers(self):
        status = ("STATUS", "* STATUS INBOX (MESSAGES 3 UIDNEXT 12 UIDVALIDITY "
                  "7 UNSEEN 1 X (1 (2)))\n{tag} OK\n")
        search = ("UID SEARCH", "* SEARCH 11 1 5 3:4 x 0 99999999999 2\n{tag} OK\n")
        flags = ("UID FETCH", "* 1 FETCH (FLAGS (\\Seen) X (a (b)) UID 2)\n"
                 "* 2 FETCH (UID 3)\n* 3 FETCH (FLAGS ())\n{tag} NO half\n")
        response, = self.ask([status, ("EXAMINE", SELECTED), search, flags],
                             survey=dict(collection="INBOX"))
        self.assertEqual(response["status"], STATUS["UNAVAILABLE"])
        flags = (flags[0], flags[1].replace("NO half", "OK"))
        response, = self.ask([status, ("EXAMINE", SELECTED), search, flags],
                             survey=dict(collection="INBOX"))
        surveyed = response["surveyed"]
        self.assertEqual(surveyed["present"]["bounds"], [1, 5, 11, 11])
        self.assertEqual(surveyed["changed"],
                         [dict(id=2, flags=FLAG["SEEN"], keywords=[])])

    def test_a_server_that_is_busy_does_not_refuse(self):
        for text, status in (("NO [UNAVAILABLE] later", "UNAVAILABLE"),
                             ("NO [LIMIT] too many", "UNAVAILABLE"),
                             ("BAD what", "UNAVAILABLE"),
                             ("NO [AUTHENTICATIONFAILED] no", "REFUSED"),
                             ("NO no", "REFUSED")):
            self.assertEqual(self.statuses(
                [("AUTHENTICATE", "{tag} %s\n" % text)], list={}), [status])

    def test_an_old_server_gets_login_and_waits_to_be_asked(self):
        responses = self.ask([("LIST", '* LIST () "/" INBOX\n{tag} OK\n')],
                             capabilities="IMAP4rev1", list={})
        self.assertEqual(responses[0]["status"], STATUS["OK"])
        self.assertTrue(any(c.startswith("LOGIN") for c in self.server.commands))
        asked = []

        def authenticate(command, tag, connection):
            connection.sendall(b"+ \r\n")
            asked.append(connection.recv(1000))
            return "{tag} OK\n"
        self.ask([("AUTHENTICATE PLAIN$", authenticate)],
                 capabilities="IMAP4rev1 AUTH=PLAIN", list={})
        self.assertEqual(asked, [b"AGFsaWNlAHNlY3JldA==\r\n"])

    def test_a_trace_shows_the_lines_and_no_credentials(self):
        def go_on(command, tag, connection):
            connection.sendall(b"+ go on\r\n")
            connection.recv(1000)
            return "{tag} OK\n"
        for capabilities, shown in (
                ("IMAP4rev1", r"C: \*\*\*$"),    # libetpan says LOGIN
                ("IMAP4rev1 AUTH=PLAIN", 'C: B2 "AUTHENTICATE PLAIN"$'),
                ("IMAP4rev1 AUTH=PLAIN SASL-IR",
                 r"C: B2 AUTHENTICATE \*\*\*$")):
            self.ask([("LIST", '* LIST () "/" INBOX\n{tag} OK\n'),
                      ("AUTHENTICATE PLAIN$", go_on)], capabilities,
                     trace=dict(subsystem="imap", on=True), list={})
            log = self.folder.read("log")
            for line in (shown, r'C: B\d+ "LIST ', r'S: "\* LIST '):
                self.assertRegex(log, re.compile(line, re.M))
            for secret in ("secret", "c2VjcmV0", "NlY3JldA", "zZWNyZX"):
                self.assertNotIn(secret, log)

    def test_preauth_is_not_taken(self):
        self.server = ScriptedImap(greeting="* PREAUTH welcome\n")
        self.addCleanup(self.server.close)
        worker = Worker(dict(host="127.0.0.1", port=self.server.port,
                             tls="none"), self.folder("log"))
        response = worker.one("alice", "secret", list={})
        worker.close()
        self.assertEqual(response["status"], STATUS["UNAVAILABLE"])

    def test_a_server_that_says_nothing_is_given_up(self):
        def silence(command, tag, connection):
            time.sleep(5)
        started = time.monotonic()
        self.assertEqual(self.statuses([("LIST", silence)], list={}),
                         ["UNAVAILABLE"])
        self.assertLess(time.monotonic() - started, 4.5)


class Protocol(unittest.TestCase):
    """What the daemon may send."""

    def setUp(self):
        self.folder = Folder("protocol")
        self.addCleanup(self.folder.remove)
        self.server = ScriptedImap()
        self.addCleanup(self.server.close)

    def worker(self):
        return Worker(dict(host="127.0.0.1", port=self.server.port,
                           tls="none"), self.folder("log"))

    def test_an_unknown_request_is_unsupported(self):
        worker = self.worker()
        response = worker.one("alice", "secret", unwatch=dict(user="alice"))
        self.assertEqual(response["status"], STATUS["UNSUPPORTED"])
        worker.close()

    def test_nonsense_ends_the_worker(self):
        for frame in (b"\0\0\0\0\0", b"\xff\xff\xff\xff\0", b"\0\0\0\3\0\xff\xff"):
            worker = self.worker()
            worker.socket.sendall(frame)
            with self.assertRaises(WorkerGone):
                worker._frame(10)
            self.assertEqual(worker.status, 0)
            worker.socket.close()

    def test_it_ends_with_the_daemon(self):
        worker = self.worker()
        worker.close()
