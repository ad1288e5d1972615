# SPDX-License-Identifier: GPL-3.0-or-later
"""From a delivered mail to the phone's answer, with a real Dovecot: the Lua
driver within LMTP, and belfry-hook around a delivery agent, whose hint knows
no uid, so that the hub asks belfry-imap first. Each beside a floor: the same
delivery by the same way, but to a server that decides nothing."""

import os
import smtplib
import socket
import subprocess
import time

from lib.belfry import Belfry, need_built
from lib.certificates import Certificates
from lib.dovecot import Dovecot, lua_script
from lib.http_raw import tls_context
from lib.mail import message
from lib.phone import INBOX
from lib.process import Folder

USER = "u0001"
HEARTBEAT_S = 3000
SETTLE_S = 0.02         # from a Ping's sending until the bell may ring
ANSWER_MAX = 65536


class Way:
    """One way of delivery: a Dovecot, and who is told."""

    def __init__(self, folder, certificates, hook, lua):
        self.hook = hook
        self.dovecot = Dovecot(folder, certificates, users=1,
                               lua=lua_script(folder, hook) if lua else None)
        self.dovecot.start()
        self.lua, self.count, self.lmtp = lua, 0, None

    def stop(self):
        if self.lmtp is not None:
            self.lmtp.close()
        self.dovecot.stop()

    def deliver(self, user):
        """The mail is stored, and the moment when its sender knew."""
        if self.lmtp is None:
            self.lmtp = smtplib.LMTP("127.0.0.1", self.dovecot.lmtp_port,
                                     local_hostname="bench.example")
        self.count += 1
        self.lmtp.sendmail("a@bench.example", [user],
                           message("mail %d" % self.count).as_bytes())
        return time.monotonic_ns()

    def deliver_wrapped(self, user):
        """belfry-hook around a program that ends when the mail is stored."""
        agent = subprocess.Popen(
            [need_built("belfry-hook"), "-s", self.hook, user, "--", "cat"],
            stdin=subprocess.PIPE)
        self.deliver(user)
        ended = time.monotonic_ns()
        agent.stdin.close()
        return ended, agent

    def ring(self, user, answer):
        """Nanoseconds from the delivery to the answer read."""
        if self.lua:
            told = self.deliver(user)
            answer()
            return time.monotonic_ns() - told
        told, agent = self.deliver_wrapped(user)
        answer()
        took = time.monotonic_ns() - told
        agent.wait(10)
        return took


class Bells:
    """A phone at a Belfry."""

    def __init__(self, certificates, lua):
        self.folder = Folder("bench")
        self.way = Way(self.folder, certificates,
                       self.folder("belfry", "run", "hook.sock"), lua)
        self.belfry = Belfry(self.folder, self.way.dovecot, certificates,
                             hook="yes").start()
        self.phone = self.belfry.phone(USER).set_up()
        self.inbox = self.phone.folder(INBOX)
        self.phone.sync_all(self.inbox)

    def ring(self):
        held = self.phone.ping_start(HEARTBEAT_S)
        time.sleep(SETTLE_S)
        took = self.way.ring(USER, lambda: self.phone.ping_wait(held))
        added = len(self.phone.sync_all(self.inbox).added)
        if added != 1:
            raise AssertionError("%d mails instead of one" % added)
        return took

    def stop(self):
        self.belfry.stop()
        self.way.stop()
        self.folder.remove()


class FloorBells:
    """The same phone's request at the floor server."""

    def __init__(self, certificates, lua, start_floor):
        self.folder = Folder("floor")
        self.floor = start_floor(self.folder, certificates.good)
        os.chmod(self.floor.hook, 0o666)    # LMTP runs as the user
        self.way = Way(self.folder, certificates, self.floor.hook, lua)
        self.tls = tls_context(certificates.ca)
        self.stream = None

    def ring(self):
        if self.stream is None:
            self.stream = self.tls.wrap_socket(
                socket.create_connection(("127.0.0.1", self.floor.port), 30),
                server_hostname="localhost")
        self.stream.sendall(
            b"POST /?User=%s HTTP/1.1\r\nHost: localhost\r\n\r\n"
            % USER.encode())
        time.sleep(SETTLE_S)
        return self.way.ring("%s@example.org" % USER,
                             lambda: self.stream.recv(ANSWER_MAX))

    def stop(self):
        if self.stream is not None:
            self.stream.close()
        self.way.stop()
        self.floor.stop()
        self.folder.remove()


def measure(lua, count, start_floor):
    """(bells, floor) in ascending microseconds; the two take turns."""
    folder = Folder("bench-pem")
    certificates = Certificates(folder)
    bells = Bells(certificates, lua)
    floor = FloorBells(certificates, lua, start_floor)
    took = {bells: [], floor: []}
    try:
        for number in range(count + 5):
            for side, samples in took.items():
                sample = side.ring() / 1000
                if number >= 5:         # the first ones log in, and so on
                    samples.append(sample)
    finally:
        for each in (bells, floor, folder):
            each.remove() if each is folder else each.stop()
    return sorted(took[bells]), sorted(took[floor])
