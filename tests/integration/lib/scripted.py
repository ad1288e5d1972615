# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that answers HTTP requests from a script, to test the phone."""

import socket
import threading
import urllib.parse

from lib import wbxml


def answer(tree=None, status="200 OK", kind="application/vnd.ms-sync.wbxml",
           headers=(("MS-Server-ActiveSync", "14.1"),), body=None):
    """A whole HTTP response around a tuple tree, or around given octets."""
    if body is None:
        body = wbxml.encode(tree) if tree is not None else b""
    lines = ["HTTP/1.1 " + status, "Content-Length: %d" % len(body)]
    if body:
        lines.append("Content-Type: " + kind)
    lines += ["%s: %s" % header for header in headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Request:
    def __init__(self, head, body):
        lines = head.decode().split("\r\n")
        self.method, self.target, _ = lines[0].split(" ")
        self.headers = dict(line.split(": ", 1) for line in lines[1:])
        self.body = body
        query = urllib.parse.urlsplit(self.target).query
        self.query = dict(urllib.parse.parse_qsl(query))

    def tree(self):
        return wbxml.decode(self.body)


class ScriptedServer:
    """script: responses as octets, or callables of the Request that return
    them; None closes the connection instead. release: an Event that an answer
    may wait for."""

    def __init__(self, context, script):
        self.context, self.script = context, list(script)
        self.requests = []
        self.release = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self):
        while True:
            try:
                plain, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(plain,),
                             daemon=True).start()

    def _serve(self, plain):
        try:
            with self.context.wrap_socket(plain, server_side=True) as peer:
                file = peer.makefile("rb")
                while self._one(peer, file):
                    pass
        except OSError:
            pass

    def _one(self, peer, file):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = file.readline()
            if not line:
                return False
            head += line
        request = Request(head[:-4], b"")
        request.body = file.read(int(request.headers.get("Content-Length", 0)))
        self.requests.append(request)
        reply = self.script.pop(0)
        if callable(reply):
            reply = reply(request)
        if reply is not None:
            peer.sendall(reply)
        return reply is not None

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.release.set()
        self.thread.join()
