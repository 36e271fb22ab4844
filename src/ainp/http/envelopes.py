"""
A signed envelope as a body: it proves itself who says it, in both modes.

The order of checks is the contract's: size, structure, version, skew, expiry, signature, authority, rate, replay. The
envelope's nonce is used with what it writes, as a signed request's is.
"""

from collections.abc import Awaitable, Callable

from ainp.core.envelope import OF_VALUES, Envelope, Verified, open_envelope, signed_part, verify
from ainp.core.errors import BrokerError, InsufficientCredits, RateLimited, Unavailable
from ainp.core.mail_guard import Greylisted
from ainp.http.auth import act, notice
from ainp.http.call import Call, Reply
from ainp.store.nonces import nonce_of
from ainp.store.once import Once
from ainp.telemetry.metrics import ENVELOPES

ADVERTISE = "ADVERTISE"
DISCOVER = "DISCOVER"
_LATER = (Unavailable, RateLimited)
_LATER_AS_IT_IS = (Greylisted, InsufficientCredits)


async def receive(call: Call, raw: bytes) -> None:
    """Read, verify and note the envelope that is *raw*, and that its sender acts."""
    envelope = open_envelope(raw, now=await call.db.clock())
    verified = await _verified(call, envelope)
    if verified is not None:
        ENVELOPES.of(verified.scheme.value).count()
    act(call, envelope.sender, signed_body=True)
    call.alive = True
    # An id counts once; that of a request's own signature is another thing, and need not be kept beside it.
    nonce = nonce_of(envelope.sender, f"envelope\0{envelope.id}", until=envelope.remembered_until)
    call.db = Once(call.broker.database, nonce)
    call.envelope = envelope if verified is None else signed_part(envelope, verified)


async def handle(call: Call, raw: bytes, handler: Callable[[Call], Awaitable[Reply]]) -> Reply:
    """Take an envelope that came by itself, not as a request's body: verified, done, its id used up."""
    try:
        await receive(call, raw)
        reply = await handler(call)
    except BrokerError as error:
        if not may_come_again(call, error):
            await used(call)
        raise
    await used(call)
    notice(call)
    return reply


async def used(call: Call) -> None:
    """Note that a signature was used, whatever it was for."""
    if isinstance(call.db, Once):
        await call.db.close()


async def give_back(call: Call) -> None:
    """Let a signature be used again: what it was used for was refused for now, and nothing was written."""
    if isinstance(call.db, Once):
        await call.db.give_back()


def may_come_again(call: Call, error: BrokerError) -> bool:
    """Whether what was refused may be sent again as it is, so that its signature is not used up."""
    return isinstance(error, _LATER) or (call.envelope is not None and isinstance(error, _LATER_AS_IT_IS))


async def _verified(call: Call, envelope: Envelope) -> Verified | None:
    if not call.broker.settings.signature_verification_enabled:
        return None  # believed, as whatever else is said in compat mode
    # Only by registering may somebody who is not known yet have a document fetched.
    newcomer = envelope.msg_type == ADVERTISE
    keys = await call.broker.keys.all_of(call.db, envelope.sender, new=newcomer)
    schemes = call.broker.settings.schemes
    if call.cbor:
        schemes = tuple(scheme for scheme in schemes if scheme in OF_VALUES)
    return verify(envelope, keys=[key.raw for key in keys], schemes=schemes)
