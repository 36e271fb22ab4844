"""Bodies of the agent routes."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from ainp.core.agent import Capability
from ainp.core.credits import credits_of_cost
from ainp.core.errors import InvalidRequest
from ainp.core.limits import (
    MAX_CAPABILITIES,
    MAX_CAPABILITY_EVIDENCE_LENGTH,
    MAX_DELIVERY_TIME,
    MAX_DESCRIPTION_LENGTH,
    MAX_DIMENSION,
    MAX_EMBEDDING_LENGTH,
    MAX_PRICE_CREDITS,
    MAX_TAG_LENGTH,
    MAX_TAGS,
    MAX_VERSION_LENGTH,
)
from ainp.core.vectors import F32, Sent, read_base64
from ainp.wire.values import Did

_LONGEST_MS = MAX_DELIVERY_TIME // timedelta(milliseconds=1)
Description = Annotated[str, Meta(min_length=1, max_length=MAX_DESCRIPTION_LENGTH)]
Tag = Annotated[str, Meta(min_length=1, max_length=MAX_TAG_LENGTH)]


_Base64 = Annotated[str, Meta(max_length=MAX_EMBEDDING_LENGTH, description="base64 of little-endian float32")]


class EmbeddingBody(Struct):
    """An embedding with what made it."""

    b64: _Base64
    dim: Annotated[int, Meta(ge=1, le=MAX_DIMENSION)] | None = None
    dtype: Annotated[str, Meta(max_length=len(F32), description="f32")] = F32
    model: Annotated[str, Meta(max_length=200)] | None = None

    def sent(self) -> Sent:
        """The numbers, if they are what they are said to be."""
        values = read_base64(self.b64)
        if self.dtype != F32 or self.dim not in (None, len(values)):
            raise InvalidRequest(
                f"embedding: found {len(values)} numbers of dtype {self.dtype[:20]!r} and dim {self.dim}, expected"
                f" dtype {F32!r} and dim as many"
            )
        return Sent(values, self.model)


EmbeddingSent = Annotated[
    _Base64 | Annotated[list[float], Meta(max_length=MAX_DIMENSION)] | EmbeddingBody | None,
    Meta(description="base64 of little-endian float32, an array of numbers, or an object that names the model"),
]


def embedding_of(sent: EmbeddingSent) -> Sent | None:
    """An embedding in any of its forms; none, or an empty one, leaves it to the broker."""
    if not sent:
        return None
    if isinstance(sent, EmbeddingBody):
        return sent.sent()
    return Sent(read_base64(sent) if isinstance(sent, str) else sent)


class CapabilityBody(Struct):
    """One thing an agent can do."""

    description: Description
    tags: Annotated[list[Tag], Meta(max_length=MAX_TAGS)] = []
    version: Annotated[str, Meta(max_length=MAX_VERSION_LENGTH)] = "1.0.0"
    evidence: Annotated[str, Meta(max_length=MAX_CAPABILITY_EVIDENCE_LENGTH)] | None = None
    embedding: EmbeddingSent = None
    latency_ms: Annotated[int, Meta(ge=0, le=_LONGEST_MS, description="how long it takes")] | None = None
    cost: Annotated[float, Meta(ge=0, le=MAX_PRICE_CREDITS, description="credits; at most 3 decimals")] | None = None


class AddressBody(Struct):
    """A semantic address; what it claims about its own trust is ignored."""

    did: Did
    capabilities: Annotated[list[CapabilityBody], Meta(max_length=MAX_CAPABILITIES)]


class DescriptionBody(Struct):
    """The capabilities of a flat registration: names, and what they are about."""

    capabilities: Annotated[list[Description], Meta(max_length=MAX_CAPABILITIES)] = []
    description: Annotated[str, Meta(max_length=MAX_DESCRIPTION_LENGTH)] | None = None


class RegisterBody(Struct):
    """A registration: an address and its lifetime, or the flat form of older clients."""

    address: AddressBody | None = None
    ttl: Annotated[float | None, Meta(description="milliseconds; kept within one minute and 30 days")] = None
    did: Did | None = None
    capabilities: Annotated[list[CapabilityBody | Description], Meta(max_length=MAX_CAPABILITIES)] | None = None
    semantic_address: DescriptionBody | None = None

    def claimed(self) -> str:
        """The DID that wants to be registered."""
        did = self.address.did if self.address is not None else self.did
        if did is None:
            raise InvalidRequest("Missing required fields: address (or did)")
        return did

    def described(self) -> list[Capability]:
        """The capabilities in either form."""
        return [_capability(said) for said in self._said()]

    def embeddings(self) -> list[Sent | None]:
        """The embedding of each, where there is one."""
        return [None if isinstance(said, str) else embedding_of(said.embedding) for said in self._said()]

    def _said(self) -> Sequence[CapabilityBody | str]:
        if self.address is not None:
            return self.address.capabilities
        if self.capabilities is not None:
            return self.capabilities
        if self.semantic_address is None:
            raise InvalidRequest("Missing required fields: capabilities")
        return self.semantic_address.capabilities


class CreditsReply(Struct):
    """Money at hand, in atomic units as decimal strings."""

    balance: str
    reserved: str


class AgentName(Struct):
    """Who was registered."""

    did: str


class RegisteredReply(Struct):
    """What came of a registration."""

    message: str
    agent: AgentName
    credits: CreditsReply | None
    status: str
    did: str
    id: str
    expires_at: str


class CapabilityReply(Struct):
    """
    One capability; its embedding is empty unless it was asked for (`?embeddings=true`).

    How long it takes and what it costs are there if its agent says so.
    """

    description: str
    embedding: str
    tags: list[str]
    version: str
    evidence: str | None
    latency_ms: int | UnsetType = UNSET
    cost: Annotated[float, Meta(description="credits")] | UnsetType = UNSET


class TrustReply(Struct):
    """Trust from 0 to 1, decayed until now; the times in Unix milliseconds."""

    score: float
    dimensions: dict[str, float]
    decay_rate: float
    last_updated: int | None


class AgentReply(Struct):
    """A registered agent."""

    did: str
    capabilities: list[CapabilityReply]
    credentials: list[str]
    trust: TrustReply
    usefulness_score_cached: float
    usefulness_last_updated: str | None
    created_at: str
    expires_at: str | None


def _capability(said: CapabilityBody | str) -> Capability:
    if isinstance(said, str):
        return Capability(said)
    cost = None if said.cost is None else credits_of_cost(said.cost)
    return Capability(said.description, tuple(said.tags), said.version, said.evidence, said.latency_ms, cost)
