"""Everything that the demo claims, checked from what the broker has published and what the agents remember."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from uuid import UUID

from ainp.cli.demo.evidence import Evidence
from ainp.cli.demo.plot import SEATS, Plot
from ainp.client.verify import check_attestations, check_draw, check_seed, check_statement, check_terms
from ainp.core.attestation import AUDIT_FAIL, AUDIT_PASS, COMMITTEE_VERDICTS, Attestation
from ainp.core.credits import ATOMIC_PER_CREDIT
from ainp.core.did import parse_did
from ainp.core.ids import TaskId
from ainp.core.receipt import ReceiptStatus
from ainp.core.reputation import DEFAULT_ALPHA

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
    claims = STRICT_CLAIMS if plot.strict else CLAIMS
    return [Claim(text.format(e=evidence), tuple(check(matter))) for text, check in claims]


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
    yield from check_statement(m.evidence.published)
    receipt = m.evidence.receipt
    if (receipt.client_did, receipt.agent_did, receipt.id) != (m.client, m.worker, m.evidence.course.task_id):
        yield "it names others than the parties and the task"
    if len(json.loads(m.evidence.statement)["committee"]) != SEATS:
        yield f"it does not name {SEATS} seats"


def _terms(m: _Matter) -> Iterator[str]:
    yield from check_terms(m.evidence.published, {})


def _attestations(m: _Matter) -> Iterator[str]:
    course, published = m.evidence.course, m.evidence.receipt.attestations
    expected = [
        Attestation(TaskId(UUID(course.task_id)), parse_did(did), voice.kind, voice.score, voice.confidence).statement
        for did, voice in course.said
    ]
    if [(a.statement or "").encode() for a in published] != expected:
        yield "what is published is not what was said, in the order in which it was said"
    yield from check_attestations(m.evidence.published, {})


def _seed(m: _Matter) -> Iterator[str]:
    yield from check_seed(m.evidence.published)
    now, then = m.evidence.committee.seed_commitment, m.evidence.course.commitment
    if now != then:
        yield f"the commitment is {now}, at acceptance it was {then}"


def _draw(m: _Matter) -> Iterator[str]:
    yield from check_draw(m.evidence.published)


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


def _proven(m: _Matter) -> Iterator[str]:
    for name, (found, expected) in m.evidence.unproven.items():
        if found != expected:
            yield f"{name}: answered with {found}, expected {expected}"
    if not m.evidence.unproven:
        yield "nothing was tried"


_Claims = tuple[tuple[str, Callable[[_Matter], Iterator[str]]], ...]
CLAIMS: _Claims = (
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
STRICT_CLAIMS: _Claims = (*CLAIMS, ("nobody could speak for another: what was not signed was refused", _proven))
