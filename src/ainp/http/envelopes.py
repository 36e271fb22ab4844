"""
A signed envelope as a body: it proves itself who says it, in both modes.

The order of checks is the contract's: size, structure, version, skew, expiry, signature, authority, rate, replay. The
envelope's nonce is used with what it writes, as a signed request's is.
"""

from ainp.core.envelope import OF_VALUES, Envelope, Verified, open_envelope, verify
from ainp.http.auth import act
from ainp.http.call import Call
from ainp.store.nonces import nonce_of
from ainp.store.once import Once
from ainp.telemetry.metrics import ENVELOPES

ADVERTISE = "ADVERTISE"
DISCOVER = "DISCOVER"


async def receive(call: Call, raw: bytes) -> None:
    """Read, verify and note the envelope that is *raw*, and that its sender acts."""
    envelope = open_envelope(raw, now=await call.db.clock())
    verified = await _verified(call, envelope)
    ENVELOPES.of(verified.scheme.value).count()
    act(call, envelope.sender, signed_body=True)
    call.broker.notice(envelope.sender)
    # An id counts once; that of a request's own signature is another thing, and need not be kept beside it.
    nonce = nonce_of(envelope.sender, f"envelope\0{envelope.id}", until=envelope.remembered_until)
    call.db = Once(call.broker.database, nonce)
    call.envelope = envelope


async def _verified(call: Call, envelope: Envelope) -> Verified:
    # Only by registering may somebody who is not known yet have a document fetched.
    newcomer = envelope.msg_type == ADVERTISE
    keys = await call.broker.keys.all_of(call.db, envelope.sender, new=newcomer)
    schemes = call.broker.settings.schemes
    if call.cbor:
        schemes = tuple(scheme for scheme in schemes if scheme in OF_VALUES)
    return verify(envelope, keys=[key.raw for key in keys], schemes=schemes)
