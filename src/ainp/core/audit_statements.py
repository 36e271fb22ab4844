"""What must hold of statements: their bytes hash to what is stored, and say what their rows say."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from ainp.core.attestation import VERDICTS, Attestation, millionths, verdict_of
from ainp.core.audit import Check, Finding, Origin, check_signature
from ainp.core.canonical import canonical, digest
from ainp.core.receipt import STATEMENT_TYPE, NamedEpoch, TaskReceipt

_ABSENT = "no such member"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAttestation:
    """An attestation as its row has it; score and confidence in millionths, as they count."""

    id: UUID
    task_id: UUID
    by: str
    type: str
    score: int | None
    confidence: int | None
    evidence_ref: str | None
    signature: str | None
    public_key: bytes | None
    statement: bytes | None
    statement_hash: bytes | None


def check_statement(receipt: TaskReceipt, origin: Origin, named: NamedEpoch | None) -> Iterator[Finding]:
    """A receipt's statement hashes to its hash and says what the row says; its seed is the one committed to."""
    subject = f"receipt {receipt.id}"
    if receipt.statement is None:
        yield Finding(Check.STATEMENT, subject, "no statement", "its canonical bytes")
        return
    yield from _hashed(Check.STATEMENT_HASH, subject, receipt.statement, receipt.statement_hash)
    said = _read(receipt.statement)
    yield from _written(Check.STATEMENT, subject, receipt.statement, said)
    yield from _members(subject, said, _of_receipt(receipt) | _of_origin(origin))
    # The list is named, and the seed revealed, if a committee was drawn at once.
    epoch_hash = None if named is None else named.epoch.hash.hex()
    named_list = {"id": receipt.epoch_id, "hash": epoch_hash} if said.get("committee") else None
    seed = receipt.seed.hex() if receipt.seed is not None and said.get("committee") else None
    yield from _members(subject, said, {"committee_epoch": named_list, "seed": seed})
    commitment = None if receipt.seed is None else digest(receipt.seed).hex()
    if said.get("seed_commitment") != commitment:
        yield Finding(
            Check.SEED_COMMITMENT, subject, str(said.get("seed_commitment")), f"SHA-256 of its seed, {commitment}"
        )
    first = said.get("committee")
    if not isinstance(first, list) or list(receipt.committee[: len(first)]) != first:
        now = ", ".join(receipt.committee) or "no members"
        yield Finding(Check.STATEMENT_COMMITTEE, subject, now, f"to begin with the statement's, {first}")


def check_attestation(kept: KeptAttestation) -> Iterator[Finding]:
    """An attestation's statement hashes to its hash, says what the row says, and bears its speaker's signature."""
    subject = f"attestation {kept.id}"
    if kept.statement is None:
        yield Finding(Check.ATTESTATION, subject, "no statement", "its canonical bytes")
        return
    yield from _hashed(Check.ATTESTATION_HASH, subject, kept.statement, kept.statement_hash)
    found = _read(kept.statement)
    said = Attestation(
        task_id=found["task_id"],
        by=found["by_did"],
        type=found["type"],
        score=found["score"],
        confidence=found["confidence"],
        evidence_ref=found["evidence_ref"],
    )
    if said.statement != kept.statement:
        yield Finding(Check.ATTESTATION, subject, "other bytes", "the canonical JSON of its six members")
    score, confidence = _as_it_counts(said)
    pairs = (
        ("task_id", str(kept.task_id), said.task_id),
        ("by_did", kept.by, said.by),
        ("type", kept.type, said.type),
        ("score", kept.score, score),
        ("confidence", kept.confidence, confidence),
        ("evidence_ref", kept.evidence_ref, said.evidence_ref),
    )
    for name, stored, expected in pairs:
        if stored != expected:
            yield Finding(Check.ATTESTATION, f"{subject} {name}", str(stored), str(expected))
    yield from check_signature(subject, kept.statement, kept.signature, by=kept.by, key=kept.public_key)


def _as_it_counts(said: Attestation) -> tuple[int | None, int | None]:
    if said.type in VERDICTS:
        verdict = verdict_of(said)
        return verdict.score, verdict.confidence
    return (
        None if said.score is None else millionths(said.score),
        None if said.confidence is None else millionths(said.confidence),
    )


def _of_receipt(receipt: TaskReceipt) -> dict[str, object]:
    return {
        "statement": STATEMENT_TYPE,
        "task_id": str(receipt.id),
        "negotiation_id": str(receipt.negotiation_id),
        "intent_id": receipt.intent_id,
        "intent_type": receipt.intent_type,
        "client_did": receipt.client,
        "agent_did": receipt.agent,
        "amount_atomic": str(receipt.amount),
        "distribution": receipt.distribution,
        "outputs_ref": receipt.outputs_ref,
        "metrics": receipt.metrics,
        "k": receipt.quorum,
        "m": receipt.size,
        "quorum_mode": receipt.mode.value,
        "draw_policy": receipt.draw.value,
        "settled_at": receipt.created_at,
    }


def _of_origin(origin: Origin) -> dict[str, object]:
    return {
        "terms_hash": origin.terms_hash,
        "terms_signatures": origin.terms_signatures,
        "accepted_at": origin.accepted_at,
        "delivered_at": origin.delivered_at,
    }


def _members(subject: str, said: Mapping[str, Any], expected: Mapping[str, Any]) -> Iterator[Finding]:
    for name, stored in expected.items():
        stated = said.get(name, _ABSENT)
        if isinstance(stored, datetime):
            same = isinstance(stated, str) and datetime.fromisoformat(stated) == stored
        else:
            same = _same(stated, stored)
        if not same:
            yield Finding(Check.STATEMENT, f"{subject} {name}", f"{stored} in the row", f"{stated} as in the statement")


def _same(one: object, other: object) -> bool:
    """Equal as JSON: jsonb writes 1e23 as a whole number, and True is no 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return float(one) == float(other)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return one == other


def _hashed(check: Check, subject: str, statement: bytes, stored: bytes | None) -> Iterator[Finding]:
    if stored != digest(statement):
        found = "no hash" if stored is None else stored.hex()
        yield Finding(check, subject, found, f"SHA-256 of its statement, {digest(statement).hex()}")


def _written(check: Check, subject: str, statement: bytes, said: object) -> Iterator[Finding]:
    if canonical(said) != statement:
        yield Finding(check, subject, "other bytes", "canonical JSON (RFC 8785)")


def _read(statement: bytes) -> Mapping[str, Any]:
    said = json.loads(statement)
    if not isinstance(said, Mapping):
        raise TypeError(f"found {type(said).__name__}, expected an object")
    return said
