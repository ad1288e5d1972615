#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that hangs (SIGSTOP) is replaced, and phones lose nothing: what
was delivered meanwhile rings, and comes by the SyncKeys that they had."""

import os
import signal
import unittest

from lib.house import HEARTBEAT_S, House
from lib.http_raw import HttpError
from lib.phone import INBOX
from lib.process import children_of, wait_until

# Three unanswered questions, and a machine that has more to do.
REPLACED_S = 60


class Hang(House):
    """alive_s = 2: shorter might take the slow for the hung."""

    BELFRY = {"alive_s": "2", "fronts": "1", "hook": "no"}

    def hang(self, word):
        """SIGSTOP until another runs in its place."""
        before, = self.belfry.role_pids(word)
        os.kill(before, signal.SIGSTOP)
        wait_until(lambda: len(self.belfry.role_pids(word)) == 1
                   and before not in self.belfry.role_pids(word),
                   "another " + word, REPLACED_S)
        self.assertRegex(self.belfry.log(),
                         r"pid=%d hangs: 3 questions each 2 s went "
                         r"unanswered\. It is killed and started again" % before)

    def hold_again(self, phone):
        """As phones do: until a Ping is held, or rings."""
        def held():
            try:
                held = phone.ping_start(HEARTBEAT_S)
                if not held.answered(1):
                    return held
                status, _, _ = phone.ping_wait(held)
                return status == "2"
            except (OSError, HttpError):
                return None
        return wait_until(held, "a Ping that is held", REPLACED_S)

    def sync(self, phone):
        box = phone.sync_all(phone.folder(INBOX))
        return [box.value(i, "Email:Subject") for i in box.added]

    def test_a_held_ping_rings_after_the_connector_hung(self):
        phone = self.ready_phone()
        held = self.held_ping(phone)
        self.hang("belfry-imap")
        self.assert_held(held)
        self.deliver("after")
        self.assert_rings(held, ["after"])

    def test_what_came_while_the_connector_hung_rings(self):
        phone = self.ready_phone()
        held = self.held_ping(phone)
        pid, = self.belfry.role_pids("belfry-imap")
        os.kill(pid, signal.SIGSTOP)
        self.deliver("meanwhile")
        self.assert_rings(held, ["meanwhile"])
        self.assertNotIn(pid, self.belfry.role_pids("belfry-imap"))

    def test_workers_of_a_hung_connector_end_with_it(self):
        phone = self.ready_phone()
        daemon, = self.belfry.role_pids("belfry-imap")
        workers = [pid for pid, _ in children_of(daemon)]
        self.assertTrue(workers)
        self.hang("belfry-imap")
        wait_until(lambda: not any(os.path.exists("/proc/%d" % pid)
                                   for pid in workers), "the workers' end")
        self.deliver("after")
        self.assertEqual(self.sync(phone), ["after"])

    def test_a_held_ping_rings_after_the_hub_hung(self):
        phone = self.ready_phone()
        held = self.held_ping(phone)
        pid, = self.belfry.role_pids("hub")
        os.kill(pid, signal.SIGSTOP)
        self.deliver("meanwhile")
        self.assert_rings(held, ["meanwhile"])
        self.assertNotIn(pid, self.belfry.role_pids("hub"))

    def test_phones_of_a_hung_front_come_to_another(self):
        phone = self.ready_phone()
        held = self.held_ping(phone)
        pid, = self.belfry.role_pids("front")
        os.kill(pid, signal.SIGSTOP)
        self.deliver("meanwhile")
        self.assertTrue(held.answered(REPLACED_S))  # hung up
        held.drop()
        phone.close()
        self.assertIs(self.hold_again(phone), True)
        self.assertEqual(self.sync(phone), ["meanwhile"])
        self.assertNotIn(pid, self.belfry.role_pids("front"))
        held = self.hold_again(phone)
        self.deliver("after")
        self.assert_rings(held, ["after"])


class HangSingle(Hang):
    """The connector is still a process of its own."""

    BELFRY = dict(Hang.BELFRY, single=True)
    test_a_held_ping_rings_after_the_hub_hung = None
    test_phones_of_a_hung_front_come_to_another = None


if __name__ == "__main__":
    unittest.main()
