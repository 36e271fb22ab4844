"""What has lived is clean; what somebody changed by hand is named."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner

from ainp.cli import app
from ainp.core.audit import Check, Finding
from ainp.operations import fsck
from ainp.store.db import Database
from support.broken import MONEY_BREAKS, Break
from support.broken_cohorts import COHORT_BREAKS
from support.broken_payments import PAYMENT_BREAKS
from support.broken_receipts import RECEIPT_BREAKS
from support.broken_stakes import STAKE_BREAKS
from support.broken_usefulness import USEFULNESS_BREAKS
from support.database import Databases
from support.lived import live
from support.migrating import connected

BREAKS = (*MONEY_BREAKS, *RECEIPT_BREAKS, *STAKE_BREAKS, *USEFULNESS_BREAKS, *PAYMENT_BREAKS, *COHORT_BREAKS)


@pytest.fixture(scope="module")
def lived_template(databases: Databases, migrated_template: str) -> Iterator[str]:
    with databases.fresh(template=migrated_template) as url:
        asyncio.run(live(url))
        yield urlsplit(url).path.removeprefix("/")


@pytest.fixture
def lived_url(databases: Databases, lived_template: str) -> Iterator[str]:
    """A database of the test's own where everything has happened."""
    with databases.fresh(template=lived_template) as url:
        yield url


@dataclass
class Looked:
    """All that came of a run."""

    findings: list[Finding]
    skipped: dict[str, tuple[str, ...]]
    looked_at: dict[str, int]


async def looked(url: str) -> Looked:
    """Everything a run tells."""
    database = Database(url, size=1)
    await database.open()
    came = Looked([], {}, {})
    part = ""
    try:
        async for event in fsck.run(database):
            match event:
                case fsck.Begun(begun):
                    part = begun.name
                case fsck.Skipped(skipped, missing):
                    came.skipped[skipped.name] = missing
                case fsck.Progress(done, total):
                    assert done <= total
                    came.looked_at[part] = done
                case Finding():
                    came.findings.append(event)
    finally:
        await database.close()
    return came


async def test_a_network_that_has_lived_is_clean(lived_url: str) -> None:
    came = await looked(lived_url)

    assert came.findings == []
    assert came.skipped == {}
    assert came.looked_at.keys() == {part.name for part in fsck.PARTS}
    assert came.looked_at["negotiations"] == 16
    assert came.looked_at["receipts"] == 11
    assert came.looked_at["attestations"] == 28


async def test_an_empty_network_is_clean(database_url: str) -> None:
    came = await looked(database_url)

    assert (came.findings, came.skipped) == ([], {})


async def test_every_way_to_end_is_among_what_is_looked_at(lived_url: str) -> None:
    """So that being clean means something."""
    async with connected(lived_url) as db:
        states = {row[0] for row in await db.fetch("SELECT state FROM negotiations")}
        courses = {
            tuple(row)
            for row in await db.fetch(
                "SELECT status, failure, judged_at IS NOT NULL, extensions > 0, decidable FROM task_receipts"
            )
        }
        late = await db.fetchval(
            "SELECT count(*) FROM task_receipts WHERE committee <> '[]'"
            " AND convert_from(statement, 'UTF8')::jsonb -> 'committee' = '[]'"
        )
        pending = await db.fetchval("SELECT count(*) FROM ledger_pending")

    assert states == {"initiated", "accepted", "settled", "rejected", "cancelled", "expired"}
    assert courses == {
        ("pending", None, False, False, False),
        ("pending", None, False, False, True),
        ("finalized", None, False, False, False),
        ("finalized", None, True, False, False),
        ("finalized", None, False, True, False),
        ("failed", "verdicts", False, False, False),
        ("failed", "verdicts", True, False, False),
        ("failed", "no_verdict", True, True, False),
        ("failed", "no_verdict", True, False, False),
    }
    assert late == 1
    assert pending > 0


@pytest.mark.parametrize("broken", BREAKS, ids=lambda broken: broken.name)
def test_what_is_changed_by_hand_is_named(lived_url: str, broken: Break, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", lived_url)
    subject = asyncio.run(_break(lived_url, broken))
    result = CliRunner().invoke(app, ["fsck", "--json"])

    *findings, summary = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 1
    assert {found["check"] for found in findings} == broken.found
    assert any(subject in found["subject"] for found in findings), (subject, findings)
    assert summary["findings"] == len(findings)


def test_every_check_is_broken_by_a_test() -> None:
    assert set().union(*(broken.found for broken in BREAKS)) == set(Check)


async def _break(url: str, broken: Break) -> str:
    async with connected(url) as db:
        await db.execute("SET session_replication_role = replica")  # no trigger stands in the way
        for statement in broken.before:
            await db.execute(statement)
        rows = await db.fetch(broken.statement)

    assert len(rows) == 1
    return str(rows[0][0])


async def test_what_happens_meanwhile_is_not_seen(lived_url: str) -> None:
    database = Database(lived_url, size=2)
    await database.open()
    findings = []
    try:
        async for event in fsck.run(database):
            if isinstance(event, fsck.Begun) and event.part.name == "reservations":
                await database.execute("UPDATE negotiations SET reserved_atomic = 999999 WHERE state = 'accepted'")
            if isinstance(event, Finding):
                findings.append(event)
    finally:
        await database.close()

    assert findings == []
    assert (await looked(lived_url)).findings != []


async def test_many_rows_are_looked_at_page_by_page(lived_url: str) -> None:
    async with connected(lived_url) as db:
        await db.execute(
            "INSERT INTO negotiations (intent_id, initiator_did, responder_did, state, rounds, expires_at)"
            " SELECT 'many', initiator_did, responder_did, 'initiated', rounds, expires_at"
            " FROM (SELECT * FROM negotiations WHERE state = 'initiated' LIMIT 1) n, generate_series(1, 1000)"
        )
    came = await looked(lived_url)

    assert (came.findings, came.looked_at["negotiations"]) == ([], 1016)


async def test_it_reads_what_a_missing_migration_leaves(lived_url: str) -> None:
    async with connected(lived_url) as db:
        await db.execute("DROP TABLE task_attestations")
    came = await looked(lived_url)

    assert came.findings == []
    assert came.skipped.keys() == {"receipts", "attestations", "records"}
    assert came.skipped["attestations"] == ("018_add_task_attestations (rolled_back)",)
    assert came.looked_at["settlements"] == 3


async def test_a_database_without_migrations_is_not_looked_at(empty_database_url: str) -> None:
    came = await looked(empty_database_url)

    assert came.findings == []
    assert came.skipped.keys() == {part.name for part in fsck.PARTS} - {"schema"}
    assert "022_add_receipt_judgement (pending)" in came.skipped["epochs"]
