# SPDX-License-Identifier: GPL-3.0-or-later
"""The server searches the mailbox for a phone: what is found is what is there,
whatever a person types."""

import email.message
import imaplib
import time
import unittest

from lib import wbxml
from lib.house import House
from lib.mail import mail_octets
from lib.phone import INBOX
from lib.process import Folder
from lib.scripted_imap import ScriptedImap
from lib.worker import STATUS, Worker
from test_worker import SELECTED, WorkerCase

NOON = 1767268800  # January 1, 2026, 12:00 UTC
DAY = 86400

# What would end a string, begin a literal, leave the command, match anything,
# or be another text in another character set.
NASTY = ('"', '\\', '\\"', '"""', '{5}', '{5+}', '~{3}', '*', '%', '(', ')',
         'ALL)', '") OR ALL', '"\r\nB9 LOGOUT', "$", "\\Seen", "\u00e4", "\u00fc\"",
         "\u6771\u4eac", "\U0001f514", "a\u0301", "NIL", "[x]", "'", "&-",
         "\x7f", "<a>", "&amp;", ";", "|", "`id`")


def mail(subject, body=""):
    found = email.message.EmailMessage()
    found["From"], found["To"] = "a@elsewhere.example", "b@example.org"
    found["Subject"] = subject.replace("\r\n", " ").replace("\x7f", "")
    found.set_content(body)
    return found.as_bytes(policy=found.policy.clone(linesep="\r\n"))


class InTheHouse(House):
    """From the phone to Dovecot."""

    def append(self, octets, received_s=NOON, mailbox="INBOX"):
        client = self.dovecot.imap(self.user)
        status, data = client.append(
            '"%s"' % mailbox, "", imaplib.Time2Internaldate(
                time.localtime(received_s)), octets)
        client.logout()
        self.assertEqual(status, "OK", data)

    def mailbox(self, name):
        client = self.dovecot.imap(self.user)
        client.create('"%s"' % name)
        client.logout()

    def search(self, *query, options=(), phone=None):
        """(status of the store, results, range, total)"""
        phone = phone or self.phone
        root = phone.command("Search", ("Search:Search", (
            "Store", ("Name", "Mailbox"), ("Query", ("And", *query)),
            ("Options", *options))))
        self.assertEqual(wbxml.text(root, "Status"), "1")
        store = wbxml.find(root, "Response/Store")
        return (wbxml.text(store, "Status"),
                [r for r in wbxml.find_all(store, "Result") if len(r)],
                wbxml.text(store, "Range"), wbxml.text(store, "Total"))

    def subjects(self, *query, **named):
        status, results, _, total = self.search(*query, **named)
        self.assertEqual(status, "1")
        self.assertEqual(int(total), len(results))
        return [wbxml.text(r, "Properties/Email:Subject") for r in results]

    def test_words_are_found_in_header_and_body_newest_first(self):
        self.append(mail("spring report"), NOON)
        self.append(mail("other", "the SPRING came with a report"), NOON + 60)
        self.append(mail("spring only"), NOON + 120)
        self.phone = self.phone_of()
        self.assertEqual(self.subjects(("FreeText", "spring report")),
                         ["other", "spring report"])
        self.assertEqual(self.subjects(("FreeText", "nothing such")), [])

    def test_what_is_typed_is_only_text(self):
        self.append(mail("decoy", "nothing of it"))
        for number, text in enumerate(NASTY):
            self.append(mail("m%d" % number, "x%sy" % text), NOON + number)
        self.phone = self.phone_of()
        for number, text in enumerate(NASTY):
            with self.subTest(text):
                words = text.split()
                expected = ["m%d" % n for n, other in enumerate(NASTY)
                            if all(w.lower() in ("x%sy" % other).lower()
                                   for w in words)]
                found = self.subjects(("FreeText", text))
                # headers have many of these, too
                self.assertLessEqual(set(expected), set(found))
                self.assertIn("m%d" % number, found)
                exact = self.subjects(("FreeText", "x%sy" % words[0])) \
                    if len(words) == 1 else ["m%d" % number]
                self.assertEqual(exact, ["m%d" % number])
        # and the session is in order
        self.assertEqual(self.subjects(("FreeText", "decoy")), ["decoy"])

    def test_encoded_words_and_bodies_are_found(self):
        self.append(mail("Gr\u00fc\u00dfe aus M\u00fcnchen"), NOON)
        self.append(mail("plain", "das L\u00e4uten h\u00f6rt man"), NOON + 1)
        self.phone = self.phone_of()
        self.assertEqual(self.subjects(("FreeText", "m\u00fcnchen")),
                         ["Gr\u00fc\u00dfe aus M\u00fcnchen"])
        self.assertEqual(self.subjects(
            ("FreeText", "h\u00f6rt L\u00e4uten das")), ["plain"])
        self.assertEqual(self.subjects(
            ("FreeText", "l\u00e4uten m\u00fcnchen")), [])

    def test_folders_below_are_searched_with_deep_traversal_only(self):
        for name in ("Work", "Work/Year", "Wor", "100% \"odd\" &-*"):
            self.mailbox(name.replace('"', '\\"').replace("&", "&-"))
        self.append(mail("bell 1"), NOON, "Work")
        self.append(mail("bell 2"), NOON + 1, "Work/Year")
        self.append(mail("bell 3"), NOON + 2, "Wor")
        self.append(mail("bell 4"), NOON + 3)
        self.append(mail("bell 5"), NOON + 4,
                    '100% \\"odd\\" &--*')
        self.phone = self.phone_of()
        work = ("AirSync:CollectionId", self.phone.folder("Work"))
        deep = [("DeepTraversal",)]
        text = ("FreeText", "bell")
        self.assertEqual(self.subjects(work, text), ["bell 1"])
        self.assertEqual(self.subjects(work, text, options=deep),
                         ["bell 2", "bell 1"])
        self.assertEqual(self.subjects(text), [
            "bell %d" % n for n in (5, 4, 3, 2, 1)])

    def test_dates_are_exact(self):
        for days in range(5):
            self.append(mail("day %d" % days), NOON + days * DAY)
        self.phone = self.phone_of()

        def bound(name, time_s):
            return (name, ("Email:DateReceived",), ("Value", time.strftime(
                "%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time_s))))
        self.assertEqual(self.subjects(
            bound("GreaterThan", NOON), bound("LessThan", NOON + 3 * DAY)),
            ["day 2", "day 1"])
        self.assertEqual(self.subjects(
            bound("GreaterThan", NOON - 1), bound("LessThan", NOON + 1)),
            ["day 0"])
        self.assertEqual(self.subjects(
            ("FreeText", "day"), bound("GreaterThan", NOON + 3 * DAY)),
            ["day 4"])

    def test_ranges_go_through_all_that_is_found(self):
        client = self.dovecot.imap(self.user)
        for number in range(250):
            client.append("INBOX", "", imaplib.Time2Internaldate(
                time.localtime(NOON + number * 60)), mail("m%d" % number))
        client.logout()
        self.phone = self.phone_of()
        seen, first = [], 0
        while True:
            status, results, part, total = self.search(
                ("FreeText", "elsewhere"),
                options=[("Range", "%d-%d" % (first, first + 99))])
            if status == "12":
                break
            self.assertEqual((status, total), ("1", "250"))
            seen += [wbxml.text(r, "Properties/Email:Subject")
                     for r in results]
            self.assertEqual(part, "%d-%d" % (first, len(seen) - 1))
            first = len(seen)
        self.assertEqual(seen, ["m%d" % n for n in reversed(range(250))])

    def test_what_is_found_is_named_as_sync_names_it(self):
        self.append(mail_octets("bell"))
        self.phone = self.ready_phone()
        inbox = self.phone.folder(INBOX)
        item, = self.phone.collection(inbox).items
        _, results, _, _ = self.search(
            ("AirSync:Class", "Email"), ("FreeText", "bell"), options=[
                ("AirSyncBase:BodyPreference", ("Type", 1),
                 ("TruncationSize", 3))])
        result, = results
        self.assertEqual(wbxml.text(result, "AirSync:CollectionId"), inbox)
        self.assertEqual(wbxml.text(result, "LongId"), item)
        self.assertEqual(
            wbxml.text(result, "Properties/AirSyncBase:Body/Data"), "Hel")


class ByTheWorker(WorkerCase):
    """What the front would not send is text as well."""

    def found(self, *texts, **search):
        found = self.one(search=dict(
            dict(collections=["INBOX"], texts=texts, limit=100), **search)
        )["found"]
        return [item["id"] for item in found["items"]]

    def test_line_ends_and_controls_stay_within_the_text(self):
        self.append("decoy", "other")
        self.append_raw(mail("found", "xay").replace(b"xay", b"x\x01\x02y"))
        for text in ("\r\nB9 LOGOUT", "\r\n\r\n", '"\r\nB3 DELETE INBOX',
                     "{3}\r\nabc", "\x01\xe4\r\n)", "\x1b", "\t\n",
                     "\xe4" * 2000):
            with self.subTest(text[:20]):
                self.assertEqual(self.found(text, "no such word"), [])
                self.assertEqual(self.found("no such word", text), [])
        # Dovecot takes no argument so long, and says so
        self.one("LIMIT", search=dict(collections=["INBOX"], limit=1,
                                      texts=["a" * 100000]))
        # "x?y" with a control character is what the mail has, or nothing is
        self.assertLessEqual(set(self.found("x\x01\x02y")), {3})
        self.assertEqual(self.found("decoy"), [1])

    def test_all_texts_have_to_be_there_in_whatever_form_they_travel(self):
        self.append_raw(mail("one", "gr\u00fcn blau"))
        self.append_raw(mail("two", "gr\u00fcn"))
        self.append_raw(mail("three", "blau wei\u00df"))
        for texts, ids in (
                (["gr\u00fcn"], [1, 2]), (["gr\u00fcn", "blau"], [1]),
                (["blau", "gr\u00fcn"], [1]), (["blau", "\u00df"], [3]),
                (["gr\u00fcn", "wei\u00df"], []), ([], [1, 2, 3]),
                (["a", "\u00fc", "bla", "n", "GR\u00dcN"], [1])):
            with self.subTest(texts):
                self.assertEqual(sorted(self.found(*texts)), ids)

    def test_what_came_since_is_found_and_what_is_gone_is_not(self):
        self.append("first")
        self.assertEqual(self.found("first"), [1])
        self.append("first again")
        self.assertEqual(sorted(self.found("first")), [1, 2])
        self.lines("SELECT INBOX", "STORE 1 +FLAGS (\\Deleted)")
        self.assertEqual(self.found("first"), [2])

    def test_mailboxes_that_are_not_there_have_nothing(self):
        self.append("first")
        self.assertEqual(self.found("first", collections=[
            "nowhere", "bad\x01name", "INBOX"]), [1])

    def test_limit_cuts_and_total_counts(self):
        self.append("one", "two", "three")
        found = self.one(search=dict(collections=["INBOX"], limit=2))["found"]
        self.assertEqual((len(found["items"]), found["total"]), (2, 3))


class ByTheWorkerOfAnOldServer(ByTheWorker):
    MASK = ("ESEARCH",)


class OfOtherServers(unittest.TestCase):
    def ask(self, answers, **search):
        folder = Folder("search")
        self.addCleanup(folder.remove)
        server = ScriptedImap([("EXAMINE", SELECTED)] + answers)
        self.addCleanup(server.close)
        worker = Worker(dict(host="127.0.0.1", port=server.port, tls="none",
                             timeout_s=2), folder("log"))
        try:
            response = worker.one("alice", "secret", search=dict(
                dict(collections=["INBOX"], limit=9), **search))
        finally:
            worker.close()
        return response, server.commands

    def test_server_that_knows_no_utf_8_says_so_and_gets_no_text(self):
        response, commands = self.ask(
            [("UID SEARCH", "{tag} NO [BADCHARSET (US-ASCII)] no\n")],
            texts=["\u00e4 LOGOUT"])
        self.assertEqual(response["status"], STATUS["LIMIT"])
        self.assertNotIn("LOGOUT", "".join(commands[:-1]).upper())
        self.assertNotIn("\u00e4", "".join(commands))

    def test_text_is_sent_when_it_is_asked_for(self):
        tags = []

        def begin(command, tag, connection):
            tags.append(tag)
            return "+ go on\n"

        def end(command, tag, connection):
            return "* SEARCH 3 2\n%s OK done\n" % tags[0]
        response, commands = self.ask(
            [(r"UID SEARCH CHARSET UTF-8 UNDELETED TEXT \{2\}$", begin),
             ("UID FETCH 2:3", '* 2 FETCH (UID 2 INTERNALDATE "01-Jan-2024 '
              '00:00:00 +0000")\n* 3 FETCH (FLAGS () INTERNALDATE "02-Jan-2024'
              ' 00:00:00 +0000" UID 3)\n* 3 FETCH (UID 3 INTERNALDATE '
              '"02-Jan-2024 00:00:00 +0000")\n{tag} OK done\n'),
             ("$", end)], texts=["\u00e4"])
        self.assertEqual(response["status"], STATUS["OK"])
        self.assertEqual([item["id"] for item in response["found"]["items"]],
                         [3, 2])
        self.assertEqual(response["found"]["total"], 2)

    def test_server_that_is_busy_is_to_be_asked_again(self):
        response, _ = self.ask(
            [("UID SEARCH", "{tag} NO [UNAVAILABLE] later\n")], texts=["a"])
        self.assertEqual(response["status"], STATUS["UNAVAILABLE"])
