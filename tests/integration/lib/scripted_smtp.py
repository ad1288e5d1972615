# SPDX-License-Identifier: GPL-3.0-or-later
"""A submission server that says what a test wants, and pauses where it wants:
for what no real one does."""

import re

from lib.listener import Listener

EHLO = ("250-mx.example.org\n250-PIPELINING\n250-SIZE 50000000\n"
        "250-AUTH PLAIN LOGIN\n250-8BITMIME\n250 SMTPUTF8\n")


class ScriptedSmtp(Listener):
    """answers: (regular expression of a command, answer) in the order of
    trial, before the usual ones. An answer is text whose newlines become
    CRLF, or a callable(command) that returns such text; None closes the
    connection. "." is the end of a mail.
    context: an ssl.SSLContext for STARTTLS, or from the first byte (direct).
    mails: octets of each that was answered with 250, dots undone."""

    def __init__(self, answers=(), greeting="220 ready\n", context=None,
                 direct=False, ehlo=EHLO):
        usual = [("EHLO", ehlo), ("AUTH", "235 welcome\n"),
                 ("DATA", "354 go on\n"), ("STARTTLS", "220 go on\n"),
                 ("QUIT", "221 bye\n")]
        self.answers = list(answers) + usual
        self.greeting, self.context, self.direct = greeting, context, direct
        self.commands, self.mails = [], []
        super().__init__()

    def said(self, word):
        """The commands that begin so."""
        return [c for c in self.commands if c.startswith(word)]

    def serve(self, connection):
        lines = connection.makefile("rb")
        connection.sendall(_wire(self.greeting))
        while True:
            line = lines.readline()
            if not line.endswith(b"\n"):
                return
            command = line.decode("utf-8", "replace").rstrip("\r\n")
            self.commands.append(command)
            text = self._answer(command)
            if text is None:
                connection.close()
                return
            connection.sendall(_wire(text))
            if command == "DATA" and text.startswith("354"):
                if not self._take_mail(connection, lines):
                    return
            if command == "STARTTLS" and text == "220 go on\n":
                connection = self.encrypted(connection)
                lines = connection.makefile("rb")

    def _take_mail(self, connection, lines):
        mail = []
        while True:
            line = lines.readline()
            if not line.endswith(b"\n"):
                return False
            if line == b".\r\n":
                break
            mail.append(line[1:] if line.startswith(b".") else line)
        text = self._answer(".")
        if text is None:
            connection.close()
            return False
        if text.startswith("250"):
            self.mails.append(b"".join(mail))
        connection.sendall(_wire(text))
        return True

    def _answer(self, command):
        for pattern, answer in self.answers:
            if re.match(pattern, command, re.I):
                return answer(command) if callable(answer) else answer
        return "250 done\n"


def _wire(text):
    return text.replace("\n", "\r\n").encode()
