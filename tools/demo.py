#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job, shown: a mail is delivered and the phone that waits rings.

Everything runs on loopback, in a temporary folder, with the programs of
$builddir, and is gone afterwards. ./quickstart builds them and calls this."""

import argparse
import contextlib
import os
import shlex
import signal
import socket
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "integration"))
sys.dont_write_bytecode = True

from lib.belfry import Belfry, need_built  # noqa: E402
from lib.certificates import Certificates  # noqa: E402
from lib.dovecot import Dovecot  # noqa: E402
from lib.mail import message  # noqa: E402
from lib.phone import INBOX, PATH  # noqa: E402
from lib.process import Folder, free_port  # noqa: E402
from lib import schema, wbxml  # noqa: E402

BODY = """The bells ring when something arrives.

This mail went through belfry-hook and dovecot-lda. The hub heard of it,
woke the request that the phone held open, and the phone fetched it.
"""
HEARTBEAT_S = 900
START = time.monotonic()


def step(text, since=None):
    """One line: seconds since the start, what was done, how long it took."""
    took = "" if since is None else "  (%.0f ms)" % (
        (time.monotonic() - since) * 1000)
    print("%6.2f s  %s%s" % (time.monotonic() - START, text, took), flush=True)


def start(stack, folder, listen):
    begun = time.monotonic()
    certificates = Certificates(folder)
    step("made a certificate for localhost", begun)
    begun = time.monotonic()
    # all phones come through Belfry: who guesses slows down himself alone
    dovecot = Dovecot(folder, certificates,
                      extra="login_trusted_networks = 127.0.0.1 ::1")
    stack.callback(dovecot.stop)
    dovecot.start()
    step("Dovecot runs, as on a mail server that you have already: IMAP on "
         "port %d" % dovecot.imap_port, begun)
    begun = time.monotonic()
    # the demo's own phone comes by loopback, wherever others come
    port = free_port()
    addresses = ["127.0.0.1:%d" % port] + ([str(listen)] if listen else [])
    belfry = Belfry(folder, dovecot, certificates, listen="{%s}" % ", ".join(
        '"%s"' % address for address in addresses))
    belfry.port = port
    stack.callback(belfry.stop)
    belfry.start()
    step("Belfry runs: HTTPS at %s, its store in %s"
         % (" and ".join(addresses), folder("belfry", "state")), begun)
    return dovecot, belfry


def ring(dovecot, belfry):
    begun = time.monotonic()
    phone = belfry.phone("alice").set_up()
    inbox = phone.folder(INBOX)
    box = phone.sync_all(inbox)
    step("a phone signs in over TLS, accepts the policy, finds %d folders and "
         "%d mails" % (len(phone.folders), len(box.items)), begun)
    held = phone.ping_start(HEARTBEAT_S)
    if held.answered(0.5):
        raise SystemExit("the Ping was not held:\n" + belfry.log())
    step("it holds a Ping for %d minutes: nothing is sent, nobody polls"
         % (HEARTBEAT_S // 60))
    begun = time.monotonic()
    done = dovecot.deliver_lda(
        "alice", message("Ding dong", body=BODY),
        wrapper=belfry.hook_command("alice") + ["--"])
    delivered = time.monotonic()
    if done.returncode != 0:
        raise SystemExit("the delivery failed: %s" % done)
    step("a mail is delivered by:  belfry-hook alice -- dovecot-lda -d alice",
         begun)
    status, folders, _ = phone.ping_wait(held)
    answered = time.monotonic()
    step("the Ping is answered: status %s (changes in %s), %.1f ms after the "
         "delivery" % (status, phone.folders[folders[0]][1],
                       (answered - delivered) * 1000))
    begun = time.monotonic()
    box = phone.sync_all(inbox)
    step("the phone synchronises and shows:", begun)
    for item in box.added:
        print()
        for name in ("From", "To", "Subject"):
            print("      %s: %s" % (name, box.value(item, "Email:" + name)))
        print()
        body = box.items[item].get(wbxml.q("AirSyncBase:Body"))
        text = "" if body is None else \
            body.findtext(wbxml.q("AirSyncBase:Data"), "")
        for line in text.splitlines():
            print("      " + line)
        print()
    if not box.added:
        raise SystemExit("no mail came:\n" + belfry.log())


class Listen:
    """PORT, HOST:PORT or [HOST]:PORT, for phones; PORT: of all addresses."""

    def __init__(self, text):
        host, colon, port = text.rpartition(":")
        host = host[1:-1] if host[:1] == "[" and host[-1:] == "]" else host
        if not port.isdigit() or not 0 < int(port) < 65536 \
                or (colon and not host):
            raise argparse.ArgumentTypeError(
                "%r is none of PORT, HOST:PORT and [HOST]:PORT" % text)
        self.host, self.port = host or "0.0.0.0", int(port)
        self.family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        try:
            socket.inet_pton(self.family, self.host)
        except OSError:
            raise argparse.ArgumentTypeError(
                "%r: HOST must be a numeric address of this machine; 0.0.0.0 "
                "stands for all" % text) from None

    def __str__(self):
        host = "[%s]" % self.host if ":" in self.host else self.host
        return "%s:%d" % (host, self.port)

    def check(self):
        """Ends with a word of advice when it cannot be had."""
        with socket.socket(self.family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.host, self.port))
            except OSError as error:
                raise SystemExit("quickstart: cannot listen on %s: %s; give "
                                 "--listen another address or port"
                                 % (self, error.strerror)) from None


def own_address():
    """An address of this machine that has a way to others."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent
            return probe.getsockname()[0]
        except OSError:
            return "127.0.0.1"


def keep(folder, dovecot, belfry, listen):
    password = dovecot.password_of("alice")
    print("It goes on running in %s until you press Ctrl-C.\n" % folder.path)
    print("  user and password:     alice, %s" % password)
    print("  ask it by hand:        curl -i --cacert %s -u %s -X OPTIONS "
          "https://localhost:%d%s" % (
              dovecot.certificates.ca, shlex.quote("alice:" + password),
              belfry.port, PATH))
    print("  deliver another mail:  printf 'Subject: Again\\n\\nHello.\\n' | "
          "%s -- %s" % (shlex.join(belfry.hook_command("alice")),
                        shlex.join(dovecot.lda_command("alice"))))
    print("  see who waits:         %s -s %s held"
          % (need_built("belfryctl"), belfry.control_socket))
    print("  the log:               %s\n" % folder("belfry.log"))
    if listen is None:
        print("A real phone reaches it when you start it so, in a network that "
              "you trust:\n  ./quickstart --keep --listen 0.0.0.0:8443\n")
    else:
        print("On the phone add an account of the kind Exchange (ActiveSync):\n"
              "  e-mail    alice@example.org\n"
              "  server    the name or address by which the phone reaches this "
              "machine\n            (perhaps %s), port %d, with TLS; accept its "
              "certificate\n            (or install %s)\n"
              "  domain    leave it empty\n"
              "  user      alice\n"
              "  password  %s\n" % (
                  own_address(), listen.port, dovecot.certificates.ca,
                  password))
    sys.stdout.flush()
    signal.pause()


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--keep", action="store_true",
                         help="leave it running, and say how to connect")
    options.add_argument("--listen", metavar="[HOST:]PORT", type=Listen,
                         help="for phones, besides a free port on loopback")
    chosen = options.parse_args()
    if chosen.listen is not None:
        chosen.listen.check()
    schema.quiet = True
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with contextlib.ExitStack() as stack, \
            contextlib.suppress(KeyboardInterrupt):
        folder = Folder("demo")
        stack.callback(folder.remove)
        dovecot, belfry = start(stack, folder, chosen.listen)
        ring(dovecot, belfry)
        if chosen.keep:
            keep(folder, dovecot, belfry, chosen.listen)
    step("everything was stopped and removed")


if __name__ == "__main__":
    main()
