#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""belfry-hook as a mail server sees it: what arrives, and what never changes."""

import hashlib
import hmac
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

HOOK = os.path.join(os.environ.get("builddir", "."), "mda-hook", "belfry-hook")
HANGS_S = 20  # only a hook that waits for the hub reaches this
LINE_MAX = 1024


class Hook(unittest.TestCase):

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="belfry-hook-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.path = os.path.join(self.folder, "hook.sock")
        self.spool = os.path.join(self.folder, "spool")

    def listen(self, backlog=16):
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(self.path)
        listener.listen(backlog)
        listener.settimeout(HANGS_S)
        return listener

    def hook(self, *arguments, **more):
        return subprocess.run([HOOK, "-s", self.path, *arguments],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=HANGS_S, check=False, **more)

    def heard(self, listener):
        """The pairs of the one line that came."""
        with listener.accept()[0] as connection:
            text = b""
            while part := connection.recv(LINE_MAX):
                text += part
        return self.pairs(text)

    def pairs(self, text):
        self.assertLessEqual(len(text), LINE_MAX)
        self.assertEqual(text.count(b"\n"), 1)
        word, *pairs = text.decode().rstrip("\n").split("\t")
        self.assertEqual(word, "BELFRY1")
        return dict(pair.split("=", 1) for pair in pairs)

    def assert_nothing(self, listener):
        listener.setblocking(False)
        with self.assertRaises(BlockingIOError):
            listener.accept()

    def spooled(self):
        found = []
        for name in os.listdir(self.spool):
            with open(os.path.join(self.spool, name), "rb") as file:
                found.append(self.pairs(file.read()))
        return found

    # alone

    def test_alone_it_says_user_and_mailbox(self):
        listener = self.listen()
        self.assertEqual(self.hook("alice@example.org").returncode, 0)
        said = self.heard(listener)
        self.assertRegex(said.pop("id"), r"^[0-9a-f]{16}$")
        self.assertEqual(said, {"user": "alice@example.org", "event": "MessageNew", "source": "hook"})
        self.assertEqual(self.hook("alice", "Entwürfe/50%").returncode, 0)
        self.assertEqual(self.heard(listener)["mailbox"], "Entwürfe/50%25")
        self.assertEqual(self.hook("alice", "-m", "INBOX", "-e", "flagsset").returncode, 0)
        said = self.heard(listener)
        self.assertEqual((said["mailbox"], said["event"]), ("INBOX", "FlagsSet"))

    def test_alone_it_reads_the_mail_that_is_piped_to_it(self):
        listener = self.listen()
        process = subprocess.Popen([HOOK, "-s", self.path, "alice"], stdin=subprocess.PIPE)
        with process.stdin as pipe:
            pipe.write(b"x" * 1000000)
        self.assertEqual(process.wait(HANGS_S), 0)
        self.assertEqual(self.heard(listener)["user"], "alice")

    def test_a_mailbox_that_cannot_be_said_is_left_out(self):
        listener = self.listen()
        for mailbox in (b"\xff", b"m" * 900, b"%" * 700):
            self.assertEqual(self.hook("alice", mailbox).returncode, 0)
            self.assertNotIn("mailbox", self.heard(listener))

    def test_wrong_arguments_are_told_and_64(self):
        for arguments in ([], [""], ["alice", "a", "b"], ["-x", "alice"], ["alice", "-m"], ["alice", "-e", "Mail"],
                          ["alice", "-u", "127.0.0.1:1"], ["alice", "--"]):
            done = self.hook(*arguments)
            self.assertEqual(done.returncode, os.EX_USAGE, arguments)
            self.assertIn(b"usage: belfry-hook", done.stderr)

    def test_alone_a_hub_that_cannot_be_told_is_said_but_no_failure(self):
        done = self.hook("alice")
        self.assertEqual(done.returncode, 0)
        self.assertIn(b"No such file", done.stderr)

    # as a wrapper

    def test_the_agent_gets_its_arguments_and_the_mail(self):
        listener = self.listen()
        done = self.hook("alice", "-m", "Work", "--", "sh", "-c", 'cat; printf "|%s" "$0" "$@"', "a b", "", "--", "-m",
                         input=b"Subject: x\n\nbody\n")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"Subject: x\n\nbody\n|a b||--|-m", b""))
        said = self.heard(listener)
        self.assertEqual((said["user"], said["mailbox"]), ("alice", "Work"))

    def test_the_extension_of_an_address_is_no_mailbox(self):
        listener = self.listen()
        for extension in ("", "lists"):
            self.assertEqual(self.hook("alice", extension, "--", "true").returncode, 0)
            self.assertNotIn("mailbox", self.heard(listener))

    def test_the_agents_status_is_passed_on_and_only_0_is_told(self):
        listener = self.listen()
        for status in (1, 64, 67, 75, 77, 126, 127, 255):
            self.assertEqual(self.hook("alice", "--", "sh", "-c", "exit %d" % status).returncode, status)
        self.assert_nothing(listener)

    def test_the_agents_signal_is_passed_on(self):
        listener = self.listen()
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGHUP):
            self.assertEqual(self.hook("alice", "--", "sh", "-c", "kill -%d $$" % number).returncode, -number)
        self.assert_nothing(listener)

    def test_a_signal_to_the_hook_reaches_the_agent(self):
        listener = self.listen()
        process = subprocess.Popen([HOOK, "-s", self.path, "alice", "--", "sh", "-c",
                                    "trap 'exit 75' TERM; echo ready; while :; do sleep 0.05; done"],
                                   stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        process.terminate()
        self.assertEqual(process.wait(HANGS_S), os.EX_TEMPFAIL)
        self.assert_nothing(listener)

    def test_an_agent_that_cannot_be_run_leaves_the_mail_in_the_queue(self):
        listener = self.listen()
        done = self.hook("alice", "--", "/nonexistent/deliver")
        self.assertEqual(done.returncode, os.EX_TEMPFAIL)
        self.assertIn(b"/nonexistent/deliver", done.stderr)
        self.assert_nothing(listener)

    def test_whatever_is_wrong_with_our_arguments_the_agent_runs(self):
        listener = self.listen()
        for arguments in ([""], ["-m"], ["-x"], ["a", "b", "c"], ["-e", "Mail", "alice"], ["a\nb"], ["-"], ["--"],
                          ["alice", "-k", "/x"], []):
            done = self.hook(*arguments, "--", "sh", "-c", "echo ran")
            self.assertEqual((done.returncode, done.stdout), (0, b"ran\n"), arguments)
        heard = []
        listener.setblocking(False)
        try:
            while True:
                heard.append(self.heard(listener)["user"])
        except BlockingIOError:
            pass
        self.assertEqual(heard, ["-"])

    # a hub that is away

    def test_without_a_hub_the_line_waits_in_the_spool(self):
        os.mkdir(self.spool)
        for wrapper in ([], ["--", "true"]):
            self.assertEqual(self.hook("alice", *wrapper).returncode, 0)
        self.assertEqual([said["user"] for said in self.spooled()], ["alice", "alice"])

    def test_a_hub_that_stopped_listening_is_like_none(self):
        os.mkdir(self.spool)
        self.listen().close()
        self.assertEqual(self.hook("alice", "--", "true").returncode, 0)
        self.assertEqual(len(self.spooled()), 1)

    def test_a_hub_that_hangs_with_a_full_backlog_delays_nobody(self):
        os.mkdir(self.spool)
        self.listen(backlog=1)
        filling = []
        try:
            while True:
                one = socket.socket(socket.AF_UNIX)
                filling.append(one)
                one.setblocking(False)
                one.connect(self.path)
        except BlockingIOError:
            pass
        started = time.monotonic()
        done = self.hook("alice", "--", "true")
        print("full backlog: %.1f ms" % ((time.monotonic() - started) * 1000), file=sys.stderr)
        for one in filling:
            one.close()
        self.assertEqual(done.returncode, 0)
        self.assertEqual([said["user"] for said in self.spooled()], ["alice"])

    def test_without_hub_and_spool_a_delivery_is_a_delivery(self):
        done = self.hook("alice", "--", "sh", "-c", "echo delivered")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"delivered\n", b""))

    # another machine

    def test_a_datagram_is_signed_as_the_standard_says(self):
        receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(receiver.close)
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(HANGS_S)
        key_file = os.path.join(self.folder, "key")
        key = bytes(range(32))
        with open(key_file, "w", encoding="ascii") as file:
            file.write("# mx1\nmx1 %s example.org\n" % key.hex())
        udp = ["-u", "127.0.0.1:%d" % receiver.getsockname()[1], "-k", key_file]
        before = int(time.time())
        self.assertEqual(self.hook("alice@example.org", *udp, "--", "true").returncode, 0)
        word, mac, rest = receiver.recv(2000).split(b"\t", 2)
        self.assertEqual(word, b"BELFRYU1")
        self.assertEqual(mac.decode(), hmac.new(key, rest, hashlib.sha256).hexdigest())
        when, nonce, sender, line = rest.split(b"\t", 3)
        self.assertIn(int(when), range(before, before + HANGS_S))
        self.assertRegex(nonce, rb"^[0-9a-f]{16}$")
        self.assertEqual(sender, b"mx1")
        self.assertEqual(self.pairs(line)["user"], "alice@example.org")

    def test_no_key_and_no_address_are_no_matter_for_a_delivery(self):
        for udp in (["-u", "127.0.0.1:9", "-k", "/nonexistent/key"], ["-u", "mx.example.org:9", "-k", "/dev/null"]):
            self.assertEqual(self.hook("alice", *udp, "--", "true").returncode, 0)
            done = self.hook("alice", *udp)
            self.assertEqual(done.returncode, 0)
            self.assertNotEqual(done.stderr, b"")

    # the program

    def test_it_loads_the_libc_and_nothing_else(self):
        shown = subprocess.run(["readelf", "-d", HOOK], stdout=subprocess.PIPE, check=True).stdout.decode()
        needed = set(re.findall(r"NEEDED.*\[(.*?)\.so", shown))
        self.assertEqual(needed - {"libasan", "libubsan", "ld-linux-x86-64", "ld-linux-aarch64"}, {"libc"})


# Whoever runs the tests may ignore hang-ups (nohup); the agents in them must not.
signal.signal(signal.SIGHUP, signal.SIG_DFL)

if __name__ == "__main__":
    unittest.main(verbosity=2)
