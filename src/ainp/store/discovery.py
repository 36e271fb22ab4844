"""Vectors of capabilities: stored, searched, filled in."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from math import sqrt
from time import monotonic
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from ainp.core.agent import Capability
from ainp.core.did import AgentDid
from ainp.core.discovery import NO_CEILING, Ceiling
from ainp.core.errors import SchemaBehind
from ainp.core.reputation import Reputation
from ainp.core.vectors import Model, Scale, Vector
from ainp.store import agents
from ainp.store.db import Row, Session
from ainp.store.queries import load
from ainp.store.reputation import reputation_of

_SQL = load("discovery")

FEW = 4000  # what passes a filter is counted up to here, and not looked at one by one beyond
# So deep an index of so many vectors is searched that of the ten nearest more than 95 of 100 are found.
_DEPTHS = ((10_000, 100), (40_000, 150))
_DEPTH = 200
_DEPTH_RECORDED = 150
_NUMBER_BYTES = 2
_LINKS_BYTES = 330  # for each vector in an index, beside its numbers
_ANY = 2**63 - 1  # as much as a capability can say
_WAYS = 1000
_WAY_S = 20.0
NO_AGENTS: tuple[AgentDid, ...] = ()


class Way(NamedTuple):
    """By which statement to search, and how many vectors its index looks at before it says which are nearest."""

    statement: str
    depth: int = 0


class Ways:
    """By which way each filter was searched a moment ago."""

    def __init__(self) -> None:
        self._known: OrderedDict[object, tuple[Way, float]] = OrderedDict()

    def recall(self, filters: object) -> Way | None:
        """The way, if it is not old."""
        way, since = self._known.get(filters, (None, 0.0))
        return way if monotonic() - since < _WAY_S else None

    def remember(self, filters: object, way: Way) -> None:
        """Keep it for a while."""
        self._known.pop(filters, None)
        self._known[filters] = way, monotonic()
        if len(self._known) > _WAYS:
            self._known.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A model whose vectors can be stored and searched."""

    id: int
    model: Model
    scale: Scale
    ways: Ways = field(default_factory=Ways, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    What is searched: near *vector*, with one of *tags* if any are given, at least so much trust in millionths.

    And nothing that says that it takes or costs more than *ceiling*.
    """

    vector: Vector
    tags: tuple[str, ...] = ()
    min_trust: int = 0
    ceiling: Ceiling = NO_CEILING

    @property
    def most(self) -> tuple[int, int]:
        """The ceiling as statements have it: milliseconds and atomic units."""
        said = self.ceiling.latency_ms, self.ceiling.cost
        return _ANY if said[0] is None else said[0], _ANY if said[1] is None else said[1]


class Candidate(NamedTuple):
    """
    A capability that may answer, with all that it says; trust in millionths, usefulness in hundredths.

    In the order of the statements' columns: a search makes sixty of them, for each of which a dataclass takes 3 µs.
    """

    agent: AgentDid
    capability: UUID
    said: str
    trust: int
    proofs: int
    usefulness: int
    cosine: float


class Shown(NamedTuple):
    """An agent that was found, as it is shown."""

    did: AgentDid
    public_key: str
    capabilities: tuple[Capability, ...]
    usefulness_score: float
    usefulness_updated_at: datetime | None
    reputation: Reputation
    now: datetime


@dataclass(frozen=True, slots=True)
class Lacking:
    """A capability without a vector."""

    id: UUID
    description: str
    tags: tuple[str, ...]


async def known(db: Session, name: str) -> tuple[Prepared, bool] | None:
    """What is stored of a model, and whether its vectors can be searched now."""
    row = await db.fetchrow(_SQL["known"], name)
    if row is None:
        return None
    scale = Scale(row["floor"], row["ceiling"])
    return Prepared(row["id"], Model(name, row["dimension"]), scale), row["prepared"]


async def prepare(db: Session, model: Model, scale: Scale) -> bool:
    """Make a model's vectors searchable; False where PostgreSQL has no vectors."""
    number = await db.fetchval(_SQL["prepare"], model.name, model.dimension, scale.floor, scale.ceiling)
    return number is not None


async def describe(
    db: Session, agent_id: UUID, capabilities: Sequence[Capability], model: Prepared, vectors: Sequence[Vector | None]
) -> None:
    """Give an agent exactly these capabilities with those vectors that there are, after it was registered."""
    written = [None if vector is None else _written(vector) for vector in vectors]
    await db.execute(_SQL["describe"], agent_id, *agents.described(capabilities), model.id, written)


async def nearest(
    db: Session, model: Prepared, wanted: Wanted, *, most: int, without: Sequence[AgentDid] = NO_AGENTS
) -> list[Candidate]:
    """The *most* nearest capabilities, roughly in order; each by itself, so several may be one agent's."""
    way = await _way(db, model, wanted)
    tags = list(wanted.tags) or None
    sql = filled(way.statement, model.id, model.model.dimension, most, way.depth)
    rows = await db.fetch(sql, _written(wanted.vector), tags, wanted.min_trust, list(without), *wanted.most)
    return [Candidate._make(row) for row in rows]


async def shown(db: Session, found: Mapping[AgentDid, UUID], *, most: int) -> dict[AgentDid, Shown]:
    """Agents by their DID, each with the capability that was found and others, *most* in all."""
    asked = list(found), list(found.values()), most
    try:
        rows = await db.fetch(_SQL["shown"], *asked)
    except SchemaBehind:  # an agent is an agent, also before the tables of its reputation exist
        rows = await db.fetch(_SQL["shown_without_reputation"], *asked)
    return {row["did"]: _shown(row) for row in rows}


async def embeddings(db: Session, model: Prepared, dids: Sequence[AgentDid]) -> dict[tuple[AgentDid, str], Vector]:
    """The vectors of agents' capabilities."""
    rows = await db.fetch(_SQL["embeddings"], list(dids), model.id)
    return {(row["did"], row["description"]): row["embedding"] for row in rows}


async def missing(db: Session, model: Prepared, *, after: UUID, limit: int) -> list[Lacking]:
    """Capabilities without a vector of the model, by their ids."""
    rows = await db.fetch(_SQL["missing"], model.id, after, limit)
    return [Lacking(row["id"], row["description"], tuple(row["tags"])) for row in rows]


async def fill(db: Session, model: Prepared, lacking: Sequence[Lacking], vectors: Sequence[Vector]) -> None:
    """Give capabilities the vectors that they lack."""
    await db.execute(_SQL["fill"], model.id, [one.id for one in lacking], [_written(vector) for vector in vectors])


async def size(db: Session, model: Prepared) -> tuple[int, int]:
    """How many capabilities there are, and how many have a vector."""
    row = await db.fetchrow(_SQL["size"], model.id)
    assert row is not None
    return row["capabilities"], row["embedded"]


async def others(db: Session, model: Prepared) -> dict[int, str]:
    """Other models of which vectors may be stored."""
    return {row["id"]: row["name"] for row in await db.fetch(_SQL["others"], model.id)}


async def forget(db: Session, number: int, *, limit: int) -> int:
    """Drop vectors of the model of that number; how many they were."""
    return int((await db.execute(_SQL["forget"], number, limit)).rpartition(" ")[2])


async def _way(db: Session, model: Prepared, wanted: Wanted) -> Way:
    """How to search: one by one what a filter leaves, or an index. It changes what a search costs, so it may be old."""
    filters = wanted.tags, wanted.min_trust, wanted.ceiling
    way = model.ways.recall(filters)
    if way is None:
        way = await _chosen(db, model, wanted)
        model.ways.remember(filters, way)
    return way


async def _chosen(db: Session, model: Prepared, wanted: Wanted) -> Way:
    size = await _indexed(db, model, "")
    if wanted.tags and await db.fetchval(filled("tagged"), list(wanted.tags)) <= _few(size):
        return Way("nearest_tagged")
    if wanted.ceiling != NO_CEILING and await db.fetchval(filled("within"), *wanted.most) <= _few(size):
        return Way("nearest_within")
    if wanted.min_trust:
        recorded = await _indexed(db, model, "_recorded")
        trusted = await db.fetchval(filled("trusted"), wanted.min_trust)
        return Way("nearest_trusted") if trusted <= _few(recorded) else Way("nearest_recorded", _DEPTH_RECORDED)
    return Way("nearest", next((depth for most, depth in _DEPTHS if size <= most), _DEPTH))


async def _indexed(db: Session, model: Prepared, which: str) -> float:
    """About how many vectors an index has."""
    size: int = await db.fetchval(_SQL["indexed"], model.id, which)
    return size / (_NUMBER_BYTES * model.model.dimension + _LINKS_BYTES)


def _few(indexed: float) -> float:
    """
    What is sooner looked at one by one than looked for along an index of so many.

    Of an index so many are read until sixty have passed: 60 * indexed / few; and one of them costs as much as two that
    are looked at without it.
    """
    return min(FEW, sqrt(2 * 60 * indexed))


def _written(vector: Vector) -> str:
    """A vector as the extension reads it; the driver would look at each number by itself."""
    return msgspec.json.encode(vector).decode()


@lru_cache(maxsize=256)
def filled(name: str, model: int = 0, dimension: int = 0, most: int = 0, depth: int = 100) -> str:
    """A statement with the numbers that a plan has to know."""
    sql = _SQL[name]
    numbers = {"model": model, "dimension": dimension, "most": most, "depth": depth, "few": FEW}
    for place, number in numbers.items():
        sql = sql.replace(f"{{{place}}}", str(number))
    return sql


def _shown(row: Row) -> Shown:
    said: list[dict[str, Any]] = row["capabilities"] or []
    return Shown(
        did=row["did"],
        public_key=row["public_key"],
        capabilities=tuple(map(agents.capability_of, said)),
        usefulness_score=float(row["usefulness_score_cached"]),
        usefulness_updated_at=row["usefulness_last_updated"],
        reputation=reputation_of(row),
        now=row["now"],
    )
