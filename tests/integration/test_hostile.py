# SPDX-License-Identifier: GPL-3.0-or-later
"""Strangers, broken clients and dead backends: each gets a clear no or a
closed connection, and everybody else's phone rings as ever."""

import os
import random
import re
import resource
import select
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

from lib import wbxml
from lib.house import HEARTBEAT_S, House
from lib.http_raw import Connection, HttpError, tls_context
from lib.phone import INBOX, PATH, WBXML_TYPE, Phone, Refused
from lib.process import free_port, wait_until

# Somebody whom no role and no hook trusts.
FOREIGN_UID = 61077
# More than may be silent together at the hook's socket.
SILENT_USERS = 14
# What may become of a broken request: a refusal, or a closed connection.
REFUSALS = range(400, 506)
# lib/http/server.h, and time for a slow machine
HEADER_TIMEOUT_S, SLACK_S = 30, 45
NESTED = 60000

SLOW_PHONES, SLOW_USERS = 100, 4
SLOW_S, SLOW_BYTES_S = 8, 1024
BIG_MAILS, BIG_BYTES = 20, 50000
# An answer lies once in memory until it is read, some of it a second time on
# its way through TLS; a build with sanitizers adds up to 256 MB that it keeps
# back. Copies of all that belongs to one phone would come to more.
FRONT_MIB_MAX = 2 * SLOW_PHONES * BIG_MAILS * BIG_BYTES // 2**20 + 512

STORM, STORM_PLACES = 10000, 4000
CONNECTIONS_MAX = 12
PLACES = 40                  # so that 16 guests are not half of them


def pss_mib(pid):
    with open("/proc/%d/smaps_rollup" % pid, encoding="ascii") as file:
        return int(re.search(r"^Pss:\s+(\d+)", file.read(), re.M)[1]) // 1024


def is_closed_soon(stream, within_s):
    """Reads what comes; whether the server closed in that time."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        stream.settimeout(max(deadline - time.monotonic(), 0.01))
        try:
            if not stream.recv(65536):
                return True
        except (ssl.SSLWantReadError, TimeoutError):
            continue
        except OSError:
            return True
    return False


class Hostile(House):
    BELFRY = {"hook": "no", "fronts": "1"}

    def setUp(self):
        super().setUp()
        self.tls = tls_context(self.certificates.ca)
        self.phone = self.ready_phone()
        self.roles = self.living()

    def living(self):
        return sorted(pid for pid, _ in self.belfry.roles())

    def assert_unharmed(self, held, subject):
        """Nobody died, and the bell of this phone still rings; the next
        Ping."""
        self.assertEqual(self.living(), self.roles, self.belfry.log()[-3000:])
        self.assert_held(held)
        self.deliver(subject)
        self.assert_rings(held, [subject])
        return self.held_ping(self.phone)


class Broken(Hostile):
    """Bytes that are no request."""

    TEST_TIMEOUT_S = 300

    # each gives the HTTP status, or None for a closed connection

    def exchange(self, data, tls=True):
        connection = Connection("localhost", self.belfry.port,
                                self.tls if tls else None)
        try:
            connection.send_raw(data)
            response = connection.receive()
            return response.status
        except (HttpError, OSError):
            return None
        finally:
            connection.close()

    def posted(self, body, cmd="Sync", headers=()):
        """A body from a phone that has logged in."""
        connection = Connection("localhost", self.belfry.port, self.tls)
        connection.send("POST", self.phone.target(cmd), list(headers)
                        + self.phone.headers(WBXML_TYPE), body)
        try:
            return connection.receive()
        finally:
            connection.close()

    def head(self, *lines, auth=True):
        own = ["%s: %s" % pair for pair in self.phone.headers(WBXML_TYPE)] \
            if auth else []
        return "\r\n".join(["POST %s HTTP/1.1" % self.phone.target("Sync"),
                            "Host: localhost", *own, *lines]) + "\r\n\r\n"

    def test_broken_wbxml_is_refused(self):
        start = wbxml.HEADER + bytes((0x45,))
        documents = {
            "60000 nested tags": wbxml.HEADER + b"\x45" * NESTED,
            "60000 nested and closed": wbxml.HEADER + b"\x45" * NESTED
                                       + b"\x01" * NESTED,
            "60000 empty siblings": start + b"\x0b" * NESTED + b"\x01",
            "one byte": b"\x03", "header": wbxml.HEADER,
            "opaque of 4 GB": start + b"\x4b\xc3\x8f\xff\xff\xff\x7fabc",
            "opaque longer than all": start + b"\x4b\xc3\x40abc\x01\x01",
            "length without an end": start + b"\x4b\xc3" + b"\xff" * 100,
            "string without an end": start + b"\x4b\x03" + b"a" * 1000,
            "string table of 2 GB": b"\x03\x01\x6a\x87\xff\xff\xff\x7f",
            "string table beyond": b"\x03\x01\x6a\x40abc",
            "unknown token": start + b"\x3f\x01",
            "unknown page": start + b"\x00\xfa\x45\x01\x01",
            "unknown token on a page": start + b"\x00\x0d\x7f\x01\x01",
            "attributes": start + b"\xc5\x01\x01\x01",
            "entity": start + b"\x4b\x02\xff\xff\xff\xff\x7f\x01\x01",
            "extension": start + b"\x40\x41\x42\x01",
            "processing instruction": wbxml.HEADER + b"\x43\x45\x01\x01",
            "end without a start": wbxml.HEADER + b"\x01\x01",
            "more behind the end": wbxml.encode(("Ping:Ping",)) + b"\x45\x01",
            "no UTF-8": start + b"\x4b\x03\xff\xfe\x80\x00\x01\x01",
            "another command's": wbxml.encode(("Ping:Ping",)),
            "noise": random.Random(2).randbytes(100000),
        }
        held = self.held_ping(self.phone)
        for what, document in documents.items():
            with self.subTest(what):
                response = self.posted(document)
                if response.status == 200:
                    root = self.phone.check_answer("Sync", response)
                    self.assertNotEqual(wbxml.text(root, "Status", "1"), "1")
                else:
                    self.assertIn(response.status, REFUSALS)
                self.assert_held(held)
                self.assertEqual(self.living(), self.roles)
        self.assert_unharmed(held, "after WBXML").drop()

    def test_broken_http_is_refused(self):
        head = self.head
        noise = random.Random(3).randbytes(20000)
        requests = {
            "2 GB announced": head("Content-Length: 2147483648"),
            "more than 64 bits": head("Content-Length: " + "9" * 40),
            "negative": head("Content-Length: -1"),
            "length and chunks": head("Content-Length: 5",
                                      "Transfer-Encoding: chunked")
                                 + "0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
            "two lengths": head("Content-Length: 5", "Content-Length: 6")
                           + "aaaaaa",
            "two codings": head("Transfer-Encoding: chunked",
                                "Transfer-Encoding: identity") + "0\r\n\r\n",
            "huge chunk": head("Transfer-Encoding: chunked")
                          + "7fffffffffffffff\r\n",
            "chunk beyond 64 bits": head("Transfer-Encoding: chunked")
                                    + "f" * 30 + "\r\n",
            "bad chunk": head("Transfer-Encoding: chunked") + "zz\r\n\r\n",
            "folded line": head("X-A: b", " c", "Content-Length: 0"),
            "bare LF": head("Content-Length: 0").replace("\r\n", "\n"),
            "NUL in a header": head("X-A: a\0b", "Content-Length: 0"),
            "1000 headers": head(*["X-%d: a" % n for n in range(1000)],
                                 "Content-Length: 0"),
            "1 MB header": head("X-A: " + "a" * 2**20, "Content-Length: 0"),
            "1 MB target": "GET /" + "a" * 2**20 + " HTTP/1.1\r\n\r\n",
            "body from nobody": head("Content-Length: 10000000", auth=False)
                                + "a" * 100000,
            "HTTP/9.9": "POST / HTTP/9.9\r\n\r\n",
            "HTTP/2 preface": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "odd method": "\x01\x02 / HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "CONNECT": "CONNECT example.org:25 HTTP/1.1\r\n\r\n",
            "another path": "GET /../../etc/passwd HTTP/1.1\r\n"
                            "Host: localhost\r\n\r\n",
            "noise": noise,
        }
        held = self.held_ping(self.phone)
        for what, data in requests.items():
            with self.subTest(what):
                status = self.exchange(data if isinstance(data, bytes)
                                       else data.encode("latin-1"))
                if status is not None:
                    self.assertIn(status, REFUSALS)
                self.assert_held(held)
                self.assertEqual(self.living(), self.roles)
        self.assert_unharmed(held, "after HTTP").drop()

    def test_a_body_that_is_too_large_is_refused_before_it_comes(self):
        self.assertEqual(self.exchange(self.head(
            "Content-Length: 2147483648").encode()), 413)

    def test_what_could_be_two_requests_is_refused_and_closed(self):
        connection = Connection("localhost", self.belfry.port, self.tls)
        self.addCleanup(connection.close)
        connection.send_raw((self.head(
            "Content-Length: 4", "Transfer-Encoding: chunked")
            + "0\r\n\r\nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n").encode())
        self.assertEqual(connection.receive().status, 400)
        # receive() closes after "Connection: close"
        self.assertTrue(connection.ended)

    def test_what_is_no_tls_is_closed(self):
        held = self.held_ping(self.phone)
        hello = b"\x16\x03\x01"
        for number, data in enumerate((
                b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
                random.Random(4).randbytes(5000), b"\0" * 20000,
                hello + b"\xff\xff" + random.Random(5).randbytes(70000),
                hello + b"\x00\x05\x01\xff\xff\xff\xff", b"EHLO x\r\n",
                b"\x80\x2e\x01\x03\x01" + b"\0" * 100)):
            with self.subTest(number=number):
                stream = socket.create_connection(
                    ("localhost", self.belfry.port), 10)
                try:
                    stream.sendall(data)
                except OSError:
                    pass
                # half a record is waited for, as long as for a header
                self.assertTrue(is_closed_soon(
                    stream, HEADER_TIMEOUT_S + SLACK_S))
                stream.close()
                self.assert_held(held)
                self.assertEqual(self.living(), self.roles)
        self.assert_unharmed(held, "after no TLS").drop()

    def test_headers_and_bodies_that_dribble_are_given_up(self):
        held = self.held_ping(self.phone)
        dribbles = []
        for at_once, slowly in (
                ("", self.head("X-A: " + "a" * 10000)),
                (self.head("Content-Length: 10000"), "\3" * 10000),
                (self.head("Transfer-Encoding: chunked"),
                 "1\r\na\r\n" * 10000)):
            connection = Connection("localhost", self.belfry.port, self.tls)
            self.addCleanup(connection.close)
            connection.send_raw(at_once.encode())
            dribbles.append((connection, iter(slowly.encode())))
        plain = socket.create_connection(("localhost", self.belfry.port))
        self.addCleanup(plain.close)
        deadline = time.monotonic() + HEADER_TIMEOUT_S + SLACK_S
        while dribbles:
            self.assertLess(time.monotonic(), deadline)
            for connection, octets in list(dribbles):
                if connection.readable(0.2):
                    dribbles.remove((connection, octets))
                else:
                    connection.send_raw(bytes((next(octets),)))
        # the handshake that never began has waited as long
        self.assertTrue(is_closed_soon(plain, SLACK_S))
        self.assert_unharmed(held, "after the dribble").drop()

    # our own sockets

    def garbage_to(self, path, data, uid):
        """What a process of this user gets there: "refused", "closed", or
        "open" when it is still listened to after a while."""
        script = """
import os, socket, sys
data = sys.stdin.buffer.read()
stream = socket.socket(socket.AF_UNIX)
stream.settimeout(5)
try:
    stream.connect(sys.argv[1])
except OSError:
    print("refused")
    sys.exit()
try:
    stream.sendall(data)
    stream.shutdown(socket.SHUT_WR)
    while stream.recv(65536):
        pass
    print("closed")
except TimeoutError:
    print("open")
except OSError:
    print("closed")
"""
        done = subprocess.run([sys.executable, "-c", script, path], input=data,
                              user=uid, group=uid, extra_groups=[],
                              stdout=subprocess.PIPE, timeout=30, check=True)
        return done.stdout.decode().strip()

    def test_garbage_to_our_sockets_harms_nobody(self):
        noise = random.Random(6)
        frames = [noise.randbytes(100000),
                  struct.pack(">IB", 0xFFFFFFFF, 0) + b"a" * 1000,
                  struct.pack(">IB", 0, 0), struct.pack(">IB", 1, 0xFF),
                  struct.pack(">IB", 1000, 0) + b"short",
                  struct.pack(">IB", 101, 0) + noise.randbytes(100), b"",
                  b"\n" * 1000, b"user=x\n" * 1000]
        held = self.held_ping(self.phone)
        for name, uid, may in (
                ("hook.sock", FOREIGN_UID, ("closed", "open")),
                ("hook.sock", 0, ("closed", "open")),
                ("control.sock", FOREIGN_UID, ("refused", "closed")),
                ("control.sock", 0, ("closed",)),
                ("hub.sock", FOREIGN_UID, ("refused", "closed")),
                ("connector-main.sock", FOREIGN_UID, ("refused", "closed"))):
            path = self.folder("belfry", "run", name)
            self.assertTrue(os.path.exists(path), path)
            with self.subTest(name, uid=uid):
                for number, data in enumerate(frames):
                    self.assertIn(self.garbage_to(path, data, uid), may,
                                  number)
                held = self.assert_unharmed(held, "after %s %d" % (name, uid))
        held.drop()

    def gifts_to(self, path, uid):
        """A process of this user that has passed descriptors there, which
        were read, and keeps its connection open until its input ends."""
        script = """
import fcntl, os, socket, struct, sys, termios, time
stream = socket.socket(socket.AF_UNIX)
stream.connect(sys.argv[1])
gift = os.open("/dev/null", os.O_RDONLY)
for _ in range(4):
    socket.send_fds(stream, [b"x"], [gift] * 200)
while struct.unpack("i", fcntl.ioctl(stream, termios.TIOCOUTQ, bytes(4)))[0]:
    time.sleep(0.01)
print("given", flush=True)
sys.stdin.read()
"""
        process = subprocess.Popen(
            [sys.executable, "-c", script, path], user=uid, group=uid,
            extra_groups=[], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(process.communicate)
        self.assertEqual(process.stdout.readline(), b"given\n")
        return process

    def test_descriptors_passed_to_our_sockets_are_not_taken(self):
        held = self.held_ping(self.phone)
        hub, = self.belfry.role_pids("hub")
        before = len(os.listdir("/proc/%d/fd" % hub))
        for name, uid in (("hook.sock", FOREIGN_UID), ("control.sock", 0)):
            with self.subTest(name):
                self.gifts_to(self.folder("belfry", "run", name), uid)
                # the connection itself
                self.assertLessEqual(len(os.listdir("/proc/%d/fd" % hub)),
                                     before + 2)
        self.assert_unharmed(held, "after the gifts").drop()


    def silence_at(self, path, uid, connections):
        """A process of this user that opens so many connections, says
        nothing and keeps them until its input ends."""
        script = """
import socket, sys
streams = [socket.socket(socket.AF_UNIX) for _ in range(int(sys.argv[2]))]
for stream in streams:
    stream.connect(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
"""
        process = subprocess.Popen(
            [sys.executable, "-c", script, path, str(connections)],
            user=uid, group=uid, extra_groups=[],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(process.communicate)
        self.assertEqual(process.stdout.readline(), b"open\n")

    def test_silent_users_do_not_keep_deliveries_from_the_hook(self):
        held = self.held_ping(self.phone)
        hub, = self.belfry.role_pids("hub")
        before = len(os.listdir("/proc/%d/fd" % hub))
        for number in range(SILENT_USERS):
            self.silence_at(self.belfry.hook_socket, FOREIGN_UID + number, 80)
        told = self.belfry.sources().get("hook", {"told": 0})["told"]
        for _ in range(10):
            subprocess.run(self.belfry.hook_command(self.user), check=True)
        wait_until(lambda: self.belfry.sources().get("hook", {"told": 0})[
            "told"] == told + 10, "the hints of a delivery")
        # gateway/hub/hook.h: HOOK_OPEN_OWN_MAX
        self.assertLess(len(os.listdir("/proc/%d/fd" % hub)),
                        before + 768 + 16)
        self.assertNotIn("cannot listen", self.belfry.log())
        self.assert_unharmed(held, "after the silence").drop()


class Crowd(Hostile):
    """max_connections is reached."""

    BELFRY = {"hook": "no", "fronts": "1",
              "max_connections": str(CONNECTIONS_MAX)}

    def test_one_too_many_is_told_to_come_again_and_the_held_stay(self):
        self.phone.close()
        held = []
        for number in range(CONNECTIONS_MAX):
            phone = self.ready_phone(device_id="CROWD%d" % number)
            phone.close()
            held.append(self.held_ping(phone))
        for _ in range(3):
            connection = Connection("localhost", self.belfry.port, self.tls)
            connection.send("OPTIONS", PATH, self.phone.headers())
            response = connection.receive()
            connection.close()
            self.assertEqual(response.status, 503)
            self.assertGreater(int(response.header("Retry-After")), 0)
        for one in held:
            self.assert_held(one)
        self.deliver("for all")
        for one in held:
            status, folders, _ = one.phone.ping_wait(one)
            self.assertEqual((status, len(folders)), ("2", 1))
        self.assertEqual(self.living(), self.roles)

    def test_idle_connections_do_not_push_out_whom_we_hold(self):
        held = self.held_ping(self.phone)
        self.phone.close()
        idle = []
        for number in range(4 * CONNECTIONS_MAX):
            stream = socket.create_connection(("localhost", self.belfry.port),
                                              10)
            stream.setblocking(number % 2)
            idle.append(stream)
        self.assert_held(held)
        for stream in idle:
            stream.close()
        self.deliver("still here")
        # the places of those who left are free again
        wait_until(self.is_served, "a place")
        self.assert_rings(held, ["still here"])
        self.assertEqual(self.living(), self.roles)

    def is_served(self):
        try:
            self.phone.options()
            return True
        except (Refused, HttpError, OSError):
            self.phone.close()
            return False


class Guests(Hostile):
    """Connections of one network of which nobody knows who they are."""

    BELFRY = {"hook": "no", "fronts": "1", "max_connections": str(PLACES)}
    TEST_TIMEOUT_S = 200

    def silent(self, count):
        return [socket.create_connection(("localhost", self.belfry.port), 10)
                for _ in range(count)]

    def status(self):
        """Of OPTIONS on a new connection; 0: it was closed."""
        connection = Connection("localhost", self.belfry.port, self.tls)
        try:
            connection.send("OPTIONS", PATH, self.phone.headers())
            return connection.receive().status
        except (OSError, HttpError):
            return 0
        finally:
            connection.close()

    def test_who_has_logged_in_is_no_guest_and_guests_do_not_take_all(self):
        self.phone.close()
        held = []
        for number in range(PLACES // 2 - 2):
            phone = self.ready_phone(device_id="GUEST%d" % number)
            phone.close()
            held.append(self.held_ping(phone))
        few = self.silent(4)
        # more than half of the places are taken, by few guests
        self.assertEqual(self.status(), 200)
        many = self.silent(14)  # there are places left, but not for more guests
        wait_until(lambda: self.status() in (503, 0), "too many guests")
        for stream in few + many:
            stream.close()
        wait_until(lambda: self.status() == 200, "a place")
        for one in held:
            self.assert_held(one)
        self.deliver("for all")
        for one in held:
            status, folders, _ = one.phone.ping_wait(one)
            self.assertEqual((status, len(folders)), ("2", 1))
        self.assertEqual(self.living(), self.roles)


class Storm(Hostile):
    """One address opens connections without end."""

    BELFRY = {"hook": "no", "fronts": "1", "max_connections": str(STORM_PLACES)}
    TEST_TIMEOUT_S = 300

    def setUp(self):
        super().setUp()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = STORM + 1000
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most),
                                                    max(hard, most)))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE,
                        (soft, max(hard, most)))

    def test_ten_thousand_connections_of_one_address_keep_nobody_out(self):
        held = self.held_ping(self.phone)
        self.phone.close()
        front, = self.belfry.role_pids("front")
        before, most = len(os.listdir("/proc/%d/fd" % front)), 0
        storm = []
        for number in range(STORM):
            stream = socket.socket()
            self.addCleanup(stream.close)
            stream.setblocking(False)
            stream.bind(("127.0.0.9", 0))
            stream.connect_ex(("127.0.0.1", self.belfry.port))
            storm.append(stream)
            if number % 1000 == 999:
                self.phone.options()
                self.phone.close()
                most = max(most, len(os.listdir("/proc/%d/fd" % front)))
        # lib/http/server.h: half of the places, what is one network's share of
        # the rest, and those who are told to come again
        self.assertLess(most, before + STORM_PLACES)
        held = self.assert_unharmed(held, "in the storm")
        for stream in storm:
            stream.close()
        self.assert_unharmed(held, "after the storm").drop()


class SlowReaders(Hostile):
    BELFRY = {"hook": "no", "fronts": "1",
              "sections": "policy {\n    required = false\n}\n"}
    TEST_TIMEOUT_S = 300

    def phone_of(self, user=None, **arguments):
        """A new account without Provision, of which there would be many."""
        phone = self.belfry.phone(user or self.user, **arguments)
        self.assertEqual(phone.folder_sync(), "1")
        return phone

    def slow_request(self, user, number):
        """Sends a Sync whose answer is big; the connection."""
        phone = self.phone_of(user, device_id="SLOW%d" % number)
        inbox = phone.folder(INBOX)
        phone.sync(inbox)
        phone.close()
        stream = socket.socket()
        # little is in flight: the answer waits in the front
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stream.settimeout(60)
        stream.connect(("127.0.0.1", self.belfry.port))
        stream = self.tls.wrap_socket(stream, server_hostname="localhost")
        spec = phone._sync_spec([inbox], {}, 100,
                                phone.sync_options(truncation=10 * BIG_BYTES),
                                1, ())
        body = wbxml.encode(spec)
        lines = ["POST %s HTTP/1.1" % phone.target("Sync"), "Host: localhost",
                 "Content-Length: %d" % len(body)]
        lines += ["%s: %s" % pair for pair in phone.headers(WBXML_TYPE)]
        stream.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        return stream

    def read_slowly(self, streams, until):
        """A little of each, once a second."""
        got = [0] * len(streams)
        while not until.wait(1.0):
            for number, stream in enumerate(streams):
                stream.settimeout(0)
                try:
                    got[number] += len(stream.recv(SLOW_BYTES_S))
                except (ssl.SSLWantReadError, BlockingIOError):
                    pass
        self.got = got

    def test_slow_readers_hold_up_nobody(self):
        users = ["u%04d" % (30 + n) for n in range(SLOW_USERS)]
        line = b"x" * 78 + b"\r\n"
        mail = b"From: a@b.example\r\nSubject: big\r\n\r\n" \
            + line * (BIG_BYTES // len(line))
        for user in users:
            self.write_mails([mail] * BIG_MAILS, user=user)
        held = self.held_ping(self.phone)
        streams = [self.slow_request(users[n % SLOW_USERS], n)
                   for n in range(SLOW_PHONES)]
        done = threading.Event()
        reader = threading.Thread(target=self.read_slowly,
                                  args=(streams, done))
        reader.start()
        try:
            deadline = time.monotonic() + SLOW_S
            rounds = 0
            while rounds < 2 or time.monotonic() < deadline:
                held = self.assert_unharmed(held, "mail %d" % rounds)
                rounds += 1
            front, = self.belfry.role_pids("front")
            used = pss_mib(front)
        finally:
            done.set()
            reader.join()
        held.drop()
        print("# the front has %d MiB" % used)
        # all were served, and none could have read all of its answer
        self.assertTrue(all(self.got), self.got)
        self.assertLess(max(self.got), BIG_MAILS * BIG_BYTES)
        self.assertLess(used, FRONT_MIB_MAX)
        for stream in streams:
            stream.close()
        self.assertEqual(self.living(), self.roles)


class Silent(Hostile):
    """One of two backends takes connections and says nothing."""

    TEST_TIMEOUT_S = 200

    @classmethod
    def set_up_class(cls):
        cls.listener = socket.create_server(("127.0.0.1", cls.port))
        cls.addClassCleanup(cls.listener.close)

    @classmethod
    def setUpClass(cls):
        cls.port = free_port()
        # a user's backend is that of his domain
        cls.BELFRY = dict(hook="no", sections="""
connector "silent" {
    domains = {"silent.example"}
    host = "127.0.0.1"
    port = %d
    tls = "none"
    hook = "no"
    timeout_s = 3
    workers = 1
}
""" % cls.port)
        super().setUpClass()

    def test_a_silent_backend_harms_its_own_users_only(self):
        held = self.held_ping(self.phone)
        lost = [Phone("localhost", self.belfry.port,
                      "user%d@silent.example" % n, "secret", tls=self.tls,
                      device_id="LOST%d" % n, timeout_s=60)
                for n in range(20)]
        asked = [phone.start("FolderSync", ("FolderHierarchy:FolderSync", (
            "SyncKey", "0"))) for phone in lost]
        held = self.assert_unharmed(held, "while they wait")
        for one in asked:
            with self.assertRaises(Refused) as caught:
                one.wait(60)
            self.assertEqual(caught.exception.status, 503)
            self.assertTrue(caught.exception.response.header("Retry-After"))
        self.assert_unharmed(held, "afterwards").drop()
        self.assertNotIn("secret", self.belfry.log())
