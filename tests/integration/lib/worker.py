# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker of belfry-imap by itself: the test is its daemon."""

import array
import fcntl
import mmap
import os
import select
import socket
import struct

from lib.belfry import need_built
from lib.proto import Schema

SCHEMA = Schema("lib/ipc/role.proto", "lib/ipc/connector.proto",
                "connectors/imap/worker.proto")
CONNECTOR = "belfry.connector."
STATUS = SCHEMA.enums[CONNECTOR + "Status"]
ROLE = SCHEMA.enums[CONNECTOR + "Role"]
FLAG = SCHEMA.enums[CONNECTOR + "Flag"]
BODY = SCHEMA.enums[CONNECTOR + "BodyType"]
OUTCOME = SCHEMA.enums["belfry.worker.Outcome"]


class WorkerGone(AssertionError):
    """The worker ended in the middle."""


class Worker:
    """settings: as the daemon gets them. log: path for standard error."""

    def __init__(self, settings, log, program=None):
        program = program or need_built("belfry-imap")
        self.socket, theirs = socket.socketpair()
        settings_fd = os.memfd_create("settings")
        os.write(settings_fd, "".join(
            "%s=%s\n" % pair for pair in settings.items()).encode())
        board_fd = os.memfd_create("board")
        os.ftruncate(board_fd, 4096)
        self.board_map = mmap.mmap(board_fd, 4096)
        log_fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        # out of the way of 3, 4 and 5 first
        fds = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 50) for fd in
               (log_fd, theirs.fileno(), settings_fd, board_fd)]
        self.pid = os.posix_spawn(
            program, [program, "--worker"], os.environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, fd, target)
                          for fd, target in zip(fds, (2, 3, 4, 5))])
        theirs.close()
        for fd in fds + [settings_fd, board_fd, log_fd]:
            os.close(fd)
        self.buffer, self.fds, self.last_id = b"", [], 0
        self.login = None

    def board(self):
        """validity, item, phase"""
        return struct.unpack("=QQI", self.board_map[:20])

    def close(self):
        """Ends it as the daemon does; it must end well."""
        self.socket.close()
        status = self._wait()
        self.board_map.close()
        if status:
            raise AssertionError("the worker ended with %d" % status)

    def _wait(self):
        if self.pid:
            _, status = os.waitpid(self.pid, 0)
            self.pid = None
            self.status = os.waitstatus_to_exitcode(status)
        return self.status

    def _frame(self, timeout_s):
        while True:
            if len(self.buffer) >= 5:
                length, = struct.unpack(">I", self.buffer[:4])
                if len(self.buffer) >= 4 + length:
                    flags = self.buffer[4]
                    body = self.buffer[5:4 + length]
                    self.buffer = self.buffer[4 + length:]
                    return body, self.fds.pop(0) if flags & 1 else None
            if not select.select([self.socket], [], [], timeout_s)[0]:
                raise AssertionError("the worker says nothing")
            data, ancillary, _, _ = self.socket.recvmsg(
                1 << 18, socket.CMSG_SPACE(64))
            if not data:
                raise WorkerGone("status %d" % self._wait())
            for _, _, packed in ancillary:
                fds = array.array("i")
                fds.frombytes(packed)
                self.fds += fds
            self.buffer += data

    def send(self, **request):
        frame = SCHEMA.encode("belfry.worker.WorkerRequest", request)
        self.socket.sendall(struct.pack(">IB", len(frame) + 1, 0) + frame)

    def ask(self, user, password, timeout_s=30, key=None, authorize_as="",
            quarantined=(), careful=False, submitted=False, canonical="",
            doubted=(), **body):
        """All responses to one request; a descriptor's bytes take the place
        of the body's data."""
        self.last_id += 1
        self.send(id=self.last_id,
                  session_key=key or (user + authorize_as).encode(),
                  user=user, password=password.encode(), timeout_s=timeout_s,
                  authorize_as=authorize_as, quarantined=quarantined,
                  careful=careful, submitted=submitted, canonical=canonical,
                  doubted=doubted,
                  request=dict(id=1000 + self.last_id, **body))
        responses, self.login = [], OUTCOME["NONE"]
        while True:
            frame, fd = self._frame(timeout_s)
            answer = SCHEMA.decode("belfry.worker.WorkerResponse", frame)
            assert answer["id"] == self.last_id, answer["id"]
            response = SCHEMA.decode(CONNECTOR + "Response", answer["response"])
            assert response["id"] == 1000 + self.last_id, response
            self.login = answer["login"] or self.login
            if fd is not None and "part" in response:
                response["part"]["data"] = os.pread(fd, 1 << 28, 0)
                os.close(fd)
            elif fd is not None:
                body = response["fetched"]["item"]["body"]
                assert body["in_descriptor"]
                body["data"] = os.pread(fd, 1 << 28, 0)
                os.close(fd)
            responses.append(response)
            if answer["last"]:
                return responses

    def one(self, user, password, **request):
        responses = self.ask(user, password, **request)
        assert len(responses) == 1, len(responses)
        return responses[0]

