"""Identifiers in the order of their time, and paths that name one."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainp.core.errors import NotFound
from ainp.core.ids import parse_id, spelled, uuid7

RFC_9562_A_6 = UUID("017F22E2-79B0-7CC3-98C4-DC0C0C07398F")
UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("randomness", ["7cc398c4dc0c0c07398f", "fcc3d8c4dc0c0c07398f", "0cc318c4dc0c0c07398f"])
def test_the_example_of_rfc_9562_appendix_a_6(randomness: str) -> None:
    at = datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC)

    assert uuid7(at, bytes.fromhex(randomness)) == RFC_9562_A_6
    assert int(at.timestamp() * 1000) == 0x017F22E279B0


@given(milliseconds=st.integers(0, 4_102_444_800_000), extra=st.integers(0, 999), randomness=st.binary(min_size=10))
def test_a_uuid7_carries_its_millisecond_version_and_variant(milliseconds: int, extra: int, randomness: bytes) -> None:
    at = UNIX_EPOCH + timedelta(milliseconds=milliseconds, microseconds=extra)

    found = uuid7(at, randomness)

    assert found.int >> 80 == milliseconds
    assert (found.version, found.variant) == (7, "specified in RFC 4122")


def test_a_later_id_is_a_larger_one() -> None:
    first = uuid7(UNIX_EPOCH, b"\xff" * 10)
    second = uuid7(UNIX_EPOCH + timedelta(milliseconds=1), bytes(10))

    assert first < second


@pytest.mark.parametrize("text", [str(RFC_9562_A_6), str(RFC_9562_A_6).upper()])
def test_an_id_is_read_in_either_case(text: str) -> None:
    assert parse_id(text, what="Negotiation") == RFC_9562_A_6


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "017f22e279b07cc398c4dc0c0c07398f",
        "{017f22e2-79b0-7cc3-98c4-dc0c0c07398f}",
        "urn:uuid:017f22e2-79b0-7cc3-98c4-dc0c0c07398f",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398g",
        " 017f22e2-79b0-7cc3-98c4-dc0c0c07398f",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398\uff11",
        "\x00",
        "\ud800",
        "'; DROP TABLE task_receipts; --",
        "9" * 10_000,
    ],
)
def test_what_is_no_uuid_names_nothing(text: str) -> None:
    with pytest.raises(NotFound, match=r"^Receipt not found: ") as refusal:
        parse_id(text, what="Receipt")

    assert len(refusal.value.message) < 700


@given(st.uuids())
def test_an_id_is_spelled_as_python_spells_it(given_id: UUID) -> None:
    assert spelled(given_id) == str(given_id)
