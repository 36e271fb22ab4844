"""What a process costs, as the system counts it."""

import os
import resource
import sys
import time
from contextlib import suppress
from pathlib import Path

from ainp.telemetry.counting import process_name
from ainp.telemetry.metrics import PROCESS_CPU, PROCESS_MEMORY, PROCESS_START

_STARTED = time.time()


def measure_process() -> None:
    """Write down what this process has used so far."""
    name = process_name()
    PROCESS_CPU.of(name).set(time.process_time())
    PROCESS_MEMORY.of(name).set(_resident_bytes())
    PROCESS_START.of(name).set(_STARTED)


def _resident_bytes() -> int:
    with suppress(OSError, ValueError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # without /proc, the most it ever had
    return most if sys.platform == "darwin" else most * 1024
