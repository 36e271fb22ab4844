"""
What an agent sends on its socket: envelopes, which take the same way as those that are sent over HTTP.

A refusal is answered with an ERROR message of the broker's, signed if it has a key, that says `error` beside it for
clients that know no more.
"""

from typing import NamedTuple

import msgspec
from starlette.datastructures import QueryParams
from starlette.types import Scope

from ainp.broker import Broker
from ainp.core.did import AgentDid
from ainp.core.errors import BrokerError, Forbidden, InvalidEnvelope, InvalidJson
from ainp.core.message import MsgType
from ainp.http import body as bodies
from ainp.http import envelopes, intents, problems, refusals
from ainp.http.call import Call, Reply, encode
from ainp.http.fields import Fields
from ainp.http.spoken import speak
from ainp.telemetry import log, logger
from ainp.telemetry.metrics import REFUSALS
from ainp.wire.messages import error_payload

_NONE = QueryParams(b"")


class Answer(NamedTuple):
    """A frame that answers a frame."""

    text: str
    refused: bool


class Inbound:
    """The envelopes of one socket."""

    def __init__(self, broker: Broker, did: AgentDid, scope: Scope) -> None:
        self._broker = broker
        self._did = did
        self._scope = scope
        self._headers = Fields(scope["headers"])

    async def answer(self, raw: bytes, *, cbor: bool = False) -> Answer:
        """Take one, which was *cbor* on its way; whatever comes of it is an answer."""
        broker, scope = self._broker, self._scope
        call = Call(broker, broker.database, "POST", scope["path"], {}, _NONE, self._headers, scope)
        call.cbor = cbor
        try:
            reply = await envelopes.handle(call, raw, self._send)
        except BrokerError as error:
            code = _code(error, raw)
            REFUSALS.of(code).count()
            refusals.note(broker, error, scope)
            return self._refused(call, error, code)
        except Exception as error:  # noqa: BLE001 - the last line: a bug must not end the socket or leak
            logger().error("message failed", path=scope["path"], exc_info=error)
            REFUSALS.of(problems.INTERNAL_ERROR).count()
            return Answer(msgspec.json.encode({"error": problems.INTERNAL_ERROR}).decode(), refused=True)
        log(reply.lines)
        return Answer(encode(reply).decode(), refused=False)

    async def _send(self, call: Call) -> Reply:
        if call.signed.sender != self._did:
            raise Forbidden(f"the socket is {self._did}'s, the envelope was signed by {call.signed.sender}")
        return await intents.send(call)

    def _refused(self, call: Call, error: BrokerError, code: str) -> Answer:
        envelope, identity = call.envelope, self._broker.identity
        about = None if envelope is None else envelope.id
        spoken = speak(
            identity,
            MsgType.ERROR,
            {**error_payload(error, intent_id=about), "error_code": code},
            to=self._did,
            trace_id=None if envelope is None else envelope.trace_id,
            beside={"error": code, "message": error.message, "intent_id": about},
        )
        return Answer(spoken.text.decode(), refused=True)


def _code(error: BrokerError, raw: bytes) -> str:
    """What is no JSON object at all has a name of its own."""
    if isinstance(error, InvalidJson | InvalidEnvelope):
        try:
            bodies.decode(raw, bodies.Anything)
        except BrokerError:
            return "INVALID_MESSAGE"
    return error.code
