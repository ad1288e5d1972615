# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders, ports and processes of a test: made here, gone afterwards."""

import atexit
import ctypes
import functools
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

# Below the usual ip_local_port_range, so that no outgoing connection of the
# machine takes a port between its choice and the server's bind.
PORT_FIRST, PORT_LAST = 20000, 32000
POLL_S = 0.02
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)
_given = set()


def in_ci():
    return os.environ.get("CI") == "true"


def unavailable(reason):
    """What a test needs is not here: a skip locally, a failure in CI."""
    if in_ci():
        raise AssertionError(reason)
    raise unittest.SkipTest(reason)


def need_program(*candidates):
    """Path of the first program that exists."""
    for name in candidates:
        found = shutil.which(name, path=os.environ.get("PATH", "")
                             + ":/usr/sbin:/sbin")
        if found:
            return found
    return unavailable("no program %s" % " or ".join(candidates))


def _is_for_all(path):
    return all(os.stat(place).st_mode & 0o001
               for place in [path] + [str(p) for p in pathlib.Path(path).parents])


@functools.lru_cache(maxsize=None)
def _copies():
    folder = tempfile.mkdtemp(prefix="belfry-programs-")
    os.chmod(folder, 0o755)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def for_all_users(program):
    """The program, or a copy: where somebody's home is closed to others (as
    Debian makes it, and root's) servers that change user cannot run it."""
    if _is_for_all(program):
        return program
    copy = os.path.join(_copies(), os.path.basename(program))
    if not os.path.exists(copy):
        shutil.copy(program, copy)
    return copy


def need_root():
    if os.geteuid() != 0:
        unavailable("real servers change user: run as root")


def free_port():
    """A TCP port that nobody listens on now, never given out before."""
    while True:
        port = random.randint(PORT_FIRST, PORT_LAST)
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port


def wait_until(condition, what, timeout_s=20.0):
    """Poll until condition() is true and return what it returned."""
    deadline = time.monotonic() + timeout_s
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError("waited %g s for %s" % (timeout_s, what))
        time.sleep(POLL_S)


def port_answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


class Folder:
    """A temporary folder that other users may enter (servers change uid).

    BELFRY_KEEP=1 keeps it for a look afterwards."""

    def __init__(self, name):
        self.path = tempfile.mkdtemp(prefix="belfry-%s-" % name)
        os.chmod(self.path, 0o755)

    def __call__(self, *parts):
        return os.path.join(self.path, *parts)

    def make(self, *parts, mode=0o755, owner=None):
        path = self(*parts)
        os.makedirs(path, exist_ok=True)
        os.chmod(path, mode)
        if owner is not None:
            os.chown(path, *owner)
        return path

    def write(self, name, text, mode=0o644, owner=None):
        path = self(name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        if owner is not None:
            os.chown(path, *owner)
        return path

    def read(self, name):
        try:
            with open(self(name), encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def remove(self):
        if os.environ.get("BELFRY_KEEP"):
            print("# kept %s" % self.path, flush=True)
        else:
            shutil.rmtree(self.path, ignore_errors=True)


def die_with_parent():
    """For preexec_fn: a server ends with its test, however that ends."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _stat_fields(pid):
    """The fields of /proc/PID/stat after the name, or None."""
    try:
        with open("/proc/%d/stat" % pid, encoding="utf-8",
                  errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return None


def session_members(session):
    """Process ids of a session, zombies left out."""
    members = []
    for name in os.listdir("/proc"):
        fields = _stat_fields(int(name)) if name.isdigit() else None
        if fields and int(fields[3]) == session and fields[0] != "Z":
            members.append(int(name))
    return members


def kill_session(session):
    """SIGKILL whoever is left; the list of them, for they die later."""
    left = session_members(session)
    for pid in left:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    return left


def command_of(pid):
    """Its command line; "" when it has ended."""
    try:
        with open("/proc/%d/cmdline" % pid, "rb") as file:
            return file.read().replace(b"\0", b" ").decode().strip()
    except OSError:
        return ""


def children_of(pid):
    """[(pid, command line)] of the direct children of a process."""
    found = []
    for name in os.listdir("/proc"):
        fields = _stat_fields(int(name)) if name.isdigit() else None
        if fields and int(fields[1]) == pid and fields[0] != "Z":
            found.append((int(name), command_of(int(name))))
    return [pair for pair in found if pair[1]]


def tree_of(pid):
    """The process id itself and those of all below it."""
    found = [pid]
    for parent in found:
        try:
            with open("/proc/%d/task/%d/children" % (parent, parent),
                      encoding="ascii") as file:
                found += [int(word) for word in file.read().split()]
        except OSError:
            pass        # it has just ended
    return found


def memory_kb(pid, field="VmHWM"):
    """A line of proc(5)'s status, at its largest by default; None when the
    process has ended."""
    try:
        with open("/proc/%d/status" % pid, encoding="ascii") as lines:
            for line in lines:
                if line.startswith(field + ":"):
                    return int(line.split()[1])
    except OSError:
        pass
    return None


class Process:
    """A server in the foreground, leader of its own session.

    stop() ends it by pid: SIGTERM, then SIGKILL for whoever of its session is
    left. pass_fds: descriptors that it inherits, at their numbers."""

    def __init__(self, argv, log_path, env=None, cwd=None, pass_fds=()):
        self.argv, self.log_path = argv, log_path
        with open(log_path, "ab") as log:
            self.popen = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=env, cwd=cwd, start_new_session=True,
                preexec_fn=die_with_parent, pass_fds=pass_fds)
        self.pid = self.popen.pid

    def running(self):
        return self.popen.poll() is None

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def wait_ready(self, condition, what, timeout_s=30.0):
        def ready():
            if not self.running():
                raise AssertionError("%s ended with %s:\n%s" % (
                    self.argv[0], self.popen.returncode, self.log()))
            return condition()
        wait_until(ready, what, timeout_s)

    def stop(self, grace_s=10.0):
        """Returns the exit status (negative: the signal)."""
        if self.running():
            self.popen.terminate()
            try:
                self.popen.wait(grace_s)
            except subprocess.TimeoutExpired:
                self.popen.kill()
        status = self.popen.wait()
        wait_until(lambda: not kill_session(self.pid), "the end of "
                   + self.argv[0])
        return status


def run(argv, input=None, env=None, account=None, check=True, timeout_s=60):
    """Run to the end; the CompletedProcess with text output.

    account: (uid, gid) to run it as."""
    user, group = account or (None, None)
    done = subprocess.run(argv, input=input, env=env, user=user, group=group,
                          extra_groups=[] if account else None, text=True,
                          capture_output=True, timeout=timeout_s, check=False)
    if check and done.returncode != 0:
        raise AssertionError("%s: exit %d\n%s%s" % (
            " ".join(argv), done.returncode, done.stdout, done.stderr))
    return done
