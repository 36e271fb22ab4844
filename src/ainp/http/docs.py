"""OpenAPI 3.1 from the route table and the wire bodies, and a page to read it on that needs nothing from elsewhere."""

import re
from functools import cache
from html import escape
from typing import Any

import msgspec

from ainp import __version__
from ainp.core.cbor import InvalidCbor
from ainp.core.errors import (
    BrokerError,
    DatabaseUnavailable,
    Forbidden,
    IdempotencyConflict,
    InvalidJson,
    InvalidRequest,
    InvalidSignature,
    NoVerificationKey,
    RateLimited,
    ReplayDetected,
    SchemaBehind,
    TooLarge,
    Unauthenticated,
    UnsupportedMedia,
    UntrustedRequest,
)
from ainp.http.media import CBOR
from ainp.http.problems import Problem, status_of
from ainp.http.routes import ROUTES, Route

JSON = "application/json"
_REF = "#/components/schemas/{name}"
_ANYWHERE: tuple[type[BrokerError], ...] = (InvalidRequest, UntrustedRequest, DatabaseUnavailable, SchemaBehind)
_CHECKED: tuple[type[BrokerError], ...] = (InvalidSignature, NoVerificationKey)  # a signature that nobody asked for
_SIGNED: tuple[type[BrokerError], ...] = (Unauthenticated, *_CHECKED, Forbidden)
_WITH_BODY: tuple[type[BrokerError], ...] = (
    InvalidJson,
    InvalidCbor,
    TooLarge,
    UnsupportedMedia,
    IdempotencyConflict,
)


@cache
def openapi() -> bytes:
    """The document (OpenAPI 3.1.0), as JSON."""
    kinds = [kind for route in ROUTES for kind in (route.body, route.reply) if kind is not None]
    schemas, components = msgspec.json.schema_components([*kinds, Problem], schema_hook=_schema_of, ref_template=_REF)
    names = {id(kind): schema for kind, schema in zip([*kinds, Problem], schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, names)
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "AINP broker",
            "version": __version__,
            "description": "Agents register, negotiate, settle, attest and gain reputation.",
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "did": {"type": "apiKey", "in": "header", "name": "X-AINP-DID"},
                "signature": {
                    "type": "http",
                    "scheme": "signature",
                    "description": "in strict mode: HTTP Message Signatures (RFC 9421), see docs/authentication.md",
                },
                "admin": {"type": "http", "scheme": "bearer"},
            },
        },
    }
    return msgspec.json.encode(document)


@cache
def page() -> bytes:
    """Every route on one page: what it takes, what it answers, what it refuses."""
    document = msgspec.json.decode(openapi())
    sections = "".join(
        _section(path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    )
    shapes = "".join(
        f"<details id='{name}'><summary><code>{name}</code> {escape(schema.get('description', ''))}</summary>"
        f"<pre>{_linked(msgspec.json.format(msgspec.json.encode(schema), indent=2).decode())}</pre></details>"
        for name, schema in document["components"]["schemas"].items()
    )
    return _PAGE.format(version=__version__, sections=sections, shapes=shapes).encode()


def _schema_of(kind: type) -> dict[str, Any]:
    """What msgspec does not know: `object`, which stands for any JSON."""
    if kind is object:
        return {"description": "any JSON"}
    raise NotImplementedError(kind)


def _operation(route: Route, schemas: dict[int, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": "_".join([route.method.lower(), *re.findall(r"\w+", route.path.removeprefix("/api/"))]),
        "summary": (route.handler.__doc__ or "").strip().splitlines()[0],
        "tags": [route.tag],
        "parameters": [*_path_parameters(route), *_query_parameters(route), *_headers(route)],
        "responses": _responses(route, schemas),
    }
    if route.body is not None:
        required = any(field.required for field in msgspec.structs.fields(route.body))
        operation["requestBody"] = {"required": required, "content": _json(schemas[id(route.body)])}
    if route.admin:
        operation["security"] = [{"admin": []}]
    elif route.actor is not None:
        operation["security"] = [{"signature": []}, {"did": []}, {}]
    elif route.private:
        operation["security"] = [{"signature": []}, {"admin": []}, {}]
    return operation


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", route.path)
    ]


def _query_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {
            "name": q.name,
            "in": "query",
            "required": q.required,
            "description": q.meaning,
            "schema": {"type": "string", **({"enum": list(q.values)} if q.values else {})},
        }
        for q in route.query
    ]


def _headers(route: Route) -> list[dict[str, Any]]:
    if not route.keyed:
        return []
    meaning = "the same key and body give the first answer for 24 hours, another body 409"
    schema = {"type": "string", "minLength": 1, "maxLength": 255}
    return [{"name": "Idempotency-Key", "in": "header", "description": meaning, "schema": schema}]


def _responses(route: Route, schemas: dict[int, Any]) -> dict[str, Any]:
    said = (route.handler.__doc__ or "").strip().splitlines()[0]
    responses: dict[str, Any] = {
        str(status): {"description": said, "content": _content(route.media_type, schemas[id(route.reply)])}
        for status in (route.status, *route.also)
    }
    by_status: dict[int, list[type[BrokerError]]] = {}
    for error in dict.fromkeys((*route.errors, *_general(route))):
        by_status.setdefault(status_of(error), []).append(error)
    for status, errors in sorted(by_status.items()):
        if str(status) in responses:
            continue
        listed = "; ".join(f"`{error.code}`: {(error.__doc__ or '').strip().splitlines()[0]}" for error in errors)
        responses[str(status)] = {"description": listed, "content": _json(schemas[id(Problem)])}
    return responses


def _general(route: Route) -> tuple[type[BrokerError], ...]:
    if not route.guarded:
        return ()
    signed = route.private or (route.writes and not (route.admin or route.reads or route.hook))
    once = (ReplayDetected,) if route.writes else ()
    limited = () if route.group is None else (RateLimited,)
    return (
        *_ANYWHERE,
        *limited,
        *(_SIGNED if signed else _CHECKED),
        *once,
        *(_WITH_BODY if route.writes else ()),
    )


def _json(schema: Any) -> dict[str, Any]:  # noqa: ANN401 - a JSON schema
    return _content(JSON, schema)


def _content(media_type: str, schema: Any) -> dict[str, Any]:  # noqa: ANN401 - a JSON schema
    """What is JSON goes in CBOR as well."""
    return {kind: {"schema": schema} for kind in ((JSON, CBOR) if media_type == JSON else (media_type,))}


def _section(path: str, method: str, operation: dict[str, Any]) -> str:
    parameters = "".join(
        f"<tr><td><code>{p['name']}</code></td><td>{p['in']}</td><td>{escape(p.get('description', ''))}</td></tr>"
        for p in operation["parameters"]
    )
    responses = "".join(
        f"<tr><td>{status}</td><td>{_links(r)}</td><td>{escape(r['description'])}</td></tr>"
        for status, r in operation["responses"].items()
    )
    takes = f"<p>Body: {_links(operation['requestBody'])}</p>" if "requestBody" in operation else ""
    return (
        f"<section><h2><b class='{method}'>{method.upper()}</b> <code>{escape(path)}</code></h2>"
        f"<p>{escape(operation['summary'])}</p>{takes}"
        f"<table>{parameters}</table><table>{responses}</table></section>"
    )


def _links(holder: dict[str, Any]) -> str:
    media_type, content = next(iter(holder["content"].items()))
    schema = content["schema"]
    names = [name for name in map(_name, schema.get("anyOf", [schema])) if name]
    if names:
        return " or ".join(f"<a href='#{name}'><code>{name}</code></a>" for name in names)
    return "<code>object</code>" if media_type == JSON else f"<code>{media_type}</code>"


def _name(schema: dict[str, Any]) -> str:
    """What a schema, or what it is a list of, is called."""
    return str(schema.get("$ref", schema.get("items", {}).get("$ref", ""))).rsplit("/", 1)[-1]


def _linked(text: str) -> str:
    return re.sub(r"#/components/schemas/(\w+)", r"<a href='#\1'>\1</a>", escape(text, quote=False))


_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>AINP broker {version}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root {{ color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }}
body {{ max-width: 60rem; margin: 2rem auto; padding: 0 1rem }}
h2 {{ font-size: 1.05rem; margin: 2rem 0 .2rem }}
b {{ padding: .1rem .5rem; border-radius: .3rem; color: #fff; background: #2563eb }}
b.post {{ background: #047857 }}
p {{ margin: .3rem 0 }}
table {{ border-collapse: collapse; margin: .4rem 0; font-size: .9rem; width: 100% }}
td {{ border-top: 1px solid #8884; padding: .25rem .8rem .25rem 0; vertical-align: top }}
pre {{ overflow-x: auto; font-size: .85rem }}
</style>
<h1>AINP broker {version}</h1>
<p>The same as a document for programs: <a href="/openapi.json">/openapi.json</a> (OpenAPI 3.1).</p>
{sections}<h1>Bodies</h1>{shapes}</html>"""
