"""Values with defaults: a test names only what matters to it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from msgspec import structs

from ainp.core.attestation import ACCEPTED, AUDIT_FAIL, AUDIT_PASS, REJECTED, Attestation
from ainp.core.committee import Candidate, DrawPolicy, Epoch
from ainp.core.did import AgentDid, did_of_key
from ainp.core.finalization import Case
from ainp.core.ids import NegotiationId, TaskId
from ainp.core.negotiation import Claim, Negotiation, Opening, initiate
from ainp.core.quorum import QuorumMode
from ainp.core.receipt import JudgingPolicy, NamedEpoch, ReceiptStatus, TaskReceipt
from ainp.core.terms import Proposal

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SEED = bytes(range(32))
NEGOTIATION_ID = NegotiationId(UUID("44444444-4444-4444-8444-444444444444"))
TASK_ID = TaskId(UUID("55555555-5555-4555-8555-555555555555"))
POLICY = JudgingPolicy()


def an_agent(name: str = "agent") -> AgentDid:
    """A did:key that depends on nothing but *name*."""
    return did_of_key(hashlib.sha256(name.encode()).digest())


def agents(count: int, name: str = "agent") -> tuple[AgentDid, ...]:
    """As many agents, in the order of their DIDs."""
    return tuple(sorted(an_agent(f"{name} {number}") for number in range(count)))


CLIENT = an_agent("client")
WORKER = an_agent("worker")
STRANGER = an_agent("stranger")


def a_proposal(price: object = 100, **terms: object) -> Proposal:
    """Terms with a price of 100 credits."""
    return {"price": price, **terms}


def a_negotiation(proposal: Proposal | None = None, **changes: object) -> Negotiation:
    """A negotiation that CLIENT has opened with WORKER now, for an hour, with *changes* made by force."""
    opening = Opening(
        intent_id="translate",
        initiator=CLIENT,
        responder=WORKER,
        proposal=a_proposal() if proposal is None else proposal,
    )
    return structs.replace(initiate(opening, id=NEGOTIATION_ID, now=NOW), **changes)


def an_accepted_negotiation(proposal: Proposal | None = None, *, at: datetime = NOW) -> Negotiation:
    """A negotiation whose opening proposal WORKER has accepted."""
    return a_negotiation(proposal).accept(by=WORKER, now=at, claim=Claim(), seed=SEED)


def a_settled_negotiation(proposal: Proposal | None = None, *, at: datetime = NOW) -> Negotiation:
    """A negotiation that CLIENT settled the moment it was accepted."""
    accepted = an_accepted_negotiation(proposal, at=at)
    return accepted.settle(by=CLIENT, now=at, grace=timedelta(hours=1), task_id=TASK_ID)


def a_candidate(did: str = "", **changes: object) -> Candidate:
    """An agent that registered a day ago, was seen now, and has no record."""
    candidate = Candidate(
        did=AgentDid(did or an_agent()),
        registered_at=NOW - timedelta(days=1),
        last_seen_at=NOW,
        expires_at=None,
        trust=0,
        clients=0,
        stake=0,
    )
    return candidate._replace(**changes)  # type: ignore[arg-type]  # the tests


def an_epoch(
    members: Sequence[str] | int = 10,
    weights: Sequence[int] | None = None,
    *,
    registered_at: datetime = NOW - timedelta(days=1),
) -> Epoch:
    """A list of *members* (or of so many agents), all of weight 1, registered a day ago."""
    dids = agents(members) if isinstance(members, int) else tuple(AgentDid(did) for did in members)
    rows = sorted(zip(dids, weights or (1,) * len(dids), strict=True))
    return Epoch(
        members=tuple(did for did, _ in rows),
        weights=tuple(weight for _, weight in rows),
        registered_at=(registered_at,) * len(rows),
        population=len(rows),
    )


def a_named_epoch(epoch: Epoch | None = None, *, number: int = 7) -> NamedEpoch:
    """A stored epoch."""
    return NamedEpoch(number, an_epoch() if epoch is None else epoch)


def a_receipt(committee: Sequence[AgentDid] | int = 5, *, quorum: int = 3, **changes: object) -> TaskReceipt:
    """A pending receipt over 100 credits that WORKER earned from CLIENT now, with a committee of five."""
    members = agents(committee) if isinstance(committee, int) else tuple(committee)
    receipt = TaskReceipt(
        id=TASK_ID,
        negotiation_id=NEGOTIATION_ID,
        intent_id="translate",
        intent_type="NEGOTIATION",
        agent=WORKER,
        client=CLIENT,
        amount=100_000,
        inputs_ref=None,
        outputs_ref=None,
        metrics={"latency_ms": 1000, "delivery_time_ms": 5000},
        distribution={"agent": "70000", "broker": "10000", "validator": "0", "pool": "10000", "reward": "10000"},
        status=ReceiptStatus.PENDING,
        committee=members,
        quorum=quorum,
        size=5,
        mode=QuorumMode.COMMITTEE_ONLY,
        draw=DrawPolicy.WEIGHTED,
        seed=SEED,
        epoch_id=7 if members else None,
        short=len(members) < 5,
        counts=True,
        created_at=NOW,
        updated_at=NOW,
        window_ends_at=NOW + POLICY.window,
        statement=None,
        statement_hash=None,
    )
    return structs.replace(receipt, **changes)


def an_attestation(kind: str = AUDIT_PASS, by: str = "", **changes: object) -> Attestation:
    """What *by* says about the task, without score or confidence."""
    attestation = Attestation(task_id=TASK_ID, by=AgentDid(by or an_agent()), type=kind)
    return replace(attestation, **changes)  # type: ignore[arg-type]  # the tests


def passes(*members: AgentDid, **changes: object) -> tuple[Attestation, ...]:
    """One AUDIT_PASS of each."""
    return tuple(an_attestation(AUDIT_PASS, did, **changes) for did in members)


def fails(*members: AgentDid, **changes: object) -> tuple[Attestation, ...]:
    """One AUDIT_FAIL of each."""
    return tuple(an_attestation(AUDIT_FAIL, did, **changes) for did in members)


def accepts(by: AgentDid = CLIENT, **changes: object) -> tuple[Attestation, ...]:
    """The client's acceptance."""
    return (an_attestation(ACCEPTED, by, **changes),)


def rejects(by: AgentDid = CLIENT, **changes: object) -> tuple[Attestation, ...]:
    """The client's rejection."""
    return (an_attestation(REJECTED, by, **changes),)


def a_case(receipt: TaskReceipt | None = None, *said: Attestation) -> Case:
    """A receipt and what was said about it."""
    return Case(a_receipt() if receipt is None else receipt, said)


@cache
def vectors() -> Mapping[str, Any]:
    """Known answers that existing clients were made with."""
    return read_vectors("contract")


def read_vectors(name: str) -> Mapping[str, Any]:
    """A file of `tests/vectors`."""
    found: Mapping[str, Any] = json.loads((Path(__file__).parent.parent / "vectors" / f"{name}.json").read_text())
    return found
