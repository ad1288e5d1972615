# SPDX-License-Identifier: GPL-3.0-or-later
"""A strict HTTP/1.1 client on one socket, for held and for dropped requests.

http.client is too forgiving for a test, and it cannot wait for an answer
without blocking."""

import select
import socket
import ssl
import struct
import time

MAX_HEADER = 65536


class HttpError(AssertionError):
    """The server broke HTTP."""


class Response:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def header(self, name):
        """Value of a header that may come once; None where it is missing."""
        values = [v for k, v in self.headers if k.lower() == name.lower()]
        if len(values) > 1:
            raise HttpError("%s comes %d times" % (name, len(values)))
        return values[0] if values else None


def tls_context(ca=None):
    """A client context that trusts this CA file only; None: trusts all."""
    if ca is not None:
        return ssl.create_default_context(cafile=ca)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Connection:
    """tls: None for plain TCP, or an ssl.SSLContext. source: an address of
    this machine to come from."""

    def __init__(self, host, port, tls=None, timeout_s=30, source=None):
        self.name = host
        self.timeout_s = timeout_s
        self.socket = socket.create_connection(
            (host, port), timeout_s, (source, 0) if source else None)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname=host)
        self.buffer = b""
        self.ended = False

    def send(self, method, target, headers=(), body=None):
        lines = ["%s %s HTTP/1.1" % (method, target), "Host: " + self.name]
        lines += ["%s: %s" % header for header in headers]
        if body is not None:
            lines.append("Content-Length: %d" % len(body))
        head = "\r\n".join(lines) + "\r\n\r\n"
        self.socket.sendall(head.encode() + (body or b""))

    def send_raw(self, data):
        self.socket.sendall(data)

    def readable(self, within_s):
        """Whether the server says anything (or hangs up) in that time."""
        deadline = time.monotonic() + within_s
        while not self.buffer and not self.ended:
            if isinstance(self.socket, ssl.SSLSocket) \
                    and self.socket.pending():
                return True
            left = deadline - time.monotonic()
            poll = select.poll()    # select() knows 1024 descriptors
            poll.register(self.socket, select.POLLIN)
            if not poll.poll(max(left, 0) * 1000):
                return False
            # TLS records without data (tickets) are no answer
            self._fill(nonblocking=True)
        return True

    def _fill(self, nonblocking=False):
        self.socket.settimeout(0 if nonblocking else self.timeout_s)
        try:
            data = self.socket.recv(65536)
        except (ssl.SSLWantReadError, BlockingIOError):
            return
        except ConnectionResetError:
            data = b""
        self.ended = not data
        self.buffer += data

    def _until(self, mark):
        while mark not in self.buffer:
            if self.ended:
                raise HttpError("closed in the middle of %r" % self.buffer)
            if len(self.buffer) > MAX_HEADER:
                raise HttpError("%r does not end" % self.buffer[:80])
            self._fill()
        found, _, self.buffer = self.buffer.partition(mark)
        return found

    def _exactly(self, length):
        pieces, left = [], length
        while len(self.buffer) < left:
            if self.ended:
                raise HttpError("closed %d octets early"
                                % (left - len(self.buffer)))
            pieces.append(self.buffer)
            left -= len(self.buffer)
            self.buffer = b""
            self._fill()
        found, self.buffer = self.buffer[:left], self.buffer[left:]
        return b"".join(pieces + [found])

    def _chunks(self):
        body = b""
        while True:
            size = int(self._until(b"\r\n").partition(b";")[0], 16)
            body += self._exactly(size)
            if self._exactly(2) != b"\r\n":
                raise HttpError("chunk is not followed by CRLF")
            if size == 0:
                return body

    def receive(self, head_only=False):
        """Read one whole response. head_only: the answer to HEAD."""
        lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        parts = lines[0].split(" ", 2)
        if len(parts) < 2 or parts[0] != "HTTP/1.1" or len(parts[1]) != 3:
            raise HttpError("status line %r" % lines[0])
        headers = []
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon or not name or name != name.strip():
                raise HttpError("header line %r" % line)
            headers.append((name, value.strip()))
        response = Response(int(parts[1]), headers, b"")
        length = response.header("Content-Length")
        coding = response.header("Transfer-Encoding")
        if (length is None) == (coding is None):
            raise HttpError("needs Content-Length or chunked, once: %s"
                            % headers)
        if head_only:
            return response
        if coding is not None:
            if coding.lower() != "chunked":
                raise HttpError("Transfer-Encoding %s" % coding)
            response.body = self._chunks()
        else:
            response.body = self._exactly(int(length))
        if (response.header("Connection") or "").lower() == "close":
            self.close()
        return response

    def closed_by_server(self, within_s=0):
        return self.readable(within_s) and self.ended and not self.buffer

    def close(self):
        self.ended = True
        self.socket.close()

    def reset(self):
        """End at once with a TCP reset, as a phone that loses its radio."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                               struct.pack("ii", 1, 0))
        self.close()
