#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker of belfry-imap that keeps what is answered while a user is out of
office at ManageSieve servers as they come: Dovecot's, cut off in the middle,
and with every answer that a server can give."""

import base64
import os
import signal
import ssl
import threading
import unittest

from lib.certificates import Certificates
from lib.dovecot import MASTER_PASSWORD, MASTER_USER, Dovecot
from lib.process import Folder
from lib.scripted_sieve import CAPABILITIES, READY, ScriptedSieve
from lib.sieve import Cut, Scripts, add_sieve
from lib.worker import STATUS, Worker, WorkerGone

ON, OFF = 1, 0
OWN = "belfry-oof"
# A wrong password is to delay no other test.
NO_PENALTY = """
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
"""
FILTER = 'require "fileinto";\nfileinto "Drafts";\n'


class Sieve(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.folder = Folder("sieve")
        cls.addClassCleanup(cls.folder.remove)
        cls.certificates = Certificates(cls.folder)

    def setUp(self):
        self.log = self.folder(self.id() + ".log")

    def worker(self, port, **settings):
        worker = Worker(dict(dict(
            host="127.0.0.1", port=1, tls="none", sieve_host="127.0.0.1",
            sieve_port=port, sieve_tls="none", ca_file=self.certificates.ca,
            timeout_s=3), **settings), self.log)
        self.addCleanup(worker.close)
        return worker

    @staticmethod
    def oof(state, text="Away"):
        message = dict(enabled=True, text=text)
        return dict(set_oof=dict(has_state=True, oof=dict(
            state=state, internal=message, unknown=message)))

    def ask(self, worker, status, user="alice", password="alice secret",
            canonical="alice@example.org", **request):
        response = worker.one(user, password, canonical=canonical, **request)
        self.assertEqual(response.get("status", 0), STATUS[status], response)
        return response

    def told(self):
        with open(self.log, encoding="utf-8") as file:
            return file.read()


class TestServers(Sieve):
    """What servers say."""

    def server(self, *arguments, **options):
        server = ScriptedSieve(*arguments, **options)
        self.addCleanup(server.close)
        return server

    def context(self, pair=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*(pair or self.certificates.good))
        return context

    def try_it(self, status, *answers, settings=None, **options):
        server = self.server(answers, **options)
        response = self.ask(self.worker(server.port, **(settings or {})),
                            status, **self.oof(ON))
        return server, response.get("reason", "")

    def test_all_is_said_in_order(self):
        server, _ = self.try_it("OK")
        # whether the LOGOUT behind them was read yet is chance
        self.assertEqual([c.split()[0] for c in server.commands[:5]], [
            "AUTHENTICATE", "CAPABILITY", "LISTSCRIPTS", "PUTSCRIPT",
            "SETACTIVE"])
        plain = server.said("AUTHENTICATE")[0].split('"')[3]
        self.assertEqual(base64.b64decode(plain), b"\0alice\0alice secret")

    def test_starttls_and_tls_from_the_first_byte(self):
        for how in ("starttls", "tls"):
            server, _ = self.try_it(
                "OK", context=self.context(), direct=how == "tls",
                greeting='"STARTTLS"\nOK\n' if how == "starttls" else READY,
                settings={"sieve_tls": how, "sieve_tls_name": "localhost"})
            self.assertEqual(len(server.said("SETACTIVE")), 1)

    def test_a_certificate_of_another_name_is_refused(self):
        for how in ("starttls", "tls"):
            for pair in (self.certificates.wrong_name,
                         self.certificates.expired):
                server, reason = self.try_it(
                    "UNAVAILABLE", context=self.context(pair),
                    direct=how == "tls", greeting='"STARTTLS"\nOK\n',
                    settings={"sieve_tls": how, "sieve_tls_name": "localhost"})
                self.assertIn("certificate", reason)
                self.assertEqual(server.said("AUTHENTICATE"), [])

    def test_what_comes_in_plain_after_starttls_is_refused(self):
        server, _ = self.try_it(
            "UNAVAILABLE", ("STARTTLS", "OK\n" + READY),
            context=self.context(), greeting='"STARTTLS"\nOK\n',
            settings={"sieve_tls": "starttls", "sieve_tls_name": "localhost"})
        self.assertEqual(server.said("AUTHENTICATE"), [])

    def test_without_starttls_no_password_leaves(self):
        server, _ = self.try_it("UNAVAILABLE", settings={
            "sieve_tls": "starttls", "sieve_tls_name": "localhost"})
        self.assertIn(server.commands, ([], ["LOGOUT"]))
        server, _ = self.try_it(
            "UNAVAILABLE", ("STARTTLS", "NO\n"), greeting='"STARTTLS"\nOK\n',
            settings={"sieve_tls": "starttls", "sieve_tls_name": "localhost"})
        self.assertEqual(server.said("AUTHENTICATE"), [])

    def test_without_plain_no_password_leaves(self):
        server, _ = self.try_it("UNAVAILABLE", greeting=READY.replace(
            "PLAIN", "LOGIN"))
        self.assertIn(server.commands, ([], ["LOGOUT"]))

    def test_each_no_has_its_meaning(self):
        for command, answer, status in (
                ("AUTHENTICATE", "NO {3}\n\"no\n", "LIMIT"),
                ("AUTHENTICATE", "NO (TRYLATER) \"later\"\n", "UNAVAILABLE"),
                ("AUTHENTICATE", "BYE\n", "UNAVAILABLE"),
                ("AUTHENTICATE", None, "UNAVAILABLE"),
                ("LISTSCRIPTS", "NO\n", "LIMIT"),
                ("PUTSCRIPT", "NO (QUOTA/MAXSIZE) \"long\"\n", "LIMIT"),
                ("PUTSCRIPT", "BYE (TRYLATER)\n", "UNAVAILABLE"),
                ("SETACTIVE", "NO\n", "LIMIT"),
                ("SETACTIVE", None, "UNAVAILABLE")):
            with self.subTest(command=command, answer=answer):
                self.try_it(status, (command, answer))

    def test_what_is_no_managesieve_is_given_up(self):
        for answer in ("OK\n".encode(), b"\n", b"OK\r\r\n", b"{999999999}\r\n",
                       b"x" * 100000, b'"' + b"y" * 100000,
                       b'"a"\r\n' * 10001):
            with self.subTest(answer=answer[:20]):
                self.try_it("UNAVAILABLE", ("LISTSCRIPTS", answer))
                self.try_it("UNAVAILABLE", greeting=answer)

    def test_a_script_is_one_string(self):
        self.try_it("LIMIT", ("LISTSCRIPTS", '"%s"\nOK\n' % OWN), (
            "GETSCRIPT", b"{1000000}\r\n" + b"x" * 1000000 + b"\r\nOK\r\n"))
        self.try_it("LIMIT", ("LISTSCRIPTS", '"%s"\nOK\n' % OWN), (
            "GETSCRIPT", (b"{500000}\r\n" + b"x" * 500000 + b"\r\n") * 40
            + b"OK\r\n"))

    def test_what_the_server_lacks_after_login_counts(self):
        self.try_it("UNSUPPORTED", ("CAPABILITY", READY.replace(
            "vacation", "fileinto")))
        server, _ = self.try_it("OK", greeting=READY.replace(
            "vacation", "fileinto"))
        self.assertEqual(len(server.said("SETACTIVE")), 1)

    def test_names_of_scripts_are_strings_whatever_they_are(self):
        server, _ = self.try_it("OK", ("LISTSCRIPTS",
                                       b'{6}\r\na"\r\n\\b ACTIVE\r\nOK\r\n'))
        self.assertEqual(server.said("GETSCRIPT"),
                         ['GETSCRIPT {6+}\r\na"\r\n\\b'])
        self.assertIn('include :personal :optional "a\\"\r\n\\\\b";',
                      server.said("PUTSCRIPT")[0])

    def test_a_server_that_is_not_there(self):
        worker = self.worker(1)
        response = self.ask(worker, "UNAVAILABLE", **self.oof(ON))
        self.assertIn("connect", response["reason"].lower())

    def test_passwords_are_in_no_log(self):
        self.try_it("LIMIT", ("AUTHENTICATE", "NO\n"))
        self.assertNotIn("alice secret", self.told())
        self.assertNotIn(base64.b64encode(b"\0alice\0alice secret").decode(),
                         self.told())


class TestDovecot(Sieve):
    """A real one, cut off in the middle."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.dovecot = Dovecot(cls.folder, cls.certificates, users=20,
                              extra=NO_PENALTY)
        add_sieve(cls.dovecot)
        cls.addClassCleanup(cls.dovecot.stop)
        cls.dovecot.start()
        cls.count = 0

    def setUp(self):
        super().setUp()
        TestDovecot.count += 1
        self.user = "u%04d" % self.count
        self.scripts = Scripts(self.dovecot, self.user)

    def ask(self, worker, status, **request):
        return super().ask(worker, status, **dict(dict(
            user=self.user, password=self.dovecot.password_of(self.user),
            canonical=self.user + "@example.org"), **request))

    def state(self, worker):
        return self.ask(worker, "OK", get_oof={})["oof"].get("state", 0)

    def cut_worker(self, word):
        cut = Cut(self.dovecot.sieve_port, word)
        self.addCleanup(cut.close)
        return self.worker(cut.port)

    def test_a_request_that_was_cut_off_is_finished_by_the_next(self):
        whole = self.worker(self.dovecot.sieve_port)
        self.scripts.put("mine", FILTER, activate=True)
        for word in (b"PUTSCRIPT", b"SETACTIVE"):
            with self.subTest(cut_before=word):
                self.ask(self.cut_worker(word), "UNAVAILABLE", **self.oof(ON))
                self.assertEqual(self.scripts.active(), "mine")
                self.assertEqual(self.state(whole), OFF)
        self.ask(whole, "OK", **self.oof(ON))
        self.assertEqual(self.scripts.active(), OWN)
        self.assertIn('"mine"', self.scripts.get(OWN))
        self.ask(self.cut_worker(b"SETACTIVE"), "UNAVAILABLE",
                 **self.oof(OFF))
        self.assertEqual((self.scripts.active(), self.state(whole)), (OWN, ON))
        self.ask(self.cut_worker(b"PUTSCRIPT"), "UNAVAILABLE",
                 **self.oof(OFF))
        self.assertEqual((self.scripts.active(), self.state(whole)),
                         ("mine", OFF))
        self.ask(whole, "OK", **self.oof(OFF))
        self.assertEqual(self.scripts.all(), {"mine": True, OWN: False})
        self.assertEqual(self.state(whole), OFF)

    def test_a_worker_that_is_killed_in_between(self):
        self.scripts.put("mine", FILTER, activate=True)
        put, go = threading.Event(), threading.Event()
        self.addCleanup(go.set)

        class Held(Cut):
            def _commands(self, client, server):
                while octets := client.recv(1 << 16):
                    if octets.startswith(b"SETACTIVE"):
                        put.set()
                        go.wait(30)
                        return
                    server.sendall(octets)

        held = Held(self.dovecot.sieve_port)
        self.addCleanup(held.close)
        worker = Worker(dict(
            host="127.0.0.1", port=1, tls="none", sieve_host="127.0.0.1",
            sieve_port=held.port, sieve_tls="none", timeout_s=30), self.log)
        worker.send(id=1, session_key=b"k", user=self.user, timeout_s=30,
                    password=self.dovecot.password_of(self.user).encode(),
                    canonical=self.user + "@example.org",
                    request=dict(id=1, **self.oof(ON)))
        self.assertTrue(put.wait(30))
        os.kill(worker.pid, signal.SIGKILL)
        os.waitpid(worker.pid, 0)
        worker.pid = None
        self.assertEqual(self.scripts.active(), "mine")
        whole = self.worker(self.dovecot.sieve_port)
        self.assertEqual(self.state(whole), OFF)
        self.ask(whole, "OK", **self.oof(ON))
        self.assertEqual((self.scripts.active(), self.state(whole)), (OWN, ON))

    def test_a_master_user_may_act_for_another(self):
        worker = self.worker(self.dovecot.sieve_port)
        self.ask(worker, "OK", authorize_as=self.user, user=MASTER_USER,
                 password=MASTER_PASSWORD, **self.oof(ON))
        self.assertEqual(self.scripts.active(), OWN)

    def test_a_wrong_password_is_no_trouble(self):
        worker = self.worker(self.dovecot.sieve_port)
        self.ask(worker, "LIMIT", password="wrong", **self.oof(ON))
        self.assertEqual(self.scripts.all(), {})

    def test_with_starttls(self):
        worker = self.worker(self.dovecot.sieve_port, sieve_tls="starttls",
                             sieve_tls_name="localhost")
        self.ask(worker, "OK", **self.oof(ON))
        self.assertEqual(self.state(worker), ON)

    def test_what_is_not_sent_stays(self):
        worker = self.worker(self.dovecot.sieve_port)
        self.ask(worker, "OK", **self.oof(ON, "One"))
        self.ask(worker, "OK", set_oof=dict(oof=dict(
            unknown=dict(enabled=True, text="Two"))))
        oof = self.ask(worker, "OK", get_oof={})["oof"]
        self.assertEqual((oof["state"], oof["internal"]["text"],
                          oof["unknown"]["text"]), (ON, "One", "Two"))
        self.ask(worker, "OK", set_oof={})
        self.assertEqual(self.state(worker), ON)


if __name__ == "__main__":
    unittest.main()
