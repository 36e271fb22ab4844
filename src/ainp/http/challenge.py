"""The challenge of a socket in strict mode: sent first, answered before anything else."""

import asyncio
import secrets
from collections.abc import Sequence

import msgspec
from msgspec import Struct
from starlette.types import Receive, Send

from ainp.broker import Broker
from ainp.core.did import AgentDid
from ainp.core.errors import BrokerError, InvalidSignature
from ainp.core.limits import PROOF_TIME
from ainp.core.socket_proof import CHALLENGE_BYTES, check
from ainp.http import body as bodies


class NotProven(InvalidSignature):
    """The client has not proven who it is."""


class Challenge(Struct, tag_field="type", tag="challenge"):
    """What the broker asks: to be signed together with the audience, the address that the agent has connected to."""

    challenge: str
    audience: str


class ProofBody(Struct, tag_field="type", tag="proof", forbid_unknown_fields=True):
    """What the agent answers; *key_id* names a key of a did:web."""

    did: str
    signature: str
    key_id: str | None = None


class Connected(Struct, tag_field="type", tag="connected"):
    """The agent is who it says; events follow."""

    did: str


async def challenged(broker: Broker, did: AgentDid, bases: Sequence[str], receive: Receive, send: Send) -> None:
    """Have the client prove that it is *did*, within PROOF_TIME, or raise NotProven."""
    asked = Challenge(secrets.token_urlsafe(CHALLENGE_BYTES), bases[0])
    await send({"type": "websocket.send", "text": msgspec.json.encode(asked).decode()})
    try:
        async with asyncio.timeout(PROOF_TIME.total_seconds()):
            while (message := await receive())["type"] == "websocket.connect":
                pass
    except TimeoutError:
        raise NotProven(f"no proof within {PROOF_TIME.total_seconds():.0f} s") from None
    if message["type"] != "websocket.receive":
        raise NotProven("the client has left without a proof")
    try:
        said = bodies.decode((message.get("text") or "").encode() or message.get("bytes") or b"-", ProofBody)
        if said.did != did:
            raise InvalidSignature(f"the proof is of {said.did[:80]}, the socket is for {did}")
        key = await broker.keys.of(broker.database, did, key_id=said.key_id or did)
        _check(did, asked, bases, said, key.raw)
    except BrokerError as error:
        raise NotProven(error.message) from error


async def welcome(did: AgentDid, send: Send) -> None:
    """Say that events follow: what happens from now on is told."""
    await send({"type": "websocket.send", "text": msgspec.json.encode(Connected(did)).decode()})


def _check(did: AgentDid, asked: Challenge, bases: Sequence[str], said: ProofBody, key: bytes) -> None:
    """Accept the proof for any of the broker's addresses: a client knows the one that it has connected to."""
    for place, audience in enumerate(bases, start=1):
        try:
            check(did, challenge=asked.challenge, audience=audience, signature=said.signature, key=key)
        except InvalidSignature:
            if place == len(bases):
                raise
        else:
            return
