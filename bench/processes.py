"""What processes have cost so far, and what memory they hold; read from /proc."""

import os
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class _Stat:
    parent: int
    own_s: float
    reaped_s: float


@dataclass(frozen=True, slots=True)
class Memory:
    """In megabytes; *pss* counts a page that n processes share as 1/n."""

    rss: float
    pss: float


@dataclass(frozen=True, slots=True)
class Machine:
    """Seconds of all cores, busy and in all."""

    busy_s: float
    all_s: float


def tree(root: int, *, without: int | None = None) -> Collection[int]:
    """A process and all below it, except the process *without* and what is below that."""
    children: dict[int, list[int]] = {}
    for pid, stat in _all().items():
        children.setdefault(stat.parent, []).append(pid)
    found, open_ = [], [root]
    while open_:
        pid = open_.pop()
        if pid != without:
            found.append(pid)
            open_.extend(children.get(pid, ()))
    return found


def cpu_s(pids: Collection[int]) -> float:
    """CPU of these processes, with that of the children that ended."""
    found = 0.0
    for pid in pids:
        with suppress(OSError):  # it ended just now; its parent has the sum
            stat = _stat(pid)
            found += max(_precise(pid), stat.own_s) + stat.reaped_s
    return found


def memory(pids: Collection[int]) -> Memory:
    """What these processes hold together."""
    rss = pss = 0
    for pid in pids:
        with suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                name, _, rest = line.partition(":")
                if name == "Rss":
                    rss += int(rest.split()[0])
                elif name == "Pss":
                    pss += int(rest.split()[0])
    return Memory(rss / 1000, pss / 1000)


def machine() -> Machine:
    """All cores since the start."""
    values = [int(value) for value in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    idle = values[3] + values[4]
    return Machine((sum(values) - idle) * _TICK_S, sum(values) * _TICK_S)


def busy_cores(seconds: float) -> float:
    """How many cores are busy now."""
    before = machine()
    time.sleep(seconds)
    return (machine().busy_s - before.busy_s) / seconds


def _all() -> dict[int, _Stat]:
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with suppress(OSError):
                found[int(entry.name)] = _stat(int(entry.name))
    return found


def _stat(pid: int) -> _Stat:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    utime, stime, cutime, cstime = (int(value) * _TICK_S for value in fields[11:15])
    return _Stat(int(fields[1]), utime + stime, cutime + cstime)


def _precise(pid: int) -> float:
    """Nanoseconds of the threads that live, where the kernel keeps them."""
    found = 0
    try:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            found += int((thread / "schedstat").read_text().split()[0])
    except (OSError, IndexError):
        return 0.0
    return found / 1e9
