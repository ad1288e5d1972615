# SPDX-License-Identifier: GPL-3.0-or-later
"""Phones that go round in circles: they are told to wait, what they cost has
a bound, and nobody else is concerned."""

import json

from lib.house import HEARTBEAT_S, House
from lib.mail import mail_octets
from lib.phone import INBOX, Refused
from lib.process import wait_until

BURST = 60
# At one request a minute what comes while the test runs is next to nothing,
# and this is more.
LATER = 20
STORM = 3 * BURST


class Storms(House):
    BELFRY = {"hook": "no", "sections": "activesync {\n"
              "    request_burst = %d\n    requests_per_minute = 1\n}\n"
              % BURST}

    def setUp(self):
        super().setUp()
        self.other = self.ready_phone(user=self.next_user())
        self.held = self.held_ping(self.other)

    def storm(self, request):
        """How many were served; the others were told to wait."""
        served = 0
        for _ in range(STORM):
            try:
                request()
                served += 1
            except Refused as refused:
                self.assertEqual(refused.status, 503)
                wait_s = int(refused.response.header("Retry-After"))
                self.assertGreater(wait_s, 1)
        return served

    def assert_bounded(self, request):
        before = self.belfry.counters()
        served = self.storm(request)
        after = self.belfry.counters()
        self.assertGreaterEqual(served, BURST - LATER)
        self.assertLess(served, BURST + LATER)
        self.assertEqual(after["too_often"] - before["too_often"],
                         STORM - served)
        self.assert_others_unaffected()

    def assert_others_unaffected(self):
        """Not another device of the same user either."""
        self.deliver("bell", self.other.user)
        self.assert_rings(self.held, ["bell"])
        phone = self.ready_phone(device_id="SECOND")
        held = self.held_ping(phone)
        self.deliver("second")
        self.assert_rings(held, ["second"])

    def starts_a_folder_anew(self, syncs):
        self.write_mails(mail_octets("mail %d" % n) for n in range(5))
        phone = self.phone_of()
        inbox = phone.folder(INBOX)

        def request():
            phone.collections.clear()
            for _ in range(syncs):
                phone.sync(inbox)
        self.assert_bounded(request)

    def test_one_that_starts_a_folder_anew_for_ever(self):
        self.starts_a_folder_anew(syncs=1)

    def test_one_that_also_takes_the_first_mails_each_time(self):
        self.starts_a_folder_anew(syncs=2)

    def test_one_that_starts_its_account_anew_for_ever(self):
        phone = self.phone_of()

        def request():
            phone.folder_key = "0"
            phone.folder_sync()
        self.assert_bounded(request)

    def test_one_that_pings_without_end(self):
        phone = self.ready_phone()
        waiting = []

        def request():
            """On a connection of its own; it, or the one before, is
            answered."""
            held = phone.ping_start(HEARTBEAT_S)
            if waiting:
                wait_until(lambda: waiting[0].answered() or held.answered(),
                           "an answer")
                if held.answered():
                    held.wait()
                self.assertEqual(phone.ping_wait(waiting.pop())[0], "1")
            waiting.append(held)
        before = self.belfry.counters()["too_often"]
        self.storm(request)
        self.assertGreater(self.belfry.counters()["too_often"], before)
        rows = json.loads(self.belfry.control("--json", "held"))["held"]
        self.assertEqual(len([row for row in rows
                              if row["user"].startswith(self.user)]), 1)
        self.assert_others_unaffected()

    def test_a_first_sync_is_no_storm(self):
        count = 4 * BURST
        self.write_mails(mail_octets("mail %d" % n) for n in range(count))
        phone = self.phone_of()
        box = phone.sync_all(phone.folder(INBOX), window=1)
        self.assertEqual(len(box.added), count)
        # nor is work: each of them does something
        server_id = next(iter(box.items))
        for n in range(2 * BURST):
            box = phone.sync(phone.folder(INBOX), commands={
                phone.folder(INBOX): [("Change", ("ServerId", server_id), (
                    "ApplicationData", ("Email:Read", n % 2)))]})
            self.assertEqual(box.status, "1")
