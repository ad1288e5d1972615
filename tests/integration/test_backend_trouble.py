# SPDX-License-Identifier: GPL-3.0-or-later
"""What an admin is shown when Dovecot is away or does not let the master
user in: at once, with its name and port, in log, status, why and metrics."""

import json
import unittest

from lib.house import House
from lib.phone import Refused
from lib.process import wait_until


class Trouble(House):

    def row(self):
        """Of belfryctl status, about the connector."""
        answer = json.loads(self.belfry.control("--json", "status"))
        row, = answer["connectors"]
        return row

    def is_down(self):
        return 'belfry_backend_down{connector="main"} 1' in \
            self.belfry.control("metrics")

    @property
    def server(self):
        return "localhost:%d: " % self.dovecot.imap_port


class WrongMaster(Trouble):

    @classmethod
    def more_of_belfry(cls):
        path = cls.folder.write("wrong.password", "nonsense\n", mode=0o600)
        return {"connector": {"master_password_file": '"%s"' % path}}

    def test_a_wrong_master_password_is_shown(self):
        phone = self.ready_phone()      # with its own password
        held = phone.ping_start(600)
        self.addCleanup(held.drop)
        wait_until(lambda: self.row()["backend"] == "down", "the trouble")
        trouble = self.server + "refuses master_user belfry-master"
        self.assertIn(trouble, self.row()["trouble"])
        self.assertIn("backend " + trouble, self.belfry.log())
        wait_until(lambda: self.row()["checks_failed"] > 0, "a Check")
        wait_until(lambda: trouble in self.belfry.control("why", self.user),
                   "the reason")
        self.assertTrue(self.is_down())


class Away(Trouble):

    def test_a_server_that_is_away_is_shown_until_it_is_back(self):
        phone = self.ready_phone()
        self.assertEqual(self.row()["backend"], "up")
        phone.close()
        self.dovecot.stop()
        with self.assertRaises(Refused):
            self.belfry.phone(self.next_user()).folder_sync()
        wait_until(lambda: self.row()["backend"] == "down", "the trouble")
        self.assertIn(self.server, self.row()["trouble"])
        self.assertIn("refused", self.row()["trouble"].lower())
        self.assertIn("backend " + self.server, self.belfry.log())
        self.assertTrue(self.is_down())
        self.dovecot.start()
        self.belfry.phone(self.next_user()).set_up()
        wait_until(lambda: self.row()["backend"] == "up", "the end of it")
        self.assertEqual(self.row()["trouble"], "-")
        self.assertFalse(self.is_down())


if __name__ == "__main__":
    unittest.main()
