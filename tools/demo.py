#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job, shown: a mail is delivered and the phone that waits rings.

Everything runs on loopback, in a temporary folder, with the programs of
$builddir, and is gone afterwards. ./quickstart builds them and calls this."""

import argparse
import contextlib
import os
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
from lib.phone import INBOX  # noqa: E402
from lib.process import Folder  # noqa: E402
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
    dovecot = Dovecot(folder, certificates)
    stack.callback(dovecot.stop)
    dovecot.start()
    step("Dovecot runs, as on a mail server that you have already: IMAP on "
         "port %d" % dovecot.imap_port, begun)
    begun = time.monotonic()
    top = {} if listen is None else {"listen": '{"%s"}' % listen}
    belfry = Belfry(folder, dovecot, certificates, **top)
    if listen is not None:
        belfry.port = int(listen.rpartition(":")[2])
    stack.callback(belfry.stop)
    belfry.start()
    step("Belfry runs: HTTPS on port %d, its store in %s"
         % (belfry.port, folder("belfry", "state")), begun)
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


def own_address():
    """The address that others in this network reach this machine by."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent
            return probe.getsockname()[0]
        except OSError:
            return "127.0.0.1"


def keep(folder, dovecot, belfry, listen):
    print("It goes on running in %s until you press Ctrl-C.\n" % folder.path)
    print("  deliver another mail:  %s -- %s < mail.eml" % (
        " ".join(belfry.hook_command("alice")),
        " ".join(dovecot.lda_command("alice"))))
    print("  see who waits:         %s -s %s held"
          % (need_built("belfryctl"), belfry.control_socket))
    print("  the log:               %s\n" % folder("belfry.log"))
    if listen is None:
        print("A real phone reaches it when you start it so, in a network that "
              "you trust:\n  ./quickstart --keep --listen 0.0.0.0:8443\n")
    else:
        print("On the phone add an account of the kind Exchange (ActiveSync):\n"
              "  e-mail    alice@example.org\n"
              "  server    %s, port %d, with TLS; accept its certificate\n"
              "            (or install %s)\n"
              "  domain    leave it empty\n"
              "  user      alice\n"
              "  password  %s\n" % (
                  own_address(), belfry.port, dovecot.certificates.ca,
                  dovecot.password_of("alice")))
    sys.stdout.flush()
    signal.pause()


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--keep", action="store_true",
                         help="leave it running, and say how to connect")
    options.add_argument("--listen", metavar="HOST:PORT",
                         help="for phones, instead of a free port on loopback")
    chosen = options.parse_args()
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
