from collections.abc import Iterator

import pytest

from support.database import Databases, a_server


def pytest_configure(config: pytest.Config) -> None:
    config.option.anyio_mode = "auto"  # `async def` tests and fixtures run without a marker on each


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    with a_server() as server, Databases(server) as databases:
        yield databases


@pytest.fixture(scope="session")
def migrated_template(databases: Databases) -> Iterator[str]:
    with databases.migrated(searchable=True) as template:
        yield template


@pytest.fixture
def database_url(databases: Databases, migrated_template: str) -> Iterator[str]:
    """A database of the test's own, migrated."""
    with databases.fresh(template=migrated_template) as url:
        yield url


@pytest.fixture
def empty_database_url(databases: Databases) -> Iterator[str]:
    """A database of the test's own, without migrations."""
    with databases.fresh() as url:
        yield url
