"""The figures beside what limits them and what they are meant to be."""

import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.measure import Figure

_BUSY_CLIENT = 0.7  # of a core
_ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Known:
    """What another implementation does on two cores, its client's CPU included, and what this one is to do."""

    rate: float | None = None
    cpu: float | None = None
    p50: float | None = None
    target_rate: float | None = None
    target_cpu: float | None = None
    target_p50: float | None = None
    target_p99: float | None = None


KNOWN: Mapping[tuple[str, int], Known] = {
    ("flow", 16): Known(rate=90, cpu=18, target_rate=540, target_cpu=3),
    ("settle", 16): Known(rate=170, cpu=10, p50=100, target_cpu=1.1),
    ("settle", 64): Known(rate=170, cpu=10, p50=345, target_cpu=1.1),
    ("receipt", 16): Known(rate=3800, cpu=0.41, target_cpu=0.25),
    ("attest-extra", 16): Known(rate=2770, cpu=0.57, target_cpu=0.5),
    ("attest-verdict", 16): Known(rate=2770, cpu=0.57, target_cpu=0.5),
    ("attest-quorum", 16): Known(),
    ("intent", 64): Known(rate=449, cpu=2.5, p50=138, target_rate=1796),
    ("intent-delivered", 8): Known(target_p50=5, target_p99=25),
    ("finalize", 1): Known(rate=1757, target_rate=5000),
    ("single-row-commit", 16): Known(rate=24_000),
}
# Requests and commits of one operation, which is what the machine's limits are multiplied by.
_PARTS = {"flow": (4, 4), "receipt": (1, 0), "health": (1, 0)}


def limit_of(figure: Figure, figures: Sequence[Figure]) -> float | None:
    """The least CPU that the operation could cost here: its requests empty, its commits of a single row."""
    found = {each.name: each for each in figures}
    if "empty-request" not in found or "single-row-commit" not in found or figure.name in ("finalize", "judge"):
        return None
    requests, commits = _PARTS.get(figure.name, (1, 1))
    return requests * found["empty-request"].broker + commits * found["single-row-commit"].postgres


def header(settings: Mapping[str, str], idle_cores: float) -> Mapping[str, str]:
    """What the figures depend on."""
    return {
        "cpu": _cpu_model(),
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
        "revision": _revision(),
        "load": " ".join(f"{load:.2f}" for load in os.getloadavg()),
        "busy before": f"{idle_cores:.2f} cores",
        **settings,
    }


def show(console: Console, head: Mapping[str, str], figures: Sequence[Figure], facts: Mapping[str, float]) -> None:
    """Print everything."""
    for name, value in head.items():
        console.print(f"{name:>12}: {value}", highlight=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("operation", "conns", "n", "ops/s", "(known)", "p50", "p95", "p99"):
        table.add_column(name, justify="left" if name == "operation" else "right")
    for name in ("broker", "postgres", "CPU ms", "target", "x limit", "client", "others"):
        table.add_column(name, justify="right")
    for figure in figures:
        table.add_row(*_row(figure, figures))
    console.print(table)
    for name, fact in facts.items():
        console.print(f"{name:>50}: {fact:.2f}", highlight=False)


def as_json(head: Mapping[str, str], figures: Sequence[Figure], facts: Mapping[str, float]) -> Mapping[str, object]:
    """The same for programs."""
    return {"header": head, "figures": [_with_derived(each, figures) for each in figures], "facts": facts}


def _with_derived(figure: Figure, figures: Sequence[Figure]) -> Mapping[str, object]:
    known = KNOWN.get((figure.name, figure.connections), Known())
    return {
        **asdict(figure),
        "rate": figure.rate,
        "cpu": figure.cpu,
        "limit_cpu": limit_of(figure, figures),
        "known": asdict(known),
    }


def _row(figure: Figure, figures: Sequence[Figure]) -> Sequence[str]:
    known = KNOWN.get((figure.name, figure.connections), Known())
    limit = limit_of(figure, figures)
    targets = [
        *([f"<{known.target_cpu:g} ms"] if known.target_cpu is not None else []),
        *([f">{known.target_rate:g}/s"] if known.target_rate is not None else []),
        *([f"p50 <{known.target_p50:g} ms"] if known.target_p50 is not None else []),
        *([f"p99 <{known.target_p99:g} ms"] if known.target_p99 is not None else []),
    ]
    return (
        figure.name,
        str(figure.connections),
        str(figure.count),
        f"{figure.rate:,.0f}",
        "" if known.rate is None else f"{known.rate:,.0f}",
        *(f"{ms:.1f}" if figure.connections > 1 else "" for ms in (figure.p50, figure.p95, figure.p99)),
        f"{figure.broker:.3f}",
        f"{figure.postgres:.3f}",
        f"[bold]{figure.cpu:.3f}[/]",
        _judged(figure, known, " ".join(targets)),
        "" if not limit else f"{figure.cpu / limit:.1f}",
        f"[red]{figure.client:.3f}[/]" if _client_bound(figure) else f"{figure.client:.3f}",
        f"[red]{figure.others:.2f}[/]" if figure.others > 0.1 else f"{figure.others:.2f}",  # noqa: PLR2004 - a tenth of a core
    )


def _client_bound(figure: Figure) -> bool:
    """Whether a client process was busy most of the time, so that it may have been the limit."""
    return figure.client * figure.rate > 1000 * _BUSY_CLIENT


def _judged(figure: Figure, known: Known, text: str) -> str:
    met = (known.target_cpu is None or figure.cpu < known.target_cpu) and (
        known.target_rate is None or figure.rate > known.target_rate
    )
    met = met and figure.p50 < (known.target_p50 or inf) and figure.p99 < (known.target_p99 or inf)
    return f"[green]{text}[/]" if met else f"[red]{text}[/]"


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _revision() -> str:
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty"],  # noqa: S607 - whichever git there is
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip() or "unknown"
