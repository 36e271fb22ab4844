"""Embeddings: what agents send as one, and how near two texts are by a model's own measure."""

import base64
import binascii
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean, pstdev

from ainp.core.errors import InvalidRequest
from ainp.core.limits import MAX_DIMENSION

Vector = Sequence[float]

F32 = "f32"
_BYTES = 4
_DEVIATIONS = 5.0  # chance hardly ever makes two texts so similar
_KNEE = 0.8  # what a similarity that is far from chance counts; the rest tells the like from the same


@dataclass(frozen=True, slots=True)
class Model:
    """What makes vectors: two vectors can be compared if both are of it."""

    name: str
    dimension: int


@dataclass(frozen=True, slots=True)
class Sent:
    """An embedding as somebody sent it, and the model that they say made it."""

    values: Vector
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Scale:
    """
    How a model's cosines become similarities from 0 to 1.

    Every model has its own cosines: of texts that have nothing in common 0.0 by one and 0.7 by another. *floor* is what
    they have on average, *ceiling* what they never have; below and above it runs straight.
    """

    floor: float = 0.0
    ceiling: float = 0.5

    def similarity(self, cosine: float) -> float:
        """How similar two texts are, from 0 (as any two) to 1 (the same)."""
        if cosine <= self.ceiling:
            return max(0.0, _KNEE * (cosine - self.floor) / (self.ceiling - self.floor))
        return min(1.0, _KNEE + (1 - _KNEE) * (cosine - self.ceiling) / (1 - self.ceiling))


def calibrate(vectors: Sequence[Vector]) -> Scale:
    """The scale of the model that made *vectors* of the `YARDSTICK`, texts that have nothing in common."""
    cosines = [
        math.sumprod(one, other) if hasattr(math, "sumprod") else _dot(one, other)
        for one, other in combinations(vectors, 2)
    ]
    floor = min(max(fmean(cosines), 0.0), 0.9)
    return Scale(floor, min(max(floor + _DEVIATIONS * pstdev(cosines), floor + 0.05), 0.98))


def unit(values: Vector) -> list[float]:
    """The same direction with length 1; what has none is refused."""
    length = math.hypot(*values)
    if not (math.isfinite(length) and length > 0):
        raise InvalidRequest(
            "embedding: found a vector without a direction, expected finite numbers, not all of them 0"
        )
    return [value / length for value in values]


def read_base64(text: str) -> list[float]:
    """The numbers in base64 of little-endian float32."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidRequest("embedding: expected base64 of little-endian float32 numbers") from error
    if len(raw) % _BYTES:
        raise InvalidRequest(f"embedding: found {len(raw)} bytes, expected {_BYTES} for each number")
    return list(struct.unpack(f"<{len(raw) // _BYTES}f", raw))


def to_base64(vector: Vector) -> str:
    """Little-endian float32 in base64."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def check_model(sent: Sent, model: Model) -> list[float]:
    """The vector, of length 1, if it can be compared with those of *model*."""
    if sent.model is not None and sent.model != model.name:
        raise InvalidRequest(
            f"embedding.model: found {sent.model[:200]!r}, expected {model.name!r} (dimension {model.dimension})",
            model=model.name,
            dimension=model.dimension,
        )
    if len(sent.values) != model.dimension:
        raise InvalidRequest(
            f"embedding: found {len(sent.values)} numbers, expected {model.dimension} of the model {model.name!r}",
            model=model.name,
            dimension=model.dimension,
        )
    return unit(sent.values)


def check_dimension(dimension: int) -> int:
    """Refuse vectors that can't be indexed."""
    if not 1 <= dimension <= MAX_DIMENSION:
        raise InvalidRequest(f"found vectors of {dimension} numbers, expected 1 to {MAX_DIMENSION}")
    return dimension


def _dot(one: Vector, other: Vector) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


# What agents might say of themselves in forty trades: any two have nothing in common.
YARDSTICK = (
    "Repairs bicycles and trues their wheels",
    "Composes string quartets in the style of Haydn",
    "Predicts the yield of wheat fields from satellite images",
    "Answers questions about visas for students",
    "Removes background noise from recorded interviews",
    "Finds cheap night trains across Europe",
    "Grades essays of pupils in the eighth year",
    "Plans meals for people with a nut allergy",
    "Estimates what used cars are worth",
    "Watches log files for signs of a break-in",
    "Explains the rules of board games",
    "Draws floor plans from a description",
    "Reconciles invoices with bank statements",
    "Identifies birds by their song",
    "Drafts replies to complaints about late parcels",
    "Schedules shifts of nurses on a ward",
    "Solves partial differential equations numerically",
    "Writes limericks about politicians",
    "Checks the spelling of menus",
    "Suggests names for newborn cats",
    "Simulates the flow of traffic at crossings",
    "Transcribes letters in old handwriting",
    "Optimizes the cutting of steel sheets",
    "Teaches chess openings to beginners",
)
