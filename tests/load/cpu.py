# SPDX-License-Identifier: GPL-3.0-or-later
"""CPU time of processes and all below them."""

import os

from lib.process import command_of, tree_of

TICKS_A_S = os.sysconf("SC_CLK_TCK")


def cpu_s(pid):
    """User and system time, with that of the children that have ended."""
    with open("/proc/%d/stat" % pid) as file:
        fields = file.read().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / TICKS_A_S


class CpuMeter:
    """CPU time that passes between start() and stop(), summed over as many
    times as they are called, by a name for each process below the roots."""

    def __init__(self, roots, part_of):
        self.roots, self.part_of = roots, part_of
        self.before, self.used = {}, {}

    def read(self):
        found = {}
        for root in self.roots:
            for pid in tree_of(root):
                try:
                    found[pid] = (self.part_of(root, command_of(pid)), cpu_s(pid))
                except OSError:
                    pass        # it has just ended
        return found

    def start(self):
        self.before = self.read()

    def stop(self):
        for pid, (part, used) in self.read().items():
            used -= self.before.get(pid, (part, 0))[1]
            self.used[part] = self.used.get(part, 0) + used
