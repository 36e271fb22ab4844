"""Writes docs/errors.md and docs/api.md from the refusals and the route table. Run by `make docs`."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ainp.core.errors import BrokerError
from ainp.http.problems import INTERNAL_ERROR, status_of
from support.documented import document

DOCS = Path(__file__).parent.parent.parent / "docs"
ERRORS, API = DOCS / "errors.md", DOCS / "api.md"

_ERRORS_HEAD = """\
<!-- Generated from src/ainp/core/errors.py by `make docs`; a test keeps it so. -->

# Errors

Every refusal is `{"error": CODE, "message": what was found and what was expected}`, with its facts beside: `needed` and
`have` of a quorum, the balance that was too small. A code has one status and stays what it is; programs look at the
code and the facts, people at the message. A request that was refused has written nothing.

- **4xx** will be refused again until the request, or what it is about, is another. 409 says that the state has moved
  on: read, and decide again. 425 and 429 say when to come back (`Retry-After`).
- **503** is a dependency that is away. The same request works later; with an `Idempotency-Key` it is done once.
- **500** is a bug of the broker, and the log has its trace. No input may cause one.

| status | code | what it means |
|---|---|---|
"""
_API_HEAD = """\
<!-- Generated from src/ainp/http/routes.py by `make docs`; a test keeps it so. -->

# The API

`/openapi.json` is the whole of it, with every body and every answer as a schema (OpenAPI 3.1), and `/docs` shows it on
a page; both come from the broker itself and are those of its release. Here is what there is at a glance. Every route
takes and gives JSON and CBOR; every POST that changes something takes an `Idempotency-Key`; who acts is said by a
[signed request](authentication.md), or on loopback by `X-AINP-DID`. Refusals are in [errors](errors.md).
"""
_ALWAYS = {"400", "401", "403", "413", "415", "429", "503"}  # where they can happen at all, they mean the same


def errors() -> str:
    """Tell every code with its status and meaning."""
    rows = {code: f"| {status} | `{code}` | {meaning} |" for status, code, meaning in _refusals()}
    return _ERRORS_HEAD + "\n".join(rows.values()) + "\n"


def api() -> str:
    """Tell every route by what it is about."""
    sections: dict[str, list[str]] = {}
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            sections.setdefault(operation["tags"][0], []).append(_route(method, path, operation))
    parts = [
        f"\n## {title.capitalize()}\n\n| route | what it does | answers |\n|---|---|---|\n" + "\n".join(rows) + "\n"
        for title, rows in sections.items()
    ]
    return _API_HEAD + "".join(parts)


def _route(method: str, path: str, operation: dict[str, Any]) -> str:
    answers = [status for status in operation["responses"] if status not in _ALWAYS]
    return f"| `{method.upper()} {path}` | {operation['summary']} | {', '.join(answers)} |"


def _refusals() -> list[tuple[int, str, str]]:
    found = [(status_of(kind), kind.code, _meaning(kind)) for kind in _kinds(BrokerError)]
    found.append((500, INTERNAL_ERROR, "A bug of the broker; nothing about it is told but that it happened."))
    return sorted(found, key=lambda row: (row[0], row[1]))


def _kinds(of: type[BrokerError]) -> Iterator[type[BrokerError]]:
    for kind in of.__subclasses__():
        if kind.__module__.startswith("ainp.") and not kind.__module__.startswith("ainp.client"):
            if "code" in vars(kind):
                yield kind
            yield from _kinds(kind)


def _meaning(kind: type[BrokerError]) -> str:
    first = re.split(r"\n\s*\n", (kind.__doc__ or "").strip())[0]
    return " ".join(first.split()).replace("|", "\\|").replace("``", "`")


def main() -> None:
    ERRORS.write_text(errors(), "utf-8")
    API.write_text(api(), "utf-8")


if __name__ == "__main__":
    main()
