"""Bodies of searches."""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from ainp.core.agent import Capability
from ainp.core.credits import in_credits
from ainp.core.discovery import Query, ceiling
from ainp.core.limits import MAX_DESCRIPTION_LENGTH, MAX_FOUND, MAX_PRICE_CREDITS, MAX_TAGS
from ainp.core.reputation import ONE
from ainp.wire.agents import CapabilityReply, EmbeddingSent, Tag, TrustReply, embedding_of

_Part = Annotated[float, Meta(ge=0, le=1)]
_Most = Annotated[float, Meta(ge=0, le=MAX_PRICE_CREDITS)]


_RENAMED = {"min_trust_camel": "minTrust", "max_latency_camel": "maxLatency", "max_cost_camel": "maxCost"}


class QueryBody(Struct, rename=_RENAMED):
    """What is looked for; members that this broker has no use for are ignored."""

    description: Annotated[str, Meta(max_length=MAX_DESCRIPTION_LENGTH)] | None = None
    embedding: EmbeddingSent = None
    tags: Annotated[list[Tag], Meta(max_length=MAX_TAGS, description="one of them is enough")] | None = None
    min_trust: Annotated[_Part, Meta(description="the least lower bound of trust")] | None = None
    min_trust_camel: (
        Annotated[_Part, Meta(description="the same; the answer is then an object with `agents`")] | None
    ) = None
    limit: Annotated[int, Meta(ge=1, le=MAX_FOUND)] | None = None
    max_latency_ms: Annotated[_Most, Meta(description="leaves out what says that it takes longer")] | None = None
    max_cost: Annotated[_Most, Meta(description="credits; leaves out what says that it costs more")] | None = None
    max_latency_camel: Annotated[_Most, Meta(description="the same, in milliseconds")] | None = None
    max_cost_camel: Annotated[_Most, Meta(description="the same")] | None = None

    @property
    def wrapped(self) -> bool:
        """Whether older clients asked, which expect an object."""
        return self.min_trust_camel is not None

    def query(self) -> Query:
        """The query; of two ways to say the same the narrower counts."""
        return Query(
            description=self.description,
            embedding=embedding_of(self.embedding),
            tags=tuple(self.tags or ()),
            min_trust=round(max(self.min_trust or 0, self.min_trust_camel or 0) * ONE),
            limit=self.limit,
            ceiling=ceiling((self.max_latency_ms, self.max_latency_camel), (self.max_cost, self.max_cost_camel)),
        )


class RankReply(Struct):
    """
    Why an agent stands where it does, each from 0 to 1.

    `score` is the weighted sum of similarity, trust and usefulness, and a little for shared words. Trust and usefulness
    are what they are at least, given how much was seen.
    """

    similarity: float
    trust: float
    usefulness: float
    shared_words: float
    cosine: float
    score: float


class FoundReply(Struct):
    """An agent that was found: the capability that answers first, and at most ten in all."""

    did: str
    capabilities: list[CapabilityReply]
    credentials: list[str]
    trust: TrustReply
    usefulness_score_cached: float
    usefulness_last_updated: int | None
    similarity: float
    score: float
    rank: RankReply


class FoundAgents(Struct):
    """Agents that were found, best first."""

    agents: list[FoundReply]


class MatchTrust(Struct):
    """Trust from 0 to 1, decayed until now."""

    score: float


class MatchReply(Struct, rename={"est_latency_ms": "estLatencyMs", "price_hint": "priceHint"}):
    """An agent that was found, in the specification's short form; what it says of the capability that answers best."""

    did: str
    score: float
    trust: MatchTrust
    est_latency_ms: int | UnsetType = UNSET
    price_hint: Annotated[float, Meta(description="credits")] | UnsetType = UNSET


class EnvelopeReply(Struct):
    """What came of an envelope: the agent is registered for so many minutes, or agents were found."""

    status: str | UnsetType = UNSET
    ttl_minutes: float | UnsetType = UNSET
    results: list[FoundReply] | UnsetType = UNSET
    matches: list[MatchReply] | UnsetType = UNSET


class DiscoverPayload(Struct):
    """A query under its name."""

    query: QueryBody | None = None


def capability_reply(capability: Capability, embedding: str = "") -> CapabilityReply:
    """One capability, with its embedding where it was asked for."""
    return CapabilityReply(
        capability.description,
        embedding,
        list(capability.tags),
        capability.version,
        capability.evidence,
        UNSET if capability.latency_ms is None else capability.latency_ms,
        UNSET if capability.cost is None else in_credits(capability.cost),
    )


def match_reply(found: FoundReply) -> MatchReply:
    """The short form of an agent that was found; its first capability is the one that answers best."""
    match = MatchReply(found.did, found.score, MatchTrust(found.trust.score))
    if found.capabilities:
        match.est_latency_ms, match.price_hint = found.capabilities[0].latency_ms, found.capabilities[0].cost
    return match
