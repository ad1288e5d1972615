# SPDX-License-Identifier: GPL-3.0-or-later
"""Synchronising with a real Dovecot, as phones do it: over TLS, one request
after the other on one connection. Beside each stands what a trivial IMAP
client takes for the same data from the same Dovecot, in the same run.

The phone here only moves octets while the clock runs; what it got is decoded,
and counted, afterwards."""

import os
import re
import socket
import statistics
import subprocess
import time

from lib import wbxml
from lib.belfry import Belfry
from lib.certificates import Certificates
from lib.dovecot import Dovecot, lua_script
from lib.mail import deliver_lmtp, message
from lib.phone import BODY_HTML, INBOX, Phone, WBXML_TYPE
from lib.process import Folder
from cpu import CpuMeter

USER, OTHER_USER = "u0001", "u0002"             # the floor has its own
SMALL_USER, SMALL_OTHER_USER = "u0003", "u0004"
SMALL = 100             # mails in their INBOX
WINDOW = 100
HEARTBEAT_S = 3000
SETTLE_S = 0.02         # from a Ping's sending until the bell may ring
# SyncKey with its text: MS-ASWBXML 2.1.2.1.1
KEY = re.compile(b"\x4b\x03([^\0]+)\0\x01")
TAIL_MAX = 4096         # octets of an answer to a command: OK, and why
KEY_PLACE = "key-goes-here"


class ImapClient:
    """Sends a line, and reads until it is answered."""

    def __init__(self, dovecot, user):
        self.socket = socket.create_connection(
            ("127.0.0.1", dovecot.imap_port), 30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.recv(4096)
        self.command('LOGIN %s "%s"' % (user, dovecot.password_of(user)))

    def command(self, line):
        """The octets up to its answer."""
        self.socket.sendall(b"z %s\r\n" % line.encode())
        pieces, tail = [], b"\r\n"
        while not (tail.endswith(b"\r\n") and b"\r\nz " in tail):
            piece = self.socket.recv(1 << 20)
            if not piece:
                raise AssertionError("the IMAP server closed the connection")
            pieces.append(piece)
            tail = (tail + piece)[-TAIL_MAX:]
        if b"\r\nz OK" not in tail:
            raise AssertionError("%s: %r" % (line, tail))
        return b"".join(pieces)

    def close(self):
        self.socket.close()


class Courier:
    """What is left of a Phone when only octets count: Sync of one folder,
    and Ping, on a connection of its own."""

    def __init__(self, phone, window=WINDOW):
        self.phone, self.folder = phone, phone.folder(INBOX)
        self.window = window
        self.connection = phone.connect()
        self.key, self.answers = "0", []
        options = Phone.sync_options(body_type=BODY_HTML, truncation=204800)
        self.first = wbxml.encode(self.spec("0"))
        self.next = wbxml.encode(self.spec(
            KEY_PLACE, ("DeletesAsMoves", 1), ("GetChanges", 1),
            ("WindowSize", window), options))
        self.target = phone.target("Sync")
        self.headers = phone.headers(WBXML_TYPE)
        self.ping = wbxml.encode(Phone.ping_spec(
            HEARTBEAT_S, [(self.folder, "Email")]))

    def spec(self, key, *rest):
        return ("AirSync:Sync", ("Collections", ("Collection", (
            "SyncKey", key), ("CollectionId", self.folder), *rest)))

    def sync(self):
        body = self.first if self.key == "0" else self.next.replace(
            KEY_PLACE.encode(), self.key.encode())
        self.connection.send("POST", self.target, self.headers, body)
        answer = self.connection.receive().body
        self.answers.append(answer)
        self.key = KEY.search(answer).group(1).decode()

    def sync_all(self, count):
        """Seconds from the first request to the last answer."""
        since = time.monotonic()
        for _ in range(1 + -(-count // self.window)):
            self.sync()
        took = time.monotonic() - since
        if len(self.take_added()) != count:
            raise AssertionError("the phone has not got all")
        return took

    def ping_start(self):
        self.connection.send("POST", self.phone.target("Ping"), self.headers,
                             self.ping)

    def ping_wait(self):
        return self.connection.receive()

    def take_added(self):
        """ServerIds of all mails that came since the last time."""
        found, more = [], False
        for answer in self.answers:
            root = wbxml.decode(answer)
            node = wbxml.find(root, "Collections/Collection")
            if wbxml.text(node, "Status") != "1":
                raise AssertionError("Sync: %s" % wbxml.pretty(root)[:500])
            found += [wbxml.text(add, "ServerId")
                      for add in wbxml.find_all(node, "Commands/Add")]
            more = wbxml.find(node, "MoreAvailable") is not None
        self.answers = []
        if more or len(set(found)) != len(found):
            raise AssertionError("there is more, or a mail came twice")
        return found

    def close(self):
        self.connection.close()


class Site:
    """A Dovecot and a Belfry in front of it."""

    def __init__(self, **belfry):
        self.folder = Folder("bench")
        self.certificates = Certificates(self.folder)
        self.dovecot = Dovecot(
            self.folder, self.certificates, users=4, lua=lua_script(
                self.folder, self.folder("belfry", "run", "hook.sock")))
        self.belfry, self.devices = None, 0

    def start(self):
        self.dovecot.start()
        self.belfry = Belfry(self.folder, self.dovecot, self.certificates,
                             hook="yes").start()
        return self

    def fill(self, user, count):
        """So many mails in INBOX, as if a delivery agent had put them there:
        a third of them is unread."""
        owner = self.dovecot.owner
        box = self.folder.make("home", user, "Maildir", "cur",
                               owner=(owner.pw_uid, owner.pw_gid))
        for name in ("new", "tmp"):
            self.folder.make("home", user, "Maildir", name)
        for number in range(count):
            path = os.path.join(box, "%d.M%d.bench:2,%s" % (
                1700000000 + number * 60, number, "S" if number % 3 else ""))
            with open(path, "wb") as file:
                file.write(small_mail(number))
        for path, names, files in os.walk(self.folder("home", user)):
            for name in [path] + [os.path.join(path, n) for n in files]:
                os.chown(name, owner.pw_uid, owner.pw_gid)

    def new_phone(self, user=USER):
        self.devices += 1
        return self.belfry.phone(user, device_id="BENCH%03d" % self.devices)

    def stop(self):
        if self.belfry is not None:
            self.belfry.stop()
        self.dovecot.stop()
        self.folder.remove()


def small_mail(number):
    """About 2 kB: the headers that mail has when it has come far, and a few
    lines; every second one in HTML besides."""
    mail = message("Re: the bells, part %d" % number, body=(
        "Hello Alice,\n\nthe bells of part %d are hung, and ring when they "
        "are to.\nShall we look at the others tomorrow?\n\n-- \nAnna\n"
        % number) * 2, html=None if number % 2 else
        "<html><body><p>Hello <b>Alice</b>,</p><p>the bells of part %d are "
        "hung, and ring when they are to.<br>Shall we look at the others "
        "tomorrow?</p><p>Anna</p></body></html>\n" % number)
    for hop in range(3):
        mail["Received"] = (
            "from relay%d.elsewhere.example (relay%d.elsewhere.example "
            "[192.0.2.%d]) by mx.example.org with ESMTPS id %08x for "
            "<alice@example.org>; Tue, 14 Nov 2023 22:13:20 +0000"
            % (hop, hop, hop + 1, number))
    mail["DKIM-Signature"] = (
        "v=1; a=rsa-sha256; c=relaxed/relaxed; d=elsewhere.example; s=s1; "
        "h=from:to:subject:date:message-id; bh=" + "A" * 43 + "=; b="
        + "B" * 172)
    return mail.as_bytes()


def part_of(dovecot_pid):
    """A name for who uses CPU time."""
    def name(root, line):
        if root == dovecot_pid:
            return "Dovecot"
        for word in ("front", "hub"):
            if word in line:
                return word
        return "worker" if "--worker" in line else \
            "belfry-imap" if "belfry-imap" in line else "main"
    return name


def milliseconds(seconds):
    return "%.1f ms" % (seconds * 1000)


# --- the first Sync ----------------------------------------------------------

FETCH = "UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])"


def bulk_fetch(dovecot, count):
    """Seconds for all the mails in one command."""
    client = ImapClient(dovecot, USER)
    client.command("EXAMINE INBOX")
    since = time.monotonic()
    octets = client.command(FETCH)
    took = time.monotonic() - since
    client.close()
    if octets.count(b" FETCH (UID ") != count:
        raise AssertionError("the floor has not fetched all")
    return took


def first_sync(site, count, meter):
    courier = Courier(site.new_phone().set_up())
    meter.start()
    took = courier.sync_all(count)
    meter.stop()
    courier.close()
    return took


def first_sync_rows(table, site, count, times):
    meter = CpuMeter([site.belfry.process.pid, site.dovecot.process.pid],
                     part_of(site.dovecot.process.pid))
    first_sync(site, count, CpuMeter([], None))     # Dovecot's caches are warm
    floors, syncs = [], []
    for _ in range(times):
        floors.append(bulk_fetch(site.dovecot, count))
        syncs.append(first_sync(site, count, meter))
    floor, took = statistics.median(floors), statistics.median(syncs)
    table.append((
        "first Sync of %d small mails, WindowSize %d, TLS" % (count, WINDOW),
        "one FETCH of all, warm: %s" % milliseconds(floor),
        "≥ 5000 mails/s; ≤ 10 × floor",
        "%.0f mails/s = %.1f × floor (%s; median of %d devices, best %.0f)"
        % (count / took, took / floor, milliseconds(took), times,
           count / min(syncs))))
    each = {part: used * 1000 / count / times
            for part, used in meter.used.items()}
    dovecot = each.pop("Dovecot", 0)
    table.append((
        "CPU time a mail in it", "Dovecot's part: %.3f ms" % dovecot,
        "≤ 0.3 ms", "%.3f ms (%s)" % (sum(each.values()), ", ".join(
            "%s %.3f" % pair for pair in each.items() if pair[1] > 0))))


# --- one new mail ------------------------------------------------------------

def part(samples, share):
    return sorted(samples)[min(len(samples) - 1, int(len(samples) * share))]


def one_mail(site, courier, number):
    """Seconds from a Ping's answer to the end of the Sync with the mail."""
    courier.ping_start()
    time.sleep(SETTLE_S)
    deliver_lmtp(site.dovecot.lmtp_port, courier.phone.user,
                 message("mail %d" % number))
    courier.ping_wait()
    since = time.monotonic()
    courier.sync()
    took = time.monotonic() - since
    if len(courier.take_added()) != 1:
        raise AssertionError("the new mail is not in the Sync")
    return took


def one_fetch(site, client, user, number, uid):
    """Seconds for a client that has the mailbox open."""
    deliver_lmtp(site.dovecot.lmtp_port, user, message("mail %d" % number))
    time.sleep(SETTLE_S)
    since = time.monotonic()
    client.command("NOOP")
    octets = client.command(FETCH.replace("1:*", "%d" % uid))
    took = time.monotonic() - since
    if b"Subject: mail %d\r\n" % number not in octets:
        raise AssertionError("the floor has not fetched the mail")
    return took


def one_mail_row(table, site, user, other_user, count, times):
    courier = Courier(site.new_phone(user).set_up(), window=512)
    courier.sync_all(count)
    client = ImapClient(site.dovecot, other_user)
    client.command("SELECT INBOX")
    syncs, floors = [], []
    for number in range(1, times + 6):
        syncs.append(one_mail(site, courier, number))
        floors.append(one_fetch(site, client, other_user, number,
                                count + number))
    syncs, floors = syncs[5:], floors[5:]   # the first ones log in, and so on
    client.close()
    courier.close()
    table.append((
        "Ping answered → Sync with the new mail answered, TLS; maildir with "
        "%d mails" % count,
        "NOOP and FETCH: p50 %.2f ms, p99 %.2f ms" % (
            part(floors, .5) * 1000, part(floors, .99) * 1000),
        "p50 ≤ 5 ms", "p50 %.2f ms; p99 %.2f ms (%d mails)" % (
            part(syncs, .5) * 1000, part(syncs, .99) * 1000, times)))


def rows(table, quick):
    count, times, mails = (300, 2, 10) if quick else (2000, 9, 200)
    boxes = ((USER, OTHER_USER, count), (SMALL_USER, SMALL_OTHER_USER, SMALL))
    site = Site()
    try:
        for user, other, filled in boxes:
            site.fill(user, filled)
            site.fill(other, filled)
        site.start()
        first_sync_rows(table, site, count, times)
        for user, other, filled in boxes:
            one_mail_row(table, site, user, other, filled, mails)
    finally:
        site.stop()


# --- folders -----------------------------------------------------------------

def make_folders(site, count):
    owner = site.dovecot.owner
    for number in range(count):
        for name in ("cur", "new", "tmp"):
            site.folder.make(
                "home", USER, "Maildir", ".Folder %04d" % number, name,
                owner=(owner.pw_uid, owner.pw_gid))
        os.chown(site.folder("home", USER, "Maildir", ".Folder %04d" % number),
                 owner.pw_uid, owner.pw_gid)


def folder_sync(site, count):
    """Seconds for the whole hierarchy, for a new device."""
    phone = site.new_phone()
    phone.provision()
    body = wbxml.encode(("FolderHierarchy:FolderSync", ("SyncKey", "0")))
    since = time.monotonic()
    response = phone.raw("FolderSync", body)
    took = time.monotonic() - since
    root = phone.check_answer("FolderSync", response)
    if len(wbxml.find_all(root, "Changes/Add")) < count:
        raise AssertionError("folders are missing")
    return took


def list_folders(client, count):
    since = time.monotonic()
    octets = client.command('LIST "" "*"')
    took = time.monotonic() - since
    if octets.count(b"* LIST ") < count:
        raise AssertionError("the floor has not listed all")
    return took


def folder_rows(table, quick):
    count, times = (100, 2) if quick else (2000, 9)
    site = Site()
    try:
        site.fill(USER, 1)
        make_folders(site, count)
        site.start()
        client = ImapClient(site.dovecot, USER)
        floors, syncs = [], []
        for _ in range(times):
            floors.append(list_folders(client, count))
            syncs.append(folder_sync(site, count))
        client.close()
    finally:
        site.stop()
    table.append((
        "FolderSync of %d folders, a new device, TLS" % count,
        "LIST: %s; the first %s" % (milliseconds(statistics.median(floors)),
                                    milliseconds(floors[0])), "≤ 100 ms",
        "%s (median of %d; the first %s)" % (
            milliseconds(statistics.median(syncs)), times,
            milliseconds(syncs[0]))))


# --- the stored state --------------------------------------------------------

def remove_some(site, count, holes):
    """So that every hole is one of its own."""
    box = site.folder("home", USER, "Maildir", "cur")
    for name in sorted(os.listdir(box))[::count // holes][:holes]:
        os.unlink(os.path.join(box, name))


def state_rows(table, quick, state_size):
    """What the store has of a device, read when nobody writes any more."""
    count, holes = (500, 10) if quick else (10000, 200)
    site = Site()
    try:
        site.fill(USER, count)
        remove_some(site, count, holes)
        site.start()
        phone = site.new_phone().set_up()
        courier = Courier(phone, window=512)
        courier.sync_all(count - holes)
        courier.close()
        site.belfry.stop()
        done = subprocess.run(
            [state_size, site.folder("belfry", "state", "store"),
             "%s@example.org" % USER, phone.device_id],
            check=True, text=True, stdout=subprocess.PIPE)
    finally:
        site.stop()
    sizes = {key: int(size) for key, size in
             (line.split() for line in done.stdout.splitlines())}
    table.append((
        "stored state of a device with %d mails and %d holes"
        % (count - holes, holes), "", "≤ 2 kB",
        "%d B (all records of the device: %d B)" % (
            max(sizes[key] for key in sizes if key.startswith("sync/")),
            sum(sizes.values()))))
