"""The PostgreSQL processes that work on a cluster, whoever started them."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def processes_of(cluster: Path, name: str) -> dict[int, bool]:
    """By pid, whether it leads the others. *name* is the `cluster_name` that the others have in their titles."""
    recorded = lines_of(cluster / "postmaster.pid")[:1]
    found = {}
    for pid, command in _commands():
        program, _, arguments = command.partition(" -D ")
        if program.startswith(f"postgres: {name}: "):
            found[pid] = False
        elif Path(program.split(" -", 1)[0]).name == "postgres" and (
            f"{arguments} ".startswith(f"{cluster} ") or ([str(pid)] == recorded and _works_in(pid, cluster))
        ):
            found[pid] = True
    return found


def signal_processes(cluster: Path, name: str, how: signal.Signals) -> None:
    """Ask the leading process; without one the rest has nothing left to save."""
    processes = processes_of(cluster, name)
    leaders = [pid for pid, leads in processes.items() if leads]
    if not leaders:
        how = signal.SIGKILL
    for pid in processes if how is signal.SIGKILL else leaders:
        with suppress(ProcessLookupError):
            os.kill(pid, how)


def lines_of(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text(errors="replace").splitlines()]
    except OSError:
        return []


def _works_in(pid: int, folder: Path) -> bool:
    """A server keeps its folder as working directory, also when that was moved since."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cwd").samefile(folder)
    return False


def _commands() -> Iterator[tuple[int, str]]:
    if not Path("/proc/self/cmdline").exists():
        listing = subprocess.run(["/bin/ps", "-axwwo", "pid=,command="], check=True, capture_output=True)
        for line in listing.stdout.decode(errors="replace").splitlines():
            pid, _, command = line.strip().partition(" ")
            yield int(pid), command
        return
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with suppress(OSError):  # ended meanwhile
                raw = (entry / "cmdline").read_bytes()
                yield int(entry.name), os.fsdecode(raw.replace(b"\0", b" ").rstrip())
