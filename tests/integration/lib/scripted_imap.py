# SPDX-License-Identifier: GPL-3.0-or-later
"""An IMAP server that says what a test wants: for what no real one does."""

import re
import socket
import threading


class ScriptedImap:
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
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._try_to_serve, args=(connection,),
                             daemon=True).start()

    def _try_to_serve(self, connection):
        try:
            self._serve(connection)
        except ConnectionError:
            pass  # the client has seen enough

    def _serve(self, connection):
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
