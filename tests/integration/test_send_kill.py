#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""kill -9 while a phone sends: its mail is sent once, and is in Sent once. The
one exception is a worker that dies between the end of a mail and the server's
reply to it."""

import email
import os
import random
import re
import signal
import threading
import time
import unittest

from lib import wbxml
from lib.house import House
from lib.http_raw import HttpError
from lib.mail import message
from lib.phone import Phone, PhoneError, Refused
from lib.process import children_of, wait_until
from lib.scripted_smtp import ScriptedSmtp
from test_send import Sending, address

RETRY_S = 60
AGAIN = re.compile(r"message_id=\"?(<[^>]*>)\"? is sent again")
STORM_S = 12
# Each is killed some three times: its back-off (it doubles from 100 ms) stays
# within seconds.
VICTIMS = ("front", "hub", "belfry-imap", "worker", "worker") * 3


class StubbornSender(Phone):
    """Sends until it is told that it was sent."""

    def send_stubbornly(self, mail, client_id, save=True):
        body = wbxml.encode(self.compose(mail, client_id=client_id,
                                         save=save))
        deadline = time.monotonic() + RETRY_S
        while True:
            why = self.attempt(body)
            if why is None:
                return
            if time.monotonic() > deadline:
                raise AssertionError("for %d s: %s" % (RETRY_S, why))
            time.sleep(0.1)

    def attempt(self, body):
        try:
            root = self.check_answer("SendMail", self.raw("SendMail", body))
        except Refused as refused:
            self.close()
            if refused.status != 503:
                raise
            return refused
        except (OSError, HttpError) as error:
            self.close()
            return error
        status = None if root is None else wbxml.text(root, "Status")
        if status not in (None, "111"):
            raise AssertionError("status " + status)
        return status


class Hold:
    """An answer of a scripted server that waits, the first time."""

    def __init__(self, text):
        self.text, self.count = text, 0
        self.came, self.go_on = threading.Event(), threading.Event()

    def __call__(self, _):
        self.count += 1
        if self.count == 1:
            self.came.set()
            self.go_on.wait(RETRY_S)
        return self.text


class Killing(House):
    """victims: words of command lines, and "worker"."""

    def victims(self, kind):
        if kind != "worker":
            return self.belfry.role_pids(kind)
        return [pid for daemon in self.belfry.role_pids("belfry-imap")
                for pid, _ in children_of(daemon)]

    def kill_all(self, kind):
        pids = self.victims(kind)
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


class TestOnePoint(Killing):

    @classmethod
    def more_of_belfry(cls):
        cls.server = ScriptedSmtp()
        cls.addClassCleanup(cls.server.close)
        return {"connector": {"smtp_host": '"127.0.0.1"',
                              "smtp_tls": '"none"',
                              "smtp_port": str(cls.server.port)}}

    def setUp(self):
        super().setUp()
        wait_until(self.logs_in, "whoever was killed before")
        self.usual = list(self.server.answers)
        self.addCleanup(setattr, self.server, "answers", self.usual)
        self.server.mails.clear()
        self.log_before = len(self.belfry.log())

    def logs_in(self):
        try:
            self.phone = self.phone_of(kind=StubbornSender)
        except (OSError, HttpError, Refused, PhoneError):
            return False
        return True

    def log_since(self):
        return self.belfry.log()[self.log_before:]

    def hold(self, command, text):
        hold = Hold(text)
        self.addCleanup(hold.go_on.set)
        self.server.answers = [(command, hold)] + self.usual
        return hold

    def begin(self, save=True):
        mail = message("Killed", to="bob@example.org")
        del mail["Message-ID"]
        self.error = None

        def run():
            try:
                self.phone.send_stubbornly(mail, "one", save)
            except Exception as error:   # told by end()
                self.error = error
        self.thread = threading.Thread(target=run, daemon=True)
        self.thread.start()

    def end(self):
        self.thread.join(RETRY_S + 10)
        self.assertFalse(self.thread.is_alive())
        if self.error:
            raise self.error

    def assert_sent(self, times=1, kept=1):
        ids = {email.message_from_bytes(mail)["Message-ID"]
               for mail in self.server.mails}
        self.assertEqual((len(self.server.mails), len(ids)), (times, 1),
                         self.log_since())
        self.assertEqual(self.dovecot.subjects(self.user, "Sent"),
                         ["Killed"] * kept, self.log_since())

    def kill_at(self, hold, kind):
        self.begin()
        self.assertTrue(hold.came.wait(RETRY_S))
        self.assertTrue(self.victims(kind))
        self.kill_all(kind)
        hold.go_on.set()
        self.end()

    # before the mail

    def before_the_mail(self, kind):
        self.kill_at(self.hold("AUTH", "235 welcome\n"), kind)
        self.assert_sent()

    def test_front_before_the_mail(self):
        self.before_the_mail("front")

    def test_hub_before_the_mail(self):
        self.before_the_mail("hub")

    def test_connector_before_the_mail(self):
        self.before_the_mail("belfry-imap")

    def test_worker_before_the_mail(self):
        self.before_the_mail("worker")

    # between the mail's end and the reply

    def test_front_before_the_reply(self):
        self.kill_at(self.hold(r"\.$", "250 done\n"), "front")
        self.assert_sent()

    def test_hub_before_the_reply(self):
        self.kill_at(self.hold(r"\.$", "250 done\n"), "hub")
        self.assert_sent()

    def test_worker_before_the_reply_is_the_exception(self):
        self.kill_at(self.hold(r"\.$", "250 done\n"), "worker")
        self.assert_sent(times=2)
        self.assertRegex(self.log_since(), AGAIN)

    # when it was handed in, and is not kept yet

    def imap_processes(self):
        return [pid for pid, line in children_of(self.dovecot.process.pid)
                if "dovecot/imap" in line and "login" not in line]

    def signal_imap(self, number):
        for pid in self.imap_processes():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def before_it_is_kept(self, kind):
        hold = self.hold(r"\.$", "250 done\n")
        self.begin()
        self.assertTrue(hold.came.wait(RETRY_S))
        self.signal_imap(signal.SIGSTOP)
        try:
            hold.go_on.set()
            wait_until(lambda: " sent" in self.log_since(), "the reply")
            self.kill_all(kind)
        finally:
            self.signal_imap(signal.SIGCONT)
        self.end()
        self.assert_sent()

    def test_front_before_it_is_kept(self):
        self.before_it_is_kept("front")

    def test_hub_before_it_is_kept(self):
        self.before_it_is_kept("hub")

    def test_connector_before_it_is_kept(self):
        self.before_it_is_kept("belfry-imap")

    def test_worker_before_it_is_kept(self):
        self.before_it_is_kept("worker")

    def test_front_of_a_mail_that_is_not_kept(self):
        hold = self.hold(r"\.$", "250 done\n")
        self.begin(save=False)
        self.assertTrue(hold.came.wait(RETRY_S))
        self.kill_all("front")
        hold.go_on.set()
        self.end()
        self.assert_sent(kept=0)


class TestStorm(Sending, Killing):
    TEST_TIMEOUT_S = 180

    def test_every_mail_arrives_and_none_twice_without_a_word(self):
        seed = int(os.environ.get("BELFRY_SEED", random.randrange(1 << 32)))
        print("# BELFRY_SEED=%d" % seed, flush=True)
        chance = random.Random(seed)
        phone = self.phone_of(kind=StubbornSender, device_id="STORM")
        order = list(VICTIMS)
        chance.shuffle(order)

        def kill():
            for kind in order:
                time.sleep(2 * chance.random() * STORM_S / len(order))
                self.kill_all(kind)
        killer = threading.Thread(target=kill, daemon=True)
        count = 0
        killer.start()
        try:
            while killer.is_alive():
                phone.send_stubbornly(self.mail("storm %d" % count),
                                      "storm-%d" % count)
                count += 1
        finally:
            killer.join(RETRY_S)
        print("# %d mails sent" % count, flush=True)
        wanted = {"storm %d" % n for n in range(count)}
        wait_until(lambda: set(self.dovecot.subjects(self.other)) == wanted
                   and not self.queue(), "all mails", RETRY_S)
        found = self.dovecot.subjects(self.other)
        again = len(AGAIN.findall(self.belfry.log()))
        self.assertLessEqual(len(found) - count, again)
        self.assertEqual(set(self.dovecot.subjects(self.user, "Sent")),
                         wanted)


del House, Sending, Killing   # they have no tests of their own


if __name__ == "__main__":
    unittest.main()
