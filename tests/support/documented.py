"""Notes every answer of the broker and compares it with what /openapi.json promises."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import cbor2
import jsonschema_rs
import msgspec
import pytest
from starlette.types import Message, Receive, Scope, Send

from ainp.http.app import App, _normal_path
from ainp.http.docs import openapi


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document, decoded."""
    decoded: dict[str, Any] = msgspec.json.decode(openapi())
    return decoded


@cache
def _operations() -> list[tuple[re.Pattern[str], dict[str, Any]]]:
    return [
        (re.compile(re.sub(r"{\w+}", "[^/]+", path) + "$", re.IGNORECASE), methods)
        for path, methods in document()["paths"].items()
    ]


def operation_of(method: str, path: str) -> dict[str, Any] | None:
    """What the document says of a request, if it knows the route."""
    name = "get" if method == "HEAD" else method.lower()
    found = [methods for pattern, methods in _operations() if pattern.match(path)]
    fixed = [methods for methods in found if methods is document()["paths"].get(path.lower())]
    operation: dict[str, Any] | None = next((methods.get(name) for methods in (*fixed, *found)), None)
    return operation


def undocumented(method: str, path: str, status: int, body: bytes) -> str | None:
    """Say what the document lacks about an answer; None if it promises just this."""
    operation = operation_of(method, path)
    if operation is None or status == 405:
        outside = status in (403, 404, 405) or not path.lower().startswith("/api")
        return None if outside else f"{method} {path}: no route"
    response = operation["responses"].get(str(status))
    if response is None:
        return f"{method} {path}: {status} is not documented: {body[:200]!r}"
    if status < 400 and "application/json" not in response.get("content", {}):
        return None
    answer = _answer(body)
    code = answer.get("error") if status >= 400 and not path.startswith("/health") else None
    if code is not None and f"`{code}`" not in response["description"]:
        return f"{method} {path}: {status} {code} is not documented"
    return _other_than(response["content"]["application/json"]["schema"], answer, f"{method} {path}: {status}")


def _answer(body: bytes) -> Any:  # noqa: ANN401 - what JSON or CBOR may be
    if not body:
        return None
    decode = cbor2.loads if body[:1] > b"\x80" else msgspec.json.decode
    return decode(body)


def _other_than(schema: dict[str, Any], answer: object, of: str) -> str | None:
    """Say where an answer is not what its schema says; one to HEAD has no body."""
    if answer is None:
        return None
    wrong = next(_validator(msgspec.json.encode(schema)).iter_errors(answer), None)
    return None if wrong is None else f"{of}: {wrong.message} at {list(wrong.instance_path)}"


@cache
def _validator(schema: bytes) -> Any:  # noqa: ANN401 - the library has no common type for them
    return jsonschema_rs.Draft202012Validator({**msgspec.json.decode(schema), "components": document()["components"]})


@pytest.fixture(autouse=True)
def every_answer_is_documented(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail a test in which the broker gave an answer that its document does not know."""
    lacking: list[str] = []
    call = App.__call__

    async def noted(self: App, scope: Scope, receive: Receive, send: Send) -> None:
        status, body = 0, b""

        async def note(message: Message) -> None:
            nonlocal status, body
            status = message.get("status", status)
            body += message.get("body", b"")
            await send(message)

        await call(self, scope, receive, note)
        if scope["type"] == "http" and status:
            lacking.extend(filter(None, [undocumented(scope["method"], _path(scope), status, body)]))

    monkeypatch.setattr(App, "__call__", noted)
    yield

    assert lacking == [], lacking


def _path(scope: Scope) -> str:
    try:
        return _normal_path(scope["raw_path"])
    except Exception:  # noqa: BLE001 - a path that can't be decoded; its answer is compared all the same
        return str(scope["raw_path"].decode("latin-1")).rstrip("/")
