"""What the broker has published when the job is over, from which everything is checked."""

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from ainp.cli.demo.broker import DemoBroker
from ainp.cli.demo.cast import Agent, Cast
from ainp.cli.demo.plot import Voice
from ainp.core.audit import Finding
from ainp.operations import fsck
from ainp.store.db import Database
from ainp.wire.credits import MovementReply
from ainp.wire.receipts import CommitteeReply, EpochReply, ReceiptWithAttestations
from ainp.wire.reputation import AuditorReply, ChangeReply, ReputationReply


@dataclass(frozen=True, slots=True)
class Before:
    """How things stood when everybody had registered."""

    money: Mapping[str, int]
    reputation: ReputationReply


@dataclass(frozen=True, slots=True)
class Course:
    """What the agents remember: the seed's commitment at acceptance, the task, and who said what, in this order."""

    commitment: str | None
    task_id: str
    said: Sequence[tuple[str, Voice]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All of it; money and entries by DID."""

    before: Before
    course: Course
    receipt: ReceiptWithAttestations
    statement: bytes
    committee: CommitteeReply
    epoch: EpochReply
    money: Mapping[str, int]
    entries: Mapping[str, Sequence[MovementReply]]
    reputation: ReputationReply
    history: Sequence[ChangeReply]
    auditors: Mapping[str, AuditorReply]
    books: Sequence[str]  # what `ainp fsck` finds wrong
    heard: Mapping[str, Sequence[tuple[int, str]]]  # numbers and names of the events, by the agent's name
    due: Mapping[str, Sequence[str]]


async def before(cast: Cast) -> Before:
    """Look at everything that will move."""
    return Before(await _money(cast.everybody), await cast.worker.client.reputation())


async def gather(broker: DemoBroker, cast: Cast, course: Course, earlier: Before) -> Evidence:
    """Ask for everything once, at the end."""
    books = await _books(broker)
    agent = cast.worker.client
    receipt, committee = await agent.receipt(course.task_id), await agent.committee(course.task_id)
    assert committee.epoch is not None
    return Evidence(
        before=earlier,
        course=course,
        receipt=receipt,
        statement=await agent.statement(course.task_id),
        committee=committee,
        epoch=await agent.epoch(committee.epoch),
        money=await _money(cast.everybody),
        entries={agent.did: await agent.client.transactions() for agent in cast.everybody},
        reputation=await agent.reputation(),
        history=await agent.history(),
        auditors={agent.did: (await agent.client.reputation()).auditor for agent in cast.auditors},
        books=books,
        heard={agent.name: [(told.number, told.name) for told in agent.heard] for agent in cast.everybody},
        due={agent.name: list(agent.due) for agent in cast.everybody},
    )


async def _money(agents: Sequence[Agent]) -> dict[str, int]:
    return {agent.did: int((await agent.client.balance()).balance) for agent in agents}


async def _books(broker: DemoBroker) -> list[str]:
    """What `ainp fsck` proves, in this process: starting another one takes longer than the proof."""
    database = Database(broker.database_url, size=1)
    await database.open()
    try:
        async with aclosing(fsck.run(database)) as events:
            return [str(event) async for event in events if isinstance(event, Finding | fsck.Skipped)]
    finally:
        await database.close()
