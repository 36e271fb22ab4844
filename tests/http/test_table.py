"""A path finds its target as if every pattern had been tried in turn, fixed ones first."""

import pytest

from ainp.http.routes import ROUTES
from ainp.http.table import Table

TABLE = Table(
    {
        "/": "root",
        "/things": "things",
        "/things/special": "special",
        "/things/{id}": "thing",
        "/things/{id}/parts/{part}": "part",
        "/things/special/parts": "special parts",
    }
)
FOUND = {
    "/": ("root", {}),
    "/things": ("things", {}),
    "/THINGS/Special": ("special", {}),
    "/things/Seven": ("thing", {"id": "Seven"}),
    "/things/{id}": ("thing", {"id": "{id}"}),
    "/things/special/parts/Two": ("part", {"id": "special", "part": "Two"}),
    "/things/special/parts": ("special parts", {}),
}
NOT_FOUND = (
    "/thing",
    "/things/",
    "/things//parts/2",
    "/things/7/parts",
    "/things/7/parts/2/3",
    "//things",
    "things",
    "",
)


@pytest.mark.parametrize(("path", "found"), FOUND.items(), ids=FOUND)
def test_a_path_finds_its_target_and_its_parameters(path: str, found: tuple[str, dict[str, str]]) -> None:
    assert TABLE.find(path) == found


@pytest.mark.parametrize("path", NOT_FOUND)
def test_another_path_finds_nothing(path: str) -> None:
    assert TABLE.find(path) is None


def test_a_path_stands_once() -> None:
    with pytest.raises(AssertionError):
        Table({"/a/{x}": 1, "/A/{y}": 2})


def test_every_route_is_found_by_its_path() -> None:
    table = Table({route.path: route.path for route in ROUTES})

    for route in ROUTES:
        found = table.find(route.path)
        assert found is not None
        assert found[0] == route.path
