# SPDX-License-Identifier: GPL-3.0-or-later
"""Ten thousand steps at random: phones and mail programs change the same
mailboxes, answers are lost, programs are killed; in the end all have the
same.

Runs when BELFRY_SEED is set, to a number or to "any": what it finds now and
then is a task of its own, and no two runs are alike."""

import itertools
import os
import random
import signal
import threading
import traceback

from lib import schema
from lib.disorder import World
from lib.house import House
from lib.process import children_of, wait_until

USERS, STEPS = 4, 10000
COMPARISONS = 5     # of each user's mailbox, the last one included
# a role's back-off doubles from 100 ms: so many deaths leave it at seconds
VICTIMS = ("worker", "front", "worker", "hub", "worker", "belfry-imap") * 3


def load_tests(loader, tests, _pattern):
    return tests if "BELFRY_SEED" in os.environ else loader.suiteClass()


class Disorder(House):
    BELFRY = {"hook": "no", "sections": "policy {\n    required = false\n}\n"
              "activesync {\n    requests_per_minute = 0\n}\n"}
    TEST_TIMEOUT_S = 590

    def setUp(self):
        super().setUp()
        seed = os.environ["BELFRY_SEED"]
        self.seed = random.randrange(1 << 32) if seed == "any" else int(seed)
        print("# BELFRY_SEED=%d" % self.seed, flush=True)
        self.random = random.Random(self.seed)
        schema.prepare()
        self.done, self.lock = itertools.count(1), threading.Lock()
        self.errors, self.killed = [], 0

    def pids(self, kind):
        if kind != "worker":
            return self.belfry.role_pids(kind)
        return [pid for daemon in self.belfry.role_pids("belfry-imap")
                for pid, _ in children_of(daemon)]

    def kill_one(self, kind):
        pids = self.pids(kind)
        if pids:
            try:
                os.kill(self.random.choice(pids), signal.SIGKILL)
                self.killed += 1
            except ProcessLookupError:
                pass    # a worker may end by itself

    def count_steps(self, steps):
        """At times somebody dies, in the middle of what comes next."""
        every = STEPS // (len(VICTIMS) + 1)
        for _ in range(steps):
            with self.lock:
                number = next(self.done)
                if number % every == 0 and number // every <= len(VICTIMS):
                    threading.Timer(
                        self.random.random() * 0.1, self.kill_one,
                        [VICTIMS[number // every - 1]]).start()

    def work(self, world):
        try:
            for _ in range(COMPARISONS):
                left = STEPS // USERS // COMPARISONS
                while left > 0 and not self.errors:
                    steps = world.step()
                    self.count_steps(steps)
                    left -= steps
                world.compare()
        except Exception:   # told below
            self.errors.append("\n".join([world.user, *world.trail,
                                          traceback.format_exc()]))

    def test_all_have_the_same_in_the_end(self):
        worlds = [World(self.dovecot, self.belfry, self.next_user(),
                        self.seed) for _ in range(USERS)]
        threads = [threading.Thread(target=self.work, args=(world,))
                   for world in worlds]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self.errors:
            self.fail("\n".join(self.errors))
        self.assertGreater(self.killed, len(VICTIMS) // 2)
        for world in worlds:
            self.assert_rest(world)

    def assert_rest(self, world):
        """Nothing rings now, and the next mail rings everybody."""
        wait_until(lambda: self.belfry.role_pids("front"), "a front")
        held = [self.held_ping(device.phone, device.come_to_rest())
                for device in world.devices]
        self.deliver("mail 0", world.user)
        for one in held:
            self.assert_rings(one, ["mail 0"])
