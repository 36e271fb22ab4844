"""
Made-up agents in any number, for questions of speed and of what an index misses.

A description is put together from the set's own: what one agent does, for whom another does it. So the vectors lie as
real ones do, in clusters, and not evenly in all directions, where every index looks worse or better than it is.
"""

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from bench.discovery import dataset

RARE = "rare"  # a tag that one of a hundred capabilities has
_PART = re.compile(r"[,;.]? (?=(?:and|from|for|with|in|by|of|to|on|at) )|[,;.] ?")
_BATCH = 1000
_KEPT = 0.7  # of the parts


@dataclass(frozen=True, slots=True)
class Member:
    """An agent with one capability."""

    number: int
    description: str
    tags: tuple[str, ...]
    trust: int

    @property
    def id(self) -> UUID:
        """The same for the agent and its capability."""
        return UUID(int=self.number + 1)


def crowd(size: int, seed: int = 1) -> Iterator[Member]:
    """That many agents, one in ten with a record."""
    chance = random.Random(seed)
    said = [capability for agent in dataset.agents() for capability in agent.capabilities]
    parts = [[part for part in _PART.split(one.description) if part] for one in said]
    for number in range(size):
        first, second = chance.choice(parts), chance.choice(parts)
        kept = [part for part in (*first, *second) if chance.random() < _KEPT] or first
        tags = tuple(dict.fromkeys(chance.choice(said).tags[:2])) + ((RARE,) if number % 100 == 0 else ())
        trust = chance.randrange(800_000) if number % 10 == 0 else 0
        yield Member(number, f"{' '.join(kept)}, number {number}"[:500], tags, trust)


async def store(connection: asyncpg.Connection, members: Sequence[Member], vectors: Sequence[Sequence[float]]) -> None:
    """Register them behind the broker's back, searchable by the first model."""
    for at in range(0, len(members), _BATCH):
        batch = members[at : at + _BATCH]
        await connection.execute(
            """INSERT INTO agents (id, did, public_key, ttl, expires_at, trust_rank)
               SELECT id, 'did:key:z' || number, 'key', 0, now() + interval '30 days', trust
                 FROM unnest($1::uuid[], $2::int[], $3::int[]) AS said (id, number, trust)""",
            *([m.id for m in batch], [m.number for m in batch], [m.trust for m in batch]),
        )
        await connection.execute(
            """INSERT INTO capabilities (id, agent_id, description, tags)
               SELECT id, id, description, string_to_array(tags, ' ')
                 FROM unnest($1::uuid[], $2::text[], $3::text[]) AS said (id, description, tags)""",
            *([m.id for m in batch], [m.description for m in batch], [" ".join(m.tags) for m in batch]),
        )
        await connection.executemany(
            "INSERT INTO capability_vectors (capability_id, model_id, embedding) VALUES ($1, 1, $2::real[]::halfvec)",
            [(m.id, v) for m, v in zip(batch, vectors[at : at + _BATCH], strict=True)],
        )
