"""What a broker says of itself."""

from ainp import __version__
from ainp.http.call import Call, Reply
from ainp.http.strict import bases_of
from ainp.wire.about import BrokerReply


async def get(call: Call) -> Reply:
    """Who this broker is, with the key that verifies what it signs, and the address that requests are signed for."""
    settings, identity = call.broker.settings, call.broker.identity
    port: int = call.scope["server"][1]
    return Reply(
        BrokerReply(
            did=settings.broker_did if identity is None else identity.did,
            public_key=None if identity is None else identity.public_key,
            version=__version__,
            auth_mode=settings.mode,
            base_url=bases_of(settings, port=port)[0],
        )
    )
