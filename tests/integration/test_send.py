#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mails from phones: through Postfix's submission into Dovecot's mailboxes,
once each, and once into Sent."""

import email
import email.policy
import unittest

from lib import wbxml
from lib.house import House
from lib.mail import message
from lib.phone import INBOX
from lib.postfix import DOMAIN, Postfix
from lib.process import run, wait_until

AUTH_SOCKET = """
service auth {{
  unix_listener {path} {{
    mode = 0666
  }}
}}
"""


def address(user):
    return "%s@%s" % (user, DOMAIN)


class Sending(House):
    """A house with a Postfix that takes mails of users; self.other is who
    gets them."""

    @classmethod
    def more_of_belfry(cls):
        socket = cls.folder("run", "auth-submission")
        cls.dovecot.extra += AUTH_SOCKET.format(path=socket)
        cls.dovecot.write_config()
        cls.postfix = Postfix(
            cls.folder, main="message_size_limit = 40000000\n"
            "mailbox_size_limit = 0\nvirtual_mailbox_limit = 0\n",
            transport="lmtp:inet:127.0.0.1:%d"
            % cls.dovecot.lmtp_port, submission=cls.certificates.good
            + (socket,))
        cls.addClassCleanup(cls.postfix.stop)
        return {"connector": dict(
            {"smtp_host": '"localhost"',
             "smtp_port": str(cls.postfix.submission_port)},
            **cls.BELFRY.get("connector", {}))}

    @classmethod
    def set_up_class(cls):
        cls.postfix.start()

    def setUp(self):
        super().setUp()
        self.other = self.next_user()
        self.phone = self.phone_of()

    def mail(self, subject, to=None, **arguments):
        mail = message(subject, to=to or address(self.other), **arguments)
        mail.replace_header("From", address(self.user))
        del mail["Message-ID"]
        return mail

    def octets_of(self, user, mailbox="INBOX"):
        """All mails there, as octets."""
        client = self.dovecot.imap(user)
        try:
            _, data = client.select('"%s"' % mailbox, readonly=True)
            if data[0] == b"0":
                return []
            _, data = client.fetch("1:*", "(BODY.PEEK[])")
            return [part[1] for part in data if isinstance(part, tuple)]
        finally:
            client.logout()

    def arrived(self, count=1, user=None):
        """That many mails, parsed, and no more: the queue is empty."""
        user = user or self.other
        wait_until(lambda: len(self.octets_of(user)) >= count, "the mail")
        wait_until(lambda: not self.queue(), "an empty queue")
        found = self.octets_of(user)
        self.assertEqual(len(found), count)
        return [email.message_from_bytes(octets, policy=email.policy.default)
                for octets in found]

    def queue(self):
        return "" if "is empty" in run(
            [self.postfix.postqueue, "-c", self.postfix.config, "-p"]).stdout \
            else "mails"

    def sent(self):
        return [email.message_from_bytes(octets, policy=email.policy.default)
                for octets in self.octets_of(self.user, "Sent")]

    def assert_sent_once(self, subject):
        mail, = self.arrived()
        copy, = self.sent()
        self.assertEqual((mail["Subject"], copy["Subject"]),
                         (subject, subject))
        self.assertEqual(mail["Message-ID"], copy["Message-ID"])
        return mail, copy


class TestSendMail(Sending):

    def test_it_arrives_once_and_is_in_sent_once(self):
        self.assertIsNone(self.phone.send_mail(self.mail("One")))
        mail, copy = self.assert_sent_once("One")
        self.assertEqual(mail["From"], address(self.user))
        self.assertRegex(mail["Message-ID"], "^<[0-9a-f]{32}@%s>$" % DOMAIN)
        self.assertEqual(mail.get_content().strip(), "Hello.")
        client = self.dovecot.imap(self.user)
        client.select("Sent", readonly=True)
        self.assertIn(b"\\Seen", client.fetch("1", "(FLAGS)")[1][0])
        client.logout()

    def test_the_phone_sees_it_in_sent(self):
        sent = self.phone.folder("5")
        self.phone.sync_all(sent)
        self.assertIsNone(self.phone.send_mail(self.mail("Seen there")))
        box = self.phone.sync_all(sent)
        self.assertEqual(box.values(), ["Seen there"])

    def test_it_is_kept_only_when_that_is_asked_for(self):
        self.assertIsNone(self.phone.send_mail(self.mail("Unkept"),
                                               save=False))
        self.arrived()
        self.assertEqual(self.sent(), [])

    def test_the_same_client_id_is_sent_once(self):
        for _ in range(3):
            self.assertIsNone(self.phone.send_mail(self.mail("Once"),
                                                   client_id="the-same"))
        self.assert_sent_once("Once")

    def test_another_device_has_client_ids_of_its_own(self):
        second = self.phone_of(device_id="SECOND")
        for phone in (self.phone, second):
            self.assertIsNone(phone.send_mail(self.mail("Twice"),
                                              client_id="the-same"))
        self.arrived(2)
        self.assertEqual(len(self.sent()), 2)

    def test_sent_is_made_when_there_is_none(self):
        client = self.dovecot.imap(self.user)
        client.delete("Sent")
        client.logout()
        self.assertIsNone(self.phone.send_mail(self.mail("Anew")))
        self.assert_sent_once("Anew")

    def test_blind_recipients_are_told_to_the_sender_only(self):
        third = self.next_user()
        mail = self.mail("Blind")
        mail["Bcc"] = address(third)
        self.assertIsNone(self.phone.send_mail(mail))
        for user in (self.other, third):
            got, = self.arrived(user=user)
            self.assertIsNone(got["Bcc"])
            self.assertNotIn(third, got.as_string().partition("\n\n")[2])
        self.assertEqual(self.sent()[0]["Bcc"], address(third))

    def test_the_phones_own_message_id_stays(self):
        mail = self.mail("Own id")
        mail["Message-ID"] = "<phone.1@phone.example>"
        self.assertIsNone(self.phone.send_mail(mail))
        self.assertEqual(self.assert_sent_once("Own id")[0]["Message-ID"],
                         "<phone.1@phone.example>")

    def test_every_charset_passes_as_bytes(self):
        octets = (b"From: %s\r\nTo: %s\r\nSubject: Bytes\r\n"
                  b"MIME-Version: 1.0\r\n"
                  b"Content-Type: text/plain; charset=koi8-r\r\n"
                  b"Content-Transfer-Encoding: 8bit\r\n\r\n"
                  b"\xf0\xd2\xc9\xd7\xc5\xd4\r\n"
                  % (address(self.user).encode(), address(self.other).encode()))
        self.assertIsNone(self.phone.send_mail(octets))
        for mail in self.assert_sent_once("Bytes"):
            self.assertEqual(mail.get_content().strip(),
                             "\u041f\u0440\u0438\u0432\u0435\u0442")

    def test_a_mail_of_20_mb_is_sent(self):
        mail = self.mail("Large", attachments=[
            ("large.bin", "application/octet-stream",
             bytes(range(256)) * (15 * 4096))])
        octets = mail.as_bytes()
        self.assertGreater(len(octets), 20 * 1024 * 1024)
        self.assertIsNone(self.phone.send_mail(octets))
        for got in self.assert_sent_once("Large"):
            attachment, = got.iter_attachments()
            self.assertEqual(attachment.get_content(),
                             bytes(range(256)) * (15 * 4096))

    def test_a_mail_over_the_limit_is_refused(self):
        self.assertEqual(self.phone.send_mail(
            self.mail("Huge").as_bytes() + b"x" * 27000000), "122")
        self.phone.close()
        self.assertIsNone(self.phone.send_mail(self.mail("Small")))
        self.assert_sent_once("Small")


class TestHostileMail(Sending):
    """What is no line end must not become one, what is no recipient must not
    get it."""

    def test_no_second_mail_is_smuggled_in(self):
        ends = [b"\r\n.\r\n", b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r",
                b"\r\n.\r", b"\r\n\0.\r\n"]
        body = b"".join(
            b"before" + end + b"MAIL FROM:<evil@example.org>\r\nRCPT TO:<"
            + address(self.other).encode() + b">\r\nDATA\r\nevil\r\n.\r\n"
            for end in ends)
        head = b"From: %s\r\nTo: %s\r\nSubject: Smuggler\r\n\r\n" % (
            address(self.user).encode(), address(self.other).encode())
        self.assertIsNone(self.phone.send_mail(head + body))
        self.assert_sent_once("Smuggler")
        octets, = self.octets_of(self.other)
        self.assertEqual(octets.count(b"\r\n.\r\n"), 2 * len(ends))
        self.assertNotRegex(octets, b"(?<!\r)\n|\r(?!\n)")

    def test_no_field_and_no_recipient_is_smuggled_in(self):
        third = self.next_user()
        head = (b"From: %s\r\nTo: %s\r\nSubject: a\rBcc: %s\rX-Evil: 1\r\n"
                b"\r\nHello\r\n" % tuple(address(user).encode() for user in
                                       (self.user, self.other, third)))
        self.assertIsNone(self.phone.send_mail(head))
        mail, = self.arrived()
        self.assertEqual(mail["Subject"], "a Bcc: %s X-Evil: 1"
                         % address(third))
        self.assertIsNone(mail["X-Evil"])
        self.assertEqual(self.octets_of(third), [])

    def test_metacharacters_in_addresses_are_no_commands(self):
        for to in ('"a> SIZE=1\r\nRCPT TO:<%s"@example.org'
                   % address(self.other), "<a\x01b@example.org>",
                   "a b@example.org"):
            head = "From: %s\r\nTo: %s\r\nSubject: Meta\r\n\r\nx" % (
                address(self.user), to)
            self.assertIn(self.phone.send_mail(head.encode()),
                          ("107", "116", "119"))
        self.assertEqual(self.octets_of(self.other), [])
        self.assertEqual(self.sent(), [])

    def test_a_password_is_in_no_log(self):
        self.phone.send_mail(self.mail("Secret"))
        self.arrived()
        self.assertNotIn(self.dovecot.password_of(self.user),
                         self.belfry.log())


class TestRefused(Sending):

    def assert_refused(self, status, mail, **arguments):
        self.assertEqual(self.phone.send_mail(mail, **arguments), status)
        self.assertEqual(self.sent(), [])

    def test_a_mail_without_recipients_is_status_119(self):
        mail = self.mail("Nobody")
        del mail["To"]
        self.assert_refused("119", mail)

    def test_a_mail_without_sender_is_status_107(self):
        mail = self.mail("From nobody")
        del mail["From"]
        self.assert_refused("107", mail)
        self.assert_refused("107", b"")

    def test_a_recipient_that_the_server_refuses_is_status_116(self):
        self.assert_refused("116", self.mail("All or none", to="%s, %s" % (
            address(self.other), address("refused"))))
        self.assertIn("there is nobody of this name", self.belfry.log())
        self.assertEqual(self.octets_of(self.other), [])

    def test_a_recipient_that_is_to_come_later_is_a_retry(self):
        self.assert_refused("111", self.mail("Later", to=address("later")),
                            client_id="one")
        # the very same again is no second mail: nothing was sent before
        self.assert_refused("111", self.mail("Later", to=address("later")),
                            client_id="one")
        self.assertNotIn("is sent again", self.belfry.log())

    def test_an_account_that_we_never_told_is_status_166(self):
        spec = self.phone.compose(self.mail("Other"))
        root = self.phone.command("SendMail", (spec[0], spec[1], (
            "AccountId", "other"), *spec[2:]))
        self.assertEqual(wbxml.text(root, "Status"), "166")

    def test_a_refused_mail_can_be_sent_when_it_is_right(self):
        self.assert_refused("116", self.mail("Corrected",
                                             to=address("refused")),
                            client_id="draft")
        self.assertIsNone(self.phone.send_mail(self.mail("Corrected"),
                                               client_id="draft"))
        self.assert_sent_once("Corrected")


class TestOriginals(Sending):

    def original(self, **arguments):
        """(FolderId, ServerId) of a delivered mail, and the mail."""
        mail = message("Original", to=address(self.user), **arguments)
        self.dovecot.append(self.user, mail)
        inbox = self.phone.folder(INBOX)
        box = self.phone.sync_all(inbox)
        return (inbox, box.server_id_of("Original")), mail

    def flags_of_original(self):
        client = self.dovecot.imap(self.user)
        client.select("INBOX", readonly=True)
        flags = client.fetch("1", "(FLAGS)")[1][0]
        client.logout()
        return flags

    def test_a_reply_quotes_and_marks_its_original(self):
        source, original = self.original(body="Old text\n",
                                         html="<p>Old <b>text</b></p>\n")
        self.assertIsNone(self.phone.send_mail(
            self.mail("Re: Original", body="New text\n",
                      html="<html><body>New text</body></html>\n"),
            cmd="SmartReply", source=source))
        mail, copy = self.assert_sent_once("Re: Original")
        plain = mail.get_body(("plain",)).get_content()
        html = mail.get_body(("html",)).get_content()
        self.assertRegex(plain, r"(?s)^New text.*wrote:\s+> Old text")
        self.assertRegex(html, r"(?s)New text.*<blockquote.*Old <b>text</b>")
        self.assertEqual(mail["In-Reply-To"], original["Message-ID"])
        self.assertEqual(copy.get_body(("plain",)).get_content(), plain)
        self.assertIn(b"\\Answered", self.flags_of_original())

    def test_a_forward_has_all_of_its_original(self):
        source, original = self.original(attachments=[
            ("data.bin", "application/octet-stream", b"\0\1\2" * 100000)])
        self.assertIsNone(self.phone.send_mail(
            self.mail("Fwd: Original", body="See below\n"),
            cmd="SmartForward", source=source))
        mail, _ = self.assert_sent_once("Fwd: Original")
        text, enclosed = mail.iter_parts()
        self.assertEqual(text.get_content().strip(), "See below")
        enclosed = enclosed.get_content()
        self.assertEqual(enclosed["Message-ID"], original["Message-ID"])
        attachment, = enclosed.iter_attachments()
        self.assertEqual(attachment.get_content(), b"\0\1\2" * 100000)
        self.assertIn(b"$Forwarded", self.flags_of_original())

    def test_a_large_original_is_forwarded(self):
        source, _ = self.original(attachments=[
            ("data.bin", "application/octet-stream", b"\xff" * 7000000)])
        self.assertIsNone(self.phone.send_mail(
            self.mail("Fwd: Large"), cmd="SmartForward", source=source))
        mail, _ = self.assert_sent_once("Fwd: Large")
        enclosed = list(mail.iter_parts())[1].get_content()
        attachment, = enclosed.iter_attachments()
        self.assertEqual(len(attachment.get_content()), 7000000)

    def test_a_mail_that_replaces_is_sent_as_it_is(self):
        source, _ = self.original(body="Old text\n")
        self.assertIsNone(self.phone.send_mail(
            self.mail("Re: Replaced", body="All of it\n"), cmd="SmartReply",
            source=source, replace=True))
        mail, _ = self.assert_sent_once("Re: Replaced")
        self.assertEqual(mail.get_content().strip(), "All of it")
        self.assertIn(b"\\Answered", self.flags_of_original())

    def test_an_original_that_is_gone_is_status_150(self):
        source, _ = self.original()
        for wrong in ((source[0], source[0] + ":99"), (source[0], "9:1"),
                      ("9", "9:1"), (source[0], "x")):
            self.assertEqual(self.phone.send_mail(
                self.mail("Re: Gone"), cmd="SmartReply", source=wrong), "150")
        self.assertEqual(self.sent(), [])

    def test_a_source_in_two_ways_is_status_105(self):
        source, _ = self.original()
        spec = self.phone.compose(self.mail("Re: x"), cmd="SmartReply",
                                  source=source)
        double = ("Source", ("FolderId", source[0]), ("LongId", source[1]))
        root = self.phone.command("SmartReply", (
            spec[0], spec[1], double, *spec[3:]))
        self.assertEqual(wbxml.text(root, "Status"), "105")

    def test_the_original_can_be_named_by_its_long_id(self):
        source, _ = self.original(body="Old text\n")
        spec = self.phone.compose(self.mail("Re: Long"), cmd="SmartReply",
                                  source=source)
        self.assertIsNone(self.phone.command("SmartReply", (
            spec[0], spec[1], ("Source", ("LongId", source[1])), *spec[3:])))
        self.assert_sent_once("Re: Long")


class TestVersion121(Sending):
    """The body is the mail, all else is in the query."""

    def setUp(self):
        super().setUp()
        self.phone = self.phone_of(version="12.1", device_id="OLD")

    def post(self, cmd, mail, **parameters):
        response = self.phone.raw(cmd, mail.as_bytes(), "message/rfc822",
                                  list(parameters.items()))
        self.assertEqual(response.body if response.status == 200 else b"",
                         b"")
        return response.status

    def test_it_is_sent_and_kept_once(self):
        mail = self.mail("Old form")
        for _ in range(2):
            self.assertEqual(self.post("SendMail", mail, SaveInSent="T"), 200)
        self.assert_sent_once("Old form")

    def test_it_is_not_kept_unless_the_query_says_so(self):
        self.assertEqual(self.post("SendMail", self.mail("Unkept")), 200)
        self.arrived()
        self.assertEqual(self.sent(), [])

    def test_a_reply_names_its_original_in_the_query(self):
        self.dovecot.append(self.user, message("Original", body="Old text\n"))
        inbox = self.phone.folder(INBOX)
        item = self.phone.sync_all(inbox).server_id_of("Original")
        self.assertEqual(self.post("SmartReply", self.mail("Re: Original"),
                                   CollectionId=inbox, ItemId=item,
                                   SaveInSent="T"), 200)
        mail, _ = self.assert_sent_once("Re: Original")
        self.assertIn("> Old text", mail.get_content())

    def test_failures_are_http_errors(self):
        self.assertEqual(self.post("SendMail", self.mail(
            "Bad", to=address("refused"))), 400)
        self.assertEqual(self.post("SendMail", self.mail(
            "Later", to=address("later"))), 503)
        self.assertEqual(self.phone.raw(
            "SendMail", b"\3\1\x6a\0").status, 400)


class TestWithoutServer(House):

    def test_sending_is_refused_for_good(self):
        phone = self.phone_of()
        mail = message("Nowhere")
        self.assertEqual(phone.send_mail(mail), "120")
        self.assertIn("no smtp_host is set", self.belfry.log())


class TestServerAway(Sending):

    @classmethod
    def set_up_class(cls):
        """Postfix is not started."""

    def test_it_is_a_retry_until_the_server_is_there(self):
        mail = self.mail("Patience")
        self.assertEqual(self.phone.send_mail(mail, client_id="p"), "111")
        self.postfix.start()
        wait_until(lambda: self.phone.send_mail(mail, client_id="p") is None,
                   "a Postfix that takes it")
        self.assert_sent_once("Patience")
        self.assertNotIn("is sent again", self.belfry.log())


if __name__ == "__main__":
    unittest.main()
