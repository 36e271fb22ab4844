"""The retrieval set as values: `agents.json` and `queries.json`, read and checked for their form."""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path

from msgspec import Struct, json

_FOLDER = Path(__file__).parent
SEED = 20_250  # of the split; changing it would mix what was seen while tuning into the test


class Kind(StrEnum):
    """Whether a query uses the words of its answer."""

    DIRECT = "direct"
    PARAPHRASE = "paraphrase"


class Half(StrEnum):
    """What a query may be used for."""

    TUNING = "tuning"
    TEST = "test"


class Capability(Struct, frozen=True, forbid_unknown_fields=True):
    """One thing an agent can do, as its developer would register it."""

    description: str
    tags: tuple[str, ...]

    @property
    def text(self) -> str:
        """Everything of it that can be searched."""
        return " ".join((self.description, *self.tags))


class Agent(Struct, frozen=True, forbid_unknown_fields=True):
    """An agent; its id is a name for the set only and is not searched."""

    id: str
    topic: str
    capabilities: tuple[Capability, ...]


class Query(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A need in the asker's words, and who meets it; several right answers are equally right."""

    id: str
    topic: str
    kind: Kind
    half: Half
    text: str
    right: tuple[str, ...]
    near_misses: tuple[str, ...] = ()


def agents() -> Sequence[Agent]:
    """All agents, topic by topic."""
    return json.decode((_FOLDER / "agents.json").read_bytes(), type=list[Agent])


def queries(half: Half, kind: Kind | None = None) -> Sequence[Query]:
    """The queries of one half, or those of one kind among them."""
    return [query for query in all_queries() if query.half is half and kind in (None, query.kind)]


def all_queries() -> Sequence[Query]:
    """Both halves, for checks of the set itself."""
    return json.decode((_FOLDER / "queries.json").read_bytes(), type=list[Query])


def halves(asked: Sequence[Query], seed: int = SEED) -> Mapping[str, Half]:
    """
    By id, the half that chance gives each query: of every topic and kind one half each.

    A group draws for itself, so a new topic leaves the halves of the others alone; an odd one out is for tuning.
    """
    groups: dict[tuple[str, Kind], list[str]] = defaultdict(list)
    for query in asked:
        groups[query.topic, query.kind].append(query.id)
    drawn: dict[str, Half] = {}
    for (topic, kind), ids in groups.items():
        shuffled = sorted(ids)
        random.Random(f"{seed}/{topic}/{kind}").shuffle(shuffled)
        middle = (len(shuffled) + 1) // 2
        drawn |= dict.fromkeys(shuffled[:middle], Half.TUNING) | dict.fromkeys(shuffled[middle:], Half.TEST)
    return drawn
