"""
What a doctor looks at: facts of a deployment, and lines that say what is right, what is not, why, and what to do.

The rules are functions from facts to lines: `checkup_setup` before it runs, `checkup_running` while it does.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Result(StrEnum):
    """How a line came out."""

    PASS = "pass"
    WARN = "warn"  # it works, and an operator should know
    FAIL = "fail"
    SKIP = "skip"  # it could not be looked at, or there is nothing to look at


class Part(StrEnum):
    """What is looked at together, in this order."""

    BEFORE = "before"
    AFTER = "after"
    CANARY = "canary"
    SECURITY = "security"
    MONITORING = "monitoring"
    ALERTS = "alerts"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the checklist; *why* has what was found, *fix* what to do where it is not right."""

    part: Part
    name: str
    says: str
    result: Result
    why: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class About:
    """A line before it is looked at."""

    part: Part
    name: str
    says: str

    def right(self, why: str) -> Line:
        """It holds."""
        return Line(self.part, self.name, self.says, Result.PASS, why)

    def doubtful(self, why: str, fix: str) -> Line:
        """It holds, but."""
        return Line(self.part, self.name, self.says, Result.WARN, why, fix)

    def wrong(self, why: str, fix: str) -> Line:
        """It does not hold."""
        return Line(self.part, self.name, self.says, Result.FAIL, why, fix)

    def unknown(self, why: str) -> Line:
        """Nobody can tell here, or there is nothing to tell."""
        return Line(self.part, self.name, self.says, Result.SKIP, why)

    def must(self, holds: bool, why: str, fix: str) -> Line:  # noqa: FBT001 - the question itself
        """It holds, or it is wrong."""
        return self.right(why) if holds else self.wrong(why, fix)

    def should(self, holds: bool, why: str, fix: str) -> Line:  # noqa: FBT001 - the question itself
        """It holds, or it is doubtful."""
        return self.right(why) if holds else self.doubtful(why, fix)


@dataclass(frozen=True, slots=True)
class Secret:
    """A credential's file and how many days ago it was written."""

    name: str
    days: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A server that the broker uses: whether a secret opens it, and whether the way there is encrypted or local."""

    name: str
    guarded: bool
    covered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """What the settings say, without a secret in it."""

    production: bool = False
    strict: bool = False
    on_loopback: bool = True
    encrypted: bool = False
    proxy: bool = False
    given_database: bool = False
    k: int = 3
    m: int = 5
    finalizer: bool = True
    finalizer_every_s: float = 60
    aggregator: bool = True
    aggregator_every_s: float = 3600
    rate_limits: bool = False
    admin_token: bool = False
    metrics_token: bool = False
    dev_deposits: bool = False
    weak_secrets: tuple[str, ...] = ()
    unread_names: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    key: str = ""  # where the broker's own key is, in words; empty if it has none
    key_problem: str = ""
    certificate_until: datetime | None = None
    certificate_problem: str = ""
    secrets: tuple[Secret, ...] = ()
    redis: Link | None = None
    nats: Link | None = None
    database: Link | None = None  # None: the embedded one, which listens on a socket in the data folder


@dataclass(frozen=True, slots=True)
class Migrated:
    """Where a migration stands, in the words of `ainp migrate status`."""

    number: int
    name: str
    state: str
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ran:
    """A job's last run."""

    job: str
    age_s: float | None  # since it ended; None while it runs or if it never did
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """The last hour: settlements and their receipts, attestations, decisions, observations."""

    settled: int = 0
    with_receipt: int = 0
    opened: int = 0
    counting: int = 0  # receipts whose price moves a reputation
    observed: int = 0  # of these, with observations
    attested: int = 0
    finalized: int = 0
    needed: int = 0  # quorums of what was finalized, added up
    passed: int = 0  # passing voices on it
    due: int = 0  # receipts that are 10 to 70 minutes old
    in_time: int = 0  # of these, finalized within ten
    agents: int = 0  # whose reputation moved


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What the database says."""

    problem: str = ""  # why it can't be asked; then nothing else is known
    version: int = 0
    ahead_s: float = 0  # by how much its clock is ahead of this one
    encrypted: bool = False
    valid_until: datetime | None = None
    migrations: tuple[Migrated, ...] = ()
    jobs: tuple[Ran, ...] = ()
    unreadable: str = ""  # why its tables can't be read; then nothing that follows is known
    traffic: Traffic | None = None  # None: migrations are missing, or it is unreadable
    standing: Mapping[str, float] = field(default_factory=dict)  # by the names that alerts have for it

    @property
    def behind(self) -> tuple[Migrated, ...]:
        """Migrations that are not as they should be."""
        return tuple(one for one in self.migrations if one.state not in ("applied", "unknown"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What the broker answers."""

    url: str = ""
    problem: str = ""  # why it can't be asked; then nothing else is known
    status: int = 0
    unwell: str = ""
    version: str = ""
    uptime_s: float = 0
    ready: bool = False
    missing: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    checks: Mapping[str, str] = field(default_factory=dict)
    base_url: str = ""
    refused: Mapping[str, int] = field(default_factory=dict)  # what has no right to be answered, by its status
    metrics: Mapping[str, float] = field(default_factory=dict)


def failed(lines: Iterable[Line]) -> bool:
    """Whether something is wrong."""
    return any(line.result is Result.FAIL for line in lines)
