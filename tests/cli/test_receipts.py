"""`ainp receipts`: what is stuck and why, for each reason that can be made to happen."""

import asyncio
import json
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from ainp.cli import app
from support.api import an_api
from support.migrating import connected


@pytest.fixture
def url(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("DATABASE_URL", database_url)
    return database_url


def ainp(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["receipts", *arguments])


async def play(url: str, *, agents: int = 8, passes: int = 0, ran: bool = True, **settings: object) -> dict[str, Any]:
    """A receipt of two hours ago that *passes* members have passed; the finalizer *ran* a moment ago."""
    async with an_api(url, **settings) as api:
        client, agent, *_ = await api.register(agents)
        settled: dict[str, Any] = await api.settled(client, agent)
        for member in settled["receipt"]["committee"][:passes]:
            await api.attest(settled["task_id"], member, "AUDIT_PASS", score=0.9, confidence=0.5)
    async with connected(url) as db:
        await db.execute("ALTER TABLE agents DISABLE TRIGGER USER")
        await db.execute("UPDATE agents SET created_at = created_at - interval '3 hours'")
        await db.execute("UPDATE task_receipts SET created_at = created_at - interval '2 hours'")
        if ran:
            await db.execute("INSERT INTO job_runs (job, tick, finished_at) VALUES ('pou-finalizer', now(), now())")
    return settled


def test_nothing_stuck_is_0_and_said(url: str) -> None:
    result = ainp("stuck")

    assert (result.exit_code, result.stdout) == (0, "no receipt is stuck\n")


def test_where_migrations_are_missing_it_says_what_applies_them(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    result = ainp("stuck")

    assert result.exit_code == 2
    assert result.stderr.startswith("ainp receipts: migrations are missing: ")
    assert result.stderr.endswith("; `ainp migrate up` applies them\n")


def test_silent_members_are_named_as_text_and_as_json(url: str) -> None:
    settled = asyncio.run(play(url, passes=2))
    committee = settled["receipt"]["committee"]
    text, as_json = ainp("stuck"), ainp("stuck", "--json")
    row = json.loads(as_json.stdout)

    assert (text.exit_code, as_json.exit_code) == (1, 1)
    assert text.stdout.startswith(f"{settled['task_id']} pending: 2 of 3 passed, 5 of 5 seats, extended 0 times")
    assert f"why: 2 of 3 have passed, 0 failed; 3 of 5 members are silent: {', '.join(committee[2:])}" in text.stdout
    assert text.stdout.endswith("1 receipt is stuck\n")
    assert (row["task_id"], row["silent"], sorted(row["passed"])) == (
        settled["task_id"],
        committee[2:],
        sorted(committee[:2]),
    )
    assert [reason["why"] for reason in row["reasons"]] == ["silent_members"]


def test_too_few_agents_are_counted(url: str) -> None:
    asyncio.run(play(url, agents=3))
    (row,) = map(json.loads, ainp("stuck", "--json").stdout.splitlines())

    assert [reason["why"] for reason in row["reasons"]] == ["too_few_candidates"]
    assert "5 are needed" in row["reasons"][0]["found"]


def test_a_finalizer_that_is_off_or_never_ran_is_named(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asyncio.run(play(url, passes=3, ran=False, pou_finalizer_enabled=False))
    never = json.loads(ainp("stuck", "--json").stdout)
    monkeypatch.setenv("POU_FINALIZER_ENABLED", "false")
    off = json.loads(ainp("stuck", "--json").stdout)

    assert [reason["why"] for reason in never["reasons"]] == ["finalizer_silent"]
    assert [reason["why"] for reason in off["reasons"]] == ["finalizer_off"]


def test_what_is_younger_than_asked_for_is_not_stuck(url: str) -> None:
    asyncio.run(play(url))

    assert ainp("stuck", "--minutes", "121").exit_code == 0
    assert ainp("stuck", "--minutes", "119").exit_code == 1


def test_one_receipt_is_shown_with_every_seat(url: str) -> None:
    settled = asyncio.run(play(url, passes=1))
    shown = ainp("show", settled["task_id"])
    rows = [line.split() for line in shown.stdout.splitlines()]

    assert shown.exit_code == 0
    assert ["1", settled["receipt"]["committee"][0], "AUDIT_PASS", "0.9", "0.5"] in rows
    assert ["5", settled["receipt"]["committee"][4], "-"] in rows
    assert json.loads(ainp("show", settled["task_id"], "--json").stdout)["status"] == "pending"


@pytest.mark.parametrize("wrong", ["nonsense", "01a20a24-f3d5-7725-94f8-c07be0c27c3c"])
def test_a_receipt_that_is_none_is_one_line(url: str, wrong: str) -> None:
    result = ainp("show", wrong)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("ainp receipts: ")
    assert result.stderr.count("\n") == 1
