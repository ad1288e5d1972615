# SPDX-License-Identifier: GPL-3.0-or-later
"""Mailboxes as they are: fresh, huge, made anew, and with a large mail."""

import base64
import os
import random
import re
import signal
import threading
import time

from lib import schema, wbxml
from lib.dovecot import ImapLines
from lib.house import House
from lib.mail import mail_octets
from lib.phone import BODY_MIME, BODY_TEXT, INBOX, Phone, Refused
from lib.process import children_of, wait_until

MANY = 20000
WINDOW = 512
ATTACHMENT_BYTES = 25 * 1000 * 1000
MIME_PIECE = 5000
KILLS = 4
# HTTP 503 or Sync Status 16: come again
RETRY_ROUNDS = 60


class Fresh(House):
    """A mailbox that nobody has ever opened."""

    BELFRY = {"hook": "no"}

    # what Dovecot says of mod-sequences at SELECT: nothing yet
    MODSEQ = []

    def modseq_codes(self):
        client = ImapLines(self.dovecot, self.user)
        lines = client.command("SELECT INBOX")
        client.close()
        return re.findall(r"\[(\w*MODSEQ)", "\n".join(lines))

    def test_a_mailbox_without_modseq_is_pushed_and_synchronised(self):
        self.assertEqual(self.modseq_codes(), self.MODSEQ)
        phone = self.ready_phone()
        held = self.held_ping(phone)
        self.deliver("first")
        self.assert_rings(held, ["first"])
        inbox = phone.folder(INBOX)
        box = phone.collection(inbox)
        client = self.dovecot.imap(self.user)
        self.addCleanup(client.logout)
        client.select("INBOX")

        held = self.held_ping(phone)
        client.store("1", "+FLAGS", "(\\Seen)")
        self.assertEqual(phone.ping_wait(held)[:2], ("2", [inbox]))
        phone.sync_all(inbox)
        self.assertEqual([box.value(i, "Email:Read") for i in box.changed],
                         ["1"])

        held = self.held_ping(phone)
        client.store("1", "+FLAGS", "(\\Deleted)")
        client.expunge()
        self.assertEqual(phone.ping_wait(held)[:2], ("2", [inbox]))
        phone.sync_all(inbox)
        self.assertEqual(box.items, {})


class FreshForever(Fresh):
    """Indexes in memory: no mod-sequence ever."""

    # Dovecot 2.3 takes NOTIFY for such a mailbox, and then never says a word
    DOVECOT = {"mask": ("NOTIFY",),
               "extra": "mail_location = maildir:~/Maildir:INDEX=MEMORY\n"}
    MODSEQ = ["NOMODSEQ"]


class TwoMakers(House):
    """Two phones and the post open a mailbox at once that is not there yet."""

    BELFRY = {"hook": "no"}
    ROUNDS, MAILS = 15, 3
    TEST_TIMEOUT_S = 200

    def phone_from_nothing(self, start, phone, subjects):
        """Sync until all mails are there; "again" (Status 16, HTTP 503) is no
        error, "start anew" (Status 3) is one."""
        phone.set_up()
        inbox, box = phone.folder(INBOX), None
        phone.sync(inbox)
        start.wait()
        for _ in range(RETRY_ROUNDS):
            try:
                box = phone.sync(inbox)
            except Refused as refused:
                self.assertEqual(refused.status, 503)
            else:
                self.assertIn(box.status, ("1", "16"))
                if box.status == "1" and set(box.values()) == subjects:
                    return
            time.sleep(0.1)
        self.fail("it has %s\n%s" % (box and box.values(),
                                     self.belfry.log()[-3000:]))

    def test_nobody_starts_anew(self):
        schema.prepare()
        subjects = {"mail %d" % n for n in range(self.MAILS)}
        for _ in range(self.ROUNDS):
            user = self.next_user()
            start, errors = threading.Barrier(3), []

            def run(do, *arguments):
                try:
                    do(start, *arguments)
                except Exception as error:   # told below
                    errors.append(error)

            def post(start):
                start.wait()
                for subject in sorted(subjects):
                    self.deliver(subject, user)
            threads = [threading.Thread(target=run, args=(post,))] + [
                threading.Thread(target=run, args=(
                    self.phone_from_nothing,
                    self.belfry.phone(user, device_id="MAKER%d" % n),
                    subjects)) for n in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(errors, [])


class Large(House):
    BELFRY = {"hook": "no", "connector": {"timeout_s": "60"}}
    TEST_TIMEOUT_S = 300

    def test_20000_mails_arrive_each_once(self):
        subjects = ["mail %d" % n for n in range(MANY)]
        self.write_mails(mail_octets(s) for s in subjects)
        phone = self.phone_of(timeout_s=120)
        inbox = phone.folder(INBOX)
        # an Add of what is there already is an error of the phone
        box = phone.sync_all(inbox, window=WINDOW)
        self.assertEqual(len(box.added), MANY)
        self.assertEqual(sorted(box.values()), sorted(subjects))
        self.assertFalse(box.changed or box.deleted)
        held = self.held_ping(phone)
        self.deliver("one more")
        self.assert_rings(held, ["one more"])

    def test_a_25_mb_attachment_is_listed_and_comes_only_when_wanted(self):
        content = random.Random(1).randbytes(ATTACHMENT_BYTES)
        encoded = base64.encodebytes(content).replace(b"\n", b"\r\n")
        octets = mail_octets(
            "large",
            b"--b\r\nContent-Type: text/plain\r\n\r\nSee the file.\r\n"
            b"--b\r\nContent-Type: application/octet-stream\r\n"
            b"Content-Disposition: attachment; filename=\"large.bin\"\r\n"
            b"Content-Transfer-Encoding: base64\r\n\r\n"
            + encoded + b"--b--\r\n",
            b"MIME-Version: 1.0\r\n"
            b"Content-Type: multipart/mixed; boundary=b\r\n")
        self.write_mails([mail_octets("before"), octets, mail_octets("after")])
        self.assert_listed()
        self.assert_beginning(octets)
        self.assert_whole(octets)

    def large_of(self, options, device_id):
        """The large mail as this phone gets it; others come as well."""
        phone = self.phone_of(device_id=device_id, timeout_s=120)
        box = phone.sync_all(phone.folder(INBOX), options=options)
        self.assertEqual(sorted(box.values()), ["after", "before", "large"])
        return box.items[box.server_id_of("large")]

    def assert_listed(self):
        data = self.large_of(None, "TEXTPHONE")
        body = data["{AirSyncBase}Body"]
        self.assertEqual(wbxml.text(body, "Type"), str(BODY_TEXT))
        self.assertEqual(wbxml.text(body, "Data").strip(), "See the file.")
        attachment, = data["{AirSyncBase}Attachments"]
        self.assertEqual(wbxml.text(attachment, "DisplayName"), "large.bin")
        size = int(wbxml.text(attachment, "EstimatedDataSize"))
        self.assertAlmostEqual(size, ATTACHMENT_BYTES,
                               delta=ATTACHMENT_BYTES * 0.05)

    def assert_beginning(self, octets):
        data = self.large_of(Phone.mime_options(MIME_PIECE), "PIECEPHONE")
        body = data["{AirSyncBase}Body"]
        self.assertEqual(wbxml.text(body, "Type"), str(BODY_MIME))
        self.assertEqual(wbxml.text(body, "Truncated"), "1")
        self.assertEqual(self.data_of(body), octets[:MIME_PIECE].decode())
        self.assertEqual(int(wbxml.text(body, "EstimatedDataSize")),
                         len(octets))

    def assert_whole(self, octets):
        data = self.large_of(Phone.mime_options(), "WHOLEPHONE")
        body = data["{AirSyncBase}Body"]
        self.assertEqual(wbxml.text(body, "Type"), str(BODY_MIME))
        self.assertNotEqual(wbxml.text(body, "Truncated"), "1")
        self.assertTrue(self.data_of(body) == octets.decode(),
                        "the mail is not what it was")

    @staticmethod
    def data_of(body):
        return wbxml.text(body, "Data")


class Anew(House):
    """UIDVALIDITY changes: the ids that the phone has mean other mails."""

    BELFRY = {"hook": "no"}

    def assert_new_sync(self, phone, folder_id, subjects):
        box = phone.sync(folder_id)
        self.assertEqual(box.status, "3", self.belfry.log()[-3000:])
        box = phone.sync_all(folder_id)
        self.assertEqual(sorted(box.values()), subjects)
        self.assertFalse(box.changed or box.deleted)

    def test_a_lost_uidlist_makes_the_phone_synchronise_anew(self):
        self.write_mails([mail_octets("one"), mail_octets("two")])
        phone = self.ready_phone()
        inbox = phone.folder(INBOX)
        held = self.held_ping(phone)
        self.dovecot.stop()
        self.lose_uids()
        self.dovecot.start()
        self.deliver("three")
        self.assertEqual(phone.ping_wait(held)[:2], ("2", [inbox]))
        self.assert_new_sync(phone, inbox, ["one", "three", "two"])
        held = self.held_ping(phone)
        self.deliver("four")
        self.assert_rings(held, ["four"])

    def lose_uids(self):
        path = self.maildir()
        for name in os.listdir(path):
            if name.startswith("dovecot"):
                os.unlink(os.path.join(path, name))

    def test_a_folder_that_was_made_anew_is_synchronised_anew(self):
        client = self.dovecot.imap(self.user)
        self.addCleanup(client.logout)
        client.create("Work")
        client.append("Work", "", None, mail_octets("old"))
        phone = self.ready_phone()
        work = phone.folder("Work")
        self.assertEqual(phone.sync_all(work).values(), ["old"])
        client.delete("Work")
        # the validity is a time in seconds
        time.sleep(1.1)
        client.create("Work")
        client.append("Work", "", None, mail_octets("new"))
        self.assert_new_sync(phone, work, ["new"])


class Dying(House):
    """Workers die in the middle of a fetch."""

    BELFRY = {"hook": "no", "connector": {"workers": "1"}}
    TEST_TIMEOUT_S = 200

    def workers(self):
        return [pid for daemon, line in self.belfry.roles()
                if "belfry-imap" in line
                for pid, child in children_of(daemon) if "--worker" in child]

    def kill_workers(self, done):
        """Several, each when it had time to be in the middle."""
        for _ in range(KILLS):
            wait_until(lambda: done.is_set() or self.workers(), "a worker")
            if done.wait(0.3):
                return
            for pid in self.workers():
                os.kill(pid, signal.SIGKILL)
                self.killed += 1

    def sync_stubbornly(self, phone, folder_id):
        """As a phone does: what could not be done now is tried again."""
        for _ in range(RETRY_ROUNDS):
            try:
                box = phone.sync(folder_id, window=200)
            except Refused as refused:
                self.assertEqual(refused.status, 503)
                time.sleep(0.2)
                continue
            if box.status == "16":
                time.sleep(0.2)
                continue
            self.assertEqual(box.status, "1")
            if box.items and not box.more:
                return box
        self.fail("never whole\n" + self.belfry.log()[-3000:])

    def test_dying_workers_stop_no_folder(self):
        count = 1500
        subjects = ["mail %d" % n for n in range(count)]
        self.write_mails(mail_octets(s) for s in subjects)
        phone = self.phone_of(timeout_s=60)
        self.killed, done = 0, threading.Event()
        killer = threading.Thread(target=self.kill_workers, args=(done,))
        killer.start()
        try:
            box = self.sync_stubbornly(phone, phone.folder(INBOX))
        finally:
            done.set()
            killer.join()
        self.assertGreater(self.killed, 0)
        self.assertEqual(sorted(box.values()), sorted(subjects))
        held = self.held_ping(phone)
        self.deliver("alive")
        self.assert_rings(held, ["alive"])
