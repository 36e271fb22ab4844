"""The deployment log of the checklist, filled in."""

import getpass
import os
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from ainp import __version__
from ainp.core.checkup import Line, Result

_COMMITS = ("COMMIT_SHA", "GIT_COMMIT", "SOURCE_COMMIT", "RAILWAY_GIT_COMMIT_SHA")
_GIT_S = 5.0
_MARKS = {Result.PASS: "x", Result.WARN: "x", Result.FAIL: " ", Result.SKIP: "-"}
# The template's lines, each with the lines of the doctor that it stands for; none: not for a deployment to tell.
TEMPLATE: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "Pre-deployment checks": {
        "Types checked (TypeScript compilation passed)": (),
        "Linter passed": (),
        "Migrations ready (017-021)": ("migrations-ready",),
        "Environment variables configured": ("settings", "quorum", "sample-secrets"),
    },
    "Deployment": {
        "Migrations applied successfully": ("migrations",),
        "Server started successfully": ("health", "ready"),
        "Cron jobs scheduled": ("finalizer", "aggregator"),
        "Health check passed": ("health",),
    },
    "Post-deployment verification": {
        "Receipt creation tested": ("settlement", "receipt"),
        "Attestation submission tested": ("attestation",),
        "Automatic finalization tested": ("finalized",),
        "Reputation updates tested": ("reputation-moved",),
        "Committee selection tested": ("committee",),
    },
}
_BY_CHECK = "a release is made after `make check` and `make test`"


def recorded(lines: Sequence[Line], *, environment: str, now: datetime | None = None) -> str:
    """The whole log as text."""
    by_name = {line.name: line for line in lines}
    at = datetime.now(UTC) if now is None else now
    said = [
        f"Date: {at:%Y-%m-%d %H:%M:%S} UTC",
        f"Deployed by: {_user()}",
        f"Environment: {environment}",
        f"Commit SHA: {_commit()}",
    ]
    for title, entries in TEMPLATE.items():
        said += ["", f"{title}:", *(_entry(text, names, by_name) for text, names in entries.items())]
    wrong = [line for line in lines if line.result in (Result.FAIL, Result.WARN)]
    said += ["", "Issues encountered:", *([f"{one.result.value}: {one.says}: {one.why}" for one in wrong] or ["none"])]
    said += ["", "Resolution:", *([f"{one.name}: {one.fix}" for one in wrong] or ["none needed"])]
    return "\n".join([*said, "", "Sign-off: ______________", ""])


def _entry(text: str, names: Sequence[str], by_name: Mapping[str, Line]) -> str:
    found = [by_name[name] for name in names if name in by_name]
    if not names:
        return f"[-] {text}: {_BY_CHECK}"
    if len(found) < len(names) and not any(line.result is Result.FAIL for line in found):
        return f"[-] {text}: not looked at"
    order = (Result.FAIL, Result.SKIP, Result.WARN, Result.PASS)
    worst = min(found, key=lambda line: order.index(line.result))
    return f"[{_MARKS[worst.result]}] {text}: {worst.why}"


def _user() -> str:
    """Who runs this; in a container nobody may have a name for it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"


def _commit() -> str:
    """What is deployed: as the platform says, or the working tree, or the release."""
    for name in _COMMITS:
        if value := os.environ.get(name):
            return value
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"],  # noqa: S607 - whichever git there is
            check=True,
            capture_output=True,
            text=True,
            timeout=_GIT_S,
        )
        return done.stdout.strip()
    return f"release {__version__}"
