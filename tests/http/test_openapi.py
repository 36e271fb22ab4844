"""The document that programs read, the page that people read, and the route table they come from."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from ainp.core import errors
from ainp.http.docs import openapi, page
from ainp.http.problems import status_of
from ainp.http.routes import ROUTES, Route
from support.api import an_api
from support.documented import document, undocumented

OPERATIONS = [
    pytest.param(path, method, operation, id=f"{method.upper()} {path}")
    for path, methods in document()["paths"].items()
    for method, operation in methods.items()
]
ROUTE = [pytest.param(route, id=f"{route.method} {route.path}") for route in ROUTES]


def references(node: object) -> Iterator[str]:
    """Every $ref in a document."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_the_document_is_openapi_3_1() -> None:
    found = document()

    assert re.fullmatch(r"3\.1\.\d+", found["openapi"])
    assert set(found) <= {"openapi", "info", "servers", "paths", "components", "security", "tags", "externalDocs"}
    assert found["info"]["title"]
    assert found["info"]["version"]
    assert all(path.startswith("/") for path in found["paths"])
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+", name) for name in found["components"]["schemas"])


def test_every_reference_leads_somewhere() -> None:
    names = {f"#/components/schemas/{name}" for name in document()["components"]["schemas"]}

    assert set(references(document())) <= names
    assert names <= set(references(document()))  # and nothing is listed that nobody uses


def test_operations_have_ids_of_their_own() -> None:
    ids = [operation["operationId"] for methods in document()["paths"].values() for operation in methods.values()]

    assert sorted(ids) == sorted(set(ids))


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_an_operation_is_complete(path: str, method: str, operation: dict[str, Any]) -> None:
    in_path = [p["name"] for p in operation["parameters"] if p["in"] == "path"]

    assert in_path == re.findall(r"{(\w+)}", path)
    assert all(p["required"] for p in operation["parameters"] if p["in"] == "path")
    assert all(p["in"] in {"path", "query", "header"} and p["schema"] for p in operation["parameters"])
    assert len({(p["in"], p["name"]) for p in operation["parameters"]}) == len(operation["parameters"])
    assert operation["summary"]
    assert "requestBody" not in operation or method in ("post", "put")
    for status, response in operation["responses"].items():
        assert re.fullmatch(r"[1-5]\d\d", status)
        assert response["description"]
        scraped = (path, status) == ("/metrics", "200")
        assert list(response["content"]) == (["text/plain"] if scraped else ["application/json", "application/cbor"])


@pytest.mark.parametrize("route", ROUTE)
def test_a_route_is_documented_with_every_error_it_names(route: Route) -> None:
    operation = document()["paths"][route.path][route.method.lower()]

    assert str(route.status) in operation["responses"]
    for error in route.errors:
        assert f"`{error.code}`" in operation["responses"][str(status_of(error))]["description"]
    assert {q.name for q in route.query} == {p["name"] for p in operation["parameters"] if p["in"] == "query"}


@pytest.mark.parametrize("route", ROUTE)
def test_no_route_hides_behind_an_earlier_one(route: Route) -> None:
    fixed = re.sub(r"{\w+}", "x", route.path)
    paths = list(dict.fromkeys(r.path for r in ROUTES))
    first = next(path for path in paths if re.fullmatch(re.sub(r"{\w+}", "[^/]+", path), fixed))

    assert first == route.path


def test_every_refusal_has_a_status() -> None:
    classes = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.BrokerError)
    ]

    for kind in classes:
        if kind is not errors.BrokerError:
            assert 400 <= status_of(kind) < 600


def test_the_page_shows_every_route_and_links_every_body() -> None:
    text = page().decode()

    for route in ROUTES:
        assert f"<b class='{route.method.lower()}'>{route.method}</b> <code>{route.path}</code>" in text
    for name in document()["components"]["schemas"]:
        assert text.count(f"id='{name}'") == 1
        assert f"href='#{name}'" in text
    anchors = set(re.findall(r"href='#(\w+)'", text))
    assert anchors == set(document()["components"]["schemas"])


def test_nothing_on_the_page_or_in_the_document_comes_from_elsewhere() -> None:
    assert b"//" not in page().replace(b"<!doctype html>", b"")
    assert b"http" not in openapi().replace(b'"type":"http"', b"")
    assert b"<script" not in page()


async def test_the_document_and_the_page_are_served(database_url: str) -> None:
    async with an_api(database_url) as api:
        served = await api.client.get("/openapi.json")
        shown = await api.client.get("/docs")

        assert served.headers["content-type"] == "application/json"
        assert msgspec.json.decode(served.content) == document()
        assert shown.headers["content-type"] == "text/html; charset=utf-8"
        assert shown.content == page()
        refused = await api.client.post("/docs")
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET")


def test_an_answer_that_is_not_documented_is_noticed() -> None:
    assert undocumented("GET", "/api/receipts", 200, b'{"receipts":[],"cursor":null}') is None
    assert undocumented("GET", "/api/receipts", 200, b'{"receipts":{},"cursor":null}')
    assert undocumented("GET", "/api/receipts", 418, b"{}")
    assert undocumented("GET", "/api/receipts", 400, b'{"error":"NEW_CODE"}')
    assert undocumented("GET", "/api/receipts", 500, b'{"error":"INTERNAL_ERROR"}')
