# SPDX-License-Identifier: GPL-3.0-or-later
"""This machine's own Debian, booted once more by its service manager in a
container: the same files under a layer that is forgotten, the same network."""

import os
import shutil

from lib.process import Process, children_of, need_program, run, wait_until

# The mounts are in a namespace of their own and go with its last process.
BOOT = """set -e
mount -t tmpfs none "$1"
mkdir "$1/upper" "$1/work" "$1/root"
cp -a "$2/." "$1/upper"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
exec systemd-nspawn -q -D "$1/root" --register=no --keep-unit --machine="$3" \\
    -b systemd.unit=basic.target
"""


def numbers_of(pid):
    """What a process is called in each namespace, the outer one first."""
    try:
        with open("/proc/%s/status" % pid, encoding="utf-8") as file:
            return [line for line in file
                    if line.startswith("NSpid:")][0].split()[1:]
    except OSError:
        return []


class Container:
    """layer: a folder whose files are put over the machine's own."""

    def __init__(self, folder, layer):
        for program in ("systemd-nspawn", "nsenter", "unshare"):
            need_program(program)
        self.folder, self.layer = folder, layer
        self.process = self.init = None

    def start(self):
        self.process = Process(
            ["unshare", "-m", "--propagation", "private", "sh", "-c", BOOT,
             "sh", self.folder.make("container"), self.layer,
             "belfry-%d" % os.getpid()], self.folder("container.log"))
        self.process.wait_ready(self.find_init, "init")
        wait_until(lambda: self.run("systemctl", "is-active", "basic.target",
                                    check=False).returncode == 0, "the boot")
        return self

    def find_init(self):
        self.init = next((pid for pid, _ in children_of(self.process.pid)
                          if numbers_of(pid)[1:] == ["1"]), None)
        return self.init

    def stop(self):
        if self.process is not None:
            self.process.stop()
            self.process = None
        shutil.rmtree(self.folder("container"), ignore_errors=True)

    def run(self, *argv, **arguments):
        return run(["nsenter", "-t", str(self.init), "-a", *argv], **arguments)

    def journal(self, unit):
        return self.run("journalctl", "--no-pager", "-o", "cat", "-u",
                        unit).stdout
