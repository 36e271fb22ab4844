"""
What must hold of what is stored, as functions from values to findings.

Each function takes one thing as it was read (a negotiation, a list of candidates, a receipt with all that was said)
and yields a finding for every fact that does not follow from the others by the rules. They are the rules of the other
modules, applied once more to the result. What is proven about many rows at once stands in the store's fsck.sql.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ainp.core import ledger
from ainp.core.attestation import COMMITTEE_VERDICTS, VERDICTS, check_role
from ainp.core.canonical import canonical, digest
from ainp.core.committee import DRAWS, Epoch
from ainp.core.did import AgentDid
from ainp.core.errors import BrokerError
from ainp.core.finalization import Case
from ainp.core.negotiation import Negotiation
from ainp.core.receipt import Failure, NamedEpoch, ReceiptStatus, TaskReceipt
from ainp.core.signature import key_that_verifies, verify
from ainp.core.terms import read_terms

_SHOWN_LENGTH = 300  # a finding is a line; who wants the whole value knows the row


class Check(StrEnum):
    """What is proven; the names operators see."""

    SCHEMA = "schema"
    UNREADABLE = "unreadable"

    LEDGER_SUM = "ledger-sum"
    ACCOUNT_BALANCE = "account-balance"
    ACCOUNT_EARNED = "account-earned"
    ACCOUNT_SPENT = "account-spent"
    ACCOUNT_NEGATIVE = "account-negative"
    PENDING_ACCOUNT = "pending-account"

    RESERVED_ACCOUNT = "reserved-account"
    ENTRY_ACCOUNTS = "entry-accounts"
    RESERVATION = "reservation"
    RELEASE = "release"
    SETTLEMENT = "settlement"
    DISTRIBUTION = "distribution"
    REWARD_ACCOUNT = "reward-account"
    REWARDS = "rewards"

    STAKED_ACCOUNT = "staked-account"
    SLASHED_TOTAL = "slashed-total"
    STAKE_ENTRY = "stake-entry"
    WITHDRAWAL = "withdrawal"
    SLASH_REPUTATION = "slash-reputation"

    PAYMENT_ENTRY = "payment-entry"
    PAYMENT_RECEIPT = "payment-receipt"

    REWARD_HOUR = "reward-hour"
    REWARD_ENTRY = "reward-entry"
    USEFULNESS_TOTAL = "usefulness-total"

    ROUNDS = "rounds"
    TERMS_HASH = "terms-hash"
    RESERVED_PRICE = "reserved-price"

    EPOCH_HASH = "epoch-hash"
    RECEIPT_PER_SETTLEMENT = "receipt-per-settlement"
    RECEIPT_ORIGIN = "receipt-origin"
    STATEMENT = "statement"
    STATEMENT_HASH = "statement-hash"
    SEED_COMMITMENT = "seed-commitment"
    STATEMENT_COMMITTEE = "statement-committee"
    DRAW = "draw"
    COMMITTEE_SHORT = "committee-short"
    COURSE = "course"
    QUORUM = "quorum"
    SPEAKER = "speaker"
    ONE_VERDICT = "one-verdict"

    ATTESTATION = "attestation"
    ATTESTATION_HASH = "attestation-hash"
    SIGNATURE = "signature"

    REPUTATION_VALUE = "reputation-value"
    REPUTATION_COUNT = "reputation-count"
    REPUTATION_CLIENTS = "reputation-clients"
    REPUTATION_CLIENT = "reputation-client"
    AUDITOR_RECORD = "auditor-record"

    COHORT = "cohort"

    SEAT = "seat"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fact that is not what the others say it must be."""

    check: Check
    subject: str
    found: str
    expected: str

    def __str__(self) -> str:
        """One line, whatever the values hold."""
        return f"{self.check}: {_line(self.subject)}: found {_line(self.found)}, expected {_line(self.expected)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a receipt repeats of the negotiation that it was opened for."""

    intent_id: str
    initiator: AgentDid
    responder: AgentDid
    reserved: int
    outputs_ref: str | None
    seed: bytes | None
    terms_hash: str | None
    terms_signatures: Mapping[str, str | None]
    accepted_at: datetime | None
    delivered_at: datetime | None
    closed_at: datetime | None


def check_negotiation(negotiation: Negotiation) -> Iterator[Finding]:
    """The parties took turns, each round is hashed as it stands, and the agreed price was reserved."""
    subject = f"negotiation {negotiation.id}"
    turns = [(said.number, said.proposer) for said in negotiation.rounds]
    parties = (negotiation.initiator, negotiation.responder)
    due = [(place + 1, parties[place % 2]) for place in range(len(turns))]
    if turns != due or not turns:
        yield Finding(Check.ROUNDS, subject, str(turns), str(due or "at least one round"))
    for said in negotiation.rounds:
        terms_hash = digest(canonical(said.proposal)).hex()
        turn = f"{subject} round {said.number}"
        if said.terms_hash != terms_hash:
            yield Finding(Check.TERMS_HASH, turn, said.terms_hash, terms_hash)
        other = negotiation.other(said.proposer)
        for signature, by in ((said.signature, said.proposer), (said.countersignature, other)):
            yield from check_signature(f"{turn} by {by}", bytes.fromhex(terms_hash), signature, by=by)
    # Read anew: the terms are what the proposal says now.
    price = 0 if negotiation.accepted_at is None else read_terms(negotiation.current.proposal, min_fee_bp=0).price
    if negotiation.reserved != price:
        yield Finding(Check.RESERVED_PRICE, subject, str(negotiation.reserved), str(price))


def check_signature(
    subject: str, data: bytes, signature: str | None, *, by: str, key: bytes | None = None
) -> Iterator[Finding]:
    """
    Where something was signed, the signature is its speaker's over these bytes.

    *key* is the one that was stored with it; what verifies is the key that a did:key is, and for a did:web the stored.
    """
    try:
        if signature is not None:
            own = key if key is not None and by.startswith("did:web:") else key_that_verifies(by)
            verify(data, signature=signature, key=own)
            if key is not None and key != own:
                yield Finding(Check.SIGNATURE, subject, f"stored with the key {key.hex()}", f"{by}'s own")
    except BrokerError as error:
        yield Finding(Check.SIGNATURE, subject, error.message, f"a signature of {by}")


def check_epoch(number: int, epoch: Epoch, *, stored_hash: bytes) -> Iterator[Finding]:
    """A list of candidates is the one that was published."""
    subject = f"committee epoch {number}"
    lengths = {len(epoch.members), len(epoch.weights), len(epoch.registered_at)}
    if len(lengths) > 1:
        yield Finding(Check.EPOCH_HASH, subject, f"columns of {sorted(lengths)} candidates", "columns of one length")
    elif epoch.hash != stored_hash:
        yield Finding(Check.EPOCH_HASH, subject, f"a list with hash {epoch.hash.hex()}", stored_hash.hex())


def check_origin(receipt: TaskReceipt, origin: Origin) -> Iterator[Finding]:
    """A receipt says of its negotiation what the negotiation says itself, and all that was reserved is distributed."""
    pairs = (
        ("intent_id", receipt.intent_id, origin.intent_id),
        ("client_did", receipt.client, origin.initiator),
        ("agent_did", receipt.agent, origin.responder),
        ("amount_atomic", receipt.amount, origin.reserved),
        ("outputs_ref", receipt.outputs_ref, origin.outputs_ref),
        ("seed", receipt.seed and receipt.seed.hex(), origin.seed and origin.seed.hex()),
        ("created_at", receipt.created_at, origin.closed_at),
        ("distribution", sum(int(part) for part in receipt.distribution.values()), origin.reserved),
    )
    for name, found, expected in pairs:
        if found != expected:
            yield Finding(Check.RECEIPT_ORIGIN, f"receipt {receipt.id} {name}", str(found), str(expected))


def check_draw(receipt: TaskReceipt, named: NamedEpoch | None) -> Iterator[Finding]:
    """
    The committee is what its seed draws from its list.

    Before any extension it has m seats, or all there are, or none where there are fewer than k; an extended one is
    longer and begins the same way.
    """
    subject = f"receipt {receipt.id}"
    if receipt.epoch_id is None and not receipt.committee:
        return
    if named is None or receipt.seed is None:
        lacking = "seed" if receipt.seed is None else f"committee epoch {receipt.epoch_id}"
        yield Finding(Check.DRAW, subject, f"no {lacking}", "what its committee was drawn from")
        return
    epoch = named.epoch.registered_before(receipt.created_at)
    eligible = epoch.eligible(receipt.contractors)
    first = min(receipt.size, eligible) if eligible >= receipt.quorum else 0
    seats = max(first, len(receipt.committee)) if receipt.extensions else first
    drawn = DRAWS[receipt.draw](epoch, seed=receipt.seed, seats=seats, parties=receipt.contractors)
    if receipt.committee != drawn:
        yield Finding(Check.DRAW, subject, _names(receipt.committee), _names(drawn))
    if receipt.short != (eligible < receipt.size):
        yield Finding(Check.COMMITTEE_SHORT, subject, str(receipt.short), f"{eligible} of {receipt.size} eligible")


def check_course(receipt: TaskReceipt) -> Iterator[Finding]:
    """Status, times and reason fit together."""
    status, failure = receipt.status, receipt.failure
    finalized, failed = status is ReceiptStatus.FINALIZED, status is ReceiptStatus.FAILED
    found = f"{status}, failure {failure}, finalized_at {receipt.finalized_at}, judged_at {receipt.judged_at}"
    subject = f"receipt {receipt.id}"
    if status is not ReceiptStatus.DISPUTED and (
        (receipt.finalized_at is not None) != finalized or (failure is not None) != failed
    ):
        yield Finding(Check.COURSE, subject, found, "finalized_at if finalized, a failure if failed, else neither")
    judged = receipt.judged_at is not None
    if judged and status is ReceiptStatus.PENDING:
        yield Finding(Check.COURSE, subject, found, "judged once it is decided")
    if failure is Failure.NO_VERDICT and not judged:
        yield Finding(Check.COURSE, subject, found, "judged when nobody decided it")


def check_quorum(case: Case) -> Iterator[Finding]:
    """The status is the one that the voices of its own committee make, by its own k and mode."""
    receipt, tally = case.receipt, case.tally
    counted = f"{receipt.status} with {tally.have} passed, {len(tally.failed)} failed, {len(tally.silent)} silent"
    subject = f"receipt {receipt.id}"
    if receipt.status is ReceiptStatus.FINALIZED and not tally.reached:
        yield Finding(Check.QUORUM, subject, counted, f"{tally.needed} distinct voices of its committee that passed")
    if receipt.failure is Failure.VERDICTS and not tally.lost:
        yield Finding(Check.QUORUM, subject, counted, f"{tally.needed} that failed, or too few left to pass")
    if receipt.failure is Failure.NO_VERDICT and tally.decided:
        yield Finding(Check.QUORUM, subject, counted, "too few verdicts to decide")
    if receipt.status is ReceiptStatus.PENDING and tally.decided and not receipt.decidable:
        yield Finding(Check.QUORUM, subject, counted, "decided, or noted as decidable")


def check_voices(case: Case) -> Iterator[Finding]:
    """Only those have spoken who may, and each gave one verdict."""
    given: set[AgentDid] = set()
    for said in case.attestations:
        subject = f"receipt {case.receipt.id} {said.type} by {said.by}"
        try:
            check_role(said, case.receipt.parties)
        except BrokerError as error:
            yield Finding(Check.SPEAKER, subject, error.message, "someone who may say this")
        if said.type in VERDICTS:
            if said.by in given:
                yield Finding(Check.ONE_VERDICT, subject, "another verdict by the same", "one verdict each")
            given.add(said.by)


def check_rewards(case: Case, paid: Sequence[ledger.Entry]) -> Iterator[Finding]:
    """A judged receipt has paid its reward in equal shares to the members who gave a verdict; others have not yet."""
    receipt = case.receipt
    heard = {a.by for a in case.attestations if a.type in COMMITTEE_VERDICTS and a.by in receipt.committee}
    judged = receipt.judged_at is not None
    share = int(receipt.distribution.get("reward", "0")) if judged else 0
    due = {(e.key, e.target, e.amount) for e in ledger.close_reward(receipt.id, share, sorted(heard))}
    booked = {(e.key, e.target, e.amount) for e in paid}
    if booked != due:
        yield Finding(Check.REWARDS, f"receipt {receipt.id}", _entries(booked - due), _entries(due - booked))


def _entries(entries: Iterable[tuple[str, ledger.Account, int]]) -> str:
    return ", ".join(f"{amount} to {target}" for _, target, amount in sorted(entries)) or "nothing"


def _names(members: Sequence[AgentDid]) -> str:
    return ", ".join(members) or "no members"


def _line(text: str) -> str:
    plain = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[:_SHOWN_LENGTH])
    return plain if len(text) <= _SHOWN_LENGTH else f"{plain}…"
