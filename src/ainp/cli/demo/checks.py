"""Everything that the demo claims, checked from what the broker has published and what the agents remember."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from ainp.cli.demo.evidence import Evidence
from ainp.cli.demo.plot import SEATS, Plot
from ainp.core.attestation import AUDIT_FAIL, AUDIT_PASS, COMMITTEE_VERDICTS, Attestation
from ainp.core.canonical import canonical, digest
from ainp.core.committee import DRAWS, DrawPolicy, Epoch
from ainp.core.credits import ATOMIC_PER_CREDIT
from ainp.core.did import parse_did
from ainp.core.errors import InvalidSignature
from ainp.core.ids import TaskId
from ainp.core.moments import UNIX_EPOCH
from ainp.core.receipt import ReceiptStatus
from ainp.core.reputation import DEFAULT_ALPHA
from ainp.core.signature import key_that_verifies, verify

_ROUNDING = 2e-6  # millionths are kept; a change has two of them rounded
_SECONDS_OF_DECAY = 1e-5
_MOVED = {"t", "i", "r", "q", "v"}


@dataclass(frozen=True, slots=True)
class Claim:
    """Something that has to hold, and what speaks against it."""

    text: str
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Matter:
    plot: Plot
    evidence: Evidence
    client: str
    worker: str


def examine(plot: Plot, evidence: Evidence, *, client: str, worker: str) -> list[Claim]:
    """Check everything."""
    matter = _Matter(plot, evidence, client, worker)
    return [Claim(text.format(e=evidence), tuple(check(matter))) for text, check in CLAIMS]


def _ending(m: _Matter) -> Iterator[str]:
    receipt = m.evidence.receipt
    if (receipt.status, receipt.failure) != (m.plot.status, m.plot.failure):
        yield f"the receipt is {receipt.status} ({receipt.failure}), expected {m.plot.status} ({m.plot.failure})"
    if receipt.judged_at is None:
        yield "the receipt is not judged"
    if receipt.extensions != bool(m.plot.silent) or len(receipt.committee) != SEATS + m.plot.silent:
        yield f"{len(receipt.committee)} seats after {receipt.extensions} extensions"
    verdict = AUDIT_PASS if m.plot.status is ReceiptStatus.FINALIZED else AUDIT_FAIL
    have = {a.by_did for a in receipt.attestations if a.type == verdict and a.by_did in receipt.committee}
    if len(have) < receipt.k:
        yield f"{len(have)} members said {verdict}, expected at least {receipt.k}"


def _statement(m: _Matter) -> Iterator[str]:
    receipt, written = m.evidence.receipt, m.evidence.statement
    if digest(written).hex() != receipt.statement_hash:
        yield f"its hash is {digest(written).hex()}, the receipt says {receipt.statement_hash}"
    said = json.loads(written)
    if canonical(said) != written:
        yield "it is not canonical JSON"
    if (said["client_did"], said["agent_did"], said["task_id"]) != (m.client, m.worker, m.evidence.course.task_id):
        yield "it names others than the parties and the task"
    if said["distribution"] != receipt.distribution or said["amount_atomic"] != receipt.amount_atomic:
        yield "it names other amounts than the receipt"
    if said["committee"] != list(receipt.committee[:SEATS]):
        yield "it names another committee than the receipt"


def _terms(m: _Matter) -> Iterator[str]:
    said = json.loads(m.evidence.statement)
    if set(said["terms_signatures"]) != {m.client, m.worker}:
        yield f"the terms are signed by {sorted(said['terms_signatures'])}"
    for did, signature in said["terms_signatures"].items():
        yield from _signature(bytes.fromhex(said["terms_hash"]), signature, did)


def _attestations(m: _Matter) -> Iterator[str]:
    course, published = m.evidence.course, m.evidence.receipt.attestations
    expected = [
        Attestation(TaskId(UUID(course.task_id)), parse_did(did), voice.kind, voice.score, voice.confidence).statement
        for did, voice in course.said
    ]
    if [(a.statement or "").encode() for a in published] != expected:
        yield "what is published is not what was said, in the order in which it was said"
    for a in published:
        said = (a.statement or "").encode()
        if digest(said).hex() != a.statement_hash:
            yield f"{a.type} of {a.by_did}: another hash than its statement's"
        yield from _signature(said, a.signature, a.by_did)


def _signature(data: bytes, signature: str | None, did: str) -> Iterator[str]:
    try:
        verify(data, signature=signature or "", key=key_that_verifies(did))
    except InvalidSignature as error:
        yield error.message


def _seed(m: _Matter) -> Iterator[str]:
    seed = bytes.fromhex(m.evidence.committee.seed or "")
    found = {digest(seed).hex(), m.evidence.committee.seed_commitment, m.evidence.course.commitment}
    if len(found) > 1:
        yield f"SHA-256 of the seed, the commitment now and the one at acceptance differ: {found}"


def _draw(m: _Matter) -> Iterator[str]:
    said, listed = m.evidence.committee, m.evidence.epoch
    epoch = Epoch(
        members=tuple(map(parse_did, listed.members)),
        weights=tuple(listed.weights),
        registered_at=tuple(UNIX_EPOCH + timedelta(milliseconds=ms) for ms in listed.registered_at_ms),
    )
    hashes = {
        epoch.hash.hex(),
        listed.hash,
        said.epoch_hash,
        json.loads(m.evidence.statement)["committee_epoch"]["hash"],
    }
    if len(hashes) > 1:
        yield f"the list of candidates has several hashes: {hashes}"
    drawn = DRAWS[DrawPolicy(said.policy)](
        epoch.registered_before(datetime.fromisoformat(m.evidence.receipt.created_at)),
        seed=bytes.fromhex(said.seed or ""),
        seats=SEATS + m.plot.silent,
        parties=[parse_did(m.client), parse_did(m.worker)],
    )
    if not list(drawn) == list(said.committee) == list(m.evidence.receipt.committee):
        yield f"drawn again: {', '.join(drawn)}; the broker said {', '.join(said.committee)}"


def _money(m: _Matter) -> Iterator[str]:
    e = m.evidence
    moved = net(e)
    for did, had in e.before.money.items():
        if e.money[did] - had != moved[did]:
            yield f"{did} has {e.money[did] - had:+} units, its entries say {moved[did]:+}"
    broker = moved["fees"] + moved["pool"]
    if sum(e.money.values()) + broker != sum(e.before.money.values()):
        yield f"{sum(e.before.money.values())} units before, {sum(e.money.values())} + {broker} after"
    if kept := {account: amount for account, amount in moved.items() if account.startswith("reward:") and amount}:
        yield f"not everything was paid out: {kept}"


def _shares(m: _Matter) -> Iterator[str]:
    e = m.evidence
    parts = {name: int(part) for name, part in e.receipt.distribution.items()}
    heard = {did for did, voice in e.course.said if voice.kind in COMMITTEE_VERDICTS}
    price = int(e.receipt.amount_atomic)
    expected = Counter({m.client: -price, m.worker: parts["agent"], "fees": parts["broker"], "pool": parts["pool"]})
    expected.update(dict.fromkeys(heard, parts["reward"] // len(heard)))
    if sum(parts.values()) != price or price % ATOMIC_PER_CREDIT:
        yield f"the parts {parts} are not the price {price}"
    found = {account: amount for account, amount in net(e).items() if amount}
    if found != dict(expected):
        yield f"moved was {found}, expected {dict(expected)}"


def net(e: Evidence) -> Counter[str]:
    """What every account has gained since the registrations; an agent's accounts are one, its DID."""
    entries = {entry.id: entry for found in e.entries.values() for entry in found if entry.type != "welcome_grant"}
    moved: Counter[str] = Counter()
    for entry in entries.values():
        moved[_owner(entry.source)] -= abs(int(entry.amount))
        moved[_owner(entry.target)] += abs(int(entry.amount))
    return moved


def _owner(account: str) -> str:
    kind, _, did = account.partition(":")
    return did if kind in ("available", "reserved", "staked") else account


def _reputation(m: _Matter) -> Iterator[str]:
    e = m.evidence
    if {change.dimension for change in e.history} & _MOVED != _MOVED:
        yield f"moved have {sorted(change.dimension for change in e.history)}, expected {sorted(_MOVED)}"
    for change in e.history:
        after = change.before + DEFAULT_ALPHA * (change.observed - change.before)
        if abs(after - change.after) > _ROUNDING:
            yield f"{change.name}: {change.before} and {change.observed} make {after}, not {change.after}"
        if change.dimension in _MOVED:
            for value, when in ((change.before, e.before.reputation), (change.after, e.reputation)):
                if abs(value - getattr(when, change.dimension)) > _SECONDS_OF_DECAY:
                    yield f"{change.name} is {getattr(when, change.dimension)}, its history says {value}"
    if (e.reputation.r > e.before.reputation.r) != (m.plot.status is ReceiptStatus.FINALIZED):
        yield f"reliability went from {e.before.reputation.r} to {e.reputation.r}"


def _records(m: _Matter) -> Iterator[str]:
    right = AUDIT_PASS if m.plot.status is ReceiptStatus.FINALIZED else AUDIT_FAIL
    said = {did: voice.kind for did, voice in m.evidence.course.said}
    for did, record in m.evidence.auditors.items():
        seated = did in m.evidence.receipt.committee
        expected = (
            seated and said.get(did) == right,
            seated and said.get(did, right) != right,
            seated and did not in said,
        )
        if (record.agreed, record.disagreed, record.silent) != expected:
            yield f"{did} has the record {record}"


def _events(m: _Matter) -> Iterator[str]:
    for name, due in m.evidence.due.items():
        if list(m.evidence.heard[name]) != list(enumerate(due, start=1)):
            yield f"{name} was told {m.evidence.heard[name]}, expected {due}"


def _books(m: _Matter) -> Iterator[str]:
    yield from m.evidence.books


CLAIMS: tuple[tuple[str, Callable[[_Matter], Iterator[str]]], ...] = (
    ("the receipt is {e.receipt.status}, as announced, by the votes of its own committee", _ending),
    ("the receipt's statement is canonical JSON with the hash that the receipt names", _statement),
    ("both parties have signed the agreed terms", _terms),
    ("every attestation is what was said, with a signature that needs no broker to be verified", _attestations),
    ("the seed is the one that the broker had committed to before the work was delivered", _seed),
    ("the draw, repeated from the seed and the published list, seats the same committee", _draw),
    ("no credit was made or lost: what everybody has is what they had and what their entries say", _money),
    ("everybody got the agreed part, and the reward went to those who gave a verdict", _shares),
    ("every reputation that moved is what its history explains", _reputation),
    ("who agreed, who disagreed and who was silent is on the auditors' records", _records),
    ("every agent was told what concerns it and nothing else, numbered without a gap", _events),
    ("`ainp fsck` finds nothing wrong in the books", _books),
)
