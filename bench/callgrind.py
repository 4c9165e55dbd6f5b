# SPDX-License-Identifier: GPL-3.0-or-later
"""What callgrind found: instructions in all, of each function, and how often memory was asked for."""
import re

ALLOCATORS = re.compile(r"^(mi_)?(malloc|calloc|realloc|_Zn[wa]m.*|mi_new.*|operator new.*)$")


def callgrind(setup, out):
    """What to put before a command."""
    return ["env", f"LD_PRELOAD={setup.programs}small_map.so", "valgrind", "--tool=callgrind", f"--callgrind-out-file={out}"]


class Callgrind:
    """`own` and `inclusive` are by function, the latter for those that were called."""
    def __init__(self, path=None):
        self.own, self.inclusive, self.allocations = {}, {}, 0
        if path:
            with open(path) as file:
                self.read(file)

    @property
    def total(self):
        return sum(self.own.values())

    def read(self, file):
        names, current, called, is_call = {}, "", "", False

        def name_of(text):
            number, _, name = text.strip().partition(" ")
            if name:
                names[number] = name
            return names.get(number, number)

        for line in file:
            if line.startswith("fn="):
                current = name_of(line[3:])
            elif line.startswith("cfn="):
                called = name_of(line[4:])
            elif line.startswith("calls="):
                is_call = True
                if ALLOCATORS.match(called) and not ALLOCATORS.match(current):
                    self.allocations += int(line[6:].split()[0])
            elif line[:1].isdigit() or line[:1] in "+-*":
                sums, name = (self.inclusive, called) if is_call else (self.own, current)
                sums[name] = sums.get(name, 0) + int(line.split()[1])
                is_call = False

    def minus(self, other, count):
        """What one of `count` knocks adds."""
        one = Callgrind()
        for name in ("own", "inclusive"):
            mine, others = getattr(self, name), getattr(other, name)
            setattr(one, name, {key: (value - others.get(key, 0)) / count for key, value in mine.items()})
        one.allocations = (self.allocations - other.allocations) / count
        return one
