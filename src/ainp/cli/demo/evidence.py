"""What the broker has published when the job is over, from which everything is checked."""

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from ainp.cli.demo.broker import DemoBroker
from ainp.cli.demo.cast import Agent, Cast
from ainp.cli.demo.plot import Voice
from ainp.client import Published, SignedBy
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
    unproven: Mapping[str, tuple[int, int]]  # what was tried without a right to it: the status found, and expected

    @property
    def published(self) -> Published:
        """What anybody can see of the receipt."""
        return Published(
            receipt=self.receipt,
            attestations=self.receipt.attestations,
            statement=self.statement,
            committee=self.committee,
            epoch=self.epoch,
        )


async def before(cast: Cast) -> Before:
    """Look at everything that will move."""
    return Before(await _money(cast.everybody), await cast.worker.client.reputation())


async def gather(broker: DemoBroker, cast: Cast, course: Course, earlier: Before, *, strict: bool) -> Evidence:
    """Ask for everything once, at the end."""
    unproven = await _unproven(cast, course.task_id) if strict else {}
    books = await _books(broker)
    agent = cast.worker.client
    published = await agent.published(course.task_id)
    assert published.epoch is not None
    return Evidence(
        before=earlier,
        course=course,
        receipt=published.receipt,
        statement=published.statement,
        committee=published.committee,
        epoch=published.epoch,
        money=await _money(cast.everybody),
        entries={agent.did: (await agent.client.transactions()).transactions for agent in cast.everybody},
        reputation=await agent.reputation(),
        history=(await agent.history()).changes,
        auditors={agent.did: (await agent.client.reputation()).auditor for agent in cast.auditors},
        books=books,
        heard={agent.name: [(told.number, told.name) for told in agent.heard] for agent in cast.everybody},
        due={agent.name: list(agent.due) for agent in cast.everybody},
        unproven=unproven,
    )


async def _money(agents: Sequence[Agent]) -> dict[str, int]:
    return {agent.did: int((await agent.client.balance()).balance) for agent in agents}


async def _unproven(cast: Cast, task_id: str) -> dict[str, tuple[int, int]]:
    """Try to speak for the client: without a signature, and with the worker's; to see its money, too."""
    client, worker = cast.client.did, cast.worker.client.identity
    assert worker is not None
    offer = {"intent_id": "x", "responder_did": cast.auditors[0].did, "initial_proposal": {"price": 1}}
    tried = {
        "an offer that is not signed": ("POST", "/api/negotiations", offer, None, 401),
        "an offer that another has signed": ("POST", "/api/negotiations", offer, SignedBy(worker), 403),
        "a verdict that is not signed": ("POST", f"/api/receipts/{task_id}/attestations", {"type": "X"}, None, 401),
        "a look at money by nobody": ("GET", f"/api/credits/{client}", None, None, 401),
        "a look at money by another": ("GET", f"/api/credits/{client}", None, SignedBy(worker), 403),
    }
    found = {}
    for name, (method, path, body, auth, expected) in tried.items():
        headers = {"X-AINP-DID": client}
        answer = await cast.http.request(method, cast.url + path, json=body, headers=headers, auth=auth)
        found[name] = (answer.status_code, expected)
    return found


async def _books(broker: DemoBroker) -> list[str]:
    """What `ainp fsck` proves, in this process: starting another one takes longer than the proof."""
    database = Database(broker.database_url, size=1)
    await database.open()
    try:
        async with aclosing(fsck.run(database)) as events:
            return [str(event) async for event in events if isinstance(event, Finding | fsck.Skipped)]
    finally:
        await database.close()
