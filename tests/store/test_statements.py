"""Every statement is valid against the schema, is used, and stays fast when its tables have grown."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import md5
from importlib.resources import files
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from ainp.core.message_limits import MAX_QUEUED, MAX_QUEUED_OF_ONE
from ainp.store import queries
from ainp.store.db import PLANS
from ainp.store.discovery import filled
from support.crowd import BUSY, fill
from support.database import Databases
from support.migrating import connected

STORE = Path(queries.__file__).parent
TABLES = sorted(Path(str(files("ainp.store"))).glob("sql/*.sql"))
NAMES = [(path.stem, name) for path in TABLES for name in queries.load(path.stem)]
GROWING = {
    "agents",
    "capabilities",
    "negotiations",
    "task_receipts",
    "task_attestations",
    "ledger_entries",
    "reputation_observations",
    "idempotency_keys",
    "used_nonces",
    "outbox",
    "events",
    "deliveries",
    "agent_stakes",
    "audit_log",
    "usefulness_proofs",
    "usefulness_totals",
    "reward_hours",
    "payment_requests",
    "payment_receipts",
    "receipt_seats",
}
NEWEST = (datetime(2100, 1, 1, tzinfo=UTC), UUID(int=2**128 - 1))
OLDEST = (datetime(1970, 1, 1, tzinfo=UTC), UUID(int=0))
TASK = UUID("0c5b8e4e-9b8e-4d5f-9c6e-111111111111")
HOT: dict[tuple[str, str], Sequence[object]] = {
    ("agents", "get"): (BUSY,),
    ("agents", "exists"): (BUSY,),
    ("agents", "seen"): ([BUSY],),
    ("attestations", "page"): ([TASK], [OLDEST[0]], [OLDEST[1]], [50]),
    ("audit", "list_all"): (*NEWEST, OLDEST[0], 50),
    ("audit", "list_by_agent"): (*NEWEST, OLDEST[0], 50, BUSY),
    ("audit", "list_by_event"): (*NEWEST, OLDEST[0], 50, "forbidden"),
    ("audit", "list_by_agent_and_event"): (*NEWEST, OLDEST[0], 50, BUSY, "forbidden"),
    ("audit", "forget"): ("7 days", 100),
    ("epochs", "newest"): (),
    ("epochs", "touch"): (r"\x00", 5),
    ("epochs", "candidates"): ("", 50),
    ("epochs", "prune"): (),
    ("events", "between"): (19_000, 19_100, None),
    ("events", "forget"): ("7 days", 100),
    ("events", "last_number"): (BUSY,),
    ("events", "page"): (BUSY, 5000, 50),
    ("events", "publish"): (10,),
    ("events", "waiting"): (),
    ("idempotency", "forget"): (),
    ("idempotency", "used"): (BUSY, "POST", "/api/agents/register", "once"),
    ("ledger", "balances"): (BUSY,),
    ("ledger", "transactions"): ([f"available:{BUSY}", f"reserved:{BUSY}", f"staked:{BUSY}"], 50, 0),
    ("measurements", "read"): (),
    ("nonces", "forget"): (),
    ("negotiations", "due"): (100,),
    ("negotiations", "get"): ([TASK],),
    ("negotiations", "get_to_accept"): ([TASK],),
    ("negotiations", "get_to_settle"): ([TASK], BUSY),
    ("negotiations", "list_of_agent"): (BUSY, None, 50, *NEWEST, 2**20),
    ("receipts", "due"): (100,),
    ("receipts", "cases"): ([TASK],),
    ("receipts", "get"): ([TASK],),
    ("receipts", "get_case"): ([TASK], [BUSY]),
    ("receipts", "get_of_negotiation"): (TASK,),
    ("receipts", "list_all"): (*NEWEST, 50, None, None, None, None),
    ("receipts", "list_by_agent"): (*NEWEST, 50, BUSY, None, None, None),
    ("receipts", "list_by_client"): (*NEWEST, 50, None, BUSY, None, None),
    ("receipts", "list_by_member"): (*NEWEST, 50, None, None, "did:key:z77", None),
    ("receipts", "list_by_status"): (*NEWEST, 50, None, None, None, "pending"),
    ("receipts", "stuck"): ("1 hour", 50),
    ("receipts", "unseated"): (*OLDEST, 1000),
    ("reputation", "get"): (BUSY,),
    ("reputation", "history"): (TASK, 2**62, 50),
    ("reputation", "lock"): ([BUSY],),
}
HOT |= {
    ("stakes", "available"): (BUSY,),
    ("stakes", "due"): (100,),
    ("stakes", "get"): (BUSY,),
    ("stakes", "lock"): (BUSY,),
    ("stakes", "page"): ("", 50),
    ("discovery", "within"): (250, 2_500),
    ("doctor", "standing"): (),
    ("doctor", "traffic"): (TASK,),
    ("cohorts", "close"): (-1, 0),
    ("cohorts", "held"): (-1,),
    ("cohorts", "lock"): (-1,),
    ("cohorts", "overdue"): (20,),
    ("cohorts", "paid"): (-1,),
    ("cohorts", "state"): (-1,),
    ("cohorts", "unsettled"): (-1,),
    ("receipts", "unjudged"): (-1,),
    ("seats", "extend"): (NEWEST[0], "2", 100),
}
HOUR = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
HOT |= {
    ("rewards", "by_receipts"): (HOUR, 0),
    ("rewards", "by_score"): (1000,),
    ("payments", "available"): (BUSY, "did:key:z1"),
    ("payments", "due"): (HOUR + timedelta(days=1), ["coinbase"], 100),
    ("payments", "get"): (TASK,),
    ("payments", "lock"): (TASK,),
    ("payments", "lock_of_provider"): ("coinbase", "charge 77"),
    ("payments", "offered"): (BUSY, 1000, "coinbase"),
    ("payments", "pending"): ("coinbase", OLDEST[1], 100),
    ("payments", "standing"): (BUSY, "did:key:z1"),
    ("rewards", "claim"): (HOUR,),
    ("rewards", "close"): (HOUR, 0, 0, 0),
    ("rewards", "last_paid"): (),
    ("rewards", "paid"): (HOUR,),
    ("rewards", "pool"): (),
    ("usefulness", "history"): (BUSY, "none", 100, 99),
    ("usefulness", "lock"): (BUSY,),
    ("usefulness", "of_agent"): (BUSY,),
    ("usefulness", "worker_of"): (TASK,),
}
MESSAGE = UUID(md5(b"message4", usedforsecurity=False).hexdigest())
SENDING = f'[{{"id": "{TASK}", "from_did": "{BUSY}", "kept": false, "waits": false}}]'  # nobody can have it
TO = f'[{{"of": "{TASK}", "did": "{BUSY}"}}]'
HOT |= {
    ("groups", "due"): (100,),
    ("groups", "get"): (TASK,),
    ("groups", "invited"): (BUSY, [BUSY]),
    ("groups", "list_of_agent"): (BUSY, *NEWEST, 50, None),
    ("groups", "lock"): (TASK,),
    ("memories", "page"): (BUSY, *NEWEST, 50, OLDEST[0]),
    ("memories", "page_of_conversation"): (BUSY, *NEWEST, 50, OLDEST[0], "conversation 7"),
    ("memories", "unread"): (BUSY, *OLDEST, 50, "3 min"),
    ("contacts", "crowded"): (BUSY, 100),
    ("contacts", "forget_marks"): (100,),
    ("contacts", "forget_tries"): (100, "35 days"),
    ("contacts", "get"): (BUSY, "did:key:z5"),
    ("contacts", "guard"): (BUSY, "did:key:z5", "x"),
    ("contacts", "page"): (BUSY, NEWEST[0], "", None, None, 50),
    ("mailbox", "forget"): ("365 days", 100),
    ("mailbox", "inbox"): (BUSY, *NEWEST, 50),
    ("mailbox", "known_thread"): ("conversation 7",),
    ("mailbox", "label"): (BUSY, MESSAGE, ["a"], ["b"], 50),
    ("mailbox", "labelled"): (BUSY, *NEWEST, 50, "rare", False),
    ("mailbox", "mark"): (BUSY, MESSAGE, True),
    ("mailbox", "own_threads"): ([BUSY], ["conversation 7"]),
    ("mailbox", "thread"): (BUSY, "conversation 7", *NEWEST, 50),
    ("mailbox", "thread_labels"): (BUSY, "conversation 7"),
    ("mailbox", "thread_summary"): (BUSY, "conversation 7"),
    ("mailbox", "unread"): (BUSY, *NEWEST, 50),
    ("messages", "cancel"): (BUSY, "envelope 4"),
    ("messages", "forget"): (100,),
    ("messages", "forget_waiting"): (100,),
    ("messages", "handed_over"): ([MESSAGE], [BUSY]),
    ("messages", "peek"): (BUSY, 50),
    ("messages", "peek_sent"): (BUSY, 50),
    ("messages", "release"): (BUSY, 10, True, 4),
    ("messages", "send"): (SENDING, TO, "[]", "[]", MAX_QUEUED, MAX_QUEUED_OF_ONE, 10),
    ("messages", "sent"): (BUSY, "envelope 4"),
    ("presence", "leave"): (MESSAGE, [BUSY], [1]),
}

# How many rows one node of the plan may touch.
PAGED = {
    ("attestations", "page"): 100,
    ("negotiations", "get_to_accept"): 1,  # not all agents, to know whether one is registered
    ("negotiations", "get_to_settle"): 1,
    ("receipts", "get_case"): 1,
    ("audit", "list_all"): 100,
    ("audit", "list_by_agent"): 100,
    ("audit", "list_by_event"): 100,
    ("audit", "list_by_agent_and_event"): 100,
    ("audit", "forget"): 100,
    ("payments", "due"): 100,
    ("payments", "offered"): 1000,
    ("payments", "pending"): 100,
    ("payments", "standing"): 1000,
    ("stakes", "due"): 100,
    ("stakes", "page"): 200,
    ("events", "between"): 100,
    ("events", "forget"): 100,
    ("events", "page"): 400,  # a row has a batch of events
    ("events", "waiting"): 1,
    ("ledger", "transactions"): 100,
    ("messages", "send"): MAX_QUEUED,
    ("negotiations", "due"): 400,
    ("negotiations", "list_of_agent"): 100,
    ("receipts", "due"): 200,
    ("receipts", "list_all"): 100,
    ("receipts", "list_by_agent"): 100,
    ("receipts", "list_by_client"): 100,
    ("receipts", "list_by_member"): 100,
    ("receipts", "list_by_status"): 100,
    ("receipts", "stuck"): 100,
    ("receipts", "unseated"): 100,
    ("reputation", "history"): 100,
    ("rewards", "by_receipts"): 100,  # what was finalized in the hour
    ("rewards", "last_paid"): 1,
    ("rewards", "paid"): 1,
    ("usefulness", "history"): 100,
    ("usefulness", "of_agent"): 1,
}


@pytest.fixture(scope="module")
def grown_url(databases: Databases, migrated_template: str) -> Iterator[str]:
    with databases.fresh(template=migrated_template) as url:
        asyncio.run(_fill(url))
        yield url


async def _fill(url: str) -> None:
    async with connected(url) as connection:
        await fill(connection)


@pytest.fixture
async def grown(grown_url: str) -> AsyncIterator[asyncpg.Connection]:
    async with connected(grown_url) as connection:
        await plan_as_the_pool_does(connection)
        yield connection


def text_of(table: str, name: str) -> str:
    """A statement as it is run: those of discovery have numbers filled in, here of the model that the template has."""
    return filled(name, 1, 256, 100) if table == "discovery" else queries.load(table)[name]


async def plan_as_the_pool_does(connection: asyncpg.Connection) -> None:
    for name, value in PLANS.items():
        await connection.execute(f"SET {name} = {value}")


async def test_every_statement_fits_the_schema(database_url: str) -> None:
    async with connected(database_url) as connection:
        for table, name in NAMES:
            await connection.prepare(text_of(table, name))


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_every_statement_is_used_by_its_module(path: Path) -> None:
    module = (STORE / f"{path.stem}.py").read_text()

    unused = [name for name in queries.load(path.stem) if f'"{name}"' not in module]

    assert unused == []


def test_no_statement_stands_outside_its_file() -> None:
    written = re.compile(r"\b(SELECT|INSERT INTO|UPDATE|DELETE FROM) [\w*]")
    # They work where there are no tables yet, or with whichever there are.
    allowed = {"migrate.py", "migration_state.py", "migration_files.py", "migration_losses.py"}
    found = [p.name for p in STORE.glob("*.py") if p.name not in allowed and written.search(p.read_text())]

    assert found == []


@pytest.mark.parametrize(("table", "name"), HOT, ids=str)
async def test_a_statement_does_not_read_a_whole_table(grown: asyncpg.Connection, table: str, name: str) -> None:
    plan = await settled_plan(grown, text_of(table, name), HOT[table, name])

    whole = [line for line in plan if (found := re.search(r"Seq Scan on (\w+)", line)) and found[1] in GROWING]

    assert whole == [], "\n".join(plan)


@pytest.mark.parametrize("did", [BUSY, "did:key:z77"], ids=["busy", "quiet"])
@pytest.mark.parametrize(("table", "name"), PAGED, ids=str)
async def test_a_page_costs_a_page(grown: asyncpg.Connection, table: str, name: str, did: str) -> None:
    arguments = [_of(did, argument) for argument in HOT[table, name]]

    plan = await settled_plan(grown, text_of(table, name), arguments, options="ANALYZE, TIMING OFF, ")

    assert rows_read(plan) <= PAGED[table, name], "\n".join(plan)


@pytest.mark.parametrize(("table", "name"), HOT, ids=str)
async def test_a_plan_made_while_all_tables_were_empty_stays_good(database_url: str, table: str, name: str) -> None:
    async with connected(database_url) as connection:
        await plan_as_the_pool_does(connection)
        plan = await settled_plan(connection, text_of(table, name), HOT[table, name])

    whole = [line for line in plan if (found := re.search(r"Seq Scan on (\w+)", line)) and found[1] in GROWING]
    assert whole == [], "\n".join(plan)


async def settled_plan(
    connection: asyncpg.Connection, sql: str, arguments: Sequence[object], *, options: str = ""
) -> list[str]:
    """Plan a statement as the server does once it has been run often enough to have a plan of its own."""
    bound = f"({', '.join(map(literal, arguments))})" if arguments else ""
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute(f"PREPARE hot AS {sql}")
        for _ in range(7):
            await connection.execute(f"EXECUTE hot{bound}")
        return [row[0] for row in await connection.fetch(f"EXPLAIN ({options}COSTS OFF) EXECUTE hot{bound}")]
    finally:
        await transaction.rollback()
        await connection.execute("DEALLOCATE ALL")


def _of(did: str, argument: object) -> object:
    """Put *did* where the busy agent stands."""
    if isinstance(argument, list):
        return [_of(did, one) for one in argument]
    return argument.replace(BUSY, did) if isinstance(argument, str) else argument


def literal(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, list):
        return "'{" + ",".join(f'"{one}"' for one in value) + "}'"
    return str(value) if isinstance(value, int) else f"'{value}'"


def rows_read(plan: Sequence[str]) -> int:
    scans = (line for line in plan if "Scan" in line)
    return max(int(float(found[1])) for line in scans if (found := re.search(r"actual rows=([\d.]+)", line)))
