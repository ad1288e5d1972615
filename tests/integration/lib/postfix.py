# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Postfix in a temporary folder, with a queue of its own.

Mail for example.org goes to virtual users by the chosen transport, mail for
local.example to system users by local(8) and its mailbox_command."""

import pwd
import re
import smtplib
import time

from lib.process import (POLL_S, Process, free_port, need_program, need_root,
                         port_answers, run)

DOMAIN = "example.org"
LOCAL_DOMAIN = "local.example"

_MAIN = """
compatibility_level = 3.6
queue_directory = {dir}/queue
data_directory = {dir}/postfix-data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {dir}/postfix.log
maillog_file_prefixes = {dir}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.example.org
mydestination = {local_domain}
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
alias_maps =
alias_database =
biff = no
recipient_delimiter = +
virtual_mailbox_domains = {domain}
virtual_mailbox_maps = static:any
{transport}
{main}
# a deferred mail is tried again soon enough for a test
minimal_backoff_time = 2s
maximal_backoff_time = 4s
queue_run_delay = 2s
"""

_MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
{master}"""

_PIPE = """virtual_transport = belfrypipe
belfrypipe_destination_recipient_limit = 1"""
_PIPE_MASTER = """belfrypipe unix - n n - - pipe
  flags=DRhu user=nobody argv=%s
"""

# Where users hand in mail: TLS first, then their password, which Dovecot
# checks. Some recipients are refused, for tests.
_SUBMISSION = """
127.0.0.1:{port} inet n - n - - smtpd
  -o syslog_name=submission
  -o smtpd_tls_security_level=encrypt
  -o smtpd_tls_cert_file={certificate}
  -o smtpd_tls_key_file={key}
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_sasl_type=dovecot
  -o smtpd_sasl_path={sasl}
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
  -o {{ smtpd_recipient_restrictions = check_recipient_access regexp:{dir}/recipients, permit_sasl_authenticated, reject }}
"""
_RECIPIENTS = """
/^refused@/ 550 5.1.1 there is nobody of this name
/^later@/   450 4.2.1 come again later
"""


class SystemUser:
    """A local account for one test run: local(8) delivers only to those."""

    def __init__(self, folder):
        need_root()
        # the process id, so that two runs on one machine do not meet
        self.name = "belfrytest%d" % (time.monotonic_ns() % 1000000)
        self.home = folder("home", self.name)
        run([need_program("useradd"), "--create-home", "--home-dir",
             self.home, "--shell", "/bin/sh", self.name])
        entry = pwd.getpwnam(self.name)
        self.uid, self.gid = entry.pw_uid, entry.pw_gid

    def remove(self):
        run([need_program("userdel"), self.name], check=False)


class Postfix:
    """pipe: argv (a list, Postfix macros allowed) of the pipe(8) transport.
    transport: what virtual_transport is to be instead
    ("lmtp:unix:/path", "lmtp:inet:127.0.0.1:24").
    mailbox_command: a command line for system users.
    main, master: lines of main.cf and master.cf, which may have all that.
    submission: (certificate, key, Dovecot's auth socket) for a port where
    users hand in mail."""

    def __init__(self, folder, pipe=None, transport=None, mailbox_command=None,
                 main="", master="", submission=None):
        need_root()
        self.postfix = need_program("postfix")
        self.postqueue = need_program("postqueue")
        self.master = need_program("/usr/lib/postfix/sbin/master")
        self.folder = folder
        self.port = free_port()
        self.ports = [self.port]
        self.config = folder.make("postfix")
        folder.make("queue")
        owner = pwd.getpwnam("postfix")
        folder.make("postfix-data", owner=(owner.pw_uid, owner.pw_gid))
        folder.write("postfix/main.cf", _MAIN.format(
            dir=folder.path, domain=DOMAIN, local_domain=LOCAL_DOMAIN,
            transport=_PIPE if pipe else "virtual_transport = " + transport
            if transport else "",
            main=("mailbox_command = %s\n" % mailbox_command
                  if mailbox_command else "") + main))
        if submission:
            self.submission_port = free_port()
            self.ports.append(self.submission_port)
            folder.write("recipients", _RECIPIENTS, mode=0o644)
            master += _SUBMISSION.format(
                port=self.submission_port, dir=folder.path,
                certificate=submission[0], key=submission[1],
                sasl=submission[2])
        folder.write("postfix/master.cf", _MASTER.format(
            port=self.port, master=master + (_PIPE_MASTER % " ".join(pipe)
                                             if pipe else "")))
        self.process = None

    def start(self):
        # makes the queue folders with the right owners
        run([self.postfix, "-c", self.config, "check"])
        self.process = Process([self.master, "-c", self.config, "-d"],
                               self.folder("postfix.out"))
        self.process.wait_ready(
            lambda: all(port_answers(port) for port in self.ports), "Postfix")
        return self

    def stop(self):
        if self.process:
            self.process.stop()
            self.process = None

    def log(self):
        return self.folder.read("postfix.log")

    def send(self, recipients, message, sender="sender@elsewhere.example"):
        """Hand a message in by SMTP; its queue id.

        recipients: one or a list; without a domain they are virtual users."""
        if isinstance(recipients, str):
            recipients = [recipients]
        addresses = [r if "@" in r else "%s@%s" % (r, DOMAIN)
                     for r in recipients]
        with smtplib.SMTP("127.0.0.1", self.port, timeout=30) as client:
            client.ehlo("test.example")
            client.mail(sender)
            for address in addresses:
                code, answer = client.rcpt(address)
                if code != 250:
                    raise AssertionError("RCPT %s: %s" % (address, answer))
            code, answer = client.data(message.as_bytes())
        match = re.search(rb"queued as (\w+)", answer)
        if code != 250 or not match:
            raise AssertionError("DATA: %d %s" % (code, answer))
        return match.group(1).decode()

    def results(self, queue_id):
        """[(recipient, status)] that the log has for a queue id so far."""
        return re.findall(r"%s: to=<([^>]*)>.* status=(\w+)" % queue_id,
                          self.log())

    def wait_results(self, queue_id, count=1, timeout_s=20):
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            results = self.results(queue_id)
            if len(results) >= count:
                return results
            time.sleep(POLL_S)
        raise AssertionError("no delivery result for %s:\n%s"
                             % (queue_id, self.log()))
