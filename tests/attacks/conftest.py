from collections.abc import AsyncIterator

import pytest

from support.fixtures import every_answer_is_documented, log, module_database_url
from support.target import Target, a_target

__all__ = ["every_answer_is_documented", "log", "module_database_url", "target"]


@pytest.fixture(scope="module")
async def target(module_database_url: str, anyio_backend: str) -> AsyncIterator[Target]:
    """A broker in strict mode for all attacks of a module; what is stored must be whole after them."""
    async with a_target(module_database_url) as target:
        yield target
        await target.check_books()
