"""Bodies of the agent routes."""

from typing import Annotated

from msgspec import Meta, Struct

from ainp.core.agent import Capability
from ainp.core.errors import InvalidRequest
from ainp.core.limits import (
    MAX_CAPABILITIES,
    MAX_CAPABILITY_EVIDENCE_LENGTH,
    MAX_DESCRIPTION_LENGTH,
    MAX_TAG_LENGTH,
    MAX_TAGS,
    MAX_VERSION_LENGTH,
)
from ainp.wire.values import Did

Description = Annotated[str, Meta(min_length=1, max_length=MAX_DESCRIPTION_LENGTH)]
Tag = Annotated[str, Meta(min_length=1, max_length=MAX_TAG_LENGTH)]


class CapabilityBody(Struct):
    """One thing an agent can do."""

    description: Description
    tags: Annotated[list[Tag], Meta(max_length=MAX_TAGS)] = []
    version: Annotated[str, Meta(max_length=MAX_VERSION_LENGTH)] = "1.0.0"
    evidence: Annotated[str, Meta(max_length=MAX_CAPABILITY_EVIDENCE_LENGTH)] | None = None


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
        if self.address is not None:
            return [_capability(said) for said in self.address.capabilities]
        if self.capabilities is not None:
            return [_capability(said) for said in self.capabilities]
        if self.semantic_address is None:
            raise InvalidRequest("Missing required fields: capabilities")
        return [_capability(said) for said in self.semantic_address.capabilities]


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
    """One capability; its embedding is empty until the broker has a model."""

    description: str
    embedding: str
    tags: list[str]
    version: str
    evidence: str | None


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
    return Capability(said.description, tuple(said.tags), said.version, said.evidence)
