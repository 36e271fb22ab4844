"""Refusals are gathered: equal ones are one record, and no flood is more than a few records."""

from collections import Counter

import pytest

from ainp.core.trail import BURST, KINDS, KINDS_OF_ADDRESS, PER_FLUSH, Refusal, Refusals, Trace, printable
from support.builders import CLIENT


def a_refusal(address: str | None = "192.0.2.1", *, code: str = "FORBIDDEN", named: str | None = CLIENT) -> Refusal:
    return Refusal(Trace.FORBIDDEN, code, "POST", "/api/stakes", named, address)


def test_equal_refusals_are_one_record_with_a_count() -> None:
    waiting = Refusals()
    assert all(waiting.note(a_refusal(), "not yours") for _ in range(1000))

    (record,) = waiting.take()

    assert (record.trace, record.agent_did, record.address) == (Trace.FORBIDDEN, CLIENT, "192.0.2.1")
    assert record.details == {
        "code": "FORBIDDEN", "method": "POST", "route": "/api/stakes", "message": "not yours", "count": 1000
    }  # fmt: skip
    assert waiting.take() == []


def test_who_tries_many_names_is_a_few_records_and_a_number() -> None:
    waiting = Refusals()
    noted = [waiting.note(a_refusal(named=f"did:key:z{n}"), "no") for n in range(100)]
    waiting.note(a_refusal("192.0.2.2", code="UNAUTHORIZED"), "seen all the same")

    *few, last = waiting.take()

    assert noted == [n < KINDS_OF_ADDRESS for n in range(100)]
    assert Counter(record.address for record in few) == {"192.0.2.1": KINDS_OF_ADDRESS, "192.0.2.2": 1}
    assert last.trace is Trace.LEFT_OUT
    assert last.details == {"count": 95, "codes": {"FORBIDDEN": 95}}


def test_a_flood_from_everywhere_writes_what_flushes_add() -> None:
    waiting, written, told, noted = Refusals(), 0, 0, 0
    for second in range(100):
        for n in range(2 * KINDS):
            noted += 1
            waiting.note(a_refusal(f"198.51.{second}.{n}"), "no")
        records = waiting.take()
        assert len(records) <= KINDS + 1
        written += len(records)
        told += sum(int(str(record.details["count"])) for record in records)

    assert written <= BURST + 100 * PER_FLUSH
    assert told >= noted * 0.98  # the last second's are told of in the next


def test_what_could_not_be_written_is_a_number_in_the_next_record() -> None:
    waiting = Refusals()
    for named in ("did:key:z1", "did:key:z1", "did:key:z2"):
        waiting.note(a_refusal(named=named), "no")

    lost = waiting.lost(waiting.take())
    (first,) = waiting.take()
    again = waiting.lost([first])
    (second,) = waiting.take()

    assert (lost, again) == (3, 3)
    assert first.details == second.details == {"count": 3, "codes": {"FORBIDDEN": 3}}


@pytest.mark.parametrize("text", ["a\nb", "a\x1b[31mb", "a\x00b", "a\x9bb", "a\u202eb", "a\u2028b", "a\rb"], ids=ascii)
def test_nothing_but_text_gets_into_a_record(text: str) -> None:
    assert printable(text).isprintable()
    assert printable(text).startswith("a�")
    assert len(printable("x" * 1000)) == 200
