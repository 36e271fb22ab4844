"""
Hooks of schemathesis: requests that it makes up get as far as the operations, and in strict mode they are signed.

It is loaded by the generator's own process. What there is comes in AINP_KNOWN: lists of values by the names of path
parameters, `did` for all that end in it.
"""

import json
import os
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import requests
import schemathesis
from schemathesis import Case, HookContext

from ainp.client.identity import Identity
from support.target import signed

KNOWN: dict[str, list[str]] = json.loads(os.environ.get("AINP_KNOWN", "{}"))
SIGNERS = [Identity.of(key) for key in json.loads(os.environ.get("AINP_SIGNERS", "[]"))]
ADMIN_TOKEN = os.environ.get("AINP_ADMIN_TOKEN", "")
ADMINISTRATORS = ("/api/admin/", "/api/credits/deposit", "/api/usefulness/aggregate")


class Signature(requests.auth.AuthBase):
    """Signs what is sent, by the one whom it names, if that is one of ours."""

    def __init__(self, named: str) -> None:
        self._by = next((each for each in SIGNERS if each.did == named), SIGNERS[0])

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the fields of a signature."""
        body = request.body or b""
        assert isinstance(body, str | bytes), "it sends no streams"
        raw = body.encode() if isinstance(body, str) else body
        url = request.url or ""
        made = signed(self._by, request.method or "", url, raw)
        for name in ("Signature-Input", "Signature", *(("Content-Digest",) if raw else ())):
            request.headers[name] = made.get(name)
        return request


@schemathesis.hook
def before_call(_: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """Put what there is in the place of most of what was made up, say who asks, and sign."""
    dids = [did for part in (case.path_parameters, case.query, case.body) for did in _filled(part)]
    named = next((did for did in dids if did in KNOWN["did"]), KNOWN["did"][0])
    headers = {"X-AINP-DID": named}
    if case.path.startswith(ADMINISTRATORS) and _place(case.body, case.query) % 4:
        headers["Authorization"] = f"Bearer {ADMIN_TOKEN}"
    for name, value in headers.items():
        case.headers.setdefault(name, value)
    if SIGNERS:
        kwargs["auth"] = Signature(named)


def _filled(part: Any) -> Iterator[object]:  # noqa: ANN401 - any JSON
    """The DIDs in a part of a request, once what there is stands in it."""
    for name, value in list(part.items()) if isinstance(part, dict) else ():
        kind = "did" if name.endswith("did") else name
        if value is not None and kind in KNOWN:
            part[name] = _known(kind, value)
            if kind == "did":
                yield part[name]


def _known(kind: str, value: object) -> object:
    """The same for the same value, so that what has failed fails again."""
    values, place = KNOWN[kind], _place(value)
    return value if value in values or place % 4 == 0 else values[place % len(values)]


def _place(*values: object) -> int:
    return sha256(repr(values).encode()).digest()[0]
