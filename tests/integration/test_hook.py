# SPDX-License-Identifier: GPL-3.0-or-later
"""belfry-hook alone: exit statuses, the line it says, the spool, no delay."""

import os
import signal
import socket
import stat
import subprocess
import time
import unittest

from lib.belfry import need_built
from lib.process import Folder
from lib.recipes import HOOK, RECIPES, recipe


class Hook(unittest.TestCase):
    def setUp(self):
        self.program = need_built("belfry-hook")
        self.folder = Folder("hook")
        self.addCleanup(self.folder.remove)
        self.path = self.folder("hook.sock")

    def listen(self):
        hub = socket.socket(socket.AF_UNIX)
        self.addCleanup(hub.close)
        hub.bind(self.path)
        hub.listen(16)
        hub.settimeout(5)
        return hub

    def said(self, hub):
        peer, _ = hub.accept()
        with peer:
            words = peer.makefile("rb").read().rstrip(b"\n").split(b"\t")
        self.assertEqual(words[0], b"BELFRY1")
        return dict(word.split(b"=", 1) for word in words[1:])

    def hook(self, *arguments, **options):
        return subprocess.run([self.program, "-s", self.path, *arguments],
                              timeout=20, capture_output=True, **options)

    def test_alone_it_says_user_mailbox_and_event(self):
        hub = self.listen()
        self.assertEqual(self.hook("alice@example.org", "Work").returncode, 0)
        said = self.said(hub)
        self.assertEqual(said[b"user"], b"alice@example.org")
        self.assertEqual(said[b"mailbox"], b"Work")
        self.assertEqual(said[b"event"], b"MessageNew")
        self.assertEqual(said[b"source"], b"hook")
        self.assertEqual(len(said[b"id"]), 16)

    def test_it_reads_what_is_piped_to_it(self):
        hub = self.listen()
        done = self.hook("alice", input=b"x" * 1000000)
        self.assertEqual(done.returncode, 0)
        self.said(hub)

    def test_a_wrapped_agent_gets_the_mail_and_its_status_is_ours(self):
        hub = self.listen()
        for status in (0, 1, 64, 75, 77, 127):
            done = self.hook("alice", "", "--", "sh", "-c",
                             "cat; exit %d" % status, input=b"a mail")
            self.assertEqual((done.returncode, done.stdout),
                             (status, b"a mail"))
        self.said(hub)   # of status 0 ...
        hub.settimeout(0.2)
        with self.assertRaises(socket.timeout):
            self.said(hub)   # ... and of no other

    def test_an_agent_killed_by_a_signal_kills_us_likewise(self):
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV):
            done = self.hook("alice", "--", "sh", "-c",
                             "kill -%d $$" % number)
            self.assertEqual(done.returncode, -number)

    def test_a_missing_agent_defers_the_mail(self):
        done = self.hook("alice", "--", "/nowhere/deliver")
        self.assertEqual(done.returncode, 75)
        self.assertIn(b"/nowhere/deliver", done.stderr)

    def test_a_wrong_call_still_delivers(self):
        done = self.hook("-z", "--", "sh", "-c", "echo delivered")
        self.assertEqual((done.returncode, done.stdout), (0, b"delivered\n"))

    def test_without_a_hub_the_hint_waits_in_the_spool(self):
        spool = self.folder("spool")
        os.mkdir(spool)
        os.chmod(spool, 0o1733)
        self.assertEqual(self.hook("alice", "INBOX").returncode, 0)
        names = os.listdir(spool)
        self.assertEqual(len(names), 1)
        with open(os.path.join(spool, names[0]), "rb") as file:
            self.assertTrue(file.read().startswith(b"BELFRY1\t"))
            mode = os.fstat(file.fileno()).st_mode
        self.assertEqual(stat.S_IMODE(mode) & 0o022, 0)

    def test_the_recipe_of_the_spool_leaves_a_file_there(self):
        spool = self.folder.make("elsewhere", mode=0o1733)
        line = recipe("spool", {
            HOOK: self.program, "/run/belfry/hook.sock": self.path,
            "/run/belfry/spool": spool})
        subprocess.run(["sh", "-c", line], check=True)
        self.assertEqual(len(os.listdir(spool)), 1)

    def test_the_other_manuals_say_what_the_recipes_say(self):
        top = os.path.join(os.path.dirname(RECIPES), "..")
        command = recipe("postfix-mailbox-command", {}).split()
        for name in ("doc/install.md", "doc/belfry-hook.1"):
            with open(os.path.join(top, name), encoding="utf-8") as file:
                self.assertIn(" ".join(command),
                              " ".join(file.read().split()), name)

    def test_a_hub_that_takes_nothing_does_not_hold_the_delivery(self):
        hub = socket.socket(socket.AF_UNIX)
        self.addCleanup(hub.close)
        hub.bind(self.path)
        hub.listen(1)   # full after two
        started = time.monotonic()
        for _ in range(8):
            self.assertEqual(
                self.hook("alice", "--", "true").returncode, 0)
        # eight process starts; a wait for the hub would never end
        self.assertLess(time.monotonic() - started, 15)


if __name__ == "__main__":
    unittest.main()
