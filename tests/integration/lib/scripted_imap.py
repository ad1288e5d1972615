# SPDX-License-Identifier: GPL-3.0-or-later
"""An IMAP server that says what a test wants: for what no real one does."""

import re

from lib.listener import Listener


class ScriptedImap(Listener):
    """answers: (regular expression of a command without its tag, answer) in
    the order of trial. An answer is text with {tag} in it and CRLF line ends
    made of its newlines, or a callable(command, tag, connection) that returns
    such text; None closes the connection. What fits none gets OK."""

    CAPABILITIES = "IMAP4rev1 AUTH=PLAIN SASL-IR UIDPLUS"

    def __init__(self, answers=(), capabilities=CAPABILITIES,
                 greeting="* OK ready\n"):
        self.answers = list(answers) + [
            ("CAPABILITY", "* CAPABILITY %s\n{tag} OK done\n" % capabilities)]
        self.greeting = greeting
        self.commands = []
        super().__init__()

    def serve(self, connection):
        with connection, connection.makefile("rb") as lines:
            connection.sendall(_wire(self.greeting))
            for line in lines:
                tag, _, command = line.decode("latin-1").strip().partition(" ")
                self.commands.append(command)
                text = self._answer(command, tag, connection)
                if text is None:
                    return
                connection.sendall(_wire(text.replace("{tag}", tag)))

    def _answer(self, command, tag, connection):
        for pattern, answer in self.answers:
            if re.match(pattern, command, re.I):
                return answer(command, tag, connection) \
                    if callable(answer) else answer
        return "{tag} OK done\n"


def _wire(text):
    return text.replace("\n", "\r\n").encode("latin-1")
