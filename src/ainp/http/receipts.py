"""Receipts: read, attested, finalized."""

from ainp.core.attestation import VERDICTS, Attestation
from ainp.core.canonical import digest
from ainp.core.errors import InvalidRequest, NotFound
from ainp.core.ids import NegotiationId, TaskId, parse_id
from ainp.core.moments import unix_ms
from ainp.core.receipt import ReceiptStatus, TaskReceipt
from ainp.http.call import Call, Reply
from ainp.http.cursor import read_cursor, write_cursor
from ainp.operations import committees, receipts
from ainp.operations.lines import concluded_lines
from ainp.operations.receipts import FIRST, LAST, Signed
from ainp.store.attestations import StoredAttestation
from ainp.store.receipts import Filter
from ainp.telemetry import Line
from ainp.telemetry.metrics import ATTESTATIONS
from ainp.wire.receipts import (
    AttestationPage,
    AttestationReply,
    AttestBody,
    AttestedReply,
    CommitteeReply,
    EpochReply,
    FinalizedReply,
    ReceiptPage,
    ReceiptWithAttestations,
    quorum_reply,
    receipt_reply,
    with_attestations,
)
from ainp.wire.values import iso, iso_or_none

_LAST_EPOCH = 2**62


async def page(call: Call) -> Reply:
    """Receipts, newest first, filtered by agent, client, committee member, negotiation or status."""
    if "negotiation_id" in call.query:
        return Reply(await _of_negotiation(call))
    wanted = Filter(
        agent=call.did_in_query("agent_did"),
        client=call.did_in_query("client_did"),
        member=call.did_in_query("committee_did"),
        status=_status(call),
    )
    limit, below = call.limit(), read_cursor(call.query.get("cursor"), default=LAST)
    found = await receipts.page(call.db, wanted, below=below, limit=limit)
    last = found[-1] if len(found) == limit else None
    return Reply(
        ReceiptPage([receipt_reply(r) for r in found], None if last is None else write_cursor(last.created_at, last.id))
    )


async def get(call: Call) -> Reply:
    """A receipt with what was said about it, oldest first."""
    receipt = await receipts.get(call.db, _id(call))
    said, cursor = await _attestations(call, receipt)
    reply: ReceiptWithAttestations = with_attestations(receipt_reply(receipt), said, cursor)
    return Reply(reply)


async def get_attestations(call: Call) -> Reply:
    """What was said about a receipt, oldest first, page by page."""
    said, cursor = await _attestations(call, await receipts.get(call.db, _id(call)))
    return Reply(AttestationPage(said, cursor))


async def get_statement(call: Call) -> Reply:
    """The canonical bytes of a receipt; their SHA-256 is its `statement_hash`."""
    receipt = await receipts.get(call.db, _id(call))
    if receipt.statement is None:
        raise NotFound(f"receipt {receipt.id} was not opened by a settlement and has no statement")
    return Reply(receipt.statement)


async def get_committee(call: Call) -> Reply:
    """Who may audit, and everything the draw can be repeated from."""
    r = await receipts.get(call.db, _id(call))
    epoch = None if r.epoch_id is None else await call.broker.epochs.named(call.db, r.epoch_id)
    return Reply(
        CommitteeReply(
            committee=r.committee,
            short=r.short,
            epoch=r.epoch_id,
            epoch_hash=None if epoch is None else epoch.epoch.hash.hex(),
            seed=None if r.revealed_seed is None else r.revealed_seed.hex(),
            seed_commitment=None if r.seed is None else digest(r.seed).hex(),
            policy=r.draw,
            seats=len(r.committee),
            parties=r.contractors,
            extensions=r.extensions,
        )
    )


async def get_epoch(call: Call) -> Reply:
    """A published list of candidates."""
    text = call.params["id"]
    digits = text.removeprefix("-")  # the list of a cohort
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 18 and int(digits) <= _LAST_EPOCH):  # noqa: PLR2004 - digits of a bigint
        raise NotFound(f"no committee epoch {text[:40]!r}")
    stored = await committees.get(call.db, int(text))
    epoch = stored.epoch
    return Reply(
        EpochReply(
            id=stored.id,
            hash=stored.hash.hex(),
            created_at=iso(stored.at),
            members=epoch.members,
            weights=epoch.weights,
            running_sums=epoch.running_sums,
            registered_at_ms=[unix_ms(at) for at in epoch.registered_at],
        )
    )


async def attest(call: Call) -> Reply:
    """Say something about a receipt; the voice that completes the quorum finalizes it."""
    task_id = _id(call)
    body = call.body(AttestBody)
    if body.task_id is not None and body.task_id.lower() != str(task_id):
        raise InvalidRequest(f"task_id: found {body.task_id!r}, the path names {task_id}", field="task_id")
    attestation = Attestation(task_id, call.by, body.type, body.score, body.confidence, body.evidence_ref)
    done = await receipts.attest(
        call.db,
        attestation,
        signed=await _signed(call, body),
        policy=call.broker.terms.judging,
        epochs=call.broker.epochs,
    )
    call.broker.notice(call.by)
    reply = AttestedReply(
        ok=True,
        id=str(done.id),
        type=attestation.type,
        status=done.status,
        late=done.late,
        quorum=quorum_reply(done.tally),
    )
    kind = attestation.type.lower() if attestation.type in VERDICTS else "remark"
    facts = {"task_id": str(task_id), "type": attestation.type, "by_did": call.by}
    said = Line("Attestation recorded", facts, counts=((ATTESTATIONS.of(kind), 1),))
    return Reply(reply, 201, (said, *concluded_lines(done.concluded)))


async def _signed(call: Call, body: AttestBody) -> Signed | None:
    if body.signature is None:
        return None
    return Signed(body.signature, await call.broker.keys.asserting(call.db, call.by))


async def finalize(call: Call) -> Reply:
    """Decide a receipt by hand, by the same rule as the job; a decided one stays as it is."""
    receipt, concluded = await receipts.finalize(
        call.db, _id(call), policy=call.broker.terms.judging, epochs=call.broker.epochs
    )
    reply = FinalizedReply(True, receipt.status, iso_or_none(receipt.finalized_at), receipt.failure)
    return Reply(reply, lines=concluded_lines(concluded))


async def _of_negotiation(call: Call) -> ReceiptPage:
    negotiation_id = NegotiationId(parse_id(call.query["negotiation_id"], what="Negotiation"))
    found = await receipts.of_negotiation(call.db, negotiation_id)
    return ReceiptPage([] if found is None else [receipt_reply(found)], None)


async def _attestations(call: Call, receipt: TaskReceipt) -> tuple[list[AttestationReply], str | None]:
    limit, above = call.limit(), read_cursor(call.query.get("cursor"), default=FIRST)
    said = await receipts.attestations_of(call.db, receipt.id, above=above, limit=limit)
    last = said[-1] if len(said) == limit else None
    return [_attestation(a) for a in said], None if last is None else write_cursor(last.created_at, last.id)


def _attestation(a: StoredAttestation) -> AttestationReply:
    return AttestationReply(
        id=str(a.id),
        task_id=str(a.task_id),
        by_did=a.by,
        type=a.type,
        score=a.score,
        confidence=a.confidence,
        evidence_ref=a.evidence_ref,
        signature=a.signature,
        scheme=a.scheme,
        key_id=a.key_id,
        public_key=None if a.public_key is None else a.public_key.hex(),
        late=a.late,
        statement=None if a.statement is None else a.statement.decode(),
        statement_hash=None if a.statement_hash is None else a.statement_hash.hex(),
        created_at=iso(a.created_at),
    )


def _id(call: Call) -> TaskId:
    return TaskId(call.id("task_id", what="Receipt"))


def _status(call: Call) -> ReceiptStatus | None:
    value = call.query.get("status")
    if value is None:
        return None
    try:
        return ReceiptStatus(value)
    except ValueError:
        expected = ", ".join(ReceiptStatus)
        raise InvalidRequest(f"status: found {value[:40]!r}, expected one of {expected}", field="status") from None
