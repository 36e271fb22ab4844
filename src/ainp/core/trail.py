"""
The audit trail: what was refused to whom, and what administrators did.

Who is refused decides how often, so refusals are gathered: equal ones are one record with a count, an address has a few
kinds, all together have a budget, and what does not fit is a number in the next record. No flood fills a disk.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

KINDS = 200  # different refusals that wait to be written
KINDS_OF_ADDRESS = 5  # of one address: whoever tries names or paths is seen, and need not be seen a hundred times
BURST = 600  # records that may be written at once after a quiet time
PER_FLUSH = 2  # records each flush adds to that; at one flush a second the most a flood can write, 45 MB a day
_MESSAGE_LENGTH = 200
_NOT_PRINTABLE = "\N{REPLACEMENT CHARACTER}"


class Trace(StrEnum):
    """What kind of thing happened; the names operators ask for."""

    UNAUTHENTICATED = "unauthenticated"
    UNTRUSTED_REQUEST = "untrusted_request"
    FORBIDDEN = "forbidden"
    ATTESTATION_REFUSED = "attestation_refused"
    REPLAY = "replay"
    RATE_LIMIT = "rate_limit"
    LEFT_OUT = "left_out"  # refusals that are only counted
    DEPOSIT = "deposit"
    SLASH = "slash"
    WEBHOOK_REFUSED = "webhook_refused"
    PAYMENT_REFUSED = "payment_refused"  # money has come that is not credited


@dataclass(frozen=True, slots=True)
class Record:
    """One row of the trail; an *address* is that of the connection's other end."""

    trace: Trace
    agent_did: str | None
    address: str | None
    details: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Refusal:
    """What makes two refusals alike; *named* is the DID that the request named, proven or not."""

    trace: Trace
    code: str
    method: str
    route: str
    named: str | None
    address: str | None


@dataclass
class _Gathered:
    message: str
    count: int = 1


@dataclass
class Refusals:
    """Refusals that wait to be written, as few as they can be."""

    _kinds: dict[Refusal, _Gathered] = field(default_factory=dict)
    _of_address: Counter[str | None] = field(default_factory=Counter)
    _left_out: Counter[str] = field(default_factory=Counter)
    _budget: int = BURST

    def note(self, refusal: Refusal, message: str) -> bool:
        """Take one in; False if it is only counted."""
        gathered = self._kinds.get(refusal)
        if gathered is not None:
            gathered.count += 1
            return True
        if len(self._kinds) >= min(KINDS, self._budget - 1) or self._of_address[refusal.address] >= KINDS_OF_ADDRESS:
            self._left_out[refusal.code] += 1
            return False
        self._of_address[refusal.address] += 1
        self._kinds[refusal] = _Gathered(printable(message))
        return True

    def take(self) -> list[Record]:
        """What is to be written now; the next time comes a flush later."""
        records = [_record(refusal, gathered) for refusal, gathered in self._kinds.items()]
        if self._left_out and self._budget > len(records):
            facts = {"count": self._left_out.total(), "codes": dict(self._left_out)}
            records.append(Record(Trace.LEFT_OUT, None, None, facts))
            self._left_out.clear()
        self._kinds.clear()
        self._of_address.clear()
        self._budget = min(BURST, self._budget - len(records) + PER_FLUSH)
        return records

    def lost(self, records: Sequence[Record]) -> int:
        """Count what was taken and could not be written; how many refusals that were."""
        lost: Counter[str] = Counter()
        for record in records:
            codes = record.details.get("codes") or {record.details["code"]: record.details["count"]}
            lost.update(codes)  # type: ignore[call-overload]  # they are those made here
        self._left_out.update(lost)
        return lost.total()


def printable(text: str, length: int = _MESSAGE_LENGTH) -> str:
    """One line of *text* without anything a terminal or a log could take for more than text."""
    return "".join(c if c.isprintable() else _NOT_PRINTABLE for c in text[:length])


def _record(refusal: Refusal, gathered: _Gathered) -> Record:
    details = {
        "code": refusal.code,
        "method": refusal.method,
        "route": refusal.route,
        "message": gathered.message,
        "count": gathered.count,
    }
    return Record(refusal.trace, refusal.named, refusal.address, details)
