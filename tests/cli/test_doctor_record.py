"""The deployment log, filled in from whatever was looked at."""

import getpass
from datetime import UTC, datetime

import pytest

from ainp.cli.doctor.record import recorded
from ainp.core.checkup import About, Line, Part

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def line(name: str, rule: str = "right") -> Line:
    about = About(Part.AFTER, name, f"{name} says")
    return about.right("found") if rule == "right" else getattr(about, rule)("found", "do this")


def test_what_was_not_looked_at_is_not_ticked() -> None:
    said = recorded([line("health")], environment="staging", now=AT)

    assert "Date: 2026-03-01 12:00:00 UTC" in said
    assert "[x] Health check passed: found" in said
    assert "[-] Server started successfully: not looked at" in said


def test_the_worst_line_counts_and_is_an_issue_with_its_resolution() -> None:
    said = recorded([line("health", "doubtful"), line("ready", "wrong")], environment="x", now=AT)

    assert "[x] Health check passed: found" in said
    assert "[ ] Server started successfully: found" in said
    assert "Issues encountered:\nwarn: health says: found\nfail: ready says: found" in said
    assert "Resolution:\nhealth: do this\nready: do this" in said


def test_what_fails_is_not_hidden_by_what_was_not_looked_at() -> None:
    said = recorded([line("settings", "wrong")], environment="x", now=AT)

    assert "[ ] Environment variables configured: found" in said


def test_somebody_without_a_name_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr(getpass, "getuser", nobody)

    assert "Deployed by: user " in recorded([], environment="x", now=AT)
