"""
CBOR for whoever asks for it: answers by `Accept` (RFC 9110, 12.5.1), frames of a WebSocket by its subprotocol.

JSON goes out as it is.
"""

from starlette.types import Message, Receive, Scope, Send

from ainp.core.cbor import from_json, to_json
from ainp.core.errors import InvalidRequest, TooLarge
from ainp.http.fields import Fields

CBOR = "application/cbor"
SUBPROTOCOL = "ainp.cbor"
_WANTED = "ainp.cbor"  # the member of a request's scope that says so


def note(headers: Fields, scope: Scope) -> None:
    """Note what kind of answer a request asks for."""
    accept = headers.get("accept")
    if accept is not None and "cbor" in accept.lower() and _prefers_cbor(",".join(headers.all("accept")).lower()):
        scope[_WANTED] = True


def answering(scope: Scope, send: Send) -> Send:
    """Send an answer as it was asked for: as it is, mostly."""
    if _WANTED not in scope:
        return send
    begun: Message = {}

    async def send_as_cbor(message: Message) -> None:
        nonlocal begun
        if message["type"] == "http.response.start" and _is_json(message):
            begun = message
        elif begun and message["type"] == "http.response.body":
            body = from_json(message.get("body", b""))
            await send({**begun, "headers": _headers(begun, len(body))})
            await send({**message, "body": body})
        else:
            await send(message)

    return send_as_cbor


def speaking(scope: Scope, receive: Receive, send: Send) -> tuple[Receive, Send]:
    """Speak CBOR on a socket that offers to: all frames that go out are binary, binary ones that come are read."""
    if SUBPROTOCOL not in scope.get("subprotocols", ()):
        return receive, send

    async def receive_cbor() -> Message:
        message = await receive()
        raw = message.get("bytes") if message["type"] == "websocket.receive" else None
        if not raw:
            return message
        try:
            text = to_json(raw, envelope=True).decode()
        except (InvalidRequest, TooLarge):
            return message  # it is no JSON either, and refused as that
        return {**message, "bytes": None, "text": text, SUBPROTOCOL: True}

    async def send_cbor(message: Message) -> None:
        if message["type"] == "websocket.accept":
            await send({**message, "subprotocol": SUBPROTOCOL})
        elif message["type"] == "websocket.send":
            await send({"type": "websocket.send", "bytes": from_json(message["text"].encode())})
        else:
            await send(message)

    return receive_cbor, send_cbor


def _prefers_cbor(accept: str) -> bool:
    """Whether CBOR is named, and JSON is not liked better."""
    liked = dict(_weighed(element) for element in accept.split(",") if element.strip())
    cbor = liked.get(CBOR, 0.0)
    return cbor > 0 and cbor >= liked.get("application/json", 0.0)


def _weighed(element: str) -> tuple[str, float]:
    kind, *parameters = (part.strip() for part in element.split(";"))
    weight = next((part[2:] for part in parameters if part.startswith("q=")), "1")
    try:
        return kind, float(weight)
    except ValueError:
        return kind, 0.0


def _is_json(message: Message) -> bool:
    return any(name == b"content-type" and value == b"application/json" for name, value in message["headers"])


def _headers(begun: Message, length: int) -> list[tuple[bytes, bytes]]:
    kept = [(name, value) for name, value in begun["headers"] if name not in (b"content-type", b"content-length")]
    about = [(b"content-length", b"%d" % length), (b"content-type", CBOR.encode()), (b"vary", b"Accept")]
    return [*about, *kept]
