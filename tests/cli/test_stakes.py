"""`ainp stakes`, `ainp slash` and `ainp audit` on a database, with or without a broker."""

import asyncio
import json

import pytest
from typer.testing import CliRunner, Result

from ainp.cli import app
from ainp.operations import trail
from support.api import an_api
from support.migrating import connected


@pytest.fixture
def staked(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A DID that has staked 10000 and asked 4000 of it back; DATABASE_URL names where."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("POU_COMMITTEE_MIN_STAKE", "5000")

    async def flow() -> str:
        async with an_api(database_url) as api:
            (did,) = await api.register(1)
            await api.call("POST", "/api/stakes", {"agent_did": did, "amount_atomic": 10_000})
            await api.call("POST", "/api/stakes/unstake", {"agent_did": did, "amount_atomic": 4000})
            await api.call("POST", "/api/credits/deposit", {"agent_did": did, "amount": 1}, status=403)
            await trail.flush(api.broker.database, api.broker.refusals)
            return did

    return asyncio.run(flow())


def ainp(*arguments: str, width: int = 200) -> Result:
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": str(width), "NO_COLOR": "1"})


def test_stakes_are_listed(staked: str) -> None:
    shown, as_json = ainp("stakes"), ainp("stakes", "--json")

    assert (shown.exit_code, as_json.exit_code) == (0, 0), shown.output
    row = next(line.split() for line in shown.stdout.splitlines() if staked in line)
    assert [*row[:4], *row[5:]] == [staked, "10000", "6000", "4000", "0", "yes"]
    assert shown.stdout.endswith("1 stake, 10000 atomic units\n")
    assert json.loads(as_json.stdout)["active"] == 6000


def test_a_slash_is_done_once_for_each_command_and_told_in_the_trail(staked: str) -> None:
    done = ainp("slash", staked, "3000", "--reason", "lied about the tests", "--evidence", "https://example.org/log")
    rest = ainp("slash", staked, "99999", "--reason", "again")
    told = [json.loads(line) for line in ainp("audit", "--json").stdout.splitlines()]

    assert (done.exit_code, rest.exit_code) == (0, 0), done.output
    assert done.stdout.startswith(f"slashed 3000 atomic units of {staked}: 7000 are left, 3000 were slashed in all")
    assert rest.stdout.startswith(f"slashed 7000 atomic units of {staked}: 0 are left")
    assert [record["event_type"] for record in told] == ["forbidden", "slash", "slash"]
    assert told[1]["details"]["by"] == "ainp slash"
    assert told[1]["details"]["evidence_ref"] == "https://example.org/log"
    assert (told[1]["agent_did"], told[1]["ip_address"]) == (staked, None)
    assert ainp("fsck").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["did:web:nobody.example", "1", "--reason", "x"], "Agent not found"),
        (["nobody", "1", "--reason", "x"], "Invalid DID"),
        (["{did}", "0", "--reason", "x"], "amount_atomic: found 0"),
        (["{did}", "1", "--reason", " "], "reason: found 0 characters"),
    ],
    ids=["unknown", "no did", "nothing", "no reason"],
)
def test_a_slash_that_cannot_be_is_one_line(staked: str, arguments: list[str], said: str) -> None:
    result = ainp("slash", *(argument.format(did=staked) for argument in arguments))

    assert result.exit_code == 2
    assert result.stderr.startswith(f"ainp slash: {said}")
    assert result.stderr.count("\n") == 1


def test_the_trail_is_a_table_of_the_newest_and_can_be_filtered(staked: str) -> None:
    ainp("slash", staked, "1", "--reason", "first")
    ainp("slash", staked, "1", "--reason", "second")
    everything, newest, by_event = ainp("audit"), ainp("audit", "--limit", "1"), ainp("audit", "--event", "forbidden")
    of_nobody = ainp("audit", "--agent", "did:web:nobody.example")

    assert everything.stdout.index("forbidden") < everything.stdout.index("first") < everything.stdout.index("second")
    assert everything.stdout.endswith("3 records\n")
    assert "reason=second" in newest.stdout
    assert "reason=first" not in newest.stdout
    assert by_event.stdout.count("forbidden") == 1
    assert "127.0.0.1" in by_event.stdout
    assert of_nobody.stdout.endswith("0 records\n")


def test_nothing_that_a_stranger_wrote_gets_to_the_terminal(staked: str, database_url: str) -> None:
    async def write() -> None:
        async with connected(database_url) as db:
            await db.execute(
                "INSERT INTO audit_log (event_type, details) VALUES ('forbidden', $1)",
                json.dumps({"message": "a\x1b]0;owned\x07\u202eb [red]c"}),
            )

    asyncio.run(write())
    shown = ainp("audit").stdout

    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "[red]c" in shown
