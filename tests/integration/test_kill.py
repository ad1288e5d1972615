#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""kill -9 of everything that may die while phones synchronise: afterwards each
phone has exactly what the mailbox has, by the SyncKeys that it had."""

import os
import random
import signal
import threading
import time
import unittest

from lib import schema, wbxml
from lib.belfry import Belfry
from lib.certificates import Certificates
from lib.dovecot import Dovecot
from lib.mail import deliver_lmtp, message
from lib.phone import INBOX, PATH, WBXML_TYPE
from lib.process import Folder, children_of, wait_until
from lib.stubborn import RETRY_S, StubbornPhone

USERS, DEVICES_EACH = 25, 2
STORM_S = 20
# Each of the four is killed some four times: its back-off (it doubles from
# 100 ms) stays within seconds.
VICTIMS = ("hub", "front", "belfry-imap", "worker") * 4
MAILS = 300


class Device(threading.Thread):
    """A phone at work: Sync, at times with changes of its own."""

    def __init__(self, belfry, user, number, seed):
        name = "%s-%d" % (user, number)
        super().__init__(name=name, daemon=True)
        self.user, self.random = user, random.Random("%d %s" % (seed, name))
        self.phone = belfry.phone(user, device_id="KILL%d" % number,
                                  kind=StubbornPhone)
        self.inbox, self.error, self.stopping = None, None, False
        self.removed = set()

    def run(self):
        try:
            self.phone.stubborn_folder_sync()
            inbox = self.phone.folder(INBOX)
            self.phone.sync_until_quiet(inbox)
            self.inbox = inbox
            while not self.stopping:
                time.sleep(self.random.random() * 2)
                self.phone.stubborn_sync(inbox, self.commands())
        except Exception as error:   # told by the test
            self.error = error

    def commands(self):
        box = self.phone.collection(self.inbox)
        if not box.items or self.random.randrange(3):
            return None
        server_id = self.random.choice(list(box.items))
        if self.random.randrange(3) == 0:
            self.removed.add(box.value(server_id, "Email:Subject"))
            return {self.inbox: [("Delete", ("ServerId", server_id))]}
        return {self.inbox: [("Change", ("ServerId", server_id), (
            "ApplicationData", ("Email:Read", self.random.randrange(2))))]}

    def contents(self):
        """{subject: read} of what the phone has; a list would show doubles,
        which raise before."""
        box = self.phone.collection(self.inbox)
        subjects = box.values()
        if len(set(subjects)) != len(subjects):
            raise AssertionError("%s has doubles: %s" % (self.name, subjects))
        return {box.value(i, "Email:Subject"): box.value(i, "Email:Read")
                for i in box.items}


class Kill(unittest.TestCase):
    TEST_TIMEOUT_S = 300

    def setUp(self):
        self.seed = int(os.environ.get("BELFRY_SEED",
                                       random.randrange(1 << 32)))
        print("# BELFRY_SEED=%d" % self.seed, flush=True)
        self.random = random.Random(self.seed)
        schema.prepare()
        folder = Folder("kill")
        self.addCleanup(folder.remove)
        certificates = Certificates(folder)
        self.dovecot = Dovecot(folder, certificates, users=USERS)
        self.belfry = Belfry(folder, self.dovecot, certificates, hook="no",
                             sections="policy {\n    required = false\n}")
        self.addCleanup(self.dovecot.stop)
        self.dovecot.start()
        self.addCleanup(self.belfry.stop)
        self.belfry.start()

    # who dies

    def workers(self):
        return [pid for daemon in self.belfry.role_pids("belfry-imap")
                for pid, _ in children_of(daemon)]

    def victims(self, kind):
        return self.workers() if kind == "worker" \
            else self.belfry.role_pids(kind)

    def kill_one(self, kind):
        pids = self.victims(kind)
        if pids:
            try:
                os.kill(self.random.choice(pids), signal.SIGKILL)
            except ProcessLookupError:
                pass   # a worker may end by itself
        return bool(pids)

    def deliver_all(self, delivered, until):
        """Spread over the time of the storm."""
        for n in range(MAILS):
            user = self.random.choice(list(delivered))
            deliver_lmtp(self.dovecot.lmtp_port, user, message("mail %d" % n))
            delivered[user].append("mail %d" % n)
            left = until - time.monotonic()
            time.sleep(max(0, left / (MAILS - n)))

    def kill_all(self, until):
        """How many were killed."""
        order, killed = list(VICTIMS), 0
        self.random.shuffle(order)
        for n, kind in enumerate(order):
            left = until - time.monotonic()
            time.sleep(max(0, left / (len(order) - n)) * 2
                       * self.random.random())
            killed += self.kill_one(kind)
        return killed

    # the tests

    def in_the_mailbox(self, user, mailbox="INBOX"):
        """{subject: read}, as another client sees it."""
        client = self.dovecot.imap(user)
        try:
            _, count = client.select(mailbox, readonly=True)
            if count == [b"0"]:
                return {}
            _, data = client.fetch(
                "1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        finally:
            client.logout()
        found = [(part[1].decode().partition(":")[2].strip(),
                  "1" if b"\\Seen" in part[0] else "0")
                 for part in data if isinstance(part, tuple)]
        self.assertEqual(len(dict(found)), len(found), found)
        return dict(found)

    def test_phones_have_the_mailbox_whoever_is_killed(self):
        users = ["u%04d" % (n + 1) for n in range(USERS)]
        devices = [Device(self.belfry, user, number, self.seed)
                   for user in users for number in range(DEVICES_EACH)]
        for device in devices:
            device.start()
        wait_until(lambda: all(d.error or d.inbox for d in devices),
                   "all devices to begin", RETRY_S)
        delivered = {user: [] for user in users}
        until = time.monotonic() + STORM_S
        post = threading.Thread(target=self.deliver_all,
                                args=(delivered, until))
        post.start()
        try:
            killed = self.kill_all(until)
        finally:
            post.join()
            for device in devices:
                device.stopping = True
            for device in devices:
                device.join(RETRY_S)
        for device in devices:
            self.assertIsNone(device.error, device.name)
        retries = sum(device.phone.retries for device in devices)
        print("# %d killed, %d requests repeated" % (killed, retries),
              flush=True)
        self.assertGreater(killed, len(VICTIMS) // 2)
        self.assertGreater(retries, 0)
        for user in users:
            self.compare(user, delivered[user],
                         [d for d in devices if d.user == user])

    def compare(self, user, delivered, devices):
        for device in devices:
            device.phone.sync_until_quiet(device.inbox)
        inbox = self.in_the_mailbox(user)
        trash = self.in_the_mailbox(user, "Trash")
        removed = set().union(*[device.removed for device in devices])
        self.assertEqual(sorted([*inbox, *trash]), sorted(delivered), user)
        self.assertEqual(set(trash), removed, user)
        for device in devices:
            self.assertEqual(device.contents(), inbox, device.name)

    # the same request twice

    def front_of(self, connection):
        """Process id of the front that has this connection, or None."""
        port = connection.socket.getsockname()[1]
        inode = inode_of(self.belfry.port, port)
        return next((pid for pid in self.belfry.role_pids("front")
                     if inode and "socket:[%s]" % inode in links_of(pid)),
                    None)

    def connections_to_two_fronts(self, phone):
        found = {}
        for _ in range(200):
            connection = phone.connect()
            self.addCleanup(connection.close)
            # a front has it when it answers the first request on it
            connection.send("OPTIONS", PATH, phone.headers())
            connection.receive()
            found[self.front_of(connection)] = connection
            if len(found) == 2:
                self.assertNotIn(None, found)
                return list(found.values())
        raise AssertionError("200 connections came to one front: %s" % found)

    def test_the_same_request_on_two_fronts_is_applied_once(self):
        for name in ("keep", "flag", "remove"):
            deliver_lmtp(self.dovecot.lmtp_port, "u0001", message(name))
        phone = self.belfry.phone("u0001", kind=StubbornPhone)
        phone.stubborn_folder_sync()
        inbox = phone.folder(INBOX)
        box = phone.sync_until_quiet(inbox)
        for round_number in range(5):
            self.twice(phone, inbox, round_number)
        self.assertEqual(self.in_the_mailbox("u0001"),
                         {"keep": "0", "flag": "1"})
        self.assertEqual(self.in_the_mailbox("u0001", "Trash"),
                         {"remove": "0"})
        self.assertEqual(sorted(phone.sync_until_quiet(inbox).values()),
                         ["flag", "keep"])
        self.assertEqual(box.status, "1")

    def twice(self, phone, inbox, round_number):
        """The first round has commands, the others a mail that came."""
        box = phone.collection(inbox)
        if round_number == 0:
            commands = [
                ("Change", ("ServerId", box.server_id_of("flag")),
                 ("ApplicationData", ("Email:Read", 1))),
                ("Delete", ("ServerId", box.server_id_of("remove")))]
        else:
            commands = [("Change", ("ServerId", box.server_id_of("flag")), (
                "ApplicationData", ("Email:Read", (round_number + 1) % 2)))]
        body = wbxml.encode(phone._sync_spec(
            [inbox], {inbox: commands}, 100, phone.sync_options(), 1, ()))
        pair = self.connections_to_two_fronts(phone)
        for connection in pair:
            connection.send("POST", phone.target("Sync"),
                            phone.headers(WBXML_TYPE), body)
        answers = [connection.receive() for connection in pair]
        roots = [phone.check_answer("Sync", answer) for answer in answers]
        self.assertEqual(wbxml.pretty(roots[0]), wbxml.pretty(roots[1]))
        phone.apply_sync(roots[0], [inbox], {inbox: commands})
        self.assertEqual((box.status, box.responses), ("1", []))


def inode_of(server_port, client_port):
    """Of the server's side of a connection (proc(5): /proc/net/tcp)."""
    ends = (":%04X" % server_port, ":%04X" % client_port)
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(table, encoding="ascii") as lines:
            for fields in map(str.split, lines):
                if fields[1].endswith(ends[0]) and fields[2].endswith(ends[1]):
                    return fields[9]
    return None


def links_of(pid):
    """What the descriptors of a process are."""
    folder = "/proc/%d/fd" % pid
    found = set()
    for name in os.listdir(folder):
        try:
            found.add(os.readlink(os.path.join(folder, name)))
        except OSError:
            pass   # closed meanwhile
    return found


if __name__ == "__main__":
    unittest.main()
