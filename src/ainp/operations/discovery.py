"""Agents are found: by what they say they can do, ranked by what others have seen of them."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ainp.adapters.embeddings import Embedder
from ainp.core import discovery as core
from ainp.core.agent import Capability
from ainp.core.did import AgentDid
from ainp.core.discovery import SHOWN_CAPABILITIES, Found, Query, Weights
from ainp.core.errors import BrokerError, EmbeddingsUnavailable, InvalidQuery, SchemaBehind
from ainp.core.vectors import YARDSTICK, Model, Scale, Sent, Vector, calibrate, check_dimension, check_model
from ainp.store import discovery as store
from ainp.store import events
from ainp.store.db import Session
from ainp.store.discovery import Candidate, Prepared, Shown, Wanted

NO_VECTORS = "discovery is unavailable: PostgreSQL has no extension `vector` of version 0.8 or later"
NO_MODEL = "EMBEDDINGS=none: this broker makes no embeddings, search with an `embedding` of your own"
_LOOKED_AT = 3  # capabilities for each agent that is wanted
_LEAST_LOOKED_AT = 60
_ROUNDS = 4  # of a search in which few agents have many capabilities
_A_RECORD = 1  # millionths of trust
_WITH_A_RECORD = 5  # of those that are looked at; with fewer it may be that newcomers crowd them out


class Hit(NamedTuple):
    """An agent that was found, and why it stands where it does."""

    agent: Shown
    found: Found
    cosine: float
    score: float


@dataclass
class Discovery:
    """What makes vectors, and how agents are ranked; the model is prepared when it is first needed."""

    embedder: Embedder | None
    weights: Weights = field(default_factory=Weights)
    threshold: float = 0.0
    limit: int = 20
    named: Model | None = None  # without an embedder: what agents have to send
    _prepared: Prepared | None = None

    async def prepared(self, db: Session) -> Prepared:
        """The model, searchable; or EmbeddingsUnavailable with the reason."""
        if self._prepared is None:
            self._prepared = await self._prepare(db)
        return self._prepared

    async def embed(self, db: Session, texts: Sequence[str]) -> list[Vector]:
        """Vectors of *texts*."""
        if self.embedder is None:
            raise EmbeddingsUnavailable(NO_MODEL)
        prepared = await self.prepared(db)
        vectors = await self.embedder.embed(texts)
        for vector in vectors:
            if len(vector) != prepared.model.dimension:
                raise EmbeddingsUnavailable(
                    f"the model {prepared.model.name!r} makes vectors of {len(vector)} numbers now, those stored have"
                    f" {prepared.model.dimension}: give it another name"
                )
        return vectors

    async def problem(self, db: Session) -> str | None:
        """Why agents can't be found, if they can't."""
        try:
            await self.prepared(db)
        except BrokerError as error:
            return error.message
        return None

    async def _prepare(self, db: Session) -> Prepared:
        name = self.named.name if self.embedder is None and self.named is not None else None
        name = self.embedder.name if self.embedder is not None else name
        if name is None:
            raise EmbeddingsUnavailable(NO_MODEL)
        known = await store.known(db, name)
        if known is not None and known[1]:
            return known[0]
        model, scale = (known[0].model, known[0].scale) if known is not None else await self._measured()
        if not await store.prepare(db, model, scale):
            raise EmbeddingsUnavailable(NO_VECTORS)
        known = await store.known(db, name)
        assert known is not None
        return known[0]

    async def _measured(self) -> tuple[Model, Scale]:
        if self.embedder is None:
            assert self.named is not None
            return self.named, Scale()
        vectors = await self.embedder.embed(YARDSTICK)
        return Model(self.embedder.name, check_dimension(len(vectors[0]))), calibrate(vectors)

    async def describe(
        self, db: Session, capabilities: Sequence[Capability], given: Sequence[Sent | None]
    ) -> tuple[Prepared, list[Vector | None]] | None:
        """
        The vector of each capability that an agent registers: its own where it sends one, else made here.

        What can't be embedded now is left to a job, so that nobody has to wait to be registered.
        """
        if not capabilities:
            return None
        try:
            prepared = await self.prepared(db)
        except (EmbeddingsUnavailable, SchemaBehind):
            return None
        vectors: dict[int, Vector] = {
            place: check_model(sent, prepared.model) for place, sent in enumerate(given) if sent is not None
        }
        left = [place for place in range(len(capabilities)) if place not in vectors]
        if left and self.embedder is not None:
            texts = [core.text_of(capabilities[place].description, capabilities[place].tags) for place in left]
            with suppress(EmbeddingsUnavailable):  # a job makes them
                vectors |= dict(zip(left, await self.embed(db, texts), strict=True))
        made = [vectors.get(place, ()) for place in range(len(capabilities))]
        return prepared, [vector if any(vector) else None for vector in made]


async def search(db: Session, discovery: Discovery, query: Query) -> list[Hit]:
    """The agents that answer best, best first."""
    vector, limit = await _vector(db, discovery, query), query.limit or discovery.limit
    prepared = await discovery.prepared(db)
    wanted = Wanted(vector, query.tags, query.min_trust, query.ceiling)
    candidates = await _candidates(db, prepared, wanted, limit=limit)
    shared = core.shared_words(query.description or "", [candidate.said for candidate in candidates])
    by_found = {}
    for candidate, words in zip(candidates, shared, strict=True):
        found = _found(candidate, prepared.scale, words)
        if found.similarity >= discovery.threshold:
            by_found[found] = candidate
    ranked = core.rank(list(by_found), discovery.weights, limit=limit)
    chosen = {found.agent: by_found[found] for found in ranked}
    return await _hits(db, discovery.weights, ranked, chosen)


async def _vector(db: Session, discovery: Discovery, query: Query) -> Vector:
    if query.embedding is not None:
        prepared = await discovery.prepared(db)
        return check_model(query.embedding, prepared.model)
    if not query.description:
        raise InvalidQuery("Query must have either embedding or description")
    (vector,) = await discovery.embed(db, [query.description])
    if not any(vector):
        raise InvalidQuery("description: found no words in it")
    return vector


async def _candidates(db: Session, prepared: Prepared, wanted: Wanted, *, limit: int) -> list[Candidate]:
    """
    What may be among the best: the nearest, and the nearest of those that have a record.

    One agent with many capabilities does not take the places of others: once it was found, the search goes on without
    it. Nor do many agents without a record, that say the same, keep away those that have one.
    """
    most = max(_LEAST_LOOKED_AT, _LOOKED_AT * limit)
    found: list[Candidate] = []
    for _ in range(_ROUNDS):
        agents = {candidate.agent for candidate in found}
        more = await store.nearest(db, prepared, wanted, most=most, without=sorted(agents))
        found += more
        if len(more) < most or len({candidate.agent for candidate in found}) >= most // 2:
            break
    if len(found) >= most and sum(1 for one in found if one.trust) < _WITH_A_RECORD:
        record = replace(wanted, min_trust=max(wanted.min_trust, _A_RECORD))
        known = {candidate.capability for candidate in found}
        trusted = await store.nearest(db, prepared, record, most=limit)
        found += [candidate for candidate in trusted if candidate.capability not in known]
    return found


def _found(candidate: Candidate, scale: Scale, shared_words: float) -> Found:
    return Found(
        candidate.agent,
        scale.similarity(candidate.cosine),
        candidate.trust / 1_000_000,
        core.lower_usefulness(candidate.usefulness, candidate.proofs) / 10_000,
        shared_words,
    )


async def _hits(db: Session, weights: Weights, ranked: Sequence[Found], chosen: dict[str, Candidate]) -> list[Hit]:
    dids = [AgentDid(found.agent) for found in ranked]
    shown = await store.shown(db, {did: chosen[did].capability for did in dids}, most=SHOWN_CAPABILITIES)
    return [
        Hit(shown[did], found, chosen[did].cosine, found.score(weights))
        for did, found in zip(dids, ranked, strict=True)
        if did in shown
    ]


async def embeddings(db: Session, discovery: Discovery, dids: Sequence[AgentDid]) -> dict[tuple[AgentDid, str], Vector]:
    """The vectors of agents' capabilities, by agent and description; none where there are none."""
    try:
        return await store.embeddings(db, await discovery.prepared(db), dids)
    except (EmbeddingsUnavailable, SchemaBehind):
        return {}


async def tell(db: Session, did: AgentDid, body: str) -> None:
    """Tell an agent what was found, as an event with an envelope; who is away may resume as long as events are kept."""
    async with db.transaction() as tx:
        await events.append(tx, "message.received", did, body)
