#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker of belfry-imap that sends mails to submission servers as they come:
with and without TLS, and with every answer that they can give."""

import base64
import os
import ssl
import threading
import unittest

from lib.certificates import Certificates
from lib.dovecot import Dovecot
from lib.process import Folder
from lib.scripted_imap import ScriptedImap
from lib.scripted_smtp import EHLO, ScriptedSmtp
from lib.worker import STATUS, Worker

MAIL = (b"From: alice@example.org\r\nTo: bob@example.org\r\n"
        b"Subject: Hello\r\n\r\nHello\r\n")


class Submission(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.folder = Folder("submit")
        cls.addClassCleanup(cls.folder.remove)
        cls.certificates = Certificates(cls.folder)
        cls.dovecot = Dovecot(cls.folder, cls.certificates)
        cls.addClassCleanup(cls.dovecot.stop)
        cls.dovecot.start()

    def setUp(self):
        self.log = self.folder(self.id() + ".log")
        self.number = 0

    def server(self, *arguments, **options):
        server = ScriptedSmtp(*arguments, **options)
        self.addCleanup(server.close)
        return server

    def context(self, pair=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*(pair or self.certificates.good))
        return context

    def send(self, server, status, mail=MAIL, settings=None, worker=None,
             **request):
        """The last response; it has this status."""
        self.number += 1
        worker = worker or Worker(dict(dict(
            host="127.0.0.1", port=self.dovecot.imap_port, tls="none",
            smtp_host="127.0.0.1", smtp_port=server.port, smtp_tls="none",
            ca_file=self.certificates.ca, timeout_s=3), **(settings or {})),
            self.log)
        self.addCleanup(worker.close)
        responses = worker.ask("alice", self.dovecot.password_of("alice"),
                               send=dict(dict(
                                   mime=mail, message_id="<%d.%s@belfry>" % (
                                       self.number, self.id())), **request))
        self.assertEqual(responses[-1]["status"], STATUS[status],
                         responses[-1])
        return responses[-1]

    def told(self):
        with open(self.log, encoding="utf-8") as file:
            return file.read()


class TestSession(Submission):

    def test_a_mail_goes_through(self):
        server = self.server()
        self.send(server, "OK")
        mail, = server.mails
        self.assertTrue(mail.startswith(b"From: alice@example.org\r\n"))
        self.assertTrue(mail.endswith(b"\r\n\r\nHello\r\n"))
        self.assertEqual(server.said("MAIL"), [
            "MAIL FROM:<alice@example.org> SIZE=%d" % len(mail)])
        self.assertEqual(server.said("RCPT"), ["RCPT TO:<bob@example.org>"])
        plain = base64.b64decode(server.said("AUTH")[0].split()[2])
        self.assertEqual(plain, b"\0alice\0"
                         + self.dovecot.password_of("alice").encode())

    def test_without_auth_no_password_leaves(self):
        server = self.server()
        self.send(server, "OK", settings={"smtp_auth": "none"})
        self.assertEqual(server.said("AUTH"), [])

    def test_replies_of_many_lines_are_read_to_their_end(self):
        server = self.server([("MAIL", "250-one\n250-two\n250 three\n"),
                              (r"\.", "250-2.0.0 one\n250 2.0.0 two\n")],
                             greeting="220-one\n220-\n220 two\n")
        self.send(server, "OK")
        self.assertEqual(len(server.mails), 1)

    def test_8_bit_mails_and_foreign_addresses_say_so(self):
        server = self.server()
        self.send(server, "OK", MAIL + b"\xe4\r\n")
        self.send(server, "OK", "From: alice@example.org\r\n"
                  "To: jürgen@example.org\r\n\r\nx".encode())
        first, second = server.said("MAIL")
        self.assertRegex(first, "BODY=8BITMIME$")
        self.assertRegex(second, "BODY=8BITMIME SMTPUTF8$")
        self.assertEqual(server.said("RCPT")[1],
                         "RCPT TO:<jürgen@example.org>")

    def test_a_server_that_can_nothing_gets_a_mail_all_the_same(self):
        server = self.server(ehlo="250-mx\n250 AUTH PLAIN\n")
        self.send(server, "OK", MAIL + b"\xe4\r\n")
        self.assertEqual(server.said("MAIL"),
                         ["MAIL FROM:<alice@example.org>"])
        self.send(server, "BAD_RECIPIENT", "From: alice@example.org\r\n"
                  "To: jürgen@example.org\r\n\r\nx".encode())

    def test_a_thousand_recipients_get_it_and_no_more(self):
        server = self.server()

        def mail(count):
            return b"From: alice@example.org\r\nTo: " + b",\r\n ".join(
                b"u%d@example.org" % n for n in range(count)) + b"\r\n\r\nx"
        self.send(server, "OK", mail(1000))
        self.assertEqual(len(server.said("RCPT")), 1000)
        self.send(server, "NOT_SENT", mail(1001))
        self.assertEqual(len(server.mails), 1)

    def test_the_copy_is_kept_before_the_answer(self):
        self.send(self.server(), "OK", save=True)
        client = self.dovecot.imap("alice")
        client.select("Sent", readonly=True)
        found = client.search(None, "HEADER", "Message-ID",
                              '"<1.%s@belfry>"' % self.id())[1]
        client.logout()
        self.assertEqual(len(found[0].split()), 1)

    def test_what_another_worker_handed_in_is_only_kept(self):
        server = self.server()
        worker = Worker(dict(
            host="127.0.0.1", port=self.dovecot.imap_port, tls="none",
            smtp_host="127.0.0.1", smtp_port=server.port, smtp_tls="none"),
            self.log)
        self.addCleanup(worker.close)
        for _ in range(2):
            response = worker.ask(
                "alice", self.dovecot.password_of("alice"), submitted=True,
                send=dict(mime=MAIL, message_id="<died@belfry>", save=True,
                          again=True))[-1]
            self.assertEqual(response["status"], STATUS["OK"])
            self.assertTrue(response["sent"]["saved"])
        self.assertEqual(server.commands, [])
        client = self.dovecot.imap("alice")
        client.select("Sent", readonly=True)
        found = client.search(None, "HEADER", "Message-ID",
                              '"<died@belfry>"')[1]
        client.logout()
        self.assertEqual(len(found[0].split()), 1)

    def imap(self, *answers):
        server = ScriptedImap(answers)
        self.addCleanup(server.close)
        return server

    def test_a_copy_that_cannot_be_kept_is_no_failure(self):
        server = self.server()
        imap = self.imap(("APPEND", "{tag} NO [OVERQUOTA] full\n"))
        response = self.send(server, "OK", save=True,
                             settings={"port": imap.port})
        self.assertTrue(response["sent"]["submitted"])
        self.assertFalse(response["sent"].get("saved"))
        self.assertEqual(len(server.mails), 1)
        self.assertIn("no copy could be kept", self.told())

    def test_sent_is_made_below_the_inbox_where_it_must(self):
        imap = self.imap(("CREATE .Sent", "{tag} NO not here\n"),
                         ("APPEND", "{tag} NO full\n"))
        self.send(self.server(), "OK", save=True,
                  settings={"port": imap.port})
        self.assertIn('CREATE "INBOX.Sent"', imap.commands)
        self.assertRegex(imap.commands[-1],
                         r'^APPEND "INBOX.Sent" \(\\Seen\) \{\d+\}$')

    def test_an_imap_server_that_hangs_up_afterwards_does_not_matter(self):
        server = self.server()
        imap = self.imap(("APPEND", None))
        response = self.send(server, "OK", save=True,
                             settings={"port": imap.port})
        self.assertFalse(response["sent"].get("saved"))
        self.assertEqual(len(server.mails), 1)


class TestTrouble(Submission):

    def test_each_step_can_be_refused_for_now_and_for_good(self):
        for step, refused in (("EHLO", "DEFERRED"), ("AUTH", "NOT_SENT"),
                              ("MAIL", "NOT_SENT"), ("RCPT", "BAD_RECIPIENT"),
                              ("DATA", "NOT_SENT"), (r"\.", "NOT_SENT")):
            for code, status in (("451 4.3.0", "DEFERRED"),
                                 ("554 5.7.1", refused)):
                with self.subTest(step=step, code=code):
                    server = self.server([(step, code + " says the test\n")])
                    response = self.send(server, status)
                    self.assertIn("says the test", response["reason"])
                    self.assertEqual(server.mails, [])

    def test_a_server_that_hangs_up_has_sent_nothing_until_the_end(self):
        for step in ("EHLO", "AUTH", "MAIL", "RCPT", "DATA"):
            with self.subTest(step=step):
                self.send(self.server([(step, None)]), "DEFERRED")
        self.send(self.server([(r"\.", None)]), "UNAVAILABLE")

    def test_a_greeting_can_refuse(self):
        self.send(self.server(greeting="421 busy\n"), "DEFERRED")
        self.send(self.server(greeting="554 go away\n"), "DEFERRED")

    def test_a_server_that_does_not_speak_smtp_is_left_alone(self):
        for greeting in ("* OK IMAP\n", "220 a\r220 b\n", "+OK\n",
                         "220-" + "x" * 70000):
            with self.subTest(greeting=greeting[:10]):
                server = self.server(greeting=greeting)
                self.send(server, "DEFERRED")
                self.assertEqual(server.said("AUTH"), [])

    def test_a_mail_over_the_servers_size_is_not_begun(self):
        server = self.server(ehlo=EHLO.replace("50000000", "100"))
        self.send(server, "TOO_LARGE")
        self.assertEqual(server.said("MAIL"), [])
        self.send(self.server([(r"\.", "552 5.3.4 too big\n")]), "TOO_LARGE")

    def test_no_recipient_gets_it_when_one_is_refused(self):
        server = self.server([("RCPT TO:<b@", "550 no\n")])
        self.send(server, "BAD_RECIPIENT", b"From: alice@example.org\r\nTo: "
                  b"a@example.org, b@example.org, c@example.org\r\n\r\nx")
        self.assertEqual(server.said("DATA"), [])

    def test_a_server_without_auth_gets_nothing(self):
        server = self.server(ehlo="250-mx\n250 AUTH LOGIN\n")
        self.send(server, "DEFERRED")
        self.assertEqual(server.said("MAIL"), [])

    def test_a_daemon_that_is_gone_wants_no_mail(self):
        held, go_on = threading.Event(), threading.Event()

        def hold(_):
            held.set()
            go_on.wait(20)
            return "354 go on\n"
        server = self.server([("DATA", hold)])
        worker = Worker(dict(
            host="127.0.0.1", port=self.dovecot.imap_port, tls="none",
            smtp_host="127.0.0.1", smtp_port=server.port, smtp_tls="none"),
            self.log)
        worker.send(id=1, session_key=b"k", user="alice", timeout_s=30,
                    password=self.dovecot.password_of("alice").encode(),
                    request=dict(id=1, send=dict(
                        mime=MAIL, message_id="<gone@belfry>")))
        self.assertTrue(held.wait(20))
        worker.socket.close()
        go_on.set()
        os.waitpid(worker.pid, 0)
        worker.pid = None
        self.assertEqual(server.mails, [])


class TestTls(Submission):

    def secure(self, server, status, how, name="localhost"):
        return self.send(server, status, settings={
            "smtp_tls": how, "smtp_tls_name": name})

    def test_starttls_is_made_before_the_password_leaves(self):
        server = self.server(context=self.context(), ehlo=EHLO.replace(
            "250-AUTH", "250-STARTTLS\n250-AUTH"))
        self.secure(server, "OK", "starttls")
        words = [command.split()[0] for command in server.commands]
        self.assertEqual(words[:4], ["EHLO", "STARTTLS", "EHLO", "AUTH"])
        self.assertEqual(len(server.mails), 1)

    def test_tls_from_the_first_byte(self):
        server = self.server(context=self.context(), direct=True)
        self.secure(server, "OK", "tls")
        self.assertEqual(len(server.mails), 1)

    def test_a_certificate_of_another_name_is_refused(self):
        for how in ("starttls", "tls"):
            server = self.server(context=self.context(), direct=how == "tls",
                                 ehlo="250-mx\n250 STARTTLS\n")
            response = self.secure(server, "DEFERRED", how, "other.example")
            self.assertIn("certificate", response["reason"])
            self.assertEqual(server.said("AUTH"), [])

    def test_a_server_that_hides_starttls_gets_no_password(self):
        server = self.server()
        response = self.secure(server, "DEFERRED", "starttls")
        self.assertIn("STARTTLS", response["reason"])
        self.assertEqual(server.said("AUTH"), [])

    def test_plain_text_behind_the_answer_to_starttls_is_refused(self):
        server = self.server([("STARTTLS", "220 go on\n250 injected\n")],
                             context=self.context(),
                             ehlo="250-mx\n250 STARTTLS\n")
        response = self.secure(server, "DEFERRED", "starttls")
        self.assertIn("plain text", response["reason"])
        self.assertEqual(len(server.said("EHLO")), 1)
        self.assertEqual(server.said("AUTH"), [])

    def test_what_was_announced_before_tls_is_forgotten(self):
        offers = iter(("250-mx\n250-STARTTLS\n250 AUTH PLAIN\n",
                       "250 mx\n"))
        server = self.server([("EHLO", lambda _: next(offers))],
                             context=self.context())
        self.secure(server, "DEFERRED", "starttls")
        self.assertEqual(server.said("AUTH"), [])


if __name__ == "__main__":
    unittest.main()
