"""Lines of the checklist, and when a deployment has failed it."""

import pytest

from ainp.core.checkup import About, Line, Migrated, Part, Result, Stored, failed

ABOUT = About(Part.BEFORE, "name", "It says")


def test_a_line_says_why_and_what_to_do() -> None:
    assert ABOUT.wrong("found", "do") == Line(Part.BEFORE, "name", "It says", Result.FAIL, "found", "do")
    assert ABOUT.right("found").fix == ""
    assert ABOUT.unknown("found").result is Result.SKIP


@pytest.mark.parametrize("holds", [True, False])
def test_what_must_hold_fails_and_what_should_warns(holds: bool) -> None:  # noqa: FBT001
    assert ABOUT.must(holds, "w", "f").result is (Result.PASS if holds else Result.FAIL)
    assert ABOUT.should(holds, "w", "f").result is (Result.PASS if holds else Result.WARN)


def test_only_what_is_wrong_fails_the_whole() -> None:
    assert not failed([ABOUT.right("w"), ABOUT.doubtful("w", "f"), ABOUT.unknown("w")])
    assert failed([ABOUT.right("w"), ABOUT.wrong("w", "f")])


def test_migrations_of_a_later_release_are_not_behind() -> None:
    states = ("applied", "unknown", "pending", "edited", "rolled_back")
    stored = Stored(migrations=tuple(Migrated(number, "m", state) for number, state in enumerate(states)))

    assert [one.state for one in stored.behind] == ["pending", "edited", "rolled_back"]
