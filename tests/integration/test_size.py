# SPDX-License-Identifier: GPL-3.0-or-later
"""Mailboxes of a size that nobody should have, and many folders: everything
comes, in answers of a bounded size, by processes of a bounded size."""

import os
import threading

from lib import schema, wbxml
from lib.house import House
from lib.mail import mail_octets
from lib.phone import INBOX, Phone
from lib.process import children_of, memory_kb

MANY, ANEW = 100000, 50000
WINDOW = 512
# of one file there cannot be more names on some file systems
LINKS_MAX = 20000
# Of the state of a device that has ranges of 100,000 mails; the store keeps at
# most 1 MiB of one folder.
STATE_BYTES_MAX = 300 * 1000
# One process at its largest; most of it are the sanitizer's shadow and what it
# keeps of freed memory.
PEAK_KB_MAX = 700 * 1000
# Mails are small; what an answer of WINDOW of them may take.
ANSWER_BYTES_MAX = 1000 * 1000
FOLDERS = 2000
PING_FOLDERS = 300


class CountingPhone(Phone):
    """Looks at the length of each answer."""

    longest = 0

    def check_answer(self, cmd, response):
        self.longest = max(self.longest, len(response.body))
        return super().check_answer(cmd, response)


class Sized(House):
    BELFRY = {"hook": "no", "connector": {"timeout_s": "60"}}
    TEST_TIMEOUT_S = 590

    def processes(self):
        """{pid: name} of all of ours."""
        roles = self.belfry.roles()
        found = {self.belfry.process.pid: "main", **dict(roles)}
        for pid, _ in roles:
            found.update(children_of(pid))
        return found

    def assert_small(self):
        peaks = {name: memory_kb(pid) or 0
                 for pid, name in self.processes().items()}
        print("# peaks %s" % sorted(peaks.values()), flush=True)
        for name, peak in peaks.items():
            self.assertLess(peak, PEAK_KB_MAX, name)

    def link_mails(self, count, mailbox=None, first=0, flags="S"):
        """Mails that are names of a few files, in cur: so Dovecot needs not
        move them."""
        account = self.dovecot.accounts[self.user]
        cur = os.path.join(self.maildir(mailbox=mailbox), "cur")
        for number in range(first, first + count):
            if (number - first) % LINKS_MAX == 0:
                source = self.folder("mail-%d" % number)
                with open(source, "wb") as file:
                    file.write(mail_octets("mail"))
                os.chown(source, account["uid"], account["gid"])
            # Dovecot's hash of a name knows little but its last octets: with
            # one end for all each look at the folder takes quadratic time
            os.link(source, os.path.join(cur, "%d.localhost.%06d:2,%s" % (
                1700000000 + number, number, flags)))

    def bare_options(self):
        return Phone.sync_options(truncation=100)

    def first_sync(self, phone, folder_id, count):
        box = phone.sync_all(folder_id, window=WINDOW,
                             options=self.bare_options())
        self.assertEqual(len(box.added), count)
        self.assertFalse(box.changed or box.deleted)
        return box

    def state_bytes(self):
        """What a backup of the store has of all devices."""
        target = self.folder("backup-%d" % len(os.listdir(self.folder())))
        self.belfry.control("backup", target)
        return os.path.getsize(os.path.join(target, "records.db"))


class Huge(Sized):
    def test_100000_mails_come_and_half_of_them_go(self):
        self.link_mails(MANY)
        phone = self.phone_of(timeout_s=120, kind=CountingPhone)
        inbox = phone.folder(INBOX)
        before = self.state_bytes()
        self.first_sync(phone, inbox, MANY)
        self.assert_small()
        self.assertLess(self.state_bytes() - before, STATE_BYTES_MAX)
        self.assertLess(phone.longest, ANSWER_BYTES_MAX)
        held = self.held_ping(phone)

        # every other one: the worst that can become of ranges
        client = self.dovecot.imap(self.user, timeout_s=120)
        self.addCleanup(client.logout)
        client.select("INBOX")
        for first in range(1, MANY, 2000):
            client.store(",".join(str(n) for n in range(
                first, first + 2000, 2)), "+FLAGS.SILENT", "(\\Deleted)")
        client.expunge()
        self.assertEqual(phone.ping_wait(held)[0], "2")
        box = phone.sync_all(inbox, window=WINDOW,
                             options=self.bare_options())
        self.assertEqual(len(box.deleted), MANY // 2)
        self.assertFalse(box.changed or box.added)
        self.assertEqual(len(box.items), MANY // 2)
        self.assert_small()
        self.assertLess(self.state_bytes() - before, STATE_BYTES_MAX)
        self.assertLess(phone.longest, ANSWER_BYTES_MAX)
        held = self.held_ping(phone)
        self.deliver("one more")
        self.assert_rings(held, ["one more"])


class HugeAnew(Sized):
    def test_a_folder_of_50000_is_made_anew(self):
        self.link_mails(ANEW)
        phone = self.phone_of(timeout_s=120, kind=CountingPhone)
        inbox = phone.folder(INBOX)
        self.first_sync(phone, inbox, ANEW)
        held = self.held_ping(phone)
        self.dovecot.stop()
        path = self.maildir()
        for name in os.listdir(path):
            if name.startswith("dovecot"):
                os.unlink(os.path.join(path, name))
        self.dovecot.start()
        self.deliver("new")
        self.assertEqual(phone.ping_wait(held)[:2], ("2", [inbox]))
        self.assertEqual(phone.sync(inbox).status, "3")
        self.first_sync(phone, inbox, ANEW + 1)
        self.assertLess(phone.longest, ANSWER_BYTES_MAX)
        self.assert_small()
        # and that was all
        self.held_ping(phone).drop()
        box = phone.sync(inbox)
        self.assertFalse(box.added or box.changed or box.deleted)


class Folders(Sized):
    BELFRY = dict(Sized.BELFRY, connector={"timeout_s": "60",
                                           "recheck_s": "3600"})

    def make_folders(self):
        for number in range(FOLDERS):
            self.maildir(mailbox="F%02d.%04d" % (number % 50, number))

    def test_2000_folders_are_told_watched_and_renamed(self):
        self.make_folders()
        phone = self.phone_of(timeout_s=120)
        names = {name: i for i, (_, name, _) in phone.folders.items()}
        wanted = ["%04d" % n for n in range(FOLDERS)]
        self.assertLessEqual(set(wanted), set(names))
        ids = [names[name] for name in wanted[:PING_FOLDERS]]
        for folder_id in ids:
            phone.sync(folder_id)
        for box in phone.sync(ids):
            self.assertEqual(box.status, "1")
        held = self.held_ping(phone, ids)
        path = "F%02d/%04d" % (299 % 50, 299)
        client = self.dovecot.imap(self.user, timeout_s=120)
        self.addCleanup(client.logout)
        client.append(path, "", None, mail_octets("here"))
        self.assertEqual(phone.ping_wait(held)[:2], ("2", [ids[299]]))
        self.assertEqual(phone.sync_all(ids[299]).values(), ["here"])
        self.assertEqual(phone.ping(folder_ids=ids + [names["0300"]])[0],
                         "6")

        # a parent of forty, by another client, and one by the phone
        held = self.held_ping(phone, ids)
        self.assertEqual(client.rename("F00", "G00")[0], "OK")
        self.assertEqual(phone.ping_wait(held)[0], "7")
        self.assertEqual(phone.folder_sync(), "1")
        self.assertEqual(self.tree(phone), self.listed(client))
        f01 = phone.folder("F01")
        root = phone.command("FolderUpdate", (
            "FolderHierarchy:FolderUpdate", ("SyncKey", phone.folder_key),
            ("ServerId", f01), ("ParentId", "0"), ("DisplayName", "G01")))
        self.assertEqual(wbxml.text(root, "Status"), "1")
        phone.folder_key = wbxml.text(root, "SyncKey")
        phone.folders[f01] = ("0", "G01", phone.folders[f01][2])
        self.assertEqual(self.tree(phone), self.listed(client))
        self.assertEqual(phone.folder_sync(), "1")
        self.assertEqual(self.tree(phone), self.listed(client))
        self.assert_small()

    def tree(self, phone):
        def path(folder_id):
            parent, name, kind = phone.folders[folder_id]
            name = "INBOX" if kind == INBOX else name
            return name if parent == "0" else path(parent) + "/" + name
        return {path(folder_id) for folder_id in phone.folders}

    def listed(self, client):
        return {line.decode().rpartition(' "/" ')[2].strip('"')
                for line in client.list()[1]}


class Beside(Sized):
    """First Syncs of big folders, and everybody else."""

    BIG, BIG_USERS = 10000, 3

    def big_sync(self, phone, errors):
        try:
            self.first_sync(phone, phone.folder(INBOX), self.BIG)
        except Exception as error:   # told by the test
            errors.append(error)

    def test_first_syncs_delay_nobodys_bell(self):
        schema.prepare()
        phones, errors = [], []
        others = [self.ready_phone(user=self.next_user()) for _ in range(5)]
        for _ in range(self.BIG_USERS):
            self.user = self.next_user()
            self.link_mails(self.BIG)
            phones.append(self.phone_of(timeout_s=120))
        threads = [threading.Thread(target=self.big_sync,
                                    args=(phone, errors)) for phone in phones]
        for thread in threads:
            thread.start()
        rung = 0
        while all(thread.is_alive() for thread in threads):
            for phone in others:
                held = self.held_ping(phone)
                self.deliver("bell %d" % rung, phone.user)
                self.assert_rings(held, ["bell %d" % rung])
                rung += all(thread.is_alive() for thread in threads)
        for thread in threads:
            thread.join()
        self.assertEqual(errors, [])
        print("# %d bells during the first Syncs" % rung, flush=True)
        self.assertGreater(rung, 0)
