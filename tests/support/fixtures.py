"""Fixtures of the tests that speak HTTP; their conftest.py names them."""

from collections.abc import AsyncIterator, Iterator
from io import StringIO

import pytest

from ainp.telemetry import configure_logging
from support.database import Databases
from support.documented import every_answer_is_documented
from support.said import the_log_as_it_was
from support.world import World, a_world

__all__ = ["every_answer_is_documented", "log", "module_database_url", "world"]


@pytest.fixture(scope="module")
def module_database_url(databases: Databases, migrated_template: str) -> Iterator[str]:
    """A database for all tests of a module."""
    with databases.fresh(template=migrated_template) as url:
        yield url


@pytest.fixture(scope="module")
async def world(module_database_url: str, anyio_backend: str) -> AsyncIterator[World]:
    """A broker for all tests of a module."""
    async with a_world(module_database_url) as world:
        yield world


@pytest.fixture
def log() -> Iterator[StringIO]:
    """What the broker logs, as lines of JSON."""
    stream = StringIO()
    with the_log_as_it_was():
        configure_logging("INFO", stream=stream)
        yield stream
