# SPDX-License-Identifier: GPL-3.0-or-later
"""A ManageSieve server that says what a test wants: for what no real one
does."""

import re

from lib.listener import Listener

CAPABILITIES = ('"IMPLEMENTATION" "scripted"\n'
                '"SIEVE" "vacation envelope include date relational"\n'
                '"SASL" "PLAIN"\n')
READY = CAPABILITIES + 'OK "ready"\n'
LITERAL = re.compile(rb"\{(\d+)\+\}\r\n$")


class ScriptedSieve(Listener):
    """answers: (regular expression of a command, answer) in the order of
    trial, before the usual ones. An answer is text whose newlines become
    CRLF, or octets; None closes the connection.
    context: an ssl.SSLContext for STARTTLS, or from the first byte (direct).
    commands: what was said, literals included."""

    def __init__(self, answers=(), greeting=READY, context=None,
                 direct=False, after_tls=READY):
        self.answers = list(answers) + [
            ("CAPABILITY", READY), ("LISTSCRIPTS", "OK\n")]
        self.greeting, self.context, self.direct = greeting, context, direct
        self.after_tls = after_tls
        self.commands = []
        super().__init__()

    def said(self, word):
        """The commands that begin so."""
        return [c for c in self.commands if c.startswith(word)]

    def serve(self, connection):
        lines = connection.makefile("rb")
        connection.sendall(_wire(self.greeting))
        while command := self._command(lines):
            self.commands.append(command)
            answer = next((answer for pattern, answer in self.answers
                           if re.match(pattern, command)), "OK\n")
            if answer is None:
                connection.close()
                return
            connection.sendall(_wire(answer))
            if command == "STARTTLS" and _wire(answer).startswith(b"OK"):
                connection = self.encrypted(connection)
                lines = connection.makefile("rb")
                connection.sendall(_wire(self.after_tls))

    @staticmethod
    def _command(lines):
        octets = b""
        while True:
            line = lines.readline()
            if not line.endswith(b"\n"):
                return None
            octets += line
            literal = LITERAL.search(line)
            if not literal:
                return octets.decode("utf-8", "replace").rstrip("\r\n")
            octets += lines.read(int(literal[1]))


def _wire(answer):
    if isinstance(answer, bytes):
        return answer
    return answer.replace("\n", "\r\n").encode()
