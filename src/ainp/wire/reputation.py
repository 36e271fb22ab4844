"""Bodies of the reputation routes; all values are numbers from 0 to 1."""

from datetime import datetime

from msgspec import Struct

from ainp.core.moments import unix_ms
from ainp.core.reputation import DECAY_PER_DAY, NEUTRAL, SHOWN, Dimension, Reputation, lower_bound
from ainp.wire.agents import TrustReply
from ainp.wire.values import iso_or_none, part


class DimensionReply(Struct):
    """One dimension: its value now, how often it was observed, and what it is at least."""

    value: float
    observations: int
    lower_bound: float
    observed_at: str | None


class AuditorReply(Struct):
    """An agent's record as a committee member."""

    agreed: int
    disagreed: int
    silent: int


class SevenReply(Struct):
    """The seven dimensions by their letters."""

    q: float
    t: float
    r: float
    s: float
    v: float
    i: float
    e: float
    updated_at: str | None


class TrustScoresReply(Struct):
    """Trust and what it is made of."""

    score: float
    lower_bound: float
    reliability: float
    honesty: float
    competence: float
    timeliness: float
    decay_rate: float
    last_updated: int | None


class ReputationReply(Struct):
    """An agent's reputation, flat and grouped, with what explains it."""

    agent_did: str
    q: float
    t: float
    r: float
    s: float
    v: float
    i: float
    e: float
    updated_at: str | None
    score: float
    reliability: float
    honesty: float
    competence: float
    timeliness: float
    distinct_clients: int
    dimensions: dict[str, DimensionReply]
    reputation: SevenReply
    trust_scores: TrustScoresReply
    auditor: AuditorReply


class ChangeReply(Struct):
    """One change and why it was made; `before` is already decayed."""

    id: int
    task_id: str
    dimension: str
    name: str
    observed: float
    before: float
    after: float
    reason: str
    created_at: str


class HistoryReply(Struct):
    """Changes, newest first; `cursor` continues, null at the end."""

    agent_did: str
    changes: list[ChangeReply]
    cursor: str | None


def reputation_reply(did: str, reputation: Reputation, auditor: AuditorReply, *, now: datetime) -> ReputationReply:
    """Show a reputation as it is at *now*."""
    values = {d.value: part(reputation.standings[d].decayed(now)) for d in SHOWN}
    updated_at = iso_or_none(reputation.updated_at)
    trust = trust_scores(reputation, now=now)
    return ReputationReply(
        agent_did=did,
        **values,
        updated_at=updated_at,
        score=trust.score,
        reliability=trust.reliability,
        honesty=trust.honesty,
        competence=trust.competence,
        timeliness=trust.timeliness,
        distinct_clients=reputation.clients,
        dimensions={d.name.lower(): _dimension(reputation, d, now) for d in SHOWN},
        reputation=SevenReply(**values, updated_at=updated_at),
        trust_scores=trust,
        auditor=auditor,
    )


def trust_scores(reputation: Reputation, *, now: datetime) -> TrustScoresReply:
    """Show trust as it is at *now*."""
    value = {d: part(reputation.standings[d].decayed(now)) for d in SHOWN}
    return TrustScoresReply(
        score=part(reputation.trust(now)),
        lower_bound=part(reputation.trust_lower_bound(now)),
        reliability=value[Dimension.RELIABILITY],
        honesty=value[Dimension.TRUTHFULNESS],
        competence=value[Dimension.QUALITY],
        timeliness=value[Dimension.TIMELINESS],
        decay_rate=DECAY_PER_DAY,
        last_updated=None if reputation.updated_at is None else unix_ms(reputation.updated_at),
    )


def trust_reply(reputation: Reputation, *, now: datetime) -> TrustReply:
    """Show trust the way an agent's address carries it."""
    if reputation.updated_at is None:  # as of most that a search finds: nothing was ever seen of them
        return _UNSEEN
    dimensions = {name: part(reputation.standings[d].decayed(now)) for name, d in _NAMED.items()}
    return TrustReply(part(reputation.trust(now)), dimensions, DECAY_PER_DAY, unix_ms(reputation.updated_at))


_NAMED = {
    "reliability": Dimension.RELIABILITY,
    "honesty": Dimension.TRUTHFULNESS,
    "competence": Dimension.QUALITY,
    "timeliness": Dimension.TIMELINESS,
}
_UNSEEN = TrustReply(part(NEUTRAL), dict.fromkeys(_NAMED, part(NEUTRAL)), DECAY_PER_DAY, None)


def _dimension(reputation: Reputation, dimension: Dimension, now: datetime) -> DimensionReply:
    standing = reputation.standings[dimension]
    value = standing.decayed(now)
    return DimensionReply(
        part(value),
        standing.observations,
        part(lower_bound(value, standing.observations)),
        iso_or_none(standing.observed_at),
    )
