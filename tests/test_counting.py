"""Numbers in slots: alone, shared with other processes, and after one of them has died."""

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from ainp.telemetry.counting import Kind, Metric, Numbers, Slots, forget_gauges

DONE = Metric(name="done_total", kind=Kind.COUNTER, meaning="", labels={"what": ()})
DOING = Metric(name="doing", kind=Kind.GAUGE, meaning="")
TOOK = Metric(name="took_seconds", kind=Kind.HISTOGRAM, meaning="", buckets=(0.5, 1.0, 5.0))


def a_process(folder: Path | None, name: str = "one") -> Slots:
    process = Slots()
    if folder is not None:
        process.share(folder, name)
    return process


def counted(process: Slots, times: int, *, doing: float = 0) -> None:
    process.cell(DONE, ("work",)).count(times)
    process.cell(DOING, ()).set(doing)
    process.cell(TOOK, ()).count(times)


def of(numbers: Numbers, *key: str) -> Sequence[float] | None:
    return numbers.get(key)


@pytest.mark.parametrize("shared", [False, True])
def test_a_histogram_counts_up_to_and_with_each_bound(tmp_path: Path, shared: bool) -> None:  # noqa: FBT001 - parametrized
    process = a_process(tmp_path if shared else None)
    took = process.cell(TOOK, ())
    for seconds in (0, 0.5, 0.6, 1, 4, 5, 6, 60):
        took.count(seconds)

    assert of(process.numbers(), "took_seconds") == [77.1, 2, 2, 2, 2]


def test_processes_that_share_a_folder_show_the_same_sum(tmp_path: Path) -> None:
    one, two, alone = a_process(tmp_path), a_process(tmp_path, "two"), a_process(None)
    for process, times in ((one, 3), (two, 4), (alone, 100)):
        counted(process, times, doing=times)
    two.cell(DONE, ("rest",)).count()

    for process in (one, two):
        numbers = process.numbers()
        assert of(numbers, "done_total", "work") == of(numbers, "doing") == [7]
        assert of(numbers, "took_seconds") == [7, 0, 0, 2, 0]
        assert of(numbers, "done_total", "rest") == [1]


def test_what_was_counted_before_it_was_shared_begins_anew(tmp_path: Path) -> None:
    process = Slots()
    cell = process.cell(DONE, ("work",))
    cell.count(5)
    process.share(tmp_path, "one")
    cell.count(2)

    assert of(process.numbers(), "done_total", "work") == [2]


def test_who_is_started_again_counts_on_and_does_nothing_yet(tmp_path: Path) -> None:
    other = a_process(tmp_path, "other")
    counted(a_process(tmp_path), 3, doing=3)
    assert of(other.numbers(), "doing") == [3]
    forget_gauges(tmp_path, "one")
    assert of(other.numbers(), "done_total", "work") == [3]
    assert of(other.numbers(), "doing") is None

    again = a_process(tmp_path)
    again.cell(DONE, ("work",)).count(2)
    again.cell(DONE, ("rest",)).count(1)

    for process in (again, other):
        assert of(process.numbers(), "done_total", "work") == [5]
        assert of(process.numbers(), "done_total", "rest") == [1]
        assert of(process.numbers(), "doing") == [0]
        assert of(process.numbers(), "took_seconds") == [3, 0, 0, 1, 0]


def test_a_line_that_its_process_did_not_finish_is_as_if_it_had_not_begun(tmp_path: Path) -> None:
    counted(a_process(tmp_path), 3)
    keys = tmp_path / "one.keys"
    keys.write_bytes(keys.read_bytes() + b'["counter", 1, "done_to')
    assert of(a_process(tmp_path, "other").numbers(), "done_total", "work") == [3]

    again = a_process(tmp_path)
    again.cell(DONE, ("rest",)).count(2)

    assert of(a_process(tmp_path, "third").numbers(), "done_total", "work") == [3]
    assert of(a_process(tmp_path, "third").numbers(), "done_total", "rest") == [2]


def test_one_that_ended_before_it_counted_anything_is_nothing(tmp_path: Path) -> None:
    forget_gauges(tmp_path, "never")
    a_process(tmp_path, "begun")
    (tmp_path / "gone.keys").write_text('["counter", 1, "done_total", "work"]\n')

    assert a_process(tmp_path).numbers() == {}


def test_where_nothing_can_be_written_counting_goes_on(tmp_path: Path) -> None:
    process = a_process(tmp_path)
    counted(process, 3)
    (tmp_path / "one.keys").unlink()
    (tmp_path / "one.keys").mkdir()
    counted(process, 3)
    process.cell(DONE, ("rest",)).count()
    (tmp_path / "one.keys").rmdir()

    assert of(process.numbers(), "done_total", "work") == [6]
    assert of(process.numbers(), "done_total", "rest") is None


def test_more_numbers_than_there_is_room_for_harm_nobody(tmp_path: Path) -> None:
    process = a_process(tmp_path)
    counted(process, 1)
    for number in range(20_000):
        process.cell(DONE, (str(number),)).count()
        process.cell(TOOK, ()).count(random.random())

    assert of(process.numbers(), "done_total", "work") == [1]
    assert of(process.numbers(), "took_seconds") is not None
    assert len(process.numbers()) < 17_000


def test_a_number_has_a_value_for_every_label() -> None:
    with pytest.raises(AssertionError, match="done_total has the labels what"):
        DONE.of()
