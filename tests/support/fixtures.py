"""Fixtures of the tests that speak HTTP; their conftest.py names them."""

import logging
from collections.abc import AsyncIterator, Iterator
from io import StringIO

import pytest
import structlog

from ainp.telemetry import configure_logging
from ainp.telemetry import logs as telemetry
from support.database import Databases
from support.documented import every_answer_is_documented
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
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[StringIO]:
    """What the broker logs, as lines of JSON."""
    stream, root = StringIO(), logging.getLogger()
    monkeypatch.setattr(root, "handlers", root.handlers[:])
    monkeypatch.setattr(root, "level", root.level)
    monkeypatch.setattr(telemetry, "_output", None)
    configure_logging("INFO", stream=stream)
    yield stream
    structlog.reset_defaults()
