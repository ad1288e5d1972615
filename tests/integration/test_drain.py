# SPDX-License-Identifier: GPL-3.0-or-later
"""An upgrade: SIGTERM answers all who wait, and the next process loses nothing
of what happened meanwhile."""

import os
import signal
import unittest

from lib.house import HEARTBEAT_S, House
from lib.phone import INBOX

PHONES = 12


class Drain(House):

    def ready_phones(self):
        return [self.ready_phone(device_id="DRAIN%02d" % i)
                for i in range(PHONES)]

    def ping(self, phone):
        return phone.ping_start(HEARTBEAT_S, [phone.folder(INBOX)])

    def test_nobody_who_waits_loses_anything(self):
        phones = self.ready_phones()
        held = [self.ping(phone) for phone in phones]
        for one in held:
            self.assert_held(one)
        self.belfry.close_phones()
        process = self.belfry.process
        os.kill(process.pid, signal.SIGTERM)
        for one in held:
            status, folders, _ = one.phone.ping_wait(one)
            self.assertEqual((status, folders), ("1", []))
        self.assertEqual(process.popen.wait(20), 0, self.belfry.log()[-3000:])
        self.deliver("while nobody listened")
        self.belfry.start()
        for phone in phones:
            self.assert_rings(self.ping(phone), ["while nobody listened"])


if __name__ == "__main__":
    unittest.main()
