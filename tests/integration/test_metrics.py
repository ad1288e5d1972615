# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics of a whole house, by belfryctl and by HTTP, as the front's sandbox
lets them pass."""

import re
import unittest

from lib.http_raw import Connection
from lib.house import House
from lib.phone import Phone
from lib.process import free_port, wait_until


class Metrics(House):

    @classmethod
    def setUpClass(cls):
        cls.PORT = free_port()
        cls.BELFRY = {"metrics": '"127.0.0.1:%d"' % cls.PORT}
        super().setUpClass()

    def by_http(self):
        connection = Connection("127.0.0.1", self.PORT)
        self.addCleanup(connection.close)
        connection.send("GET", "/metrics")
        response = connection.receive()
        self.assertEqual(response.status, 200)
        return response.body.decode()

    def value(self, name, text=None):
        """The sum of all samples of that name, over their labels."""
        text = text or self.belfry.control("metrics")
        found = re.findall(r"^%s(?:\{.*\})? (\S+)$" % name, text, re.M)
        self.assertTrue(found, name)
        return sum(float(value) for value in found)

    def test_both_ways_show_the_same_families(self):
        def families(text):
            return re.findall(r"^# TYPE (.*)$", text, re.M)
        self.assertEqual(families(self.by_http()),
                         families(self.belfry.control("metrics")))

    def test_a_day_is_counted(self):
        phone = self.ready_phone()
        held = self.held_ping(phone)
        self.assertEqual(self.value("belfry_held_requests"), 1)
        self.deliver("counted")
        self.assert_rings(held, ["counted"])
        text = self.belfry.control("metrics")
        self.assertGreater(self.value("belfry_store_commit_seconds_count",
                                      text), 0)
        wait_until(lambda: self.value("belfry_change_to_answer_seconds_count")
                   > 0, "the answer's time")

    def test_logins_are_counted_by_their_answers(self):
        self.phone_of()
        wrong = self.belfry.phone(self.user, kind=Phone)
        wrong.password = "wrong"
        self.assertEqual(wrong.raw("FolderSync", b"").status, 401)
        for name in ("accepted", "refused"):
            wait_until(lambda: self.value("belfry_logins_%s_total" % name) > 0,
                       "logins " + name)


if __name__ == "__main__":
    unittest.main()
