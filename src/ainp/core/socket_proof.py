"""
How an agent proves at a socket who it is: it signs the challenge that the broker has made for this socket.

What is signed names the broker that the agent means to talk to. So a broker that passes on another's challenge gets a
proof that is worth nothing there.
"""

from ainp.core.canonical import canonical
from ainp.core.did import AgentDid
from ainp.core.errors import InvalidSignature
from ainp.core.signature import verify

PURPOSE = "ainp-websocket"
CHALLENGE_BYTES = 32


def statement(did: str, *, challenge: str, audience: str) -> bytes:
    """What is signed: canonical JSON (RFC 8785) of the challenge and whom it was made by and for."""
    return canonical({"audience": audience, "challenge": challenge, "did": did, "purpose": PURPOSE})


def check(did: AgentDid, *, challenge: str, audience: str, signature: str, key: bytes) -> None:
    """Accept a proof (*signature* in base64), or raise InvalidSignature."""
    try:
        verify(statement(did, challenge=challenge, audience=audience), signature=signature, key=key)
    except InvalidSignature as error:
        raise InvalidSignature(f"{error.message}; expected it over the challenge for {audience}") from error
