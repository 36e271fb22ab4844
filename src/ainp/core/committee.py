"""
The committee: a lottery over a published list that anyone can repeat in any language.

An *epoch* is a list of candidates, sorted by DID, each with a whole-number weight; the running sums of the weights
lay the candidates on a line. Seat i takes the number SHA-256(seed || i as 4 bytes, big-endian) modulo the weight that
is left, and walks that far along the line without the parts already taken. The parties are taken out first, and with
every member all agents of the same operator. So each seat costs one hash, and nobody but the seed decides.
"""

import hashlib
import heapq
from bisect import bisect_left, bisect_right, insort
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple

from ainp.core.did import AgentDid, operator_of
from ainp.core.moments import unix_ms

RECORD_CLIENTS = 5  # finalized receipts with as many different clients make a record
SEED_BYTES = 32
_MILLIONTHS = 1_000_000
_WEIGHT_SCALE = 10_000


class DrawPolicy(StrEnum):
    """How seats are given out."""

    WEIGHTED = "weighted"
    TOP_TRUST = "top_trust"


class Candidate(NamedTuple):
    """An agent as it is looked at for a seat; trust is a lower bound in millionths over finalized receipts only."""

    did: AgentDid
    registered_at: datetime
    last_seen_at: datetime
    expires_at: datetime | None
    trust: int
    clients: int
    stake: int


class Nominee(NamedTuple):
    """A candidate that may be drawn: of so many at once no more is kept than a list is made of."""

    did: AgentDid
    registered_at: datetime
    trust: int
    clients: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Eligibility:
    """Who may sit on a committee; trust in millionths, stake in atomic units."""

    max_idle: timedelta = timedelta(hours=168)
    min_age: timedelta = timedelta(0)
    min_trust: int = 0
    min_stake: int = 0

    def admits(self, candidate: Candidate, *, now: datetime) -> bool:
        """Whether *candidate* may be drawn at *now*; the parties to a task are taken out by the draw itself."""
        return (
            (candidate.expires_at is None or candidate.expires_at > now)
            and candidate.last_seen_at >= now - self.max_idle
            and candidate.registered_at <= now - self.min_age
            and candidate.trust >= self.min_trust
            and candidate.stake >= self.min_stake
        )

    def nominate(self, candidates: Iterable[Candidate], *, now: datetime) -> list[Nominee]:
        """Those of *candidates* who may be drawn at *now*."""
        return [Nominee(c.did, c.registered_at, c.trust, c.clients) for c in candidates if self.admits(c, now=now)]


@dataclass(frozen=True)
class Epoch:
    """A hashed list of candidates, sorted by DID, with their weights; receipts name the one they were drawn from."""

    members: tuple[AgentDid, ...]
    weights: tuple[int, ...]
    registered_at: tuple[datetime, ...]
    population: int = 0

    @cached_property
    def running_sums(self) -> tuple[int, ...]:
        """Where each candidate's part of the line ends."""
        return tuple(accumulate(self.weights))

    @cached_property
    def hash(self) -> bytes:
        """SHA-256 over one line a candidate: DID, weight, running sum, registration in ms; space between, LF after."""
        lines = (
            f"{did} {weight} {end} {unix_ms(at)}\n"
            for did, weight, end, at in zip(
                self.members, self.weights, self.running_sums, self.registered_at, strict=True
            )
        )
        return hashlib.sha256("".join(lines).encode()).digest()

    @cached_property
    def _newest_ms(self) -> int:
        return max(map(unix_ms, self.registered_at), default=-1)

    @cached_property
    def _operators(self) -> dict[str, list[int]]:
        """Who shares an operator; only did:web can."""
        shared: dict[str, list[int]] = {}
        for index, did in enumerate(self.members):
            if did.startswith("did:web:"):
                shared.setdefault(operator_of(did), []).append(index)
        return shared

    @cached_property
    def _operator_count(self) -> int:
        return len(self.members) - sum(len(shared) - 1 for shared in self._operators.values())

    def prepared(self) -> "Epoch":
        """The same list, with everything worked out that a draw asks for."""
        _ = (self.running_sums, self._newest_ms, self._operator_count)
        return self

    def registered_before(self, moment: datetime) -> "Epoch":
        """The part of the list that was registered before *moment*, in whole milliseconds as they are hashed."""
        if self._newest_ms < unix_ms(moment):
            return self
        rows = zip(self.members, self.weights, self.registered_at, strict=True)
        kept = [row for row in rows if unix_ms(row[2]) < unix_ms(moment)]
        members, weights, registered = zip(*kept, strict=True) if kept else ((), (), ())
        return Epoch(members, weights, registered, self.population)

    def same_operator(self, did: str) -> list[int]:
        """The places of everyone run by the operator of *did*, itself included if it is a candidate."""
        if did.startswith("did:web:"):
            return self._operators.get(operator_of(did), [])
        index = bisect_left(self.members, did)
        return [index] if index < len(self.members) and self.members[index] == did else []

    def eligible(self, parties: Collection[AgentDid]) -> int:
        """How many seats the list could fill for a task of *parties*: one an operator."""
        return self._operator_count - len({operator_of(party) for party in parties if self.same_operator(party)})


def build_epoch(nominees: Iterable[Nominee], *, population: int, committee_size: int) -> Epoch:
    """List the nominees of so many agents with their weights; *committee_size* is m."""
    ordered = sorted(nominees)
    return Epoch(
        members=tuple(nominee.did for nominee in ordered),
        weights=weigh(ordered, committee_size=committee_size),
        registered_at=tuple(nominee.registered_at for nominee in ordered),
        population=population,
    )


def weigh(nominees: Sequence[Nominee], *, committee_size: int) -> tuple[int, ...]:
    """
    Weigh by trust once enough have a record, and everybody alike before that.

    "Enough" is 4m candidates with finalized receipts for 5 different clients. A weight is 10000 times the lower bound
    of trust, at least 1, and at most the total divided by 2m: neither fresh identities nor one strong agent
    decide.
    """
    with_record = sum(nominee.clients >= RECORD_CLIENTS for nominee in nominees)
    if with_record < 4 * committee_size:
        return (1,) * len(nominees)
    raw = [max(1, (nominee.trust * _WEIGHT_SCALE + _MILLIONTHS // 2) // _MILLIONTHS) for nominee in nominees]
    cap = _cap(raw, parts=2 * committee_size)
    return tuple(min(weight, cap) for weight in raw)


def _cap(weights: Iterable[int], *, parts: int) -> int:
    """Find the largest cap that is no more than a *parts*-th of the total that it leaves."""
    falling = sorted(weights, reverse=True)
    rest = sum(falling)
    for capped, weight in enumerate(falling[:parts]):
        # With `capped` of them at c: c = (rest + capped * c) / parts.
        cap = rest // (parts - capped)
        if weight <= cap:
            return max(1, cap)
        rest -= weight
    return 1


def draw(epoch: Epoch, *, seed: bytes, seats: int, parties: Collection[AgentDid]) -> tuple[AgentDid, ...]:
    """Draw up to *seats* members; the first n of a longer draw are the draw of n."""
    taken = _Line(epoch)
    for party in parties:
        taken.remove(epoch.same_operator(party))
    members = []
    for seat in range(seats):
        if taken.left <= 0:
            break
        number = int.from_bytes(hashlib.sha256(seed + seat.to_bytes(4)).digest())
        member = epoch.members[taken.at(number % taken.left)]
        members.append(member)
        taken.remove(epoch.same_operator(member))
    return tuple(members)


def draw_top(epoch: Epoch, *, seed: bytes, seats: int, parties: Collection[AgentDid]) -> tuple[AgentDid, ...]:
    """Take the heaviest, ties by SHA-256(seed || DID), one an operator."""
    operators = {operator_of(party) for party in parties}
    # Everyone of a party's operator and of a seated operator may stand before the last seat.
    spare = sum(len(epoch.same_operator(party)) for party in parties)
    spare += sum(len(shared) - 1 for shared in epoch._operators.values())  # noqa: SLF001 - the same module
    ranked = heapq.nsmallest(
        seats + spare,
        zip(epoch.members, epoch.weights, strict=True),
        key=lambda row: (-row[1], hashlib.sha256(seed + row[0].encode()).digest()),
    )
    members: list[AgentDid] = []
    for did, _ in ranked:
        if len(members) < seats and operator_of(did) not in operators:
            operators.add(operator_of(did))
            members.append(did)
    return tuple(members)


DRAWS = {DrawPolicy.WEIGHTED: draw, DrawPolicy.TOP_TRUST: draw_top}


class _Line:
    """The running sums with parts cut out; finding a place costs the number of cuts, not of candidates."""

    def __init__(self, epoch: Epoch) -> None:
        self._epoch = epoch
        self._cuts: list[tuple[int, int]] = []  # (start, weight), by start
        self._gone: set[int] = set()
        self.left = epoch.running_sums[-1] if epoch.weights else 0

    def remove(self, places: Iterable[int]) -> None:
        for place in places:
            if place not in self._gone:
                self._gone.add(place)
                weight = self._epoch.weights[place]
                insort(self._cuts, (self._epoch.running_sums[place] - weight, weight))
                self.left -= weight

    def at(self, distance: int) -> int:
        for start, weight in self._cuts:
            if distance < start:
                break
            distance += weight
        return bisect_right(self._epoch.running_sums, distance)


@dataclass(frozen=True, slots=True)
class Seating:
    """Who was drawn; *short* if there are fewer than m, no members if there would be fewer than k."""

    members: tuple[AgentDid, ...]
    short: bool


def seat(
    epoch: Epoch, *, seed: bytes, parties: Collection[AgentDid], policy: DrawPolicy, quorum: int, size: int
) -> Seating:
    """Draw a committee of *size* (m), or of all there are, or none if they could never make the *quorum* (k)."""
    eligible = epoch.eligible(parties)
    if eligible < quorum:
        return Seating((), short=True)
    return Seating(DRAWS[policy](epoch, seed=seed, seats=min(size, eligible), parties=parties), eligible < size)
