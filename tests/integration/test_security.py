# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may read what: roles, users, logs, certificates, the throttle."""

import base64
import os
import re
import socket
import subprocess
import unittest

from lib import wbxml
from lib.belfry import (USER_CONNECTOR, USER_FRONT, USER_HUB, Belfry)
from lib.certificates import Certificates
from lib.dovecot import MASTER_PASSWORD, Dovecot
from lib.http_raw import Connection, tls_context
from lib.mail import deliver_lmtp, message
from lib.phone import INBOX, PATH
from lib.process import Folder, children_of, wait_until

WRONG_LOGINS = 12


def status_of(pid, name):
    with open("/proc/%d/status" % pid, encoding="utf-8") as file:
        for line in file:
            if line.startswith(name + ":"):
                return line.split()[1:]
    raise AssertionError("no %s of %d" % (name, pid))


def may_read(uid, path):
    """Whether a process of this uid alone can read the file."""
    done = subprocess.run(
        ["/usr/bin/python3", "-c",
         "import sys; open(sys.argv[1], 'rb').read(1)", path],
        user=uid, group=uid, extra_groups=[], capture_output=True,
        timeout=30)
    return done.returncode == 0


def is_sanitized(program):
    with open(program, "rb") as file:
        return b"__asan_init" in file.read()


def memory_of(pid):
    """Yields (mapping, is it one of connectors/secret.c, its bytes)."""
    with open("/proc/%d/smaps" % pid, encoding="utf-8") as file:
        found = re.findall(r"^([0-9a-f]+)-([0-9a-f]+) (r.*)\n(?:[A-Z].*\n)*?"
                           r"VmFlags: (.*)$", file.read(), re.M)
    with open("/proc/%d/mem" % pid, "rb", buffering=0) as memory:
        for start, end, name, flags in found:
            if "[v" in name:    # the kernel's own
                continue
            memory.seek(int(start, 16))
            # wiped on fork (wf): nobody else asks for that
            yield (start + " " + name, "wf" in flags.split(),
                   memory.read(int(end, 16) - int(start, 16)))


class Memory(unittest.TestCase):
    """Where a password is after its phone has parked a Ping: in the locked
    pages of the connector, and nowhere else."""

    PASSWORD = "Xq7-zebra-Vx3-quagga-Wk9"

    def scan(self, pid, line, texts):
        """Which of the texts are in the secret pages; fails for others."""
        kept = set()
        for mapping, is_secret, content in memory_of(pid):
            for text in texts:
                at = content.find(text)
                if at < 0:
                    continue
                self.assertTrue(is_secret, "%r in %s of %s: %r" % (
                    text, mapping, line, content[max(at - 80, 0):at + 120]))
                kept.add(text)
        return kept

    def look(self, watch_as):
        folder = Folder("memory-" + watch_as)
        self.addCleanup(folder.remove)
        certificates = Certificates(folder)
        dovecot = Dovecot(folder, certificates, users=1)
        self.addCleanup(dovecot.stop)
        dovecot.set_password("alice", self.PASSWORD)
        belfry = Belfry(folder, dovecot, certificates, watch_as=watch_as)
        # sanitizers keep what was freed, as it was, to see who reads it
        if is_sanitized(belfry.program):
            return
        dovecot.start()
        self.addCleanup(belfry.stop)
        belfry.start()
        phone = belfry.phone("alice").set_up()
        phone.sync_all(phone.folder(INBOX))
        held = phone.ping_start(600)
        wait_until(lambda: "alice" in belfry.control("held"), "a parked Ping")
        plain = self.PASSWORD.encode()
        texts = [plain] + [base64.b64encode(before + plain)[8:-4]
                           for before in (b"alice:", b"\0alice\0")]
        kept = {}
        for pid, line in [(belfry.process.pid, "main")] + belfry.roles():
            kept[line] = self.scan(pid, line, texts)
            for worker, name in children_of(pid):
                if line != "main":
                    self.scan(worker, name, texts)
        # that the connector has it shows that this looks well
        self.assertEqual([found for found in kept.values() if found],
                         [{plain}])
        held.drop()

    def test_a_parked_phone_leaves_its_password_nowhere_with_a_master(self):
        self.look("master")

    def test_a_parked_phone_leaves_its_password_nowhere_without_watches(self):
        self.look("none")


class Security(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Folder("security")
        cls.addClassCleanup(cls.folder.remove)
        cls.certificates = Certificates(cls.folder)
        cls.dovecot = Dovecot(cls.folder, cls.certificates, users=10)
        cls.addClassCleanup(cls.dovecot.stop)
        cls.belfry = Belfry(cls.folder, cls.dovecot, cls.certificates)
        cls.dovecot.start()
        cls.addClassCleanup(cls.belfry.stop)
        cls.belfry.start()
        # the leak check has to look into its own process, which is then left
        # open to its own user; a plain build closes it
        cls.sanitized = is_sanitized(cls.belfry.program)

    def family(self):
        """{pid: command line} of main, its roles and their children."""
        found = {self.belfry.process.pid: "main"}
        for pid, line in self.belfry.roles():
            found[pid] = line
            found.update(children_of(pid))
        return found

    def ready(self, user, **arguments):
        phone = self.belfry.phone(user, **arguments).set_up()
        phone.sync_all(phone.folder(INBOX))
        return phone

    # roles

    def test_each_role_has_its_own_user_and_cannot_be_dumped(self):
        self.ready("alice")   # so that there is a worker, too
        users = {"front": USER_FRONT, "hub": USER_HUB,
                 "belfry-imap": USER_CONNECTOR}
        seen = set()
        for pid, line in self.family().items():
            for word, uid in users.items():
                if word not in line:
                    continue
                seen.add(word)
                self.assertEqual(set(status_of(pid, "Uid")), {str(uid)}, line)
                self.assertEqual(set(status_of(pid, "Gid")), {str(uid)}, line)
                self.assertEqual(status_of(pid, "NoNewPrivs"), ["1"], line)
                self.assertEqual(set(status_of(pid, "CapEff")),
                                 {"0000000000000000"}, line)
                # files of a process that cannot be dumped are root's
                if not self.sanitized:
                    self.assertEqual(os.stat("/proc/%d/mem" % pid).st_uid, 0,
                                     line)
                    self.assertEqual(status_of(pid, "Seccomp"), ["2"], line)
                with open("/proc/%d/limits" % pid, encoding="utf-8") as file:
                    core = [l for l in file if l.startswith("Max core")][0]
                self.assertEqual(core.split()[4], "0", line)
        self.assertEqual(seen, set(users))

    def test_a_worker_can_take_so_much_memory_and_no_more(self):
        self.ready("alice")
        limits = {}
        for pid in self.belfry.role_pids("belfry-imap"):
            for worker, _ in children_of(pid):
                with open("/proc/%d/limits" % worker, encoding="utf-8") as file:
                    limits[worker] = re.search(r"Max data size +(\S+) +(\S+)",
                                               file.read()).groups()
        # sanitizers take terabytes, and use few of them
        most = "unlimited" if self.sanitized else str(2**30)
        self.assertEqual(set(limits.values()), {(most, most)})

    def test_no_role_can_read_anothers_secrets(self):
        self.ready("alice")
        key, state = self.certificates.good[1], self.folder("belfry", "state")
        os.chmod(key, 0o600)
        secrets = [key, self.folder("master.password"), self.belfry.config]
        secrets += [os.path.join(root, name) for root, _, names
                    in os.walk(state) for name in names]
        self.assertGreater(len(secrets), 3)
        for path in secrets:
            owner = os.stat(path).st_uid
            for uid in (USER_FRONT, USER_HUB, USER_CONNECTOR):
                self.assertEqual(may_read(uid, path), uid == owner,
                                 "%s by %d" % (path, uid))
        for pid, line in self.family().items():
            for uid in (USER_FRONT, USER_HUB, USER_CONNECTOR):
                if self.sanitized and uid == os.stat("/proc/%d" % pid).st_uid:
                    continue
                for name in ("environ", "mem", "maps"):
                    self.assertFalse(may_read(uid, "/proc/%d/%s"
                                              % (pid, name)), line)

    # logs

    def test_no_credential_in_a_log_a_trace_or_an_argument(self):
        self.belfry.control("trace", "on", "all")
        try:
            phone = self.ready("u0007", device_id="TRACED1")
            self.assertEqual(self.login("u0007", "entirely wrong pa55")[0],
                             401)
            deliver_lmtp(self.dovecot.lmtp_port, "u0007", message("traced"))
            phone.sync_all(phone.folder(INBOX))
        finally:
            self.belfry.control("trace", "off", "all")
        log = self.belfry.log()
        # the lines of the daemon and of a worker, to and from the backend
        lines = "trace: user=u0007@example.org "
        for line in (r"imap imap: %sC: A\d+ AUTHENTICATE PLAIN \*\*\*$",
                     r"imap worker imap: %sC: B\d+ AUTHENTICATE \*\*\*$",
                     r'imap worker imap: %sC: B\d+ "LIST ',
                     r'imap worker imap: %sS: "\* LIST '):
            self.assertRegex(log, re.compile(line % lines, re.M))
        password = self.dovecot.password_of("u0007")
        secrets = [password, "entirely wrong pa55", MASTER_PASSWORD]
        for secret in secrets:
            pairs = [secret, "u0007:" + secret, "\0u0007\0" + secret,
                     "u0007@example.org:" + secret]
            for text in pairs:
                self.assertNotIn(text, log)
                coded = base64.b64encode(text.encode()).decode().rstrip("=")
                self.assertNotIn(coded[:-1], log)
        for pid in self.family():
            for name in ("cmdline", "environ"):
                with open("/proc/%d/%s" % (pid, name), "rb") as file:
                    text = file.read()
                for secret in secrets:
                    self.assertNotIn(secret.encode(), text)

    # users

    def test_a_user_never_gets_anything_of_another(self):
        for user, subject in (("u0001", "for one"), ("u0002", "for two")):
            deliver_lmtp(self.dovecot.lmtp_port, user, message(subject))
        one = self.ready("u0001", device_id="SAMEDEVICE")
        two = self.ready("u0002", device_id="SAMEDEVICE")
        inbox = two.folder(INBOX)
        theirs = two.collection(inbox)
        # two's key, folder and item ids, sent by one with two's name in the
        # query, where no login is looked for
        thief = self.belfry.phone("u0001", device_id="SAMEDEVICE")
        thief.policy_key = one.policy_key
        thief.folders = dict(two.folders)
        box = thief.collection(inbox)
        box.key, box.items = theirs.key, dict(theirs.items)
        thief.sync(inbox)
        self.assertEqual(box.status, "3")
        item = next(iter(theirs.items))
        for key in (theirs.key, one.collection(one.folder(INBOX)).key, "0"):
            body = wbxml.encode(("AirSync:Sync", ("Collections", (
                "Collection", ("SyncKey", key), ("CollectionId", inbox),
                *((("Commands", ("Fetch", ("ServerId", item)),
                    ("Delete", ("ServerId", item)),
                    ("Change", ("ServerId", item), ("ApplicationData", (
                        "Email:Read", 1)))),) if key != "0" else ())))))
            answer = thief.raw("Sync", body)
            self.assertNotIn(b"for two", answer.body)
        status, _, _ = thief.ping(60, [inbox, "999"])
        self.assertEqual(status, "7")
        # with two's policy key one is not let in
        thief.policy_key = two.policy_key
        root = thief.check_answer("FolderSync", thief.raw(
            "FolderSync", wbxml.encode(("FolderHierarchy:FolderSync",
                                        ("SyncKey", thief.folder_key)))))
        self.assertEqual(wbxml.text(root, "Status"), "144")
        # and two still has everything
        self.assertEqual(self.dovecot.subjects("u0002"), ["for two"])
        self.assertEqual(two.sync_all(inbox).values(), ["for two"])

    def test_names_of_users_are_one_user_however_they_are_written(self):
        deliver_lmtp(self.dovecot.lmtp_port, "u0003", message("mine"))
        password = self.dovecot.password_of("u0003")
        for name in ("u0003@example.org", "EXAMPLE.ORG\\u0003", "u0003"):
            self.assertEqual(self.login(name, password)[0], 200, name)
        for name in ("", "@", "u0003\n", "../u0003",
                     "u0003*masteruser", "u0003\0u0001"):
            self.assertNotEqual(self.login(name, password)[0], 200,
                                repr(name))

    # the throttle

    def login(self, user, password, source="127.0.0.1", device="THROTTLE1"):
        """(HTTP status, headers) of an OPTIONS with this login."""
        connection = Connection.__new__(Connection)
        plain = socket.create_connection(("127.0.0.1", self.belfry.port), 30,
                                         source_address=(source, 0))
        connection.name, connection.timeout_s = "localhost", 30
        connection.buffer, connection.ended = b"", False
        connection.socket = tls_context(self.certificates.ca).wrap_socket(
            plain, server_hostname="localhost")
        try:
            coded = base64.b64encode(("%s:%s" % (user, password)).encode())
            connection.send("POST", "%s?Cmd=Provision&User=x&DeviceId=%s&"
                            "DeviceType=T" % (PATH, device),
                            [("Authorization", "Basic " + coded.decode()),
                             ("MS-ASProtocolVersion", "14.1")],
                            wbxml.encode(("Provision:Provision", (
                                "Policies", ("Policy", (
                                    "PolicyType",
                                    "MS-EAS-Provisioning-WBXML"))))))
            response = connection.receive()
            return response.status, response
        finally:
            connection.close()

    def test_wrong_passwords_are_slowed_down_and_the_victim_is_not(self):
        phone = self.ready("u0004", device_id="VICTIM1")
        password = self.dovecot.password_of("u0004")
        answers = [self.login("u0004", "wrong %d" % n, "127.0.0.9")
                   for n in range(WRONG_LOGINS)]
        statuses = [status for status, _ in answers]
        self.assertEqual(set(statuses), {401, 503})
        self.assertEqual(statuses[0], 401)
        self.assertEqual(statuses[-1], 503)
        self.assertGreater(int(answers[-1][1].header("Retry-After")), 0)
        # the victim's own phone, and a new one elsewhere, are served
        phone.sync_all(phone.folder(INBOX))
        self.assertEqual(self.login("u0004", password, "127.0.0.8",
                                    "NEWPHONE1")[0], 200)
        # even from the attacker's address, for it has been here before
        self.assertEqual(self.login("u0004", password, "127.0.0.9",
                                    "VICTIM1")[0], 200)


class Upstream(unittest.TestCase):
    """The backend's certificate is checked before a password goes there."""

    def setUp(self):
        self.folder = Folder("upstream")
        self.addCleanup(self.folder.remove)
        self.certificates = Certificates(self.folder)

    def refuses(self, certificate, words):
        dovecot = Dovecot(self.folder, self.certificates, users=1,
                          certificate=certificate)
        belfry = Belfry(self.folder, dovecot, self.certificates)
        dovecot.start()
        self.addCleanup(dovecot.stop)
        belfry.start()
        self.addCleanup(belfry.stop)
        phone = belfry.phone("alice")
        response = phone.raw("FolderSync", b"", parameters=())
        self.assertEqual(response.status, 503)
        self.assertRegex(belfry.log(), words)

    def test_a_certificate_for_another_name_is_refused(self):
        self.refuses(self.certificates.wrong_name, "mail.example.net")

    def test_an_expired_certificate_is_refused(self):
        self.refuses(self.certificates.expired, "(?i)expired")


if __name__ == "__main__":
    unittest.main()
