#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""belfryctl alone: what it makes of a hub's answers, of silence, and of none."""

import json
import os
import socket
import threading
import unittest

from lib.belfry import need_built
from lib.process import Folder, run

ANSWER = (b"ok\n"
          b"table\theld\tuser\t#since_s\tcollection\n"
          b"row\talice@example.org\t5\tINBOX\n"
          b"row\tbob@example.org\t1200\tSent \"Items\"\n"
          b"table\tempty\tname\n"
          b"note\tand 3 more\n")
TEXT = ("user               since_s  collection\n"
        "alice@example.org        5  INBOX\n"
        "bob@example.org       1200  Sent \"Items\"\n"
        "\n"
        "name\n"
        "and 3 more\n")


class Hub(threading.Thread):
    """Answers one request at a socket."""

    def __init__(self, path, answer):
        super().__init__(daemon=True)
        self.answer, self.request = answer, b""
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(1)
        self.start()

    def run(self):
        client, _ = self.listener.accept()
        while not self.request.endswith(b"\n"):
            self.request += client.recv(4096)
        client.sendall(self.answer)
        client.close()
        self.listener.close()


class Control(unittest.TestCase):
    def setUp(self):
        self.folder = Folder("ctl")
        self.addCleanup(self.folder.remove)
        self.socket = self.folder("control.sock")
        self.program = need_built("belfryctl")

    def ctl(self, *arguments):
        return run([self.program, "-s", self.socket, *arguments], check=False)

    def asked(self, answer, *arguments):
        hub = Hub(self.socket, answer)
        result = self.ctl(*arguments)
        hub.join(5)
        os.unlink(self.socket)
        return hub.request, result

    def test_an_answer_is_shown_as_aligned_text(self):
        request, result = self.asked(ANSWER, "held", "alice")
        self.assertEqual(request, b"held\talice\n")
        self.assertEqual((result.returncode, result.stdout), (0, TEXT))

    def test_an_answer_is_shown_as_json(self):
        _, result = self.asked(ANSWER, "-j", "held")
        self.assertEqual(json.loads(result.stdout), {
            "held": [
                {"user": "alice@example.org", "since_s": 5,
                 "collection": "INBOX"},
                {"user": "bob@example.org", "since_s": 1200,
                 "collection": "Sent \"Items\""}],
            "empty": [], "notes": ["and 3 more"]})

    def test_a_no_of_the_hub_is_status_1(self):
        _, result = self.asked(b"error\tnobody to kick\n", "kick", "alice")
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertIn("nobody to kick", result.stderr)

    def test_metrics_are_shown_as_they_came(self):
        text = b"# HELP a Of\tit.\n# TYPE a gauge\na{b=\"c\"} 1\n"
        request, result = self.asked(b"ok\n" + text, "metrics")
        self.assertEqual((request, result.returncode, result.stdout),
                         (b"metrics\n", 0, text.decode()))
        request, result = self.asked(b"error\tno such request\n", "metrics")
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertIn("no such request", result.stderr)

    def test_silence_is_status_3(self):
        _, result = self.asked(b"", "status")
        self.assertEqual(result.returncode, 3)
        self.assertIn("without an answer", result.stderr)

    def test_no_hub_is_status_3_and_says_where_it_looked(self):
        result = self.ctl("status")
        self.assertEqual(result.returncode, 3)
        self.assertIn("belfryd is not running: no socket at " + self.socket,
                      result.stderr)
        dead = socket.socket(socket.AF_UNIX)
        dead.bind(self.socket)
        dead.close()
        result = self.ctl("status")
        self.assertEqual(result.returncode, 3)
        self.assertIn("nobody listens at", result.stderr)

    def test_wrong_usage_is_status_2(self):
        for arguments in ([], ["why", "a\tb"], ["-x"], ["a"] * 5, ["why", ""],
                          ["why"], ["what"], ["status", "x"], ["forget", "a"],
                          ["backup"], ["trace", "maybe", "all"]):
            result = self.ctl(*arguments)
            self.assertEqual(result.returncode, 2, arguments)
            self.assertIn("usage: belfryctl", result.stderr)


if __name__ == "__main__":
    unittest.main()
