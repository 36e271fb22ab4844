"""What agents say of themselves, in envelopes."""

import msgspec

from ainp.core.agent import clamp_ttl
from ainp.core.envelope import Envelope
from ainp.core.errors import Forbidden, InvalidAdvertisement, UnsupportedMsgType
from ainp.http.call import Call, Reply
from ainp.http.envelopes import ADVERTISE
from ainp.operations import agents
from ainp.telemetry import Line
from ainp.telemetry.metrics import REGISTRATIONS
from ainp.wire.envelopes import MINUTE_MS, AdvertisedReply, AdvertisePayload


async def receive(call: Call) -> Reply:
    """Take a signed envelope: ADVERTISE registers its sender, with exactly the capabilities in it."""
    envelope = call.signed
    if envelope.msg_type != ADVERTISE:
        raise UnsupportedMsgType(f"msg_type: found {envelope.msg_type!r}, expected {ADVERTISE}")
    payload = _payload(envelope)
    if payload.address is not None and payload.address.did != envelope.sender:
        raise Forbidden(f"address.did: found {payload.address.did!r}, the envelope was signed by {envelope.sender}")
    ttl_ms = payload.lifetime_ms(of_envelope=envelope.ttl.total_seconds() * 1000)
    await agents.register(
        call.db, envelope.sender, capabilities=payload.described(), ttl_ms=ttl_ms, policy=call.broker.grant
    )
    lasts = clamp_ttl(ttl_ms).total_seconds() * 1000 / MINUTE_MS
    reply = AdvertisedReply("registered", int(lasts) if lasts == int(lasts) else lasts)
    facts = {"agent_did": envelope.sender, "envelope_id": envelope.id}
    return Reply(reply, lines=(Line("Agent registered", facts, counts=((REGISTRATIONS.of(), 1),)),))


def _payload(envelope: Envelope) -> AdvertisePayload:
    try:
        return msgspec.convert(envelope.payload, AdvertisePayload)
    except msgspec.ValidationError as error:
        raise InvalidAdvertisement(f"payload: {error}") from error
