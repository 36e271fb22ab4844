"""`ainp quorum advise`: for a network that is described, and for the one that there is."""

import asyncio
import json

import pytest
from typer.testing import CliRunner, Result

from ainp.cli import app
from support.api import an_api


def advise(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["quorum", "advise", *arguments])


def test_a_described_network_needs_no_database() -> None:
    result = advise("--agents", "100", "--colluders", "0.2", "--value", "100", "--loss", "1")
    rows = {tuple(line.split()[:2]): line.split()[-1] for line in result.stdout.splitlines() if "%" in line}

    assert result.exit_code == 0
    assert rows["3", "5"] == "now"
    assert rows["6", "11"] == "advised"
    assert "100 agents can be drawn, 20 of them collude\nadvised: POU_K=6 POU_M=11" in result.stdout


def test_as_json_it_is_one_object() -> None:
    shown = json.loads(advise("--agents", "100", "--json").stdout)

    assert shown["advised"] == {
        "k": 6,
        "m": 11,
        "capture": pytest.approx(0.0075, 0.01),
        "stall": pytest.approx(0.0228, 0.01),
    }
    assert shown["now"]["capture"] == pytest.approx(0.0532, 0.001)


def test_more_at_risk_needs_more_seats() -> None:
    sizes = [
        json.loads(advise("--agents", "1000", "--json", "--value", value).stdout)["advised"]["m"]
        for value in ("10", "100", "1000")
    ]

    assert sizes == sorted(set(sizes))


def test_a_network_that_is_half_colluders_gets_no_advice_and_1() -> None:
    result = advise("--agents", "6", "--colluders", "0.5")

    assert result.exit_code == 1
    assert "no committee is captured in at most 1.0 % of draws and decides often enough" in result.stdout


def test_the_network_that_there_is_is_counted(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def register() -> None:
        async with an_api(database_url) as api:
            await api.register(12)

    monkeypatch.setenv("DATABASE_URL", database_url)
    nobody = advise()
    asyncio.run(register())
    some = json.loads(advise("--json").stdout)

    assert (nobody.exit_code, some["agents"]) == (2, 10)  # two are parties
    assert nobody.stderr == "ainp quorum: there is nobody to be drawn: register agents, or say --agents N\n"
