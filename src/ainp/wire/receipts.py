"""Bodies of the receipt routes."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from msgspec import Meta, Struct, structs

from ainp.core.ids import spelled
from ainp.core.limits import MAX_SIGNATURE_LENGTH, MAX_TYPE_LENGTH
from ainp.core.quorum import Tally
from ainp.core.receipt import TaskReceipt
from ainp.wire.values import Did, iso, iso_or_none


class AttestBody(Struct, forbid_unknown_fields=True):
    """
    A statement about a receipt.

    What is signed is RFC 8785 canonical JSON of exactly task_id, by_did, type, score, confidence and evidence_ref,
    absent ones null; unknown members are refused, they would not be part of it.
    """

    type: Annotated[
        str, Meta(max_length=MAX_TYPE_LENGTH, description="AUDIT_PASS, AUDIT_FAIL, ACCEPTED, REJECTED or another")
    ]
    score: Annotated[float | None, Meta(description="0 to 1")] = None
    confidence: Annotated[float | None, Meta(description="0 to 1")] = None
    evidence_ref: Annotated[str | None, Meta(description="a URI; never fetched by the broker")] = None
    signature: (
        Annotated[str, Meta(max_length=MAX_SIGNATURE_LENGTH, description="base64 of an Ed25519 signature")] | None
    ) = None
    by_did: Did | None = None
    task_id: Annotated[str, Meta(max_length=36)] | None = None


class QuorumReply(Struct):
    """How the quorum stands."""

    needed: int
    have: int


class AttestedReply(Struct):
    """An attestation that was stored."""

    ok: bool
    id: str
    type: str
    status: str
    late: bool
    quorum: QuorumReply


class FinalizedReply(Struct):
    """A decided receipt."""

    ok: bool
    status: str
    finalized_at: str | None
    reason: str | None


class ReceiptReply(Struct):
    """A receipt: what it says for ever, and the course of its judgement."""

    id: str
    negotiation_id: str | None
    intent_id: str | None
    intent_type: str | None
    agent_did: str
    client_did: str | None
    inputs_ref: str | None
    outputs_ref: str | None
    metrics: Mapping[str, object]
    amount_atomic: str
    distribution: Mapping[str, str]
    status: str
    failure: str | None
    committee: Sequence[str]
    committee_short: bool
    committee_epoch: int | None
    draw_policy: str
    seed: str | None
    k: int
    m: int
    quorum_mode: str
    extensions: int
    window_ends_at: str
    created_at: str
    updated_at: str
    finalized_at: str | None
    judged_at: str | None
    statement_hash: str | None


class AttestationReply(Struct):
    """
    An attestation as it is kept: score and confidence as they count, `statement` as it was said.

    `statement` is the canonical JSON that was hashed, and signed if there is a signature.
    """

    id: str
    task_id: str
    by_did: str
    type: str
    score: float | None
    confidence: float | None
    evidence_ref: str | None
    signature: str | None
    scheme: str | None
    key_id: str | None
    public_key: str | None
    late: bool
    statement: str | None
    statement_hash: str | None
    created_at: str


class ReceiptWithAttestations(ReceiptReply):
    """A receipt with what was said, its members at the top and, for existing clients, once more under `receipt`."""

    receipt: ReceiptReply
    attestations: list[AttestationReply]
    attestations_cursor: str | None


class ReceiptPage(Struct):
    """Receipts, newest first; `cursor` continues, null at the end."""

    receipts: list[ReceiptReply]
    cursor: str | None


class AttestationPage(Struct):
    """Attestations, oldest first; `cursor` continues, null at the end."""

    attestations: list[AttestationReply]
    cursor: str | None


class CommitteeReply(Struct):
    """A committee and everything its draw can be repeated from."""

    committee: Sequence[str]
    short: bool
    epoch: int | None
    epoch_hash: str | None
    seed: str | None
    seed_commitment: str | None
    policy: str
    seats: int
    parties: Sequence[str]
    extensions: int


class EpochReply(Struct):
    """A published list of candidates; the line of candidate i ends at `running_sums[i]`."""

    id: int
    hash: str
    created_at: str
    members: Sequence[str]
    weights: Sequence[int]
    running_sums: Sequence[int]
    registered_at_ms: Sequence[int]


def receipt_reply(r: TaskReceipt) -> ReceiptReply:
    """Show a receipt."""
    return ReceiptReply(
        id=spelled(r.id),
        negotiation_id=None if r.negotiation_id is None else spelled(r.negotiation_id),
        intent_id=r.intent_id,
        intent_type=r.intent_type,
        agent_did=r.agent,
        client_did=r.client,
        inputs_ref=r.inputs_ref,
        outputs_ref=r.outputs_ref,
        metrics=r.metrics,
        amount_atomic=str(r.amount),
        distribution=r.distribution,
        status=r.status,
        failure=r.failure,
        committee=r.committee,
        committee_short=r.short,
        committee_epoch=r.epoch_id,
        draw_policy=r.draw,
        seed=None if r.revealed_seed is None else r.revealed_seed.hex(),
        k=r.quorum,
        m=r.size,
        quorum_mode=r.mode,
        extensions=r.extensions,
        window_ends_at=iso(r.window_ends_at),
        created_at=iso(r.created_at),
        updated_at=iso(r.updated_at),
        finalized_at=iso_or_none(r.finalized_at),
        judged_at=iso_or_none(r.judged_at),
        statement_hash=None if r.statement_hash is None else r.statement_hash.hex(),
    )


def with_attestations(
    receipt: ReceiptReply, said: list[AttestationReply], cursor: str | None
) -> ReceiptWithAttestations:
    """Show a receipt and a page of what was said about it."""
    return ReceiptWithAttestations(
        **structs.asdict(receipt), receipt=receipt, attestations=said, attestations_cursor=cursor
    )


def quorum_reply(tally: Tally) -> QuorumReply:
    """Show a tally."""
    return QuorumReply(tally.needed, tally.have)
