#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""No push is lost and none is early, whatever the moment; hooks that break."""

import json
import os
import random
import signal
import smtplib
import socket
import threading
import time
import unittest

from lib import schema
from lib.belfry import Belfry
from lib.certificates import Certificates
from lib.dovecot import Dovecot, lua_script
from lib.mail import SENDER, deliver_lmtp, message
from lib.phone import INBOX
from lib.process import Folder, run, wait_until

DEVICES = 20
DELIVERIES = 1000
DELIVERERS = 4
HEARTBEAT_S = 600
# After the last delivery every phone must have been rung long before this:
# the recheck of waiting collections, which would find all, comes later.
PATIENCE_S = 90
RECHECK_LATE = {"recheck_s": "3600"}
# More than three misses make hooks broken (gateway/service/router_health.h).
UNTOLD = 6
# The hub's backlog is 4096: all of these wait for it.
BURST = 4000


# While the hub is away: each of the ways of a delivery has its own thread.
# More events than a transaction may leave in the spool.
MANY = 20
AWAY_DEVICES = 6
AWAY_DELIVERIES = 10


class Follower(threading.Thread):
    """A phone that does what phones do: Ping, and Sync when it rings."""

    def __init__(self, belfry, user, seed):
        super().__init__(name=user, daemon=True)
        self.user, self.random = user, random.Random(seed)
        self.belfry, self.phone = belfry, belfry.phone(user)
        self.inbox = None
        self.stopping = False
        self.early, self.error = [], None
        self.subjects = []

    def run(self):
        try:
            self.phone.set_up()
            self.phone.sync_all(self.phone.folder(INBOX))
            self.inbox = self.phone.folder(INBOX)
            while not self.stopping:
                self.follow()
        except Exception as error:   # told by the test
            self.error = error

    def follow(self):
        time.sleep(self.random.choice((0, 0, 0.05, 0.3)))
        held = self.phone.ping_start(HEARTBEAT_S)
        while not held.answered(0.2):
            if self.stopping:
                held.drop()
                return
        status, _, _ = self.phone.ping_wait(held)
        if status != "2":
            raise AssertionError("Ping status %s" % status)
        box = self.phone.sync_all(self.inbox)
        if not (box.added or box.changed or box.deleted):
            self.early.append(self.belfry.control("why", self.user))
        self.subjects += [box.value(i, "Email:Subject") for i in box.added]


class Deliverer(threading.Thread):
    """Delivers its part of the mails, now in bursts and now with pauses."""

    def __init__(self, port, users, subjects, seed):
        super().__init__(daemon=True)
        self.port, self.users, self.subjects = port, users, subjects
        self.random = random.Random(seed)
        self.delivered = []     # (user, subject)
        self.error = None

    def run(self):
        try:
            with smtplib.LMTP("127.0.0.1", self.port,
                              local_hostname="test.example") as client:
                for subject in self.subjects:
                    user = self.random.choice(self.users)
                    if self.random.randrange(7) == 0:
                        time.sleep(self.random.random() / 10)
                    client.sendmail(SENDER, [user],
                                    message(subject).as_bytes())
                    self.delivered.append((user, subject))
        except Exception as error:   # told by the test
            self.error = error


class Push(unittest.TestCase):
    TEST_TIMEOUT_S = 300

    def setUp(self):
        self.seed = random.randrange(1 << 32)
        print("# seed %d" % self.seed, flush=True)
        schema.prepare()
        self.folder = Folder("push")
        self.addCleanup(self.folder.remove)
        self.certificates = Certificates(self.folder)

    def start(self, users, lua=True, **arguments):
        script = lua_script(self.folder, self.folder("belfry", "run",
                                                     "hook.sock"))
        self.dovecot = Dovecot(self.folder, self.certificates, users=users,
                               lua=script if lua else None)
        self.belfry = Belfry(self.folder, self.dovecot, self.certificates,
                             **arguments)
        self.addCleanup(self.dovecot.stop)
        self.dovecot.start()
        self.addCleanup(self.belfry.stop)
        self.belfry.start()

    def parked_phone(self, user):
        """A phone with everything synchronised, and its held Ping."""
        phone = self.belfry.phone(user).set_up()
        phone.sync_all(phone.folder(INBOX))
        return phone, phone.ping_start(HEARTBEAT_S)

    def stop_all(self, followers):
        for follower in followers:
            follower.stopping = True
        for follower in followers:
            follower.join(60)

    def test_a_thousand_deliveries_at_random_moments_ring_each_phone(self):
        self.start(users=DEVICES, hook="yes", connector=RECHECK_LATE)
        followers = [Follower(self.belfry, "u%04d" % (n + 1), self.seed + n)
                     for n in range(DEVICES)]
        for follower in followers:
            follower.start()
        try:
            wait_until(lambda: all(f.error or f.inbox for f in followers),
                       "every phone to be set up", PATIENCE_S)
            expected = self.deliver([f.user for f in followers])
            wait_until(lambda: all(
                f.error or len(f.subjects) >= len(expected[f.user])
                for f in followers), "every phone to have its mail",
                PATIENCE_S)
        finally:
            self.stop_all(followers)
        for follower in followers:
            self.assertIsNone(follower.error, follower.user)
            self.assertEqual(sorted(follower.subjects),
                             sorted(expected[follower.user]), follower.user)
            if follower.early:
                self.fail("%s was rung for nothing:\n%s"
                          % (follower.user, "\n".join(follower.early)))

    def deliver(self, users):
        """All deliveries; the subjects of each user."""
        parts = [Deliverer(self.dovecot.lmtp_port, users,
                           ["mail %d" % i for i in range(n, DELIVERIES,
                                                         DELIVERERS)],
                           self.seed - 1 - n) for n in range(DELIVERERS)]
        for part in parts:
            part.start()
        for part in parts:
            part.join()
            self.assertIsNone(part.error)
        expected = {user: [] for user in users}
        for part in parts:
            for user, subject in part.delivered:
                expected[user].append(subject)
        return expected

    def test_a_burst_of_hooks_waits_for_a_stopped_hub(self):
        self.start(users=2, hook="yes", connector=RECHECK_LATE)
        phone, held = self.parked_phone("u0001")
        self.assertFalse(held.answered(0.5))
        hub, = self.belfry.role_pids("hub")
        os.kill(hub, signal.SIGSTOP)
        try:
            for n in range(BURST):
                self.tell("u%04d" % (n % 2 + 1))
            time.sleep(1)
        finally:
            os.kill(hub, signal.SIGCONT)
        wait_until(lambda: self.told("hook") >= BURST,
                   "all %d hints" % BURST, 60)
        self.assertEqual(self.told("hook"), BURST)
        # none of them was news
        self.assertFalse(held.answered(1))
        deliver_lmtp(self.dovecot.lmtp_port, "u0001", message("news"))
        self.assertEqual(phone.ping_wait(held)[0], "2")

    def followed(self, users):
        """Phones that are set up and follow, until the test ends."""
        followers = [Follower(self.belfry, user, self.seed + n)
                     for n, user in enumerate(users)]
        for follower in followers:
            follower.start()
        self.addCleanup(self.stop_all, followers)
        wait_until(lambda: all(f.error or f.inbox for f in followers),
                   "every phone to be set up", PATIENCE_S)
        return followers

    def deliver_by_all(self, users, name):
        """Some mails by LMTP, where the Lua driver tells, and some by
        belfry-hook around an LDA, at the same time; [(user, subject)]."""
        delivered, errors = [], []

        def lmtp(user, subject):
            deliver_lmtp(self.dovecot.lmtp_port, user, message(subject))

        def lda(user, subject):
            done = self.dovecot.deliver_lda(
                user, message(subject),
                wrapper=self.belfry.hook_command(user) + ["--"])
            if done.returncode != 0:
                raise AssertionError(done.stderr)

        def deliver(number, way):
            try:
                for n in range(AWAY_DELIVERIES):
                    user = users[(number + n) % len(users)]
                    subject = "%s %s %d" % (name, way.__name__, n)
                    way(user, subject)
                    delivered.append((user, subject))
            except Exception as error:   # told by the test
                errors.append(error)

        threads = [threading.Thread(target=deliver, args=pair)
                   for pair in enumerate((lmtp, lda))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(errors, [])
        return delivered

    def test_no_news_is_lost_while_the_hub_is_away(self):
        self.start(users=AWAY_DEVICES, hook="yes", connector=RECHECK_LATE)
        users = ["u%04d" % (n + 1) for n in range(AWAY_DEVICES)]
        followers = self.followed(users)
        expected = []
        for name, end in (("stopped", signal.SIGCONT),
                          ("killed", signal.SIGKILL),
                          ("stopped anew", signal.SIGCONT)):
            wait_until(lambda: self.held() == len(users), "all to wait")
            hub, = self.belfry.role_pids("hub")
            told = self.told("hook") + self.told("lua")
            os.kill(hub, signal.SIGSTOP)
            try:
                new = self.deliver_by_all(users, name)
                time.sleep(1)
            finally:
                os.kill(hub, end)
            expected += new
            wait_until(lambda: all(
                f.error or len(f.subjects) >= len(
                    [user for user, _ in expected if user == f.user])
                for f in followers), "every phone to have its mail: " + name,
                PATIENCE_S)
            for follower in followers:
                self.assertIsNone(follower.error, follower.user)
                self.assertEqual(sorted(follower.subjects), sorted(
                    s for user, s in expected if user == follower.user))
            if end == signal.SIGCONT:
                # the driver of each, and belfry-hook of half of them
                wait_until(lambda: self.told("hook") + self.told("lua") - told
                           >= len(new) * 3 // 2, "every hint")

    def held(self):
        return len(json.loads(self.belfry.control("--json", "held"))["held"])

    def fill_backlog(self, user):
        for _ in range(1 << 16):
            try:
                self.tell(user)
            except BlockingIOError:
                return
        self.fail("the backlog has no end")

    def spooled(self):
        folder = self.folder("belfry", "run", "spool")
        lines = []
        for name in os.listdir(folder):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                lines.append(dict(pair.split("=", 1) for pair in
                                  file.read().rstrip("\n").split("\t")[1:]))
        return lines

    def test_what_a_full_backlog_refuses_waits_in_the_spool(self):
        self.start(users=2, hook="yes", connector=RECHECK_LATE)
        phone, held = self.parked_phone("u0001")
        self.assertFalse(held.answered(0.5))
        hub, = self.belfry.role_pids("hub")
        os.kill(hub, signal.SIGSTOP)
        try:
            self.fill_backlog("u0002")
            deliver_lmtp(self.dovecot.lmtp_port, "u0001", message("by Lua"))
            left, = self.spooled()
            self.assertEqual((left["user"], left["source"], left["mailbox"]),
                             ("u0001", "lua", "INBOX"))
            self.assertEqual(len(left["id"]), 16)
            run(self.belfry.hook_command("u0002"))
            self.assertEqual(sorted(l["source"] for l in self.spooled()),
                             ["hook", "lua"])
        finally:
            os.kill(hub, signal.SIGCONT)
        self.assertEqual(phone.ping_wait(held)[0], "2")
        self.assertIn(left["id"], self.belfry.control("why", "u0001"))
        wait_until(lambda: not self.spooled(), "the spool to be taken")

    def test_a_transaction_of_many_events_leaves_few_files(self):
        self.start(users=2, hook="yes", connector=RECHECK_LATE)
        for number in range(MANY):
            self.dovecot.append("u0001", message("mail %d" % number))
        phone, held = self.parked_phone("u0001")
        self.assertFalse(held.answered(0.5))
        client = self.dovecot.imap("u0001")
        client.select("INBOX")
        hub, = self.belfry.role_pids("hub")
        os.kill(hub, signal.SIGSTOP)
        try:
            self.fill_backlog("u0002")
            client.store("1:%d" % MANY, "+FLAGS", "(\\Flagged)")
            left = self.spooled()
            # the last says: somewhere
            self.assertEqual(len([l for l in left if "mailbox" in l]), 8)
            self.assertEqual(len(left), 9)
        finally:
            os.kill(hub, signal.SIGCONT)
            client.logout()
        self.assertEqual(phone.ping_wait(held)[0], "2")

    def tell(self, user):
        """As belfry-hook does, but an error is an error here."""
        line = "BELFRY1\tuser=%s\tevent=MessageNew\tsource=hook\n" % user
        with socket.socket(socket.AF_UNIX) as hook:
            hook.setblocking(False)
            hook.connect(self.belfry.hook_socket)
            hook.send(line.encode())

    def told(self, source):
        return self.belfry.sources().get(source, {"told": 0})["told"]

    def test_a_broken_hook_is_noticed_reported_and_made_good_by_notify(self):
        # nothing calls a hook, and the recheck finds what it should have told
        self.start(users=UNTOLD, lua=False, hook="yes",
                   connector={"recheck_s": "10"})
        users = ["u%04d" % (n + 1) for n in range(UNTOLD)]
        waiting = [self.parked_phone(user) for user in users]
        for user, (_, held) in zip(users, waiting):
            self.assertFalse(held.answered(0.2))
            deliver_lmtp(self.dovecot.lmtp_port, user, message("unannounced"))
        for phone, held in waiting:
            self.assertEqual(phone.ping_wait(held)[0], "2")
        self.assertIn("hooks are broken", self.belfry.log())
        self.assertEqual(self.told("hook") + self.told("lua"), 0)

        phone, held = self.parked_phone("u0001")
        before = self.told("notify")
        self.assertFalse(held.answered(1))
        deliver_lmtp(self.dovecot.lmtp_port, "u0001", message("watched"))
        self.assertEqual(phone.ping_wait(held)[0], "2")
        self.assertGreater(self.told("notify"), before)


if __name__ == "__main__":
    unittest.main()
