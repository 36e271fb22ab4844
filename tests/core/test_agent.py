"""What an agent may say of itself when it registers."""

from datetime import timedelta

import pytest

from ainp.core.agent import (
    DEFAULT_TTL,
    MIN_TTL,
    Capability,
    check_capabilities,
    clamp_ttl,
)
from ainp.core.errors import InvalidRequest
from ainp.core.limits import (
    MAX_CAPABILITIES,
    MAX_CAPABILITY_EVIDENCE_LENGTH,
    MAX_DESCRIPTION_LENGTH,
    MAX_REGISTRATION_TIME,
    MAX_TAG_LENGTH,
    MAX_TAGS,
)


@pytest.mark.parametrize(
    ("milliseconds", "ttl"),
    [
        (None, DEFAULT_TTL),
        (60, MIN_TTL),
        (0.5, MIN_TTL),
        (60_000, timedelta(minutes=1)),
        (3_600_000, timedelta(hours=1)),
        (2_592_000_000, MAX_REGISTRATION_TIME),
        (2_592_000_001, MAX_REGISTRATION_TIME),
        (1e300, MAX_REGISTRATION_TIME),
        (float("inf"), MAX_REGISTRATION_TIME),
    ],
)
def test_a_registration_lasts_a_minute_to_thirty_days(milliseconds: float | None, ttl: timedelta) -> None:
    assert clamp_ttl(milliseconds) == ttl


@pytest.mark.parametrize("milliseconds", [0, -1, float("-inf"), float("nan")])
def test_a_registration_that_never_lasted_is_refused(milliseconds: float) -> None:
    with pytest.raises(InvalidRequest, match="ttl: found"):
        clamp_ttl(milliseconds)


def test_a_description_a_version_and_tags_may_be_as_long_as_they_may() -> None:
    longest = Capability("d" * MAX_DESCRIPTION_LENGTH, ("t" * MAX_TAG_LENGTH,) * MAX_TAGS, "1.22.333", "e" * 8192, 0)

    check_capabilities([longest, *(Capability(f"c{number}") for number in range(MAX_CAPABILITIES - 1))])
    check_capabilities([])


@pytest.mark.parametrize(
    ("capability", "reason"),
    [
        (Capability(""), r"capabilities\[1\]\.description: found 0 characters"),
        (Capability("d" * (MAX_DESCRIPTION_LENGTH + 1)), "found 2001 characters"),
        (Capability("d", version="1.0"), "version: found '1.0'"),
        (Capability("d", version="1.0.0\n"), "version: found"),
        (Capability("d", version="1.0.x"), "version: found"),
        (Capability("d", ("t",) * (MAX_TAGS + 1)), "tags: expected at most 50"),
        (Capability("d", ("",)), "tags: expected"),
        (Capability("d", ("t" * (MAX_TAG_LENGTH + 1),)), "tags: expected"),
        (Capability("d", evidence="e" * (MAX_CAPABILITY_EVIDENCE_LENGTH + 1)), "evidence: expected"),
        (Capability("d", latency_ms=-1), "latency_ms: found -1"),
        (Capability("d", latency_ms=30 * 86_400_000 + 1), "latency_ms: found 2592000001"),
        (Capability("first"), "'first' twice"),
    ],
)
def test_a_capability_out_of_bounds_is_refused_by_its_place(capability: Capability, reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason):
        check_capabilities([Capability("first"), capability])


def test_an_agent_has_a_hundred_capabilities_at_most() -> None:
    with pytest.raises(InvalidRequest, match="found 101, expected at most 100"):
        check_capabilities([Capability(f"c{number}") for number in range(MAX_CAPABILITIES + 1)])
