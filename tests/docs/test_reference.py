"""The pages of errors and of the API are what the code says."""

import re

from ainp.http.routes import ROUTES
from support.reference import API, ERRORS, api, errors


def test_the_page_of_errors_is_what_the_refusals_say() -> None:
    assert ERRORS.read_text() == errors(), "run `make docs`"


def test_the_page_of_the_api_is_what_the_routes_say() -> None:
    assert API.read_text() == api(), "run `make docs`"


def test_every_route_and_every_code_that_the_checklist_names_is_there() -> None:
    shown = set(re.findall(r"^\| `([A-Z]+) (\S+)` \|", API.read_text(), re.MULTILINE))
    codes = set(re.findall(r"\| `([A-Z_]+)` \|", ERRORS.read_text()))

    assert shown == {(route.method, route.path) for route in ROUTES}
    assert {"UNAUTHORIZED_ATTESTATION", "QUORUM_NOT_MET", "SCHEMA_BEHIND", "INTERNAL_ERROR"} <= codes
