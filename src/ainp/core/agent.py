"""What an agent says of itself when it registers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from ainp.core.credits import Credits
from ainp.core.errors import InvalidRequest
from ainp.core.limits import (
    MAX_CAPABILITIES,
    MAX_CAPABILITY_EVIDENCE_LENGTH,
    MAX_DELIVERY_TIME,
    MAX_DESCRIPTION_BYTES,
    MAX_DESCRIPTION_LENGTH,
    MAX_REGISTRATION_TIME,
    MAX_TAG_LENGTH,
    MAX_TAGS,
)

DEFAULT_TTL = timedelta(hours=1)
MIN_TTL = timedelta(minutes=1)  # clients that mean seconds stay alive for a minute at least
LONGEST_MS = MAX_DELIVERY_TIME // timedelta(milliseconds=1)  # that a capability can say it takes
_VERSION = re.compile(r"[0-9]{1,9}\.[0-9]{1,9}\.[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Capability:
    """One thing an agent can do; how long it takes and what it costs in atomic units, where the agent says so."""

    description: str
    tags: tuple[str, ...] = ()
    version: str = "1.0.0"
    evidence: str | None = None
    latency_ms: int | None = None
    cost: Credits | None = None


def check_capabilities(capabilities: Sequence[Capability]) -> None:
    """Refuse too many, two with one description, a version that is not N.N.N, and texts that are too long."""
    if len(capabilities) > MAX_CAPABILITIES:
        raise InvalidRequest(f"capabilities: found {len(capabilities)}, expected at most {MAX_CAPABILITIES}")
    seen: set[str] = set()
    for place, capability in enumerate(capabilities):
        _check(capability, f"capabilities[{place}]")
        if capability.description in seen:
            raise InvalidRequest(
                f"capabilities[{place}].description: found {capability.description[:80]!r} twice, expected once"
            )
        seen.add(capability.description)


def clamp_ttl(milliseconds: float | None) -> timedelta:
    """The time an agent stays registered: what it asks for, within 1 minute .. 30 days."""
    if milliseconds is None:
        return DEFAULT_TTL
    if not milliseconds > 0:  # not a number is not above 0 either
        raise InvalidRequest(f"ttl: found {milliseconds!r}, expected milliseconds above 0", field="ttl")
    longest = MAX_REGISTRATION_TIME / timedelta(milliseconds=1)
    return max(MIN_TTL, timedelta(milliseconds=min(milliseconds, longest)))


def _check(capability: Capability, where: str) -> None:
    if not 1 <= len(capability.description) <= MAX_DESCRIPTION_LENGTH:
        found = len(capability.description)
        raise InvalidRequest(f"{where}.description: found {found} characters, expected 1 to {MAX_DESCRIPTION_LENGTH}")
    if (size := len(capability.description.encode())) > MAX_DESCRIPTION_BYTES:
        raise InvalidRequest(
            f"{where}.description: found {size} bytes of UTF-8, expected at most {MAX_DESCRIPTION_BYTES}"
        )
    if not _VERSION.fullmatch(capability.version):
        raise InvalidRequest(f"{where}.version: found {capability.version[:40]!r}, expected N.N.N such as 1.0.0")
    if len(capability.tags) > MAX_TAGS or any(not 1 <= len(tag) <= MAX_TAG_LENGTH for tag in capability.tags):
        raise InvalidRequest(f"{where}.tags: expected at most {MAX_TAGS} tags of 1 to {MAX_TAG_LENGTH} characters")
    if capability.evidence is not None and len(capability.evidence) > MAX_CAPABILITY_EVIDENCE_LENGTH:
        raise InvalidRequest(f"{where}.evidence: expected at most {MAX_CAPABILITY_EVIDENCE_LENGTH} characters")
    if not 0 <= (capability.latency_ms or 0) <= LONGEST_MS:
        raise InvalidRequest(
            f"{where}.latency_ms: found {capability.latency_ms}, expected whole milliseconds from 0 to {LONGEST_MS}"
        )
