# SPDX-License-Identifier: GPL-3.0-or-later
"""At the limit of descriptors: who is held stays, others are told to come
again or wait, nothing spins, and all goes on when there are some again."""

import threading
import time
import unittest

from lib.belfry import USER_FRONT, USER_HUB
from lib.house import HEARTBEAT_S, House
from lib.phone import Refused
from lib.process import need_program, run, wait_until

# A front keeps 768 for what is no phone.
PLACES = 6
LIMIT = 768 + PLACES
# lib/net/net.h: said once, then at each hundredth failure, 10 s apart.
SAID_EACH_S = 10
# Who may change a role's limit; none, and what it is given back.
NONE = 3    # standard error stays
USERS = {"front": USER_FRONT, "hub": USER_HUB}
ENOUGH = 1000


class Limit(House):
    """The limit is there from the start, as by LimitNOFILE."""
    BELFRY = {"fronts": "1"}

    @classmethod
    def set_up_class(cls):
        cls.belfry.program = cls.folder.write(
            "belfryd.sh", "#!/bin/sh\nulimit -n %d\nexec %s \"$@\"\n"
            % (LIMIT, cls.belfry.program), mode=0o755)

    def test_who_is_too_many_is_told_to_come_again(self):
        wait_until(lambda: "is cut to %d" % PLACES in self.belfry.log(),
                   "the front's limit")
        phones = []
        for number in range(PLACES + 1):
            phones.append(self.ready_phone(device_id="LIMIT%02d" % number))
            phones[-1].close()
        late = phones.pop()
        held = [phone.ping_start(HEARTBEAT_S) for phone in phones]
        for one in held:
            self.assert_held(one, 0.2)
        with self.assertRaises(Refused) as refused:
            late.folder_sync()
        self.assertEqual(refused.exception.status, 503)
        self.assertIsNotNone(refused.exception.response.header("Retry-After"))
        for one in held:
            self.assert_held(one)
        held[0].drop()

        def has_room():
            try:
                return late.folder_sync() == "1"
            except Refused:
                return False
        wait_until(has_room, "the place of who has gone")


class Exhausted(House):
    """The limit comes while it runs."""
    BELFRY = {"fronts": "1", "hook": "yes"}

    def exhaust(self, word):
        """No further descriptor for that role until refill()."""
        def limit(soft):
            run([need_program("prlimit"), "--pid", str(pid),
                 "--nofile=%s:" % soft], account=(user, user))
        pid = self.belfry.role_pids(word)[0]
        user = USERS[word]
        self.began = time.monotonic()
        limit(NONE)
        self.refill = lambda: limit(ENOUGH)
        self.addCleanup(self.refill)

    def assert_said_seldom(self, place):
        said = wait_until(
            lambda: self.belfry.log().count("place=%s cannot accept" % place),
            "the complaint")
        self.assertLessEqual(
            said, 1 + (time.monotonic() - self.began) / SAID_EACH_S)

    def deliver_and_tell(self, subject):
        self.deliver(subject)
        run(self.belfry.hook_command(self.user))

    def test_a_front_without_descriptors_keeps_whom_it_holds(self):
        held = self.held_ping(self.ready_phone())
        self.exhaust("front")
        versions = []
        late = threading.Thread(target=lambda: versions.append(
            self.belfry.phone(self.user, device_id="LATE").options()[0]))
        late.start()
        self.addCleanup(late.join)
        self.assert_said_seldom("https/0")
        self.deliver_and_tell("to the full")
        self.assert_rings(held, ["to the full"])
        self.assertEqual(versions, [])
        self.refill()
        late.join()
        self.assertIn("14.1", versions[0])

    def test_a_hub_without_descriptors_hears_of_mail_later(self):
        held = self.held_ping(self.ready_phone())
        self.exhaust("hub")
        self.deliver_and_tell("to the deaf")
        self.assert_said_seldom("hook")
        self.assert_held(held, 0.5)
        self.refill()
        self.assert_rings(held, ["to the deaf"])


if __name__ == "__main__":
    unittest.main()
