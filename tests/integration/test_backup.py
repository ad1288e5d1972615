#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""belfryctl backup while phones synchronise, and what becomes of them when it
is restored into another place: no mail is lost."""

import os
import shutil
import threading
import unittest

from lib.belfry import USER_HUB
from lib.house import House
from lib.phone import INBOX
from lib.process import Folder

INVALID_FOLDER_KEY = "9"  # MS-ASCMD 2.2.3.177.4
INVALID_SYNC_KEY = "3"   # MS-ASCMD 2.2.3.177.17


class Traffic(threading.Thread):
    """A phone that marks its one mail read, unread, read …"""

    def __init__(self, phone):
        super().__init__(daemon=True)
        self.phone, self.rounds, self.error = phone, 0, None
        self.stopping = threading.Event()

    def run(self):
        inbox = self.phone.folder(INBOX)
        try:
            while not self.stopping.is_set():
                box = self.phone.collection(inbox)
                box = self.phone.sync(inbox, commands={inbox: [
                    ("Change", ("ServerId", next(iter(box.items))),
                     ("ApplicationData", ("Email:Read", self.rounds % 2)))]})
                assert box.status == "1", box.status
                self.rounds += 1
        except Exception as error:   # told by the test
            self.error = error


class Backup(House):
    BELFRY = {"hook": "no"}

    def setUp(self):
        super().setUp()
        self.target = Folder("backup")
        self.addCleanup(self.target.remove)

    def subjects(self, phone):
        box = phone.collection(phone.folder(INBOX))
        return sorted(box.value(i, "Email:Subject") for i in box.items)

    def restore(self, backup):
        """Into a state_dir that was never there."""
        text = self.folder.read("belfry.conf")
        state = self.target.make("state", owner=(USER_HUB, USER_HUB))
        shutil.move(backup, os.path.join(state, "store"))
        self.belfry.stop()
        self.folder.write("belfry.conf", text.replace(
            self.folder("belfry", "state"), state), mode=0o600)
        self.belfry.start()

    def test_phones_go_on_after_a_restore_and_lose_nothing(self):
        self.deliver("one")
        same = self.ready_phone(device_id="SAME")
        newer = self.ready_phone(device_id="NEWER")
        busy_user = self.next_user()
        self.deliver("busy", busy_user)
        traffic = Traffic(self.ready_phone(busy_user))
        traffic.start()
        backup = self.target("store-of-today")
        try:
            self.assertIn(backup, self.belfry.control("backup", backup))
        finally:
            traffic.stopping.set()
            traffic.join(30)
        self.assertIsNone(traffic.error)
        self.assertGreater(traffic.rounds, 0)
        status = os.stat(backup)
        self.assertEqual((status.st_mode & 0o777, status.st_uid),
                         (0o700, USER_HUB))
        self.assertFalse(os.path.exists(
            self.folder("belfry", "state", "backup")))
        self.deliver("two")
        newer.sync_all(newer.folder(INBOX))
        unknown = self.ready_phone(device_id="UNKNOWN")
        self.restore(backup)
        self.deliver("three")
        for phone in (same, newer, unknown):
            phone.close()
        # its SyncKey is the backup's: only what is new comes
        box = same.sync_all(same.folder(INBOX))
        self.assertEqual(sorted(box.value(i, "Email:Subject")
                                for i in box.added), ["three", "two"])
        # ahead of the backup: anew, as its status says
        inbox = newer.folder(INBOX)
        self.assertEqual(newer.sync(inbox).status, INVALID_SYNC_KEY)
        newer.sync_all(inbox)
        # made after the backup: a new device; its folders are told anew, too
        unknown.provision()
        self.assertEqual(unknown.folder_sync(), INVALID_FOLDER_KEY)
        self.assertEqual(unknown.folder_sync(), "1")
        unknown.sync(unknown.folder(INBOX))
        unknown.sync_all(unknown.folder(INBOX))
        for phone in (same, newer, unknown):
            self.assertEqual(self.subjects(phone), ["one", "three", "two"])

    def test_a_backup_never_overwrites(self):
        there = self.target.make("there")
        self.target.write("there/precious", "mine")
        self.belfry.control("backup", there, check=False)
        self.assertEqual(self.target.read("there/precious"), "mine")
        self.assertEqual(os.listdir(there), ["precious"])

    def test_an_interrupted_one_is_said_and_leaves_no_half_folder(self):
        left = self.folder("belfry", "state", "backup")
        os.makedirs(left, exist_ok=True)
        self.addCleanup(shutil.rmtree, left)
        self.belfry.control("backup", self.target("new"), check=False)
        self.assertFalse(os.path.exists(self.target("new")))
        self.assertIn("cannot make the folder %s" % left, self.belfry.log())


if __name__ == "__main__":
    unittest.main()
