from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainp.core.moments import iso_ms, iso_us, moment_of

ZONES = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))


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


@given(st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 12, 31), timezones=ZONES))  # noqa: DTZ001 - hypothesis adds the zone
def test_a_moment_is_written_as_python_writes_it(at: datetime) -> None:
    plain = at.astimezone(UTC).replace(tzinfo=None)
    assert iso_ms(at) == plain.isoformat(timespec="milliseconds") + "Z"
    assert iso_us(at) == plain.isoformat(timespec="microseconds") + "Z"


@pytest.mark.parametrize(
    ("micros", "ms", "us"),
    [(0, "00.000Z", "00.000000Z"), (999, "00.000Z", "00.000999Z"), (1000, "00.001Z", "00.001000Z")],
)
def test_a_fraction_is_rounded_down_and_never_left_out(micros: int, ms: str, us: str) -> None:
    at = datetime(2026, 1, 31, 12, 0, 0, micros, tzinfo=UTC)
    assert (iso_ms(at), iso_us(at)) == (f"2026-01-31T12:00:{ms}", f"2026-01-31T12:00:{us}")
