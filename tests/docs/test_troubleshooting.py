"""Every case of the page is made to happen, and its words are looked for in what the broker then says."""

import asyncio
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ainp.cli import app
from ainp.worker import finalizer
from ainp.worker.jobs import scheduled
from support.api import an_api
from support.migrating import connected
from support.reader import ROOT, blocks
from support.said import what_is_logged

PAGE = (ROOT / "docs" / "troubleshooting.md").read_text()
CASES = re.findall(r"^## (.*)$", PAGE, re.MULTILINE)
# Word for word what the mission's document lists as common issues, without its numbers and colons.
COMMON = [
    '`relation "task_receipts" does not exist`',
    "`UNAUTHORIZED_ATTESTATION: Only committee members can submit AUDIT_PASS`",
    "`QUORUM_NOT_MET: needed 3, have 1`",
    "Receipts stuck in pending status",
    "Empty committee array",
]


def ainp(url: str, *arguments: str, **environment: str) -> str:
    return CliRunner().invoke(app, list(arguments), env={"DATABASE_URL": url, **environment}).output


def test_every_common_issue_of_the_checklist_is_a_case() -> None:
    assert CASES[: len(COMMON)] == COMMON


async def test_a_missing_table_is_named_and_migrating_mends_it(database_url: str) -> None:
    async with an_api(database_url) as api:
        async with connected(database_url) as db:
            await db.execute("DROP TABLE task_attestations")
            await db.execute("DROP TABLE task_receipts")
        refused = await api.get("/api/receipts", status=503)
        ready = await api.get("/health/ready", status=503)
        commands = [line for line in blocks(PAGE, "sh")[0].splitlines() if line]
        said = [await _shell(database_url, command) for command in commands]
        mended = await api.get("/api/receipts")

    assert refused["error"] == "SCHEMA_BEHIND"
    assert CASES[0].strip("`") in refused["message"]
    assert any("017_add_task_receipts" in one for one in ready["missing"])
    assert "rolled_back" in said[0]
    assert "applied 017_add_task_receipts" in said[1]
    assert mended["receipts"] == []


async def test_a_stranger_and_a_quorum_that_is_not_met_are_told_so(database_url: str) -> None:
    async with an_api(database_url) as api:
        client, agent, *_ = await api.register(8)
        settled = await api.settled(client, agent)
        task, committee = settled["task_id"], settled["receipt"]["committee"]
        stranger = await api.attest(task, client, "AUDIT_PASS", status=403)
        await api.attest(task, committee[0], "AUDIT_PASS")
        early = await api.call("POST", f"/api/receipts/{task}/finalize", status=409)
    (command,) = (block.strip() for block in blocks(PAGE, "sh") if "{task_id}" in block)
    shown = await _shell(database_url, command.replace("{task_id}", task))

    assert CASES[1].strip("`") in stranger["message"]
    assert CASES[2].strip("`") == early["message"]
    assert [member for member in committee[1:] if member not in shown] == []


async def test_each_reason_to_be_stuck_is_said_in_the_page_s_words(database_url: str) -> None:
    async with an_api(database_url) as api:
        client, agent, *others = await api.register(8)
        await api.settled(client, agent)
        async with connected(database_url) as db:
            await db.execute(
                "UPDATE agents SET expires_at = now() - interval '1 second' WHERE did = ANY ($1)", others[1:]
            )
        await api.broker.epochs.rebuild(api.broker.database)
        empty = await api.settled(client, agent)
    async with connected(database_url) as db:
        await db.execute("UPDATE task_receipts SET created_at = created_at - interval '2 hours'")
    stuck = ["receipts", "stuck"]
    said = [
        await asyncio.to_thread(ainp, database_url, *stuck, **settings)
        for settings in ({}, {"POU_FINALIZER_ENABLED": "false"})
    ]

    assert empty["receipt"]["committee"] == []
    for words in ("members are silent", "the finalizer has never come to an end"):
        assert f"`{words}`" in PAGE
        assert words in said[0]
    assert "`POU_FINALIZER_ENABLED=false`" in PAGE
    assert "POU_FINALIZER_ENABLED=false" in said[1]
    assert "`agents could be drawn that were registered before it, 5 are needed`" in PAGE
    assert "agents could be drawn that were registered before it, 5 are needed" in said[0]


async def test_the_log_says_what_the_page_says_of_the_finalizer(database_url: str) -> None:
    with what_is_logged() as said:
        for enabled in (True, False):
            async with an_api(database_url, pou_finalizer_enabled=enabled) as api:
                scheduled(api.broker)
                await finalizer.run(api.broker)
    lines = re.findall(r"`(\[PoU Finalizer\] [^`]+)`", PAGE)

    assert len(lines) == 3
    assert [line for line in lines if not any(message.startswith(line) for message in said.messages)] == []


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"POU_K": "9"}, "POU_K=9 is more than POU_M=5"),
        ({"HOST": "0.0.0.0"}, "AUTH_MODE=strict needs PUBLIC_BASE_URL"),
    ],
)
def test_a_start_that_fails_says_what_the_page_says(
    tmp_path: Path, environment: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused = CliRunner().invoke(app, ["serve", "--port", "0"], env=environment)

    assert f"`{words}`" in PAGE
    assert words in refused.output
    assert refused.exit_code == 2


async def test_what_is_answered_unexpectedly_has_the_page_s_codes(database_url: str) -> None:
    codes = dict(re.findall(r"\*\*(\d{3}) `([A-Z_]+)`\*\*", PAGE))
    async with an_api(database_url, auth_mode="strict") as strict:
        body = {"address": {"did": "did:key:x", "capabilities": []}}
        unsigned = await strict.call("POST", "/api/agents/register", body, status=401)
    async with an_api(database_url) as compat:
        proxied = await compat.client.get("/api/receipts", headers={"X-Forwarded-For": "192.0.2.1"})
        await compat.broker.database.close()
        away = await compat.client.get("/api/receipts")

    assert (unsigned["error"], codes["401"]) == ("UNAUTHORIZED", "UNAUTHORIZED")
    assert (proxied.status_code, proxied.json()["error"]) == (403, codes["403"])
    assert (away.status_code, away.json()["error"]) == (503, codes["503"])


async def _shell(url: str, command: str) -> str:
    words = command.split()
    assert words[0] == "ainp"
    return await asyncio.to_thread(ainp, url, *words[1:])
