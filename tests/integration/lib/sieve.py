# SPDX-License-Identifier: GPL-3.0-or-later
"""Sieve in a real Dovecot: scripts as its admin sees them, and as a server on
its way is cut off from them."""

import os
import socket
import threading

from lib.listener import Listener
from lib.process import free_port, need_program, run

_CONFIG = """
protocols = imap lmtp sieve
service managesieve-login {{
  inet_listener sieve {{
    port = {port}
  }}
}}
protocol lmtp {{
  mail_plugins = $mail_plugins sieve
}}
plugin {{
  sieve = file:~/sieve;active=~/.dovecot.sieve
  {plugin}
}}
"""


def add_sieve(dovecot, plugin=""):
    """Before its start: Dovecot filters, and speaks ManageSieve.
    dovecot.sieve_port is where. plugin: further lines of that section."""
    need_program("/usr/lib/dovecot/managesieve")
    need_program("doveadm")
    dovecot.sieve_port = free_port()
    dovecot.extra += _CONFIG.format(port=dovecot.sieve_port, plugin=plugin)
    dovecot.write_config()


class Scripts:
    """A user's scripts, as his admin sees them."""

    def __init__(self, dovecot, user):
        self.dovecot, self.user = dovecot, user

    def _doveadm(self, command, *arguments, **options):
        return run([need_program("doveadm"), "-c", self.dovecot.config,
                    "sieve", command, "-u", self.user, *arguments],
                   **options).stdout

    def all(self):
        """{name: is it active}"""
        rows = self._doveadm("list").splitlines()
        return {row.removesuffix("ACTIVE").rstrip(): row.endswith(" ACTIVE")
                for row in rows}

    def active(self):
        return next((name for name, is_active in self.all().items()
                     if is_active), None)

    def put(self, name, text, activate=False):
        self._doveadm("put", *(["-a"] if activate else []), name, input=text)

    def get(self, name):
        """As it lies there."""
        path = os.path.join(self.dovecot.accounts[self.user]["home"], "sieve",
                            name + ".sieve")
        with open(path, encoding="utf-8", newline="") as file:
            return file.read()

    def delete(self, name):
        self._doveadm("delete", name)

    def activate(self, name):
        self._doveadm("activate", name)


class Cut(Listener):
    """Passes plain connections on to a server, until a client says what
    begins so: that is not passed on, and the connection ends. None: never."""

    def __init__(self, port, word=None):
        self.target, self.word, self.said = port, word, b""
        super().__init__()

    def serve(self, client):
        server = socket.create_connection(("127.0.0.1", self.target))
        threading.Thread(target=self._answers, args=(server, client),
                         daemon=True).start()
        self._commands(client, server)

    def _commands(self, client, server):
        while True:
            octets = client.recv(1 << 16)
            self.said += octets
            if not octets or (self.word and octets.startswith(self.word)):
                break
            server.sendall(octets)
        for end in (server, client):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    @staticmethod
    def _answers(server, client):
        try:
            while octets := server.recv(1 << 16):
                client.sendall(octets)
        except OSError:
            pass
