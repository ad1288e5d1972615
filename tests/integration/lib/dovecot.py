# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Dovecot 2.3 in a temporary folder: IMAP, IMAPS, LMTP, LDA."""

import base64
import imaplib
import os
import pwd
import socket
import ssl
import struct
import time

from lib.process import (Process, free_port, need_program, need_root,
                         port_answers, run)
from lib.recipes import recipe

MASTER_USER, MASTER_PASSWORD = "belfry-master", "master secret"
# What 2.3.19 announces after login, for masking single capabilities.
CAPABILITIES = """IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE SORT
    SORT=DISPLAY THREAD=REFERENCES THREAD=REFS THREAD=ORDEREDSUBJECT
    MULTIAPPEND URL-PARTIAL CATENATE UNSELECT CHILDREN NAMESPACE UIDPLUS
    LIST-EXTENDED I18NLEVEL=1 CONDSTORE QRESYNC ESEARCH ESORT SEARCHRES WITHIN
    CONTEXT=SEARCH LIST-STATUS BINARY MOVE SNIPPET=FUZZY PREVIEW=FUZZY PREVIEW
    STATUS=SIZE SAVEDATE LITERAL+ NOTIFY SPECIAL-USE""".split()
LUA_SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                          "../../../mda-hook/dovecot/belfry.lua")

_CONFIG = """
base_dir = {dir}/run
state_dir = {dir}/state
log_path = {dir}/dovecot.log
auth_verbose = yes
login_log_format_elements = user=<%u> method=%m rip=%r mpid=%e %c
protocols = imap lmtp
listen = 127.0.0.1
instance_name = {dir}
login_greeting = ready
# a test mailbox need not survive a power cut
mail_fsync = never
mail_location = maildir:~/Maildir
mail_max_userip_connections = 5000
auth_mechanisms = plain login
auth_master_user_separator = *
auth_failure_delay = {failure_delay_s} s
auth_cache_size = 0
disable_plaintext_auth = no
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{key}
ssl_client_ca_file = {ca}
postmaster_address = postmaster@localhost
hostname = localhost
lda_mailbox_autocreate = yes
recipient_delimiter = +
{capability}
{hibernate}
passdb {{
  driver = passwd-file
  master = yes
  args = scheme=plain {dir}/masters
  # the user must exist: look it up in the ordinary passdb as well
  pass = yes
}}
passdb {{
  driver = passwd-file
  args = scheme=plain username_format=%n {dir}/users
}}
userdb {{
  driver = passwd-file
  args = username_format=%n {dir}/users
}}
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Drafts {{
    special_use = \\Drafts
    auto = subscribe
  }}
  mailbox Sent {{
    special_use = \\Sent
    auto = subscribe
  }}
  mailbox Trash {{
    special_use = \\Trash
    auto = subscribe
  }}
}}
service auth {{
  unix_listener auth-userdb {{
    mode = 0666
  }}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
service imap-login {{
  inet_listener imap {{
    port = {imap_port}
  }}
  inet_listener imaps {{
    port = {imaps_port}
    ssl = yes
  }}
  # one process for all logins: starts faster, and no per-process limit
  service_count = 0
  process_min_avail = 1
  client_limit = 5000
}}
service imap {{
  process_limit = 5000
  unix_listener imap-master {{
    user = dovecot
  }}
}}
service imap-hibernate {{
  client_limit = 5000
  unix_listener imap-hibernate {{
    mode = 0666
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    port = {lmtp_port}
  }}
  unix_listener lmtp {{
    mode = 0666
  }}
}}
{lua}
{extra}
"""


def lua_script(folder, socket_path):
    """The shipped script, told of another socket than /run/belfry/..."""
    with open(LUA_SCRIPT, encoding="utf-8") as file:
        text = file.read()
    changed = text.replace("/run/belfry/hook.sock", socket_path)
    if changed == text:
        raise AssertionError("belfry.lua names its socket otherwise")
    return folder.write("belfry.lua", changed)


def mail_account():
    """The unprivileged account that owns the test mailboxes.

    It needs a name, because pipe(8) of Postfix takes no numeric user."""
    return pwd.getpwnam("nobody")


class Dovecot:
    """Users alice, bob and u0001... (password: see password_of).

    hibernate_s: seconds until an idle session hibernates, None = never.
    lua: path of a push_notification Lua script for LMTP, LDA and IMAP.
    mask: capabilities that are not announced ("NOTIFY", "CONDSTORE").
    certificate: (certificate, key) instead of the right one.
    extra: text appended to the configuration."""

    def __init__(self, folder, certificates, users=5, hibernate_s=None,
                 lua=None, mask=(), certificate=None, failure_delay_s=0,
                 extra=""):
        need_root()
        self.program = need_program("dovecot")
        self.lda = need_program("/usr/lib/dovecot/dovecot-lda")
        need_program("/usr/lib/dovecot/imap")
        need_program("/usr/lib/dovecot/lmtp")
        self.folder = folder
        self.certificates = certificates
        self.certificate = certificate or certificates.good
        self.hibernate_s, self.lua, self.mask = hibernate_s, lua, tuple(mask)
        self.failure_delay_s, self.extra = failure_delay_s, extra
        self.owner = mail_account()
        self.home_root = folder.make(
            "home", owner=(self.owner.pw_uid, self.owner.pw_gid))
        folder.make("run")
        folder.make("state")
        # delivery agents write it as the user whom they deliver to
        folder.write("dovecot.log", "", mode=0o666)
        self.imap_port, self.imaps_port = free_port(), free_port()
        self.lmtp_port = free_port()
        self.lmtp_socket = folder("run", "lmtp")
        self.config = folder("dovecot.conf")
        self.accounts, self.users_version = {}, 0
        self.process = None
        for user in ["alice", "bob"] + ["u%04d" % (i + 1)
                                        for i in range(users)]:
            self.accounts[user] = dict(password=user + " secret",
                                       uid=self.owner.pw_uid,
                                       gid=self.owner.pw_gid,
                                       home=os.path.join(self.home_root, user))
        self._write_users()
        folder.write("masters", "%s:%s\n" % (MASTER_USER, MASTER_PASSWORD),
                     mode=0o640, owner=(0, pwd.getpwnam("dovecot").pw_gid))
        self.write_config()

    def _write_users(self):
        lines = ["%s:%s:%d:%d::%s::%s\n" % (
            user, a["password"], a["uid"], a["gid"], a["home"],
            "nologin" if a.get("disabled") else "")
            for user, a in self.accounts.items()]
        path = self.folder.write("users.new", "".join(lines), mode=0o640,
                                 owner=(0, pwd.getpwnam("dovecot").pw_gid))
        # auth reads the file anew when its mtime differs by whole seconds, and
        # looks for that once a second
        self.users_version += 1
        os.utime(path, (self.users_version, self.users_version))
        os.replace(path, self.folder("users"))
        if self.process:
            time.sleep(1.1)

    def write_config(self):
        """Write the configuration; the server reads it at start."""
        lua = recipe("dovecot-lua", {"/usr/share/belfry/belfry.lua": self.lua}
                     ) if self.lua else ""
        announced = [c for c in CAPABILITIES if c not in self.mask]
        self.folder.write("dovecot.conf", _CONFIG.format(
            dir=self.folder.path, failure_delay_s=self.failure_delay_s,
            certificate=self.certificate[0], key=self.certificate[1],
            ca=self.certificates.ca,
            capability="imap_capability = " + " ".join(announced)
            if self.mask else "",
            hibernate="imap_hibernate_timeout = %d s" % self.hibernate_s
            if self.hibernate_s is not None else "",
            imap_port=self.imap_port, imaps_port=self.imaps_port,
            lmtp_port=self.lmtp_port, lua=lua, extra=self.extra))

    def start(self):
        self.process = Process([self.program, "-F", "-c", self.config],
                               self.folder("dovecot.out"))
        self.process.wait_ready(
            lambda: port_answers(self.imap_port)
            and port_answers(self.lmtp_port), "Dovecot")
        return self

    def stop(self):
        if self.process:
            self.process.stop()
            self.process = None

    def restart(self):
        self.stop()
        self.start()

    def log(self):
        return self.folder.read("dovecot.log")

    # accounts

    def password_of(self, user):
        return self.accounts[user]["password"]

    def set_password(self, user, password):
        self.accounts[user]["password"] = password
        self._write_users()

    def disable(self, user):
        """From now on this user cannot log in."""
        self.accounts[user]["disabled"] = True
        self._write_users()

    def add_user(self, user, uid, gid, home):
        self.accounts[user] = dict(password=user + " secret", uid=uid,
                                   gid=gid, home=home)
        self._write_users()

    # access

    def penalized(self):
        """{address: how often it failed}, which it waits longer for."""
        done = run([need_program("doveadm"), "-c", self.config, "penalty"])
        rows = [line.split() for line in done.stdout.splitlines()[1:]]
        return {row[0]: int(row[1]) for row in rows}

    def imap(self, user, tls=False, master=False, timeout_s=30):
        """A logged-in imaplib connection."""
        if tls:
            context = ssl.create_default_context(cafile=self.certificates.ca)
            client = imaplib.IMAP4_SSL("localhost", self.imaps_port,
                                       ssl_context=context, timeout=timeout_s)
        else:
            client = imaplib.IMAP4("127.0.0.1", self.imap_port, timeout_s)
        if master:
            client.login("%s*%s" % (user, MASTER_USER), MASTER_PASSWORD)
        else:
            client.login(user, self.password_of(user))
        return client

    def subjects(self, user, mailbox="INBOX"):
        """Subjects in uid order, as another mail client sees them."""
        client = self.imap(user)
        try:
            status, data = client.select('"%s"' % mailbox, readonly=True)
            if status != "OK":
                raise AssertionError("SELECT %s: %s" % (mailbox, data))
            if int(data[0]) == 0:
                return []
            _, data = client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
            return [part[1].decode().partition(":")[2].strip()
                    for part in data if isinstance(part, tuple)]
        finally:
            client.logout()

    def deliver_lda(self, user, message, mailbox=None, wrapper=()):
        """Run dovecot-lda as the mail account, as an MTA would; wrapper: a
        program with its arguments to put before it. The CompletedProcess."""
        argv = list(wrapper) + self.lda_command(user)
        if mailbox:
            argv += ["-m", mailbox]
        return run(argv, input=message.as_string(), check=False,
                   account=(self.accounts[user]["uid"],
                            self.accounts[user]["gid"]),
                   env={"PATH": os.environ.get("PATH", ""),
                        "HOME": self.accounts[user]["home"], "USER": user})

    def lda_command(self, user):
        return [self.lda, "-c", self.config, "-d", user]

    def append(self, user, message, mailbox="INBOX", flags=None):
        """Store by IMAP APPEND, as another client of the user would."""
        client = self.imap(user)
        try:
            status, data = client.append('"%s"' % mailbox, flags or "",
                                         imaplib.Time2Internaldate(time.time()),
                                         message.as_bytes())
            if status != "OK":
                raise AssertionError("APPEND: %s" % data)
        finally:
            client.logout()


class ImapLines:
    """IMAP by hand, for what imaplib has not: IDLE, NOTIFY, untagged lines."""

    def __init__(self, dovecot, user, timeout_s=30, authzid_by_master=False):
        self.socket = socket.create_connection(
            ("127.0.0.1", dovecot.imap_port), timeout_s)
        self.file = self.socket.makefile("rb")
        self.tag = 0
        self.line()
        if authzid_by_master:
            plain = "%s\0%s\0%s" % (user, MASTER_USER, MASTER_PASSWORD)
            self.command("AUTHENTICATE PLAIN "
                         + base64.b64encode(plain.encode()).decode())
        else:
            self.command('LOGIN %s "%s"' % (user, dovecot.password_of(user)))

    def line(self):
        line = self.file.readline()
        if not line:
            raise AssertionError("the IMAP server closed the connection")
        return line.decode(errors="replace").rstrip("\r\n")

    def send(self, text):
        self.socket.sendall(text.encode() + b"\r\n")

    def command(self, text, status="OK"):
        """Send a command; the untagged lines before its answer."""
        self.tag += 1
        tag = "a%d " % self.tag
        self.send(tag + text)
        lines = []
        while True:
            line = self.line()
            if line.startswith(tag):
                if not line.startswith(tag + status):
                    raise AssertionError("%s: %s" % (text, line))
                return lines
            lines.append(line)

    def start_idle(self):
        self.tag += 1
        self.send("a%d IDLE" % self.tag)
        while not self.line().startswith("+"):
            pass

    def stop_idle(self):
        self.send("DONE")
        while not self.line().startswith("a%d " % self.tag):
            pass

    def close(self):
        # reset instead of FIN: no TIME_WAIT on the server's port
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                               struct.pack("ii", 1, 0))
        self.file.close()
        self.socket.close()
