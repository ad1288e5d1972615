# SPDX-License-Identifier: GPL-3.0-or-later
"""A connector daemon by itself: the test is its main, its hub and its fronts."""

import fcntl
import os
import select
import signal
import socket
import struct
import time

from lib.belfry import need_built
from lib.process import children_of, wait_until
from lib.proto import Schema

SCHEMA = Schema("lib/ipc/role.proto", "lib/ipc/connector.proto")
CONNECTOR = "belfry.connector."
STATUS = SCHEMA.enums[CONNECTOR + "Status"]
OK, REFUSED, THROTTLED = STATUS["OK"], STATUS["REFUSED"], STATUS["THROTTLED"]
UNAVAILABLE = STATUS["UNAVAILABLE"]
PATIENCE_S = 30


class Daemon:
    """settings: as main hands them over. ASan's leak check needs to look at
    the process, which forbids that: it is off."""

    def __init__(self, folder, settings, program="belfry-imap", name="daemon"):
        self.path, self.log_path = folder(name + ".sock"), folder(name + ".log")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.path)
        listener.listen(100)
        settings_fd = os.memfd_create("settings")
        os.write(settings_fd, "".join(
            "%s=%s\n" % pair for pair in settings.items()).encode())
        log_fd = os.open(self.log_path,
                         os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        # out of the way of 3 and 4 first
        fds = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 50) for fd in
               (log_fd, listener.fileno(), settings_fd)]
        path = need_built(program)
        environment = dict(os.environ, ASAN_OPTIONS="detect_leaks=0")
        self.pid = os.posix_spawn(
            path, [path], environment,
            file_actions=[(os.POSIX_SPAWN_DUP2, fd, target)
                          for fd, target in zip(fds, (2, 3, 4))])
        listener.close()
        for fd in fds + [settings_fd, log_fd]:
            os.close(fd)

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def workers(self):
        return [pid for pid, line in children_of(self.pid)
                if "--worker" in line]

    def stop(self):
        """Ends it as main does; it must end well. Returns what it logged."""
        if self.pid is None:
            return self.log()
        os.kill(self.pid, signal.SIGTERM)
        _, status = os.waitpid(self.pid, 0)
        self.pid = None
        status = os.waitstatus_to_exitcode(status)
        log = self.log()
        if status or "ERROR: AddressSanitizer" in log or "runtime error" in log:
            raise AssertionError("the daemon ended with %d\n%s" % (status, log))
        return log


class Asker:
    """One connection to the daemon, as a front or the hub."""

    def __init__(self, daemon, role="front"):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(daemon.path)
        self.buffer, self.last_id = b"", 0
        self.answers, self.told = {}, []
        self.handle = b""
        self.send(id=0, hello=dict(role=role, number=1))

    def close(self):
        self.socket.close()

    def send(self, **request):
        frame = SCHEMA.encode(CONNECTOR + "Request", request)
        self.socket.sendall(struct.pack(">IB", len(frame) + 1, 0) + frame)

    def _read(self, timeout_s):
        """What comes within that time goes to answers and told; False: nothing
        came."""
        if not select.select([self.socket], [], [], max(timeout_s, 0))[0]:
            return False
        data, ancillary, _, _ = self.socket.recvmsg(1 << 18,
                                                    socket.CMSG_SPACE(64))
        if not data:
            raise AssertionError("the daemon closed the connection")
        for _, _, packed in ancillary:
            for (fd,) in struct.iter_unpack("i", packed):
                os.close(fd)
        self.buffer += data
        while len(self.buffer) >= 5:
            length, = struct.unpack(">I", self.buffer[:4])
            if len(self.buffer) < 4 + length:
                break
            response = SCHEMA.decode(CONNECTOR + "Response",
                                     self.buffer[5:4 + length])
            self.buffer = self.buffer[4 + length:]
            if response["id"]:
                self.answers.setdefault(response["id"], []).append(response)
            elif "positions" in response:   # and not how the backend is
                self.told.append((time.monotonic(), response["positions"]))
        return True

    def start(self, with_handle=False, **body):
        """Sends a request and does not wait; its id."""
        self.last_id += 1
        if with_handle:
            body["handle"] = self.handle
        self.send(id=self.last_id, **body)
        return self.last_id

    def wait(self, number, timeout_s=PATIENCE_S):
        """All answers to that request."""
        deadline = time.monotonic() + timeout_s
        while not _is_whole(self.answers.get(number)):
            left = deadline - time.monotonic()
            if left <= 0 or (not self._read(left)
                             and time.monotonic() > deadline):
                raise AssertionError("no answer to request %d" % number)
        return self.answers.pop(number)

    def ask(self, with_handle=False, timeout_s=PATIENCE_S, **body):
        return self.wait(self.start(with_handle, **body), timeout_s)[0]

    def login(self, user, password, device="phone", address="192.0.2.1"):
        answer = self.ask(login=dict(user=user, password=password,
                                     device=device, address=address))
        if answer["status"] == OK:
            self.handle = answer["logged_in"]["handle"]
        return answer

    def watch(self, user, collections, hooked=False):
        return self.ask(watch=dict(user=user, collections=collections,
                                   hooked=hooked, handle=self.handle))

    def check(self, user, collections, timeout_s=PATIENCE_S):
        return self.ask(timeout_s=timeout_s,
                        check=dict(user=user, collections=collections,
                                   handle=self.handle))

    def positions(self, user, collections):
        """{collection: (validity, next, token)} by Check."""
        answer = self.check(user, collections)
        if answer["status"]:
            raise AssertionError(answer)
        return position_map(answer["positions"])

    def next_told(self, timeout_s=PATIENCE_S):
        """The next Positions that come unasked."""
        deadline = time.monotonic() + timeout_s
        while not self.told:
            left = deadline - time.monotonic()
            if left <= 0 or (not self._read(left)
                             and time.monotonic() > deadline):
                raise AssertionError("nothing was told")
        return self.told.pop(0)[1]

    def told_until(self, condition, timeout_s=PATIENCE_S):
        """Reads what is told until one fulfils the condition."""
        deadline = time.monotonic() + timeout_s
        while True:
            positions = self.next_told(deadline - time.monotonic())
            if condition(positions):
                return positions

    def quiet(self, seconds):
        """What is told within that time."""
        deadline = time.monotonic() + seconds
        while self._read(deadline - time.monotonic()):
            pass
        told, self.told = self.told, []
        return [positions for _, positions in told]


def position_map(positions):
    return {p["collection"]: tuple(p["position"][k] for k in
                                   ("validity", "next", "token"))
            if "position" in p else p["status"]
            for p in positions["positions"]}


def _is_whole(answers):
    return bool(answers) and ("fetched" not in answers[-1]
                              or bool(answers[-1]["fetched"]["last"]))


def wait_for_workers(daemon, count):
    return wait_until(lambda: len(daemon.workers()) == count
                      and daemon.workers(), "%d workers" % count)
