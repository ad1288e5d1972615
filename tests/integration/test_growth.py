# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing grows that need not: after thousands of requests processes and
store are as large as after some hundreds."""

import os

from lib import wbxml
from lib.house import HEARTBEAT_S, House
from lib.mail import mail_octets
from lib.phone import INBOX
from lib.process import children_of, memory_kb

WARM, ROUNDS = 300, 1000
# Most is the sanitizer's allocator, whose heap widens though what is allocated
# does not; 0.5 kB a round is the hub's ring of outcomes, which has room for
# more than these. What leaked one kB a request would leave 6 MB.
GROWTH_KB_MAX = 5 * 1000
# Freed pages of the store are used again; its log is cut at checkpoints.
RECORDS_GROWTH_MAX = 128 * 1024
LOG_BYTES_MAX = 64 * 1024 * 1024


class Growth(House):
    BELFRY = {"hook": "no", "fronts": "1", "connector": {"workers": "1"},
              "sections": "activesync {\n    requests_per_minute = 0\n}\n"}
    TEST_TIMEOUT_S = 500

    @classmethod
    def set_up_class(cls):
        # what the sanitizer keeps of freed memory would grow for long
        before = os.environ.get("ASAN_OPTIONS")
        os.environ["ASAN_OPTIONS"] = ":".join(filter(None, [
            before, "quarantine_size_mb=1"]))
        cls.addClassCleanup(os.environ.__setitem__, "ASAN_OPTIONS",
                            before or "")

    def processes(self):
        """{name: pid}; each of them is one."""
        found = {}
        for pid, name in self.belfry.roles():
            found[name] = pid
            found.update({name + " " + line: child
                          for child, line in children_of(pid)})
        return found

    def sizes(self):
        return {name: (pid, memory_kb(pid, "VmRSS"))
                for name, pid in self.processes().items()}

    def store_sizes(self):
        """(bytes of the records, of the log)"""
        folder = self.folder("belfry", "state", "store")
        sizes = {name: os.path.getsize(os.path.join(folder, name))
                 for name in os.listdir(folder)}
        return sizes["records.db"], sum(
            size for name, size in sizes.items() if name.startswith("log."))

    def round(self, number):
        box = self.phone.sync(self.inbox, commands={self.inbox: [(
            "Change", ("ServerId", self.item), (
                "ApplicationData", ("Email:Read", number % 2)))]})
        self.assertEqual(box.status, "1")
        self.assertEqual(self.phone.folder_sync(), "1")
        held = self.phone.ping_start(HEARTBEAT_S)
        self.assertFalse(held.answered(0))
        held.drop()
        if number % 20 == 0:
            self.folder_comes_and_goes(number)
        if number % 50 == 0:
            self.device_comes_and_goes(number)

    def change(self, command, *parts):
        root = self.phone.command(command, (
            "FolderHierarchy:" + command,
            ("SyncKey", self.phone.folder_key), *parts))
        self.assertEqual(wbxml.text(root, "Status"), "1")
        self.phone.folder_key = wbxml.text(root, "SyncKey")
        return wbxml.text(root, "ServerId")

    def folder_comes_and_goes(self, number):
        folder_id = self.change(
            "FolderCreate", ("ParentId", "0"),
            ("DisplayName", "Folder %d" % number), ("Type", 12))
        for _ in range(2):
            self.assertEqual(self.phone.sync(folder_id).status, "1")
        self.change("FolderDelete", ("ServerId", folder_id))
        self.assertEqual(self.phone.folder_sync(), "1")

    def device_comes_and_goes(self, number):
        phone = self.ready_phone(device_id="GUEST%d" % number)
        phone.close()
        self.belfry.control("forget", self.user + "@example.org",
                            phone.device_id)

    def test_nothing_grows(self):
        self.write_mails(mail_octets("mail %d" % n) for n in range(100))
        self.phone = self.ready_phone()
        self.inbox = self.phone.folder(INBOX)
        self.item = next(iter(self.phone.collection(self.inbox).items))
        for number in range(WARM):
            self.round(number)
        before, (records, _) = self.sizes(), self.store_sizes()
        for number in range(WARM, WARM + ROUNDS):
            self.round(number)
        after, (records_after, log) = self.sizes(), self.store_sizes()
        for name, (pid, size) in after.items():
            print("# %s: %s kB, then %d kB" % (name, before.get(name),
                                              size), flush=True)
        for name, (pid, size) in before.items():
            self.assertIn(name, after)
            self.assertEqual(after[name][0], pid, name + " has died")
            self.assertLess(after[name][1] - size, GROWTH_KB_MAX, name)
        self.assertLess(records_after - records, RECORDS_GROWTH_MAX)
        self.assertLess(log, LOG_BYTES_MAX)
