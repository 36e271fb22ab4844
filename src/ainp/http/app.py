"""
The application: a request is guarded, routed, decoded, answered; whatever is refused becomes a problem, once.

With an `Idempotency-Key` the operation and its answer are one transaction, so the answer is kept exactly if the effect
is.
"""

import re
from collections.abc import Callable, Iterable
from hashlib import sha256
from urllib.parse import quote, unquote

from starlette.datastructures import Headers, QueryParams
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route as StarletteRoute
from starlette.routing import Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ainp.broker import Broker
from ainp.core.errors import (
    BrokerError,
    IdempotencyConflict,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    SchemaBehind,
    Unavailable,
)
from ainp.http import body as bodies
from ainp.http import docs, problems, websocket
from ainp.http.auth import actor, check_origin
from ainp.http.call import Call, encode
from ainp.http.routes import ROUTES, Route
from ainp.store import idempotency
from ainp.store.db import Session
from ainp.store.idempotency import Scope as KeyScope
from ainp.telemetry import Line, log, logger

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_LONGEST_PATH = 512  # of a route that takes such a key; it is part of an index entry
_SAFE = "!$&'()*+,;=:@-._~"  # what RFC 3986 lets stand in a path segment as it is


class App:
    """The broker over ASGI."""

    def __init__(self, broker: Broker, routes: Iterable[Route] = ROUTES) -> None:
        self._broker = broker
        self._router = Router([*_endpoints(broker, routes), *_static()], redirect_slashes=False, default=_not_found)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "websocket":
            await websocket.answer(self._broker, scope, receive, send)
        if scope["type"] != "http":
            return
        watched = _Watched(send)
        try:
            scope["path"] = _normal_path(scope["raw_path"])
            if not scope["path"].lower().startswith("/health"):
                check_origin(Headers(scope=scope), self._broker.settings)
            await self._router(scope, receive, watched)
        except ClientDisconnect:
            return
        except BrokerError as error:
            _log_refusal(error, scope)
            await problems.answer(error)(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - the last line: a bug must not take the server or leak
            logger().error("request failed", method=scope["method"], path=scope["path"], exc_info=error)
            if not watched.started:
                await problems.internal_error()(scope, receive, send)


class _Watched:
    """Remembers whether an answer was begun: there is no second one."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.started = False

    async def __call__(self, message: Message) -> None:
        self.started = True
        await self._send(message)


class _Endpoint:
    """All methods of one path."""

    def __init__(self, broker: Broker, routes: dict[str, Route]) -> None:
        self._broker = broker
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        route = self._routes.get(method)
        if route is None:
            allow = ", ".join(sorted(self._routes))
            raise MethodNotAllowed(f"{scope['method']} is not for {scope['path']}, which takes {allow}", allow=allow)
        headers = Headers(scope=scope)
        raw = b""
        if method == "POST":
            raw = await bodies.read(receive, declared=headers.get("content-length"))
            if raw:
                bodies.require_json(headers.get("content-type"))
        call = _call(self._broker, route, scope, headers, raw)
        status, answer, extra = await _answer(route, call, raw)
        await Response(answer, status, headers=extra, media_type="application/json")(scope, receive, send)


async def _answer(route: Route, call: Call, raw: bytes) -> tuple[int, bytes, dict[str, str]]:
    key = call.headers.get("idempotency-key") if call.method == "POST" else None
    if key is None:
        reply = await route.handler(call)
        log(reply.lines)
        return reply.status, encode(reply), {}
    if not _KEY.fullmatch(key):
        raise InvalidRequest(f"Idempotency-Key: found {key[:80]!r}, expected 1 to 255 visible ASCII characters")
    if len(call.path) > _LONGEST_PATH:
        raise InvalidRequest(f"path: found {len(call.path)} characters, no POST route has more than {_LONGEST_PATH}")
    return await _once(route, call, KeyScope(call.actor or "", call.method, call.path.lower(), key), raw)


async def _once(route: Route, call: Call, scope: KeyScope, raw: bytes) -> tuple[int, bytes, dict[str, str]]:
    """Run a request whose key was not used, or repeat the first answer."""
    body_hash = sha256(raw).digest()
    lines: tuple[Line, ...] = ()
    async with call.broker.database.transaction() as tx:
        first = await idempotency.claim(tx, scope, body_hash=body_hash)
        if first is None:
            status, answer, lines = await _first(route, call, tx)
            await idempotency.keep(tx, scope, status=status, response=answer)
            extra = {}
        elif first.body_hash != body_hash:
            raise IdempotencyConflict("the Idempotency-Key was used with another body; take a new one")
        else:
            status, answer, extra = first.status, first.response, {"Idempotency-Replayed": "true"}
    log(lines)
    return status, answer, extra


async def _first(route: Route, call: Call, tx: Session) -> tuple[int, bytes, tuple[Line, ...]]:
    """
    The first answer; a refusal is one too, and leaves nothing else behind.

    Not kept is what can never work, so it is always refused alike, and what failed for a moment.
    """
    try:
        async with tx.transaction() as inner:
            call.db = inner
            reply = await route.handler(call)
    except (InvalidRequest, Unavailable):
        raise
    except BrokerError as error:
        return problems.status_of(type(error)), problems.body_of(error), ()
    return reply.status, encode(reply), reply.lines


def _call(broker: Broker, route: Route, scope: Scope, headers: Headers, raw: bytes) -> Call:
    call = Call(
        broker=broker,
        db=broker.database,
        method=route.method,
        path=scope["path"],
        params={name: _decoded(value) for name, value in scope["path_params"].items()},
        query=QueryParams(scope["query_string"]),
        headers=headers,
    )
    if route.body is not None:
        call.content = bodies.decode(raw, route.body)
    elif raw:
        bodies.decode(raw, bodies.Anything)
    if route.actor is not None:
        call.actor = actor(call, route.actor(call.content))
    return call


def _endpoints(broker: Broker, routes: Iterable[Route]) -> list[StarletteRoute]:
    by_path: dict[str, dict[str, Route]] = {}
    for route in routes:
        by_path.setdefault(route.path, {})[route.method] = route
    return [_any_case(StarletteRoute(path, _Endpoint(broker, methods))) for path, methods in by_path.items()]


def _static() -> list[StarletteRoute]:
    return [
        _any_case(StarletteRoute("/openapi.json", _document(docs.openapi, "application/json"))),
        _any_case(StarletteRoute("/docs", _document(docs.page, "text/html; charset=utf-8"))),
    ]


def _document(make: Callable[[], bytes], media_type: str) -> ASGIApp:
    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            raise MethodNotAllowed(f"{scope['method']} is not for {scope['path']}, which takes GET", allow="GET")
        await Response(make(), media_type=media_type)(scope, receive, send)

    return _Served(serve)


class _Served:
    """Starlette calls a plain function with a request; an object it calls as ASGI."""

    def __init__(self, serve: ASGIApp) -> None:
        self._serve = serve

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._serve(scope, receive, send)


def _any_case(route: StarletteRoute) -> StarletteRoute:
    """Paths are matched without case, as existing clients expect."""
    route.path_regex = re.compile(route.path_regex.pattern, re.IGNORECASE)
    return route


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


async def _not_found(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 - ASGI's signature
    raise NotFound(f"no route {scope['path'][:200]}; /docs lists what there is")


def _log_refusal(error: BrokerError, scope: Scope) -> None:
    if isinstance(error, SchemaBehind):
        logger().error(error.message, method=scope["method"], path=scope["path"])
    elif problems.status_of(type(error)) >= 500:  # noqa: PLR2004 - the server's own failures
        logger().warning(error.message, code=error.code, method=scope["method"], path=scope["path"])
