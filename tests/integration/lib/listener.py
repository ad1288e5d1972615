# SPDX-License-Identifier: GPL-3.0-or-later
"""What the servers that a test writes itself have in common: a port, and a
thread for each connection."""

import socket
import threading


class Listener:
    """Subclasses serve(connection). context: an ssl.SSLContext; direct: it
    begins with the first byte."""

    context, direct = None, False

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def serve(self, connection):
        raise NotImplementedError

    def encrypted(self, connection):
        return self.context.wrap_socket(connection, server_side=True)

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
            if self.direct:
                connection = self.encrypted(connection)
            self.serve(connection)
        except OSError:
            pass  # the client has seen enough
