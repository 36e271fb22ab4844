"""`ainp rewards preview` on a real database, as an operator reads it."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner, Result

from ainp.cli import app
from ainp.operations import rewards, usefulness
from ainp.operations.rewards import RewardPolicy
from ainp.store.db import Database
from support.builders import agents
from support.useful import register, trade

HOUR = datetime(2026, 3, 1, 12, tzinfo=UTC)
CREW = agents(3)


async def earn(url: str, *, pay: bool = False) -> datetime:
    """An hour in which two have earned; which hour is paid next."""
    db = Database(url, size=2)
    await db.open()
    try:
        if pay:
            await usefulness.aggregate(db)
            await rewards.pay(db, HOUR, RewardPolicy())
        else:
            await register(db, CREW)
            await trade(db, [(CREW[0], CREW[1]), (CREW[0], CREW[2])], at=HOUR + timedelta(minutes=5), score=5_000)
        return await rewards.next_hour(db)
    finally:
        await db.close()


def preview(*options: str) -> Result:
    return CliRunner().invoke(app, ["rewards", "preview", *options], env={"COLUMNS": "200"})


def test_it_shows_who_gets_what_and_why_and_then_what_was_paid(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    next_hour = asyncio.run(earn(database_url))

    shown, told = preview("--hour", "2026-03-01T12:34:56"), preview("--json", "--hour", "2026-03-01")
    asked, coming = preview("--json", "--hour", "2026-03-01T12:00:00"), preview("--json")

    assert "hour 2026-03-01T12+00:00 is not paid yet: 200 of 10000000 atomic units, 200 of" in shown.stdout
    assert "of them from the pool, for 2 agents" in shown.stdout
    assert [" ".join(row.split()) for row in shown.stdout.splitlines() if "did:key" in row] == [
        f"{did} 50.00 200 100" for did in CREW[1:]
    ]
    assert "USEFULNESS_REWARD_POOL_ENABLED=false: nothing will be paid" in shown.stdout
    found = json.loads(asked.stdout)
    assert (found["total"], found["recipients"], found["paid"], found["enabled"]) == ("200", 2, False, False)
    assert found["rewards"][0] == {"agent_did": CREW[1], "score": 50.0, "fees": "200", "amount": "100"}
    assert json.loads(told.stdout)["total"] == "0"
    assert datetime.fromisoformat(json.loads(coming.stdout)["hour"]) >= next_hour

    asyncio.run(earn(database_url, pay=True))
    monkeypatch.setenv("USEFULNESS_REWARD_POOL_ENABLED", "true")
    after = preview("--hour", "2026-03-01T12:00:00").stdout
    assert after == "hour 2026-03-01T12+00:00 was paid: 200 atomic units, 200 of them from the pool, for 2 agents\n"


def test_a_database_that_is_not_there_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody:secret@127.0.0.1:1/nothing")

    result = preview()

    assert result.exit_code != 0
    assert "secret" not in result.output
