from datetime import UTC, datetime

import pytest

from ainp.core.moments import moment_of


@pytest.mark.parametrize(
    ("text", "hour"),
    [("2026-01-31T12:00:00Z", 12), ("2026-01-31T12:00:00+02:00", 10), ("2026-01-31T12:00:00-02:00", 14)],
)
def test_a_time_with_a_zone_is_a_moment(text: str, hour: int) -> None:
    assert moment_of(text) == datetime(2026, 1, 31, hour, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-01-31", "2026-01-31T12:00:00", "2026-02-31T12:00:00Z"])
def test_what_has_no_zone_or_is_no_time_is_none(text: str) -> None:
    assert moment_of(text) is None


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_what_is_before_the_year_1_or_after_9999_in_utc_is_none(text: str) -> None:
    assert moment_of(text) is None
