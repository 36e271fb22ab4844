"""Envelopes as they go over the wire, and what they carry."""

from typing import Annotated

from msgspec import Meta, Struct

from ainp.core.envelope import DEFAULT_TTL, VERSION
from ainp.core.errors import InvalidAdvertisement
from ainp.wire.agents import AddressBody, CapabilityBody, RegisterBody
from ainp.wire.values import Did

MINUTE_MS = 60_000
_DEFAULT_MINUTES = 60.0


class EnvelopeBody(Struct):
    """A signed message, alone or as the member `envelope` of an object; docs/envelopes.md says what is signed."""

    id: Annotated[str, Meta(min_length=1, max_length=200, description="counts once for its sender")]
    from_did: Did
    msg_type: Annotated[str, Meta(min_length=1, max_length=200)]
    timestamp: Annotated[int, Meta(ge=0, description="Unix milliseconds, within a minute of now")]
    sig: Annotated[str, Meta(min_length=1, max_length=200, description="Ed25519 in base64")]
    to_did: Did | None = None
    ttl: Annotated[int, Meta(ge=0, description="milliseconds")] = DEFAULT_TTL.seconds * 1000
    version: str | None = VERSION
    trace_id: Annotated[str, Meta(max_length=200)] | None = None
    payload: dict[str, object] | None = None


class AdvertisePayload(Struct):
    """What an agent can do: under an address, or, as the specification has it, alone."""

    address: AddressBody | None = None
    capabilities: list[CapabilityBody | str] | None = None
    ttl_minutes: float | None = None

    def registration(self) -> RegisterBody:
        """The capabilities in either form, as a registration has them."""
        if self.address is None and self.capabilities is None:
            raise InvalidAdvertisement("Missing address in Advertise payload")
        return RegisterBody(address=self.address, capabilities=self.capabilities)

    def lifetime_ms(self, *, of_envelope: float) -> float:
        """How long to be registered: what is asked for; without an address as long as the envelope is alive."""
        if self.ttl_minutes is not None:
            return self.ttl_minutes * MINUTE_MS
        return of_envelope if self.address is None else _DEFAULT_MINUTES * MINUTE_MS
