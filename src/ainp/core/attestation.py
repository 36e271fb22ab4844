"""Attestations: who may say what about a receipt, and the bytes of what was said."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from ainp.core.canonical import canonical
from ainp.core.did import AgentDid
from ainp.core.errors import (
    AttestationLimit,
    DuplicateAttestation,
    InvalidRequest,
    SelfAttestation,
    UnauthorizedAttestation,
)
from ainp.core.ids import TaskId
from ainp.core.limits import MAX_ATTESTATIONS_PER_AGENT, MAX_ATTESTATIONS_PER_RECEIPT, MAX_URI_LENGTH

AUDIT_PASS, AUDIT_FAIL = "AUDIT_PASS", "AUDIT_FAIL"
ACCEPTED, REJECTED = "ACCEPTED", "REJECTED"
SAFETY_PASS, EFFICIENCY_HIGH = "SAFETY_PASS", "EFFICIENCY_HIGH"
PASSES = frozenset({AUDIT_PASS, ACCEPTED})
COMMITTEE_VERDICTS = frozenset({AUDIT_PASS, AUDIT_FAIL})
CLIENT_VERDICTS = frozenset({ACCEPTED, REJECTED})
VERDICTS = COMMITTEE_VERDICTS | CLIENT_VERDICTS

_TYPE = re.compile(r"[A-Z][A-Z0-9_]{1,63}")
_DEFAULT_CONFIDENCE = 0.8
_DEFAULT_SCORE = {True: 0.8, False: 0.2}


class Role(StrEnum):
    """What an attester is to a receipt."""

    CLIENT = "client"
    COMMITTEE = "committee"
    AGENT = "agent"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Attestation:
    """One statement about a task; score and confidence as they were sent, 0 to 1."""

    task_id: TaskId
    by: AgentDid
    type: str
    score: float | None = None
    confidence: float | None = None
    evidence_ref: str | None = None

    @property
    def statement(self) -> bytes:
        """The canonical bytes: exactly these six members, absent ones null; what a signature is over."""
        return canonical(
            {
                "task_id": str(self.task_id),
                "by_did": self.by,
                "type": self.type,
                "score": self.score,
                "confidence": self.confidence,
                "evidence_ref": self.evidence_ref,
            }
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a committee member or the client found; score and confidence in millionths."""

    by: AgentDid
    type: str
    score: int
    confidence: int

    @property
    def passes(self) -> bool:
        """Whether it speaks for the work."""
        return self.type in PASSES


@dataclass(frozen=True, slots=True)
class Parties:
    """Who stands where to a receipt."""

    agent: AgentDid
    client: AgentDid | None
    committee: Collection[AgentDid]

    def role(self, did: AgentDid) -> Role:
        """What *did* is to the receipt."""
        if did == self.agent:
            return Role.AGENT
        if did == self.client:
            return Role.CLIENT
        return Role.COMMITTEE if did in self.committee else Role.OTHER


def check_form(attestation: Attestation, *, pass_score: float, scored: bool = False) -> None:
    """Refuse what no one could say: a type, score, confidence or evidence out of range; *scored* wants both."""
    if not _TYPE.fullmatch(attestation.type):
        raise InvalidRequest(
            f"type: found {attestation.type[:80]!r}, expected capitals such as AUDIT_PASS ({_TYPE.pattern})",
            field="type",
        )
    for name, value in (("score", attestation.score), ("confidence", attestation.confidence)):
        if value is not None and (isinstance(value, bool) or not 0 <= value <= 1):
            raise InvalidRequest(f"{name}: found {value!r}, expected a number from 0 to 1", field=name)
    if scored and attestation.type in COMMITTEE_VERDICTS and None in (attestation.score, attestation.confidence):
        raise InvalidRequest(f"{attestation.type}: expected a score and a confidence from 0 to 1", field="score")
    if attestation.evidence_ref is not None and not 1 <= len(attestation.evidence_ref) <= MAX_URI_LENGTH:
        raise InvalidRequest(
            f"evidence_ref: found {len(attestation.evidence_ref)} characters, expected a URI of 1 to {MAX_URI_LENGTH}",
            field="evidence_ref",
        )
    if attestation.type in VERDICTS and attestation.score is not None:
        passes = attestation.type in PASSES
        if passes != (attestation.score >= pass_score):
            side = "at least" if passes else "less than"
            raise InvalidRequest(
                f"score: {attestation.type} with a score of {attestation.score!r}, expected {side} {pass_score}",
                field="score",
            )


def check_role(attestation: Attestation, parties: Parties) -> None:
    """Refuse who may not say this: an empty committee never means that anyone may audit."""
    role = parties.role(attestation.by)
    if role is Role.AGENT:
        raise SelfAttestation("SELF_ATTESTATION: the working agent attests nothing on its own receipt")
    if attestation.type in CLIENT_VERDICTS and role is not Role.CLIENT:
        raise UnauthorizedAttestation(
            f"UNAUTHORIZED_ATTESTATION: {attestation.type} must be by client_did; {attestation.by} is {role}"
        )
    if attestation.type in COMMITTEE_VERDICTS and role is not Role.COMMITTEE:
        raise UnauthorizedAttestation(
            f"UNAUTHORIZED_ATTESTATION: Only committee members can submit {attestation.type};"
            f" {attestation.by} is {role}"
        )


def check_room(attestation: Attestation, *, said_by_agent: Collection[str], said_in_all: int) -> None:
    """Refuse what was said already, and what is too much; *said_by_agent* are the types so far."""
    if attestation.type in said_by_agent:
        raise DuplicateAttestation(f"{attestation.by} has attested {attestation.type} on this receipt already")
    if attestation.type in VERDICTS:
        if said := VERDICTS & set(said_by_agent):
            raise DuplicateAttestation(f"{attestation.by} has given the verdict {min(said)} already; one verdict each")
        return
    if len(set(said_by_agent) - VERDICTS) >= MAX_ATTESTATIONS_PER_AGENT:
        raise AttestationLimit(
            f"{attestation.by} has {MAX_ATTESTATIONS_PER_AGENT} attestations on this receipt beside its verdict,"
            " the most"
        )
    if said_in_all >= MAX_ATTESTATIONS_PER_RECEIPT:
        raise AttestationLimit(
            f"the receipt has {MAX_ATTESTATIONS_PER_RECEIPT} attestations beside the verdicts, the most"
        )


def verdict_of(attestation: Attestation) -> Verdict:
    """Read a verdict, filling in what compat mode lets a client leave out."""
    passes = attestation.type in PASSES
    return Verdict(
        by=attestation.by,
        type=attestation.type,
        score=millionths(_DEFAULT_SCORE[passes] if attestation.score is None else attestation.score),
        confidence=millionths(_DEFAULT_CONFIDENCE if attestation.confidence is None else attestation.confidence),
    )


def verdicts_of(attestations: Iterable[Attestation]) -> tuple[Verdict, ...]:
    """The verdicts among *attestations*."""
    return tuple(verdict_of(a) for a in attestations if a.type in VERDICTS)


def millionths(value: float) -> int:
    """Turn a number from 0 to 1 into whole millionths."""
    return round(value * 1_000_000)
