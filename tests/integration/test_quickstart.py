# SPDX-License-Identifier: GPL-3.0-or-later
"""tools/demo.py as quickstart calls it: what it prints works, and what cannot
be is refused in words."""

import os
import re
import signal
import socket
import subprocess
import unittest

from lib.belfry import build_folder, need_built
from lib.process import Folder, Process, free_port, need_root, wait_until

DEMO = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                    "../../tools/demo.py")


class Quickstart(unittest.TestCase):

    def setUp(self):
        need_root()
        need_built("belfryd")
        os.environ["builddir"] = build_folder()

    def refused(self, *arguments):
        done = subprocess.run([DEMO, *arguments], capture_output=True,
                              text=True, check=False, timeout=60)
        self.assertNotEqual(done.returncode, 0)
        self.assertNotIn("Traceback", done.stderr)
        return done.stderr

    def test_an_address_that_is_none_is_refused(self):
        for text in ("", "x", "0", "65536", ":8443", "mail.example.org:8443",
                     "[::1:8443"):
            self.assertIn("--listen", self.refused("--listen", text), text)

    def test_a_port_in_use_is_told(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = "127.0.0.1:%d" % taken.getsockname()[1]
            self.assertIn("cannot listen on %s: Address already in use"
                          % address, self.refused("--listen", address))

    def test_what_is_kept_can_be_asked_and_rung(self):
        folder = Folder("quickstart")
        self.addCleanup(folder.remove)
        port = free_port()
        process = Process([DEMO, "--keep", "--listen", str(port)],
                          folder("out"))
        self.addCleanup(process.stop)
        text = wait_until(lambda: re.search(
            r"(?s)It goes on running.*password  alice secret",
            folder.read("out")), "what it says at the end", 90).group()
        self.assertIn("port %d, with TLS" % port, text)
        self.assertIn("alice, alice secret", text)

        def command(mark):
            return re.search(r"%s: +(.*)" % mark, text).group(1)
        ask = command("ask it by hand").replace(
            re.search(r"localhost:\d+", text).group(), "localhost:%d" % port)
        for line in (command("ask it by hand"), ask):
            answer = subprocess.run(["sh", "-c", line], capture_output=True,
                                    text=True, check=True, timeout=60).stdout
            self.assertIn("200 OK", answer)
            self.assertIn("MS-ASProtocolVersions: ", answer)
        subprocess.run(["sh", "-c", command("deliver another mail")],
                       check=True, timeout=60)
        log = re.search(r"the log: +(\S+)", text).group(1)
        home = os.path.join(os.path.dirname(log), "home/alice/Maildir")
        self.assertEqual(sum(len(os.listdir(os.path.join(home, part)))
                             for part in ("new", "cur")), 2)
        self.assertEqual(process.stop(), 128 + signal.SIGTERM)
        self.assertFalse(os.path.exists(log))


if __name__ == "__main__":
    unittest.main()
