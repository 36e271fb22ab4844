"""Bodies of the health routes."""

from msgspec import Struct


class HealthReply(Struct, omit_defaults=True):
    """Whether the broker works; a part that is not configured has a stand-in of its own, named by its mode."""

    status: str
    connections: dict[str, bool]
    modes: dict[str, str]
    timestamp: str
    uptime: float
    version: str
    error: str = ""
    warning: str = ""


class JobReply(Struct):
    """A job's last tick on any node."""

    job: str
    tick: str
    finished_at: str | None
    error: str | None


class ReadyReply(Struct):
    """Whether everything the broker can do works; `missing` names migrations and the objects they lack."""

    status: str
    checks: dict[str, str]
    missing: list[str]
    jobs: list[JobReply]
    warnings: list[str]
