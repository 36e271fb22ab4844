"""Receipts: read, attested, finalized."""

import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from ainp.core.attestation import VERDICTS, Attestation, Role, check_form, check_role, check_room
from ainp.core.errors import (
    Forbidden,
    InvalidSignature,
    InvalidState,
    NotFound,
    QuorumNotMet,
    ReceiptClosed,
    Unauthenticated,
)
from ainp.core.events import attested_event
from ainp.core.finalization import Case, decide, review
from ainp.core.ids import NegotiationId, TaskId, uuid7
from ainp.core.keys import VerificationKey
from ainp.core.quorum import Tally
from ainp.core.receipt import JudgingPolicy, ReceiptStatus, TaskReceipt
from ainp.core.signature import verify
from ainp.operations import judging
from ainp.operations.committees import Epochs
from ainp.operations.judging import Concluded
from ainp.operations.retry import until_fresh
from ainp.store import attestations, receipts
from ainp.store.attestations import Spoken, StoredAttestation
from ainp.store.db import Session
from ainp.store.receipts import Filter

FIRST = (datetime.min.replace(tzinfo=UTC), UUID(int=0))
LAST = (datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1))


@dataclass(frozen=True, slots=True)
class Signed:
    """An attestation's signature, in base64, and the keys of which one has to verify it."""

    signature: str
    keys: Sequence[VerificationKey]

    def by(self, statement: bytes) -> VerificationKey:
        """The key that verifies it over *statement*, or InvalidSignature."""
        for key in self.keys:
            with suppress(InvalidSignature):
                verify(statement, signature=self.signature, key=key.raw)
                return key
        raise InvalidSignature("Signature verification failed: it is not the attesting DID's over this statement")


@dataclass(frozen=True, slots=True)
class Attested:
    """An attestation that was stored, and what it did."""

    id: UUID
    tally: Tally
    status: ReceiptStatus
    late: bool
    concluded: Concluded


async def get(db: Session, id: TaskId) -> TaskReceipt:  # noqa: A002 - the protocol's word
    """One receipt."""
    found = await receipts.get(db, id)
    if found is None:
        raise NotFound(f"Receipt not found: {id}")
    return found[0]


async def of_negotiation(db: Session, id: NegotiationId) -> TaskReceipt | None:  # noqa: A002
    """The receipt of a settled negotiation."""
    return await receipts.get_of_negotiation(db, id)


async def page(db: Session, wanted: Filter, *, below: tuple[datetime, UUID], limit: int) -> list[TaskReceipt]:
    """Receipts, newest first."""
    return await receipts.page(db, wanted, below=(below[0], TaskId(below[1])), limit=limit)


async def attestations_of(
    db: Session,
    id: TaskId,  # noqa: A002
    *,
    above: tuple[datetime, UUID],
    limit: int,
) -> list[StoredAttestation]:
    """A receipt's attestations, oldest first."""
    return await attestations.page(db, id, above=above, limit=limit)


async def attest(
    db: Session, attestation: Attestation, *, signed: Signed | None, policy: JudgingPolicy, epochs: Epochs
) -> Attested:
    """
    Store what somebody says about a receipt; the voice that completes the quorum finalizes it here and now.

    A signature is verified if there is one, and refused if there is none where *policy* wants one. Everything that
    follows is in the same transaction.
    """
    check_form(attestation, pass_score=policy.pass_score, scored=policy.scored)
    key = None if signed is None else signed.by(attestation.statement)
    if signed is None and policy.signed:
        raise Unauthenticated("an attestation needs a signature of its own here, so that anyone can check it later")

    async def attempt(db: Session) -> Attested:
        found = await receipts.get_case(db, attestation.task_id, speaker=attestation.by)
        if found is None:
            raise NotFound(f"Receipt not found: {attestation.task_id}")
        case, registered, now = found
        _check(attestation, case, registered=registered, now=now)
        heard = Case(case.receipt, [*case.attestations, attestation])
        voice = _Voice(
            attestation,
            None if signed is None else signed.signature,
            key,
            late=_late(attestation, case.receipt),
            now=now,
        )
        concerns = attestation.type in VERDICTS and policy.immediate
        outcome = review(heard, now=now, policy=policy) if concerns else None
        if outcome is None or not outcome.due:
            id_ = await _insert(db, heard, voice)
            return Attested(id_, heard.tally, case.receipt.status, voice.late, Concluded())
        async with db.transaction() as tx:
            id_ = await _insert(tx, heard, voice)
            concluded = await judging.conclude(tx, [(heard, outcome)], now=now, policy=policy, epochs=epochs, ahead=1)
        return Attested(id_, heard.tally, outcome.receipt.status, voice.late, concluded)

    return await until_fresh(db, attempt)


async def finalize(db: Session, id: TaskId, *, policy: JudgingPolicy, epochs: Epochs) -> tuple[TaskReceipt, Concluded]:  # noqa: A002
    """Decide a receipt by hand, by the same rule; a decided one stays as it is."""

    async def attempt(db: Session) -> tuple[TaskReceipt, Concluded]:
        found = await receipts.get_case(db, id, speaker=None)
        if found is None:
            raise NotFound(f"Receipt not found: {id}")
        case, _, now = found
        if case.receipt.status is not ReceiptStatus.PENDING:
            return case.receipt, Concluded()
        if not decide(case, now=now).due:
            raise QuorumNotMet(needed=case.receipt.quorum, have=case.tally.have)
        outcome = review(case, now=now, policy=policy)
        async with db.transaction() as tx:
            concluded = await judging.conclude(tx, [(case, outcome)], now=now, policy=policy, epochs=epochs)
        return outcome.receipt, concluded

    return await until_fresh(db, attempt)


@dataclass(frozen=True, slots=True)
class _Voice:
    attestation: Attestation
    signature: str | None
    key: VerificationKey | None
    late: bool
    now: datetime


async def _insert(db: Session, heard: Case, voice: _Voice) -> UUID:
    id_ = uuid7(voice.now, secrets.token_bytes(10))
    pending = heard.receipt.status is ReceiptStatus.PENDING
    spoken = Spoken(
        attestation=voice.attestation,
        id=id_,
        version=heard.receipt.version,
        signature=voice.signature,
        key=voice.key,
        late=voice.late,
        decidable=pending and heard.tally.decided,
        events=[attested_event(heard.receipt, voice.attestation, now=voice.now, have=heard.tally.have)],
    )
    await attestations.insert(db, spoken)
    return id_


def _check(attestation: Attestation, case: Case, *, registered: bool, now: datetime) -> None:
    receipt = case.receipt
    check_role(attestation, receipt.parties)
    said_by_agent = [a.type for a in case.attestations if a.by == attestation.by]
    remarks = [a for a in case.attestations if a.type not in VERDICTS]
    check_room(attestation, said_by_agent=said_by_agent, said_in_all=len(remarks))
    if receipt.status is ReceiptStatus.DISPUTED:
        raise InvalidState(f"receipt {receipt.id} is disputed", status=receipt.status)
    if receipt.judged_at is not None:
        raise ReceiptClosed(
            f"receipt {receipt.id} was judged at {receipt.judged_at.isoformat()}; nobody is heard any more",
            status=receipt.status,
        )
    if receipt.status is not ReceiptStatus.PENDING and now >= receipt.window_ends_at:
        raise ReceiptClosed(
            f"the window of receipt {receipt.id} closed at {receipt.window_ends_at.isoformat()}", status=receipt.status
        )
    if receipt.parties.role(attestation.by) is Role.OTHER and not registered:
        raise Forbidden(f"{attestation.by} is not a registered agent")


def _late(attestation: Attestation, receipt: TaskReceipt) -> bool:
    return attestation.type in VERDICTS and receipt.status is not ReceiptStatus.PENDING
