# SPDX-License-Identifier: GPL-3.0-or-later
"""belfry-null, the smallest connector, started as main starts it."""

import time
import unittest

from lib.connector import OK, REFUSED, STATUS, Asker, Daemon
from lib.process import Folder

CHECKS = 5000


class Null(unittest.TestCase):
    def setUp(self):
        folder = Folder("null")
        self.addCleanup(folder.remove)
        self.daemon = Daemon(folder, dict(name="null", password="bell",
                                          items=25, item_bytes=100000),
                             program="belfry-null")
        self.addCleanup(self.daemon.stop)

    def asker(self, role="front"):
        asker = Asker(self.daemon, role)
        self.addCleanup(asker.close)
        return asker

    def test_anybody_with_the_password_has_the_same_mail(self):
        front = self.asker()
        self.assertEqual(front.login("alice", "wrong")["status"], REFUSED)
        for user in ("alice@example.org", "bob@example.org"):
            self.assertEqual(front.login(user, "bell")["status"], OK)
            survey = front.ask(True, survey=dict(collection="INBOX"))
            self.assertEqual(survey["surveyed"]["present"]["bounds"], [1, 25])
        answers = front.wait(front.start(True, fetch=dict(
            collection="INBOX", ids=list(range(1, 26)),
            wishes=[dict(type=1)])))
        self.assertEqual(len(answers), 25)
        self.assertTrue(answers[0]["fetched"]["item"]["body"]["in_descriptor"])

    def test_many_checks_are_answered(self):
        hub = self.asker("hub")
        started = time.monotonic()
        ids = [hub.start(check=dict(user="u%d" % n, collections=["INBOX"]))
               for n in range(CHECKS)]
        self.assertTrue(all(hub.wait(n)[0]["status"] == OK for n in ids))
        print("# %d checks in %.2f s" % (CHECKS, time.monotonic() - started))

    def test_what_it_does_not_know_is_unsupported(self):
        front = self.asker()
        front.login("alice", "bell")
        self.assertEqual(front.ask(True)["status"], STATUS["UNSUPPORTED"])
