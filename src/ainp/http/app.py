"""
The application: a request is guarded, routed, decoded, answered; whatever is refused becomes a problem, once.

With an `Idempotency-Key` the operation and its answer are one transaction, so the answer is kept exactly if the effect
is.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from time import perf_counter
from urllib.parse import quote, unquote

from starlette.datastructures import QueryParams
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from ainp.broker import Broker
from ainp.core.cbor import to_json
from ainp.core.errors import (
    BrokerError,
    Forbidden,
    IdempotencyConflict,
    InsufficientCredits,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    ReplayDetected,
    SchemaBehind,
    Unauthenticated,
    Unavailable,
)
from ainp.core.http_signature import Message
from ainp.core.rate_policy import Group
from ainp.http import body as bodies
from ainp.http import docs, envelopes, media, paying, problems, rates, refusals, websocket
from ainp.http.auth import act, check_way, is_admin, notice, prove, read_as
from ainp.http.call import Call, encode
from ainp.http.fields import Fields
from ainp.http.outside import Outside
from ainp.http.route import Handler
from ainp.http.routes import ROUTES, Route
from ainp.http.strict import bases_of, targets_of
from ainp.http.table import Table
from ainp.store import idempotency
from ainp.store.db import DatabaseUnwritable, Session
from ainp.store.idempotency import Scope as KeyScope
from ainp.telemetry import Line, log, logger
from ainp.telemetry.metrics import (
    HTTP_DURATION,
    HTTP_IN_FLIGHT,
    HTTP_REQUESTS,
    REFUSALS,
    REPLAYS,
    UNMATCHED,
    method_label,
)

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_LONGEST_PATH = 512  # of a route that takes such a key; it is part of an index entry
_CLIENT_GONE = 499  # nobody is sent this: it is what is counted
_SAFE = "!$&'()*+,;=:@-._~"  # what RFC 3986 lets stand in a path segment as it is


@dataclass(frozen=True, slots=True)
class _Document:
    """What is the same for everyone, made when first asked for."""

    path: str
    make: Callable[[], bytes]
    media_type: bytes
    group: Group = Group.OTHERS


@dataclass(frozen=True, slots=True)
class _Answer:
    """What goes back: two ASGI messages, without an object in between that would have to be told all of it."""

    status: int
    body: bytes
    media_type: bytes = b"application/json"
    replayed: bool = False
    headers: tuple[tuple[bytes, bytes], ...] = ()

    async def send(self, send: Send) -> None:
        length = b"%d" % len(self.body)
        headers = [(b"content-length", length), (b"content-type", self.media_type), *self.headers]
        if self.replayed:
            headers.append((b"idempotency-replayed", b"true"))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


_DOCUMENTS = (
    _Document("/openapi.json", docs.openapi, b"application/json"),
    _Document("/docs", docs.page, b"text/html; charset=utf-8"),
)
_Methods = Mapping[str, Route | _Document]
_NO_QUERY = QueryParams(b"")
_ANYBODY = "anybody"  # who has shown no administrator's token; no DID, so no agent
# Refusals that are no first answer: what can never work, who has proven nothing, and what may work in a moment.
_NOT_KEPT = (InvalidRequest, Unauthenticated, InsufficientCredits, Unavailable)


class App:
    """The broker over ASGI."""

    def __init__(
        self,
        broker: Broker,
        routes: Iterable[Route] = ROUTES,
        *,
        documents: Iterable[_Document] = _DOCUMENTS,
        port: int | None = None,
    ) -> None:
        self._broker = broker
        self._bases = bases_of(broker.settings, port=broker.settings.port if port is None else port)
        self._outside = Outside()
        self._table = Table(_endpoints(routes, documents))
        REFUSALS.of(problems.INTERNAL_ERROR)  # shown before the first: a rise from nothing would not be seen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "websocket":
            await websocket.answer(self._broker, self._bases, scope, receive, send)
        if scope["type"] != "http":
            return
        began, in_flight, status = perf_counter(), HTTP_IN_FLIGHT.of(), _CLIENT_GONE
        in_flight.count()
        try:
            status = await self._respond(scope, receive, send)
        finally:
            in_flight.count(-1)
            route = scope.get(refusals.ROUTE, UNMATCHED)
            HTTP_REQUESTS.of(method_label(scope["method"]), route, str(status)).count()
            HTTP_DURATION.of(route).count(perf_counter() - began)

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> int:
        """Answer, whatever happens; the status that was sent."""
        status, send = 0, rates.telling(self._broker, scope, send)
        try:
            answer = await self._answer(scope, receive)
            status = answer.status  # begun, at least: there is no second answer
            await answer.send(media.answering(scope, send))
        except ClientDisconnect:
            return status or _CLIENT_GONE
        except BrokerError as error:
            _note_refusal(self._broker, error, scope)
            refusal = await paying.answer(self._broker, error, scope)
            await refusal(scope, receive, media.answering(scope, send))
            return refusal.status_code
        except Exception as error:  # noqa: BLE001 - the last line: a bug must not take the server or leak
            logger().error("request failed", method=scope["method"], path=scope["path"], exc_info=error)
            REFUSALS.of(problems.INTERNAL_ERROR).count()
            if not status:
                failure = problems.internal_error()
                await failure(scope, receive, media.answering(scope, send))
                return failure.status_code
        return status

    async def _answer(self, scope: Scope, receive: Receive) -> _Answer:
        headers = Fields(scope["headers"])
        media.note(headers, scope)
        path = scope["path"] = _normal_path(scope["raw_path"])
        check_way(path, headers, self._broker.settings, self._bases)
        try:
            target, params = self._route(scope["method"], path)
        except (NotFound, MethodNotAllowed):
            await rates.admit_address(self._broker, Group.OTHERS, scope, headers)
            raise
        scope[refusals.ROUTE] = target.path
        await rates.admit_address(self._broker, target.group, scope, headers)
        if isinstance(target, _Document):
            return _Answer(200, target.make(), target.media_type)
        raw, cbor = b"", False
        if target.writes:
            raw = await bodies.read(receive, declared=headers.get("content-length"))
            if raw:
                cbor = bodies.is_cbor(headers.get("content-type"), coding=headers.all("content-encoding"))
        call = _call(self._broker, target, scope, params, headers)
        call.cbor = cbor
        if self._broker.settings.strict and target.guarded:
            await prove(call, self._message(scope, headers, raw), new=target.newcomers)
        try:
            return await _reply(target, call, raw, self._outside)
        except ReplayDetected:
            await rates.give_back(call)
            raise

    def _route(self, method: str, path: str) -> tuple[Route | _Document, Mapping[str, str]]:
        """What a request is for, and the parameters in its path."""
        found = self._table.find(path)
        if found is None:
            raise NotFound(f"no route {path[:200]}; /docs lists what there is")
        methods, params = found
        target = methods.get("GET" if method == "HEAD" else method)
        if target is None:
            allow = ", ".join(sorted(methods))
            raise MethodNotAllowed(f"{method} is not for {path}, which takes {allow}", allow=allow)
        return target, params

    def _message(self, scope: Scope, headers: Fields, raw: bytes) -> Message:
        """The request as a signature sees it."""
        targets = targets_of(self._bases, scope["raw_path"], scope["query_string"], host=headers.get("host"))
        return Message(method=scope["method"], targets=targets, fields=headers.lines, body=raw)


async def _reply(route: Route, call: Call, raw: bytes, outside: Outside) -> _Answer:
    """Run a request; whatever comes of it, but a failure of ours or too many, its signature was used for it."""
    try:
        answer = await _run(route, call, raw, outside)
    except BrokerError as error:
        if not envelopes.may_come_again(call, error):
            await envelopes.used(call)
        raise
    await envelopes.used(call)
    if answer.status < 400:  # noqa: PLR2004 - a refusal may be the answer that a key has kept
        notice(call)
    return answer


async def _run(route: Route, call: Call, raw: bytes, outside: Outside) -> _Answer:
    if call.cbor and not route.hook:
        raw = to_json(raw, envelope=route.envelope)
    if route.envelope:
        await envelopes.receive(call, raw)
    else:
        _decode(route, call, raw)
    await rates.admit_actor(call)
    key = call.headers.get("idempotency-key") if route.keyed else None
    if key is None:
        reply = await route.handler(call)
        log(reply.lines)
        return _Answer(reply.status, encode(reply), reply.media_type, headers=reply.headers)
    if not _KEY.fullmatch(key):
        raise InvalidRequest(f"Idempotency-Key: found {key[:80]!r}, expected 1 to 255 visible ASCII characters")
    if len(call.path) > _LONGEST_PATH:
        raise InvalidRequest(f"path: found {len(call.path)} characters, no POST route has more than {_LONGEST_PATH}")
    await _know_key(route, call)
    scope = KeyScope(_whose(route, call), call.method, _named(route, call), key)
    if route.asks is None:
        return await _once(route, route.handler, call, scope, raw)
    await envelopes.used(call)  # with a signature that was used before nobody is asked anything
    try:
        async with outside.left(route, call, scope, sha256(raw).digest()) as handler:
            return await _once(route, handler, call, scope, raw)
    except Unavailable:
        await envelopes.give_back(call)
        raise


async def _know_key(route: Route, call: Call) -> None:
    """Have the key of a signed body before a transaction begins: a slow domain must hold no connection."""
    if route.signed_body is not None and call.actor is not None and route.signed_body(call.content):
        await call.broker.keys.asserting(call.db, call.actor)


def _whose(route: Route, call: Call) -> str:
    """Whose keys these are: of an administrator's route not everybody's, who would be given the answer for the key."""
    if route.admin:
        return "" if is_admin(call) else _ANYBODY
    return call.actor or ""


def _named(route: Route, call: Call) -> str:
    """What is asked: the path in one spelling, but for its parameters, as DIDs that differ in case are two."""
    said = zip(route.path.split("/"), call.path.split("/"), strict=True)
    return "/".join(there if "{" in place else place for place, there in said)


async def _once(route: Route, handler: Handler, call: Call, scope: KeyScope, raw: bytes) -> _Answer:
    """Run a request whose key was not used, or repeat the first answer."""
    body_hash = sha256(raw).digest()
    lines: tuple[Line, ...] = ()
    once = call.db
    try:
        async with once.transaction() as tx:
            first = await idempotency.claim(tx, scope, body_hash=body_hash)
            if first is None:
                answer, lines = await _first(route, handler, call, tx)
                await idempotency.keep(tx, scope, status=answer.status, response=answer.body)
            elif first.body_hash != body_hash:
                raise IdempotencyConflict("the Idempotency-Key was used with another body; take a new one")
            else:
                answer = _Answer(first.status, first.response, replayed=True)
                REPLAYS.of().count()
    finally:
        call.db = once  # which knows whether the signature was used, or this was undone
    log(lines)
    return answer


async def _first(route: Route, handler: Handler, call: Call, tx: Session) -> tuple[_Answer, tuple[Line, ...]]:
    """
    The first answer; a refusal is one too, and leaves nothing else behind.

    Not kept is what can never work, so it is always refused alike, and what failed for a moment, or until somebody has
    paid; nor what was said by somebody else than the one whose key it is.
    """
    try:
        async with tx.transaction() as inner:
            call.db = inner
            reply = await handler(call)
    except BrokerError as error:
        if isinstance(error, _NOT_KEPT) or (route.admin and isinstance(error, Forbidden)):
            raise
        REFUSALS.of(error.code).count()
        refusals.note(call.broker, error, call.scope)
        return _Answer(problems.status_of(type(error)), problems.body_of(error)), ()
    return _Answer(reply.status, encode(reply)), reply.lines


def _call(broker: Broker, route: Route, scope: Scope, params: Mapping[str, str], headers: Fields) -> Call:
    return Call(
        broker=broker,
        db=broker.database,
        method=route.method,
        path=scope["path"],
        params={name: _decoded(value) for name, value in params.items()},
        query=QueryParams(scope["query_string"]) if scope["query_string"] else _NO_QUERY,
        headers=headers,
        scope=scope,
    )


def _decode(route: Route, call: Call, raw: bytes) -> None:
    """Read the body, and who speaks."""
    if route.hook:
        call.raw = raw
    if route.body is not None:
        call.content = bodies.decode(raw, route.body)
    elif raw:
        bodies.decode(raw, bodies.Anything)
    if route.actor is not None:
        signed_body = route.signed_body is not None and route.signed_body(call.content)
        act(call, route.actor(call.content), signed_body=signed_body)
    elif route.writes and not (route.admin or route.reads or route.hook) and call.broker.settings.strict:
        act(call, None)
    elif route.private:
        read_as(call)


def _endpoints(routes: Iterable[Route], documents: Iterable[_Document]) -> dict[str, _Methods]:
    by_path: dict[str, dict[str, Route | _Document]] = {document.path: {"GET": document} for document in documents}
    for route in routes:
        by_path.setdefault(route.path, {})[route.method] = route
    return dict(by_path)


def _normal_path(raw: bytes) -> str:
    """
    Write a path one way: segments decoded once and encoded again, no slash at the end.

    An encoded slash stays encoded, so it is part of its segment and never a separator.
    """
    path = raw.decode("latin-1")
    if "%" in path or not path.isascii():
        path = "/".join(quote(_decoded(segment), safe=_SAFE) for segment in path.split("/"))
    return path.rstrip("/") or "/"


def _decoded(segment: str) -> str:
    try:
        return unquote(segment, errors="strict")
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"path: {segment[:80]!r} is not percent-encoded UTF-8") from error


def _note_refusal(broker: Broker, error: BrokerError, scope: Scope) -> None:
    REFUSALS.of(error.code).count()
    refusals.note(broker, error, scope)
    if isinstance(error, DatabaseUnwritable):
        broker.note_unwritable(error.message)
    if isinstance(error, SchemaBehind):
        logger().error(error.message, method=scope["method"], path=scope["path"])
    elif problems.status_of(type(error)) >= 500:  # noqa: PLR2004 - the server's own failures
        logger().warning(error.message, code=error.code, method=scope["method"], path=scope["path"])
