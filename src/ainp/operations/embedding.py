"""Vectors that are missing are made, and those of other models dropped: a change of model, without a pause."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

from ainp.core.discovery import text_of
from ainp.operations.discovery import Discovery
from ainp.store import discovery as store
from ainp.store.db import Session

BATCH = 200
_DROPPED = 5000
_FIRST = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the vectors of a model are made."""

    model: str
    dimension: int
    capabilities: int
    embedded: int


async def standing(db: Session, discovery: Discovery) -> Standing:
    """How many capabilities there are, and how many have a vector of the model."""
    prepared = await discovery.prepared(db)
    capabilities, embedded = await store.size(db, prepared)
    return Standing(prepared.model.name, prepared.model.dimension, capabilities, embedded)


async def fill(db: Session, discovery: Discovery) -> AsyncIterator[int]:
    """Make the vectors that are missing, batch by batch; how many each was. Each is stored before the next is made."""
    prepared, after = await discovery.prepared(db), _FIRST
    while discovery.embedder is not None:
        lacking = await store.missing(db, prepared, after=after, limit=BATCH)
        if not lacking:
            return
        vectors = await discovery.embed(db, [text_of(one.description, one.tags) for one in lacking])
        made = [(one, vector) for one, vector in zip(lacking, vectors, strict=True) if any(vector)]
        await store.fill(db, prepared, [one for one, _ in made], [vector for _, vector in made])
        yield len(made)
        after = lacking[-1].id


async def fill_all(db: Session, discovery: Discovery) -> int:
    """The same to the end; how many were made."""
    return sum([made async for made in fill(db, discovery)])


async def drop_others(db: Session, discovery: Discovery) -> int:
    """Drop the vectors of every model but this one; how many they were."""
    prepared, dropped = await discovery.prepared(db), 0
    for number in await store.others(db, prepared):
        while gone := await store.forget(db, number, limit=_DROPPED):
            dropped += gone
    return dropped
