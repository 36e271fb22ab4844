"""
Everything that an agent can ask of a broker, each as a function from who asks to the question.

`Client` and `AsyncClient` have them as methods.
"""

# ruff: noqa: ARG001 - every call takes who asks, also where the signature alone says it

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ainp.client.ask import Ask, did_of, get, of, part, post, raw
from ainp.client.identity import Identity
from ainp.wire.agents import AddressBody, AgentReply, CapabilityBody, EmbeddingSent, RegisterBody, RegisteredReply
from ainp.wire.credits import BalanceReply, DepositBody, DepositReply, TransactionsReply
from ainp.wire.discovery import FoundReply, QueryBody
from ainp.wire.health import HealthReply, ReadyReply
from ainp.wire.negotiations import (
    AcceptBody,
    CancelBody,
    DeliverBody,
    InitiateBody,
    NegotiationReply,
    ProposeBody,
    RejectBody,
    SettleBody,
    SettledReply,
)
from ainp.wire.receipts import (
    AttestationPage,
    AttestedReply,
    CommitteeReply,
    EpochReply,
    FinalizedReply,
    ReceiptPage,
    ReceiptWithAttestations,
)
from ainp.wire.reputation import HistoryReply, ReputationReply
from ainp.wire.stakes import CancelUnstakeBody, SlashBody, SlashReply, StakeBody, StakeReply
from ainp.wire.trail import TrailReply
from ainp.wire.usefulness import AggregatedReply, ProofBody, ProofReply, UsefulnessReply

Proposal = Mapping[str, Any]
Who = Identity | None
_UNWELL = frozenset({503})  # an answer of the health routes, too


# Agents


def register(by: Who, *capabilities: str | CapabilityBody, ttl_ms: float | None = None) -> Ask[RegisteredReply]:
    """Register with exactly these capabilities, or be registered for longer."""
    can = [CapabilityBody(each) if isinstance(each, str) else each for each in capabilities]
    body = RegisterBody(address=AddressBody(of(by).did, can), ttl=ttl_ms)
    return post("/api/agents/register", body, RegisteredReply)


def agent(by: Who, did: str | None = None) -> Ask[AgentReply]:
    """An agent that is registered now: oneself, or another."""
    return get(f"/api/agents/{did_of(by, did)}", AgentReply)


def search(  # noqa: PLR0913 - the filters that there are
    by: Who,
    description: str | None = None,
    *,
    embedding: EmbeddingSent = None,
    tags: Sequence[str] = (),
    min_trust: float | None = None,
    max_latency_ms: float | None = None,
    max_cost: float | None = None,
    limit: int | None = None,
) -> Ask[list[FoundReply]]:
    """
    Agents that can do what is described, best first; in strict mode, too, anybody may ask.

    What says that it takes longer than *max_latency_ms*, or costs more credits than *max_cost*, is left out.
    """
    body = QueryBody(
        description, embedding, list(tags), min_trust, limit=limit, max_latency_ms=max_latency_ms, max_cost=max_cost
    )
    return post("/api/discovery/search", body, list[FoundReply])


def reputation(by: Who, did: str | None = None) -> Ask[ReputationReply]:
    """A reputation: one's own, or another's."""
    return get(f"/api/reputation/{did_of(by, did)}", ReputationReply)


def history(
    by: Who, did: str | None = None, *, limit: int | None = None, cursor: str | None = None
) -> Ask[HistoryReply]:
    """The changes of a reputation and their reasons, newest first."""
    return get(f"/api/reputation/{did_of(by, did)}/history", HistoryReply, limit=limit, cursor=cursor)


# Negotiations


def initiate(
    by: Who,
    responder_did: str,
    proposal: Proposal,
    *,
    intent_id: str,
    max_rounds: int | None = None,
    ttl_minutes: float | None = None,
) -> Ask[NegotiationReply]:
    """Open a negotiation with a first proposal, signed."""
    body = InitiateBody(intent_id, responder_did, dict(proposal), terms_signature=of(by).sign_terms(proposal))
    if max_rounds is not None:
        body.max_rounds = max_rounds
    if ttl_minutes is not None:
        body.ttl_minutes = ttl_minutes
    return post("/api/negotiations", body, NegotiationReply)


def propose(by: Who, negotiation_id: str, proposal: Proposal) -> Ask[NegotiationReply]:
    """Answer with another proposal, signed."""
    body = ProposeBody(dict(proposal), terms_signature=of(by).sign_terms(proposal))
    return post(_negotiation(negotiation_id, "/propose"), body, NegotiationReply)


def accept(by: Who, negotiation: NegotiationReply) -> Ask[NegotiationReply]:
    """Accept the proposal as it was seen, and no other, and countersign its terms."""
    signed = of(by).sign_terms(negotiation.current_proposal)
    body = AcceptBody(terms_hash=negotiation.terms_hash, terms_signature=signed)
    return post(_negotiation(negotiation.id, "/accept"), body, NegotiationReply)


def reject(by: Who, negotiation_id: str, reason: str | None = None) -> Ask[NegotiationReply]:
    """End a negotiation without agreement."""
    return post(_negotiation(negotiation_id, "/reject"), RejectBody(reason=reason), NegotiationReply)


def cancel(by: Who, negotiation_id: str, reason: str | None = None) -> Ask[NegotiationReply]:
    """Withdraw; after acceptance the responder may, and what was reserved goes back."""
    return post(_negotiation(negotiation_id, "/cancel"), CancelBody(reason=reason), NegotiationReply)


def deliver(
    by: Who,
    negotiation_id: str,
    outputs_ref: str | None = None,
    metrics: Mapping[str, object] | None = None,
) -> Ask[NegotiationReply]:
    """Say where the finished work is."""
    body = DeliverBody(outputs_ref=outputs_ref, metrics=None if metrics is None else dict(metrics))
    return post(_negotiation(negotiation_id, "/deliver"), body, NegotiationReply)


def settle(by: Who, negotiation_id: str) -> Ask[SettledReply]:
    """Pay out what was agreed; the answer has the receipt."""
    return post(_negotiation(negotiation_id, "/settle"), SettleBody(), SettledReply)


def negotiation(by: Who, negotiation_id: str) -> Ask[NegotiationReply]:
    """A negotiation, as its parties see it."""
    return get(_negotiation(negotiation_id), NegotiationReply)


def negotiations(
    by: Who, did: str | None = None, *, state: str | None = None, limit: int | None = None
) -> Ask[list[NegotiationReply]]:
    """One's own negotiations, newest first; *state* may be `active`."""
    named = of(by).did if did is None else did
    return get("/api/negotiations", list[NegotiationReply], agent_did=named, state=state, limit=limit)


# Receipts


def receipt(by: Who, task_id: str) -> Ask[ReceiptWithAttestations]:
    """A receipt with the first page of what was said."""
    return get(_receipt(task_id), ReceiptWithAttestations)


def receipts(  # noqa: PLR0913 - the filters that there are
    by: Who,
    *,
    agent_did: str | None = None,
    client_did: str | None = None,
    committee_did: str | None = None,
    negotiation_id: str | None = None,
    status: str | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> Ask[ReceiptPage]:
    """Receipts, newest first; the page's `cursor` continues."""
    return get(
        "/api/receipts",
        ReceiptPage,
        agent_did=agent_did,
        client_did=client_did,
        committee_did=committee_did,
        negotiation_id=negotiation_id,
        status=status,
        limit=limit,
        cursor=cursor,
    )


def attestations(
    by: Who,
    task_id: str,
    *,
    limit: int | None = None,
    cursor: str | None = None,
) -> Ask[AttestationPage]:
    """What was said about a receipt, oldest first; the page's `cursor` continues."""
    return get(_receipt(task_id, "/attestations"), AttestationPage, limit=limit, cursor=cursor)


def statement(by: Who, task_id: str) -> Ask[bytes]:
    """The bytes of a receipt's statement, as they are hashed."""
    return Ask("GET", _receipt(task_id, "/statement"), raw)


def committee(by: Who, task_id: str) -> Ask[CommitteeReply]:
    """A receipt's committee and everything its draw can be repeated from."""
    return get(_receipt(task_id, "/committee"), CommitteeReply)


def epoch(by: Who, number: int) -> Ask[EpochReply]:
    """A published list of candidates."""
    return get(f"/api/committee-epochs/{number}", EpochReply)


def attest(
    by: Who,
    task_id: str,
    kind: str,
    *,
    score: float | None = None,
    confidence: float | None = None,
    evidence_ref: str | None = None,
) -> Ask[AttestedReply]:
    """Say something about a receipt, signed, so that anybody can hold it against its speaker."""
    body = of(by).attest(task_id, kind, score=score, confidence=confidence, evidence_ref=evidence_ref)
    return post(_receipt(task_id, "/attestations"), body, AttestedReply)


def finalize(by: Who, task_id: str) -> Ask[FinalizedReply]:
    """Have a receipt decided now, by the same rule as ever; raises QuorumNotMet while it can't be."""
    return post(_receipt(task_id, "/finalize"), None, FinalizedReply)


# Credits


def balance(by: Who, did: str | None = None) -> Ask[BalanceReply]:
    """One's money."""
    return get(f"/api/credits/{did_of(by, did)}", BalanceReply)


def transactions(
    by: Who, did: str | None = None, *, limit: int | None = None, offset: int | None = None
) -> Ask[TransactionsReply]:
    """The entries of one's accounts, newest first."""
    return get(f"/api/credits/{did_of(by, did)}/transactions", TransactionsReply, limit=limit, offset=offset)


def stake(by: Who, amount_atomic: int) -> Ask[StakeReply]:
    """Lock credits as a bond."""
    return post("/api/stakes", StakeBody(amount_atomic), StakeReply)


def unstake(by: Who, amount_atomic: int) -> Ask[StakeReply]:
    """Ask for staked credits back: they count no more from now on, and are paid after a delay."""
    return post("/api/stakes/unstake", StakeBody(amount_atomic), StakeReply)


def cancel_unstake(by: Who) -> Ask[StakeReply]:
    """Leave staked what was to be paid."""
    return post("/api/stakes/cancel-unstake", CancelUnstakeBody(), StakeReply)


def staked(by: Who, did: str | None = None) -> Ask[StakeReply]:
    """What an agent has staked: oneself, or another."""
    return get(f"/api/stakes/{did_of(by, did)}", StakeReply)


# Usefulness


def prove(
    by: Who,
    work_type: str,
    metrics: Mapping[str, float],
    trace_id: str,
    *,
    receipt_id: str | None = None,
    intent_id: str | None = None,
) -> Ask[ProofReply]:
    """Say what work was done, now, once for each trace; only with a receipt of it can it be rewarded."""
    body = ProofBody(
        work_type, dict(metrics), trace_id, time.time() * 1000, intent_id, receipt_id, agent_did=of(by).did
    )
    return post("/api/usefulness/proofs", body, ProofReply)


def usefulness(by: Who, did: str | None = None) -> Ask[UsefulnessReply]:
    """How useful an agent has been for thirty days: oneself, or another."""
    return get(f"/api/usefulness/agents/{did_of(by, did)}", UsefulnessReply)


# For administrators, with the client's `admin_token`


def deposit(by: Who, did: str, amount_atomic: int) -> Ask[DepositReply]:
    """Give an agent credits."""
    return post("/api/credits/deposit", DepositBody(did, amount_atomic), DepositReply, admin=True)


def aggregate(by: Who) -> Ask[AggregatedReply]:
    """Have proofs added up now instead of at the next hour."""
    return post("/api/usefulness/aggregate", None, AggregatedReply, admin=True)


def slash(by: Who, did: str, amount_atomic: int, reason: str, *, evidence_ref: str | None = None) -> Ask[SlashReply]:
    """Take of an agent's stake, and of its reputation."""
    return post("/api/admin/slash", SlashBody(did, amount_atomic, reason, evidence_ref), SlashReply, admin=True)


def audit(
    by: Who,
    *,
    agent_did: str | None = None,
    event_type: str | None = None,
    since: str | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> Ask[TrailReply]:
    """Refusals and what administrators did, newest first; the page's `next_cursor` continues."""
    said = {"agent_did": agent_did, "event_type": event_type, "since": since, "limit": limit, "cursor": cursor}
    return replace(get("/api/admin/audit", TrailReply, **said), admin=True)


# The broker


def health(by: Who) -> Ask[HealthReply]:
    """Whether the broker works."""
    return replace(get("/health", HealthReply), answers=_UNWELL)


def ready(by: Who) -> Ask[ReadyReply]:
    """Whether everything that the broker can do works, and what it warns of."""
    return replace(get("/health/ready", ReadyReply), answers=_UNWELL)


def _negotiation(negotiation_id: str, then: str = "") -> str:
    return f"/api/negotiations/{part(negotiation_id)}{then}"


def _receipt(task_id: str, then: str = "") -> str:
    return f"/api/receipts/{part(task_id)}{then}"
