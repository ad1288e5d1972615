#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Out of office, set from a phone: Dovecot's Sieve answers mails that are
delivered, and the user's own filters go on."""

import datetime
import re
import unittest

from lib import wbxml
from lib.mail import deliver_lmtp, message
from lib.sieve import Scripts, add_sieve
from test_send import Sending, address

ELSEWHERE = "elsewhere.example"
OWN = "belfry-oof"
FILTER = ('require "fileinto";\nif header :contains "Subject" "drawer" {\n'
          '  fileinto "Drafts";\n  stop;\n}\n')
AUDIENCES = ("Internal", "ExternalKnown", "ExternalUnknown")


def day(days):
    """The time in so many days, as elements have it."""
    time = datetime.datetime.now(datetime.timezone.utc) \
        + datetime.timedelta(days=days)
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def oof_message(audience, text, kind="TEXT", enabled=1):
    return ("OofMessage", ("AppliesTo" + audience,), ("Enabled", enabled),
            ("ReplyMessage", text), ("BodyType", kind))


class OutOfOffice(Sending):
    """Mail from self.other and from elsewhere, which comes to the same
    mailbox; what answers it comes there, too."""

    PLUGIN = ""
    TLS = '"starttls"'

    @classmethod
    def more_of_belfry(cls):
        add_sieve(cls.dovecot, cls.PLUGIN)
        more = super().more_of_belfry()
        cls.dovecot.extra += "submission_host = 127.0.0.1:%d\n" \
            % cls.postfix.port
        cls.dovecot.write_config()
        path = cls.folder("postfix", "main.cf")
        with open(path, "a", encoding="utf-8") as file:
            file.write("virtual_mailbox_domains = example.org %s\n"
                       % ELSEWHERE)
        more["connector"].update({
            "sieve_host": '"localhost"', "sieve_tls": cls.TLS,
            "sieve_port": str(cls.dovecot.sieve_port)})
        return more

    def setUp(self):
        super().setUp()
        self.scripts = Scripts(self.dovecot, self.user)

    def settings(self, *parts, phone=None):
        return (phone or self.phone).command(
            "Settings", ("Settings:Settings", ("Oof", *parts)))

    def set(self, *parts, status="1"):
        root = self.settings(("Set", *parts))
        self.assertEqual(wbxml.text(root, "Status"), "1")
        self.assertEqual(wbxml.text(root, "Oof/Status"), status,
                         self.belfry.log()[-2000:])

    def get(self, kind="TEXT", status="1", phone=None):
        """(state, start, end, {audience: (enabled, text, type)})"""
        root = self.settings(("Get", ("BodyType", kind)), phone=phone)
        self.assertEqual(wbxml.text(root, "Oof/Status"), status)
        if status != "1":
            return None
        messages = {}
        for node in wbxml.find_all(root, "Oof/Get/OofMessage"):
            audience, = [name for name in AUDIENCES if wbxml.find(
                node, "AppliesTo" + name) is not None]
            messages[audience] = tuple(wbxml.text(node, name) for name in (
                "Enabled", "ReplyMessage", "BodyType"))
        self.assertEqual(set(messages), set(AUDIENCES))
        return tuple(wbxml.text(root, "Oof/Get/" + name) for name in (
            "OofState", "StartTime", "EndTime")) + (messages,)

    def turn_on(self, text="I am away.", kind="TEXT"):
        self.set(("OofState", 1), oof_message("Internal", text, kind),
                 oof_message("ExternalKnown", text, kind),
                 oof_message("ExternalUnknown", text, kind))

    def mail_me(self, subject, sender=None):
        """A mail is delivered; it is in the mailbox, or where filters put
        it."""
        deliver_lmtp(self.dovecot.lmtp_port, address(self.user),
                     message(subject, to=address(self.user)),
                     sender=sender or address(self.other))

    def answer(self, subject="Question", **arguments):
        """What is answered, the only mail that comes."""
        self.mail_me(subject, **arguments)
        mail, = self.arrived()
        self.assertIn(subject, mail["Subject"])
        return mail

    def assert_no_answer(self, **arguments):
        """LMTP says 250 when all is done: an answer would be in the queue."""
        self.mail_me("Question", **arguments)
        self.arrived(0)


class TestAnswers(OutOfOffice):

    def test_a_mail_is_answered_while_it_is_on(self):
        self.turn_on("I am away.\nCall me.")
        mail = self.answer()
        self.assertEqual(mail.get_content().split(),
                         "I am away. Call me.".split())
        self.assertEqual(mail["Auto-Submitted"].split()[0], "auto-replied")
        self.assertEqual(self.dovecot.subjects(self.user), ["Question"])

    def test_and_not_before_and_after(self):
        self.assert_no_answer()
        self.turn_on()
        self.set(("OofState", 0))
        self.assert_no_answer()
        self.assertEqual(len(self.dovecot.subjects(self.user)), 2)

    def test_within_its_time_it_is_answered(self):
        self.turn_on()
        self.set(("OofState", 2), ("StartTime", day(-1)), ("EndTime", day(1)))
        self.answer()

    def test_before_its_time_and_after_it_is_not(self):
        self.turn_on()
        for start, end in ((1, 2), (-2, -1)):
            self.set(("OofState", 2), ("StartTime", day(start)),
                     ("EndTime", day(end)))
            self.assert_no_answer()

    def test_colleagues_and_strangers_get_their_own(self):
        self.set(("OofState", 1), oof_message("Internal", "colleague"),
                 oof_message("ExternalUnknown", "stranger"))
        self.assertIn("colleague", self.answer().get_content())
        self.mail_me("Other", sender="%s@%s" % (self.other, ELSEWHERE))
        self.assertIn("stranger", self.arrived(2)[1].get_content())

    def test_whom_it_is_not_for_is_not_answered(self):
        self.set(("OofState", 1), oof_message("ExternalUnknown", "stranger"),
                 oof_message("Internal", "colleague", enabled=0))
        self.assert_no_answer()
        self.set(("OofState", 1), oof_message("Internal", "colleague"),
                 oof_message("ExternalUnknown", "x", enabled=0),
                 oof_message("ExternalKnown", "friend"))
        self.assert_no_answer(sender="%s@%s" % (self.other, ELSEWHERE))

    def test_html_is_sent_as_such_beside_its_text(self):
        self.turn_on("<p>I am <b>away</b>, J&uuml;rgen.</p>", "HTML")
        mail = self.answer()
        self.assertEqual(mail.get_content_type(), "multipart/alternative")
        plain, html = mail.iter_parts()
        self.assertEqual(plain.get_content().strip(), "I am away, Jürgen.")
        self.assertIn("<b>away</b>", html.get_content())


class TestTexts(OutOfOffice):
    """No text is ever more than text."""

    TEXTS = (
        '"; discard; stop; #', "\\", '\\"; discard; #', ".\n.\n..\n.",
        "text:\n.\n; discard;", "a\r.\r\n.\rb", "${hex:22}; discard;",
        '";\r\n#: AAAA\r\n# belfry-oof 1 x\r\ndiscard;', "*/ discard; /*",
        '"\r\nLOGOUT\r\n', "{5+}\r\nx", "'; --", "Jürgen \U0001f600")

    def test_each_is_answered_and_told_as_it_is(self):
        for text in self.TEXTS:
            self.other = self.next_user()
            with self.subTest(text=text):
                self.turn_on(text)
                self.assertEqual(self.get()[3]["Internal"],
                                 ("1", text, "TEXT"))
                answer = self.answer().get_content()
                self.assertEqual(re.split(r"\r\n|\r|\n", answer.strip()),
                                 re.split(r"\r\n|\r|\n", text.strip()))
        self.assertEqual(len(self.dovecot.subjects(self.user)),
                         len(self.TEXTS))

    def test_the_longest_goes_through(self):
        for kind in ("TEXT", "HTML"):
            text = "<p>" + "äöü\n" * 4680 + "</p>"
            self.turn_on(text, kind)
            self.assertEqual(self.get(kind)[3]["Internal"], ("1", text, kind))

    def test_the_other_form_is_made_of_it(self):
        self.turn_on("a < b\nc")
        self.assertIn("a &lt; b", self.get("HTML")[3]["Internal"][1])
        self.assertEqual(self.get("HTML")[3]["Internal"][2], "HTML")
        self.turn_on("<p>a &lt; <i>b</i></p>", "HTML")
        self.assertEqual(self.get()[3]["Internal"][1].strip(), "a < b")


class TestKept(OutOfOffice):

    def test_all_is_told_to_every_device(self):
        start, end = day(3), day(5)
        self.set(("OofState", 2), ("StartTime", start), ("EndTime", end),
                 oof_message("Internal", "<i>in</i>", "HTML"),
                 oof_message("ExternalKnown", "out", enabled=0),
                 oof_message("ExternalUnknown", "out"))
        expected = ("2", start, end, {
            "Internal": ("1", "<i>in</i>", "HTML"),
            "ExternalKnown": ("0", "out", "HTML"),
            "ExternalUnknown": ("1", "out", "HTML")})
        told = self.get("HTML", phone=self.phone_of(device_id="OTHER"))
        self.assertEqual(told[:3], expected[:3])
        self.assertEqual(told[3]["Internal"], expected[3]["Internal"])
        self.assertEqual(self.get()[3]["ExternalKnown"], ("0", "out", "TEXT"))
        self.set(("OofState", 0))
        self.assertEqual(self.get()[0], "0")
        self.assertEqual(self.get()[3]["ExternalUnknown"],
                         ("1", "out", "TEXT"))

    def test_nothing_set_is_off(self):
        nothing = ("0", None, None)
        self.assertEqual(self.get(), ("0", None, None, dict.fromkeys(
            AUDIENCES, nothing)))
        self.assertEqual(self.scripts.all(), {})

    def test_a_request_that_comes_again_changes_nothing(self):
        self.turn_on()
        before = self.scripts.get(OWN), self.scripts.all()
        self.turn_on()
        self.assertEqual((self.scripts.get(OWN), self.scripts.all()), before)
        for _ in range(2):
            self.set(("OofState", 0))
            self.assertEqual(self.scripts.all(), {OWN: False})

    def test_what_is_changed_by_hand_is_left_alone(self):
        self.turn_on()
        changed = self.scripts.get(OWN).replace("away", "here")
        self.scripts.put(OWN, changed)
        self.get(status="3")
        self.set(("OofState", 0), status="3")
        self.assertEqual(self.scripts.get(OWN), changed)
        self.assertEqual(self.scripts.active(), OWN)
        self.assertIn("is his now", self.belfry.log())

    def test_another_script_that_is_active_is_off(self):
        self.turn_on()
        self.scripts.put("mine", FILTER, activate=True)
        self.assertEqual(self.get()[0], "0")
        self.set(("OofState", 0))
        self.assertEqual(self.scripts.active(), "mine")
        self.turn_on()
        self.set(("OofState", 0))
        self.assertEqual(self.scripts.active(), "mine")


class TestOwnFilters(OutOfOffice):

    def setUp(self):
        super().setUp()
        self.scripts.put('my "own"', FILTER, activate=True)

    def test_they_go_on_beside_it(self):
        self.turn_on()
        self.assertEqual(self.scripts.active(), OWN)
        self.answer("Into the drawer")
        self.assertEqual(self.dovecot.subjects(self.user, "Drafts"),
                         ["Into the drawer"])
        self.assertEqual(self.dovecot.subjects(self.user), [])

    def test_and_alone_afterwards(self):
        self.turn_on()
        self.set(("OofState", 0))
        self.assertEqual(self.scripts.active(), 'my "own"')
        self.mail_me("Into the drawer")
        self.assertEqual(self.dovecot.subjects(self.user, "Drafts"),
                         ["Into the drawer"])
        self.arrived(0)

    def test_those_that_are_gone_meanwhile_are_not_missed(self):
        self.turn_on()
        self.scripts.delete('my "own"')
        self.answer()
        self.turn_on("Away for long.")
        self.set(("OofState", 0))
        self.assertEqual(self.scripts.all(), {OWN: False})

    def test_those_that_answer_themselves_are_not_touched(self):
        self.scripts.put("mine", 'require "vacation";\nvacation "mine";\n',
                         activate=True)
        self.set(("OofState", 1), oof_message("Internal", "x"), status="3")
        self.assertEqual(self.scripts.active(), "mine")
        self.assertNotIn(OWN, self.scripts.all())
        self.assertIn("answers mails already", self.belfry.log())


class TestWithoutInclude(OutOfOffice):
    """A server that cannot put two scripts together."""

    PLUGIN = "sieve_extensions = -include"

    def test_own_filters_are_not_given_up_for_it(self):
        self.scripts.put("mine", FILTER, activate=True)
        self.set(("OofState", 1), oof_message("Internal", "x"), status="3")
        self.assertEqual(self.scripts.all(), {"mine": True})
        self.set(("OofState", 0))
        self.assertEqual(self.scripts.active(), "mine")

    def test_without_them_it_works(self):
        self.turn_on()
        self.answer()


class TestLackingServer(OutOfOffice):
    """What the server has not."""

    PLUGIN = "sieve_extensions = -vacation"

    def test_a_server_that_cannot_answer_is_not_asked_to(self):
        self.set(("OofState", 1), oof_message("Internal", "x"), status="5")
        self.assertEqual(self.get()[0], "0")
        self.assertEqual(self.scripts.all(), {})


class TestWithoutSieve(Sending):
    """Nobody has set up sieve_host."""

    def test_it_has_the_status_for_it(self):
        for part in (("Get", ("BodyType", "TEXT")), ("Set", ("OofState", 0))):
            root = self.phone.command("Settings", (
                "Settings:Settings", ("Oof", part),
                ("UserInformation", ("Get",))))
            self.assertEqual(wbxml.text(root, "Oof/Status"), "5")
            self.assertEqual(wbxml.text(root, "UserInformation/Status"), "1")


if __name__ == "__main__":
    unittest.main()
