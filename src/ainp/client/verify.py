"""
A receipt checked by anybody, from what its broker has published, and without believing that broker.

What is checked: the statement's hash and form, both parties' signatures over the terms, what everybody has said and
that they have signed it, the seed that the broker had committed to, and the draw of the committee, repeated.

A did:key verifies what it has signed by itself. Whoever a did:web is can only be told by its own document, so its key
has to be given, as raw bytes; the one that a broker publishes proves nothing.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ainp.client import calls
from ainp.client.ask import Flow
from ainp.core.canonical import canonical, digest
from ainp.core.committee import DRAWS, DrawPolicy, Epoch
from ainp.core.did import parse_did
from ainp.core.errors import BrokerError, InvalidSignature
from ainp.core.moments import UNIX_EPOCH
from ainp.core.signature import key_that_verifies, verify
from ainp.wire.receipts import AttestationReply, CommitteeReply, EpochReply, ReceiptWithAttestations

_PAGE = 200
Keys = Mapping[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """All that a broker has published of a receipt; a committee that was not drawn has no epoch."""

    receipt: ReceiptWithAttestations
    attestations: Sequence[AttestationReply]
    statement: bytes
    committee: CommitteeReply
    epoch: EpochReply | None


def collect(task_id: str) -> Flow[Published]:
    """Ask for all of it."""
    receipt = yield calls.receipt(None, task_id)
    said, cursor = list(receipt.attestations), receipt.attestations_cursor
    while cursor is not None:
        page = yield calls.attestations(None, task_id, limit=_PAGE, cursor=cursor)
        said, cursor = [*said, *page.attestations], page.cursor
    committee = yield calls.committee(None, task_id)
    return Published(
        receipt=receipt,
        attestations=said,
        statement=(yield calls.statement(None, task_id)),
        committee=committee,
        epoch=None if committee.epoch is None else (yield calls.epoch(None, committee.epoch)),
    )


def verify_receipt(published: Published, *, keys: Keys | None = None) -> list[str]:
    """Everything that does not hold, each in a sentence; nothing if the receipt is what it says."""
    checks = (
        check_statement(published),
        check_terms(published, keys or {}),
        check_attestations(published, keys or {}),
        check_seed(published),
        check_draw(published),
    )
    return [problem for check in checks for problem in _found(check)]


def check_statement(p: Published) -> Iterator[str]:
    """The statement is canonical JSON with the receipt's hash, parties, amounts and first committee."""
    r, said = p.receipt, _said(p)
    if digest(p.statement).hex() != r.statement_hash:
        yield f"the statement's hash is {digest(p.statement).hex()}, the receipt says {r.statement_hash}"
    if canonical(said) != p.statement:
        yield "the statement is not canonical JSON"
    if (said["client_did"], said["agent_did"], said["task_id"]) != (r.client_did, r.agent_did, r.id):
        yield "the statement names others than the parties and the task"
    if said["distribution"] != r.distribution or said["amount_atomic"] != r.amount_atomic:
        yield "the statement names other amounts than the receipt"
    first = said["committee"]
    if first != list(r.committee[: len(first)]):
        yield "the statement names another committee than the receipt"


def check_terms(p: Published, keys: Keys) -> Iterator[str]:
    """Both parties have signed the agreed terms."""
    said = _said(p)
    signed = said["terms_signatures"]
    if set(signed) != {p.receipt.client_did, p.receipt.agent_did}:
        yield f"the terms are signed by {', '.join(sorted(signed)) or 'nobody'}, expected both parties"
    for did, signature in signed.items():
        yield from _signature("the terms", bytes.fromhex(said["terms_hash"]), signature, did, keys)


def check_attestations(p: Published, keys: Keys) -> Iterator[str]:
    """What everybody has said is what they have signed, and its hash is the published one."""
    for a in p.attestations:
        said = (a.statement or "").encode()
        what = f"{a.type} of {a.by_did}"
        if digest(said).hex() != a.statement_hash:
            yield f"{what}: another hash than its statement's"
        signed = json.loads(said)
        if (signed["task_id"], signed["by_did"], signed["type"]) != (p.receipt.id, a.by_did, a.type):
            yield f"{what}: its statement says something else"
        for name in ("score", "confidence", "evidence_ref"):
            if signed[name] is not None and signed[name] != getattr(a, name):
                yield f"{what}: {name} is {signed[name]} in its statement, published is {getattr(a, name)}"
        yield from _signature(what, said, a.signature, a.by_did, keys)


def check_seed(p: Published) -> Iterator[str]:
    """The seed is the one that the broker had committed to; compare it with what you were told at acceptance."""
    seed = bytes.fromhex(p.committee.seed or "")
    said = {p.committee.seed_commitment, _said(p)["seed_commitment"], *([digest(seed).hex()] if seed else [])}
    if len(said) > 1:
        yield f"SHA-256 of the seed and the commitments to it differ: {', '.join(sorted(map(str, said)))}"
    if p.receipt.seed != p.committee.seed:
        yield "the receipt and its committee name different seeds"


def check_draw(p: Published) -> Iterator[str]:
    """The committee is whom the seed draws from the published list of candidates, the parties left out."""
    said, listed = p.committee, p.epoch
    if list(said.committee) != list(p.receipt.committee):
        yield "the receipt has another committee than the one that was drawn"
    if listed is None:
        if said.committee:
            yield "the committee was not drawn from a published list"
        return
    epoch = Epoch(
        members=tuple(map(parse_did, listed.members)),
        weights=tuple(listed.weights),
        registered_at=tuple(UNIX_EPOCH + timedelta(milliseconds=ms) for ms in listed.registered_at_ms),
    )
    named = _said(p)["committee_epoch"]
    # An extension may have drawn from the same list, which the statement names if it named one at all.
    hashes = {epoch.hash.hex(), listed.hash, said.epoch_hash, *([named["hash"]] if named else [])}
    if len(hashes) > 1:
        yield f"the list of candidates has several hashes: {', '.join(sorted(map(str, hashes)))}"
    drawn = DRAWS[DrawPolicy(said.policy)](
        epoch.registered_before(datetime.fromisoformat(p.receipt.created_at)),
        seed=bytes.fromhex(said.seed or ""),
        seats=said.seats,
        parties=[parse_did(did) for did in (p.receipt.client_did, p.receipt.agent_did) if did is not None],
    )
    if list(drawn) != list(said.committee):
        yield f"drawn again: {', '.join(drawn)}; the broker said {', '.join(said.committee)}"


def _signature(what: str, data: bytes, signature: str | None, did: str, keys: Keys) -> Iterator[str]:
    if signature is None:
        yield f"{what}: not signed, so nothing shows that {did} has said it"
        return
    try:
        verify(data, signature=signature, key=keys[did] if did in keys else key_that_verifies(did))
    except InvalidSignature as error:
        yield f"{what}: {error.message}"


def _said(p: Published) -> Any:  # noqa: ANN401 - any JSON
    return json.loads(p.statement)


def _found(check: Iterator[str]) -> Iterator[str]:
    """The problems of one check; what can't even be read is one."""
    try:
        yield from check
    except (BrokerError, ValueError, KeyError, TypeError, AttributeError) as error:
        yield f"what is published can't be read: {error!r}"
