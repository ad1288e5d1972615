# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway under test: configuration, start, stop, kill of single roles."""

import json
import os
import re
import signal

from lib.dovecot import MASTER_PASSWORD, MASTER_USER
from lib.http_raw import tls_context
from lib.phone import Phone
from lib.postfix import DOMAIN
from lib.process import (Process, children_of, for_all_users, free_port, need_root,
                         port_answers, run, unavailable, wait_until)

# The roles' own users: numbers that no account of a machine has.
USER_FRONT, USER_HUB, USER_CONNECTOR = 61001, 61002, 61003
SANITIZER = re.compile(r"AddressSanitizer|LeakSanitizer|runtime error:")


def build_folder():
    return os.environ.get("builddir") or os.getcwd()


def need_built(name):
    """Path of one of our programs in the build folder."""
    for place in ("", "gateway", "connectors", "mda-hook", "tools",
                  "connectors/" + name.rpartition("-")[2]):
        path = os.path.join(build_folder(), place, name)
        if os.access(path, os.X_OK) and os.path.isfile(path):
            return for_all_users(os.path.abspath(path))
    return unavailable("%s is not built in %s" % (name, build_folder()))


def configuration(folder, port, certificate, connector, sections="", **top):
    """The text of belfry.conf. connector: lines of its section; top: further
    values on the top level, as text that libconfuse reads."""
    values = {
        "listen": '{"127.0.0.1:%d"}' % port,
        "certificate": '"%s"' % certificate[0],
        "key": '"%s"' % certificate[1],
        "state_dir": '"%s"' % folder("belfry", "state"),
        "run_dir": '"%s"' % folder("belfry", "run"),
        "user_front": '"#%d"' % USER_FRONT,
        "user_hub": '"#%d"' % USER_HUB,
        "user_connector": '"#%d"' % USER_CONNECTOR,
        "default_domain": '"%s"' % DOMAIN,
    }
    values.update(top)
    lines = ["%s = %s" % pair for pair in values.items()]
    lines.append('connector "main" {')
    lines += ["    %s = %s" % pair for pair in connector.items()]
    return "\n".join(lines + ["}", sections, ""])


class Belfry:
    """single: belfryd -s, all roles in one process.
    watch_as: "master", "session" or "none"; hook: "auto", "yes" or "no".
    connector: further values of its section, as libconfuse text.
    hook_users: who may tell of everybody's mail; hook_section: all of that
    section instead.
    sections: text appended to the configuration; top: values on top."""

    def __init__(self, folder, dovecot, certificates, single=False,
                 watch_as="master", hook="auto", connector=None,
                 hook_users=("root", "nobody"), hook_section=None, sections="",
                 **top):
        need_root()
        self.folder, self.dovecot = folder, dovecot
        self.certificates, self.single = certificates, single
        self.program = need_built("belfryd")
        self.hook_program = need_built("belfry-hook")
        self.port = free_port()
        folder.make("belfry")
        folder.make("belfry", "state")
        folder.make("belfry", "run")
        values = {
            "program": '"%s"' % need_built("belfry-imap"),
            "host": '"localhost"',
            "port": str(dovecot.imap_port),
            "tls": '"starttls"',
            "ca_file": '"%s"' % certificates.ca,
            "watch_as": '"%s"' % watch_as,
            "hook": '"%s"' % hook,
        }
        if watch_as == "master":
            values["master_user"] = '"%s"' % MASTER_USER
            values["master_password_file"] = '"%s"' % folder.write(
                "master.password", MASTER_PASSWORD + "\n", mode=0o600)
        values.update(connector or {})
        if hook_section is None:
            hook_section = "hook {\n    trusted_users = {%s}\n}\n" % ", ".join(
                '"%s"' % user for user in hook_users)
        self.config = folder.write("belfry.conf", configuration(
            folder, self.port, certificates.good, values,
            hook_section + sections, **top), mode=0o600)
        self.hook_socket = folder("belfry", "run", "hook.sock")
        self.control_socket = folder("belfry", "run", "control.sock")
        self.process = None
        self.phones = []

    def start(self):
        argv = [self.program] + (["-s"] if self.single else []) \
            + ["-c", self.config]
        self.process = Process(argv, self.folder("belfry.log"))
        self.process.wait_ready(
            lambda: os.path.exists(self.control_socket)
            and port_answers(self.port), "belfryd")
        return self

    def stop(self):
        """Stop, and raise when a sanitizer or an assertion spoke."""
        self.close_phones()
        if self.process is None:
            return
        status = self.process.stop()
        self.process = None
        log = self.log()
        if status not in (0, -signal.SIGTERM) or SANITIZER.search(log):
            raise AssertionError("belfryd ended with %s:\n%s" % (status, log))

    def log(self):
        return self.folder.read("belfry.log")

    # roles

    def roles(self):
        """[(pid, command line)] of the running roles and connectors."""
        return children_of(self.process.pid)

    def role_pids(self, word):
        """Process ids of roles whose command line has this word."""
        return [pid for pid, line in self.roles() if word in line]

    def kill_role(self, word):
        """kill -9 of the first such role; returns when another runs."""
        before = self.role_pids(word)
        if not before:
            raise AssertionError("no role %s among %s" % (word, self.roles()))
        os.kill(before[0], signal.SIGKILL)
        wait_until(lambda: len(self.role_pids(word)) == len(before)
                   and before[0] not in self.role_pids(word),
                   "another " + word)

    def control(self, *arguments, check=True):
        """What belfryctl prints."""
        return run([need_built("belfryctl"), "-s", self.control_socket,
                    *arguments], check=check).stdout

    def sources(self):
        """What the hub counts of each source of news, as a dict of dicts."""
        answer = json.loads(self.control("--json", "status"))
        return {row["name"]: row for row in answer["sources"]}

    def counters(self):
        answer = json.loads(self.control("--json", "status"))
        return {row["name"]: row["value"] for row in answer["counters"]}

    # the delivery path

    def hook_command(self, user, *wrapped):
        """belfry-hook for a user (a name or an MTA's macro), alone or around
        the delivery command."""
        argv = [self.hook_program, "-s", self.hook_socket, user]
        return argv + (["--"] + list(wrapped) if wrapped else [])

    # phones

    def close_phones(self):
        """Their kept connections: each would take a place in the front."""
        for phone in self.phones:
            phone.close()
        self.phones = []

    def phone(self, user="alice", kind=Phone, **arguments):
        """A Phone (kind: a class of them) of this user that trusts the test
        CA."""
        phone = kind("localhost", self.port, user,
                     self.dovecot.password_of(user),
                     tls=tls_context(self.certificates.ca), **arguments)
        self.phones.append(phone)
        return phone
