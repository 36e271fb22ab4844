"""Nonces: what a signer may use once, and the statement that uses it."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple, Protocol

import asyncpg
from asyncpg.pgproto.pgproto import UUID  # the driver's own: made and written in a tenth of the time

from ainp.core.errors import ReplayDetected
from ainp.store.queries import load

_SQL = load("nonces")
_TAKEN = "used_nonces_pkey"


class Nonce(NamedTuple):
    """What a signer may use once; *until* is when it can be forgotten."""

    key: UUID
    until: datetime


class Runs(Protocol):
    """A session, as far as it is needed here."""

    async def fetch(self, sql: str, *args: object) -> list[Any]:
        """All rows."""
        ...

    async def execute(self, sql: str, *args: object) -> str:
        """The command tag."""
        ...


def nonce_of(signer: str, value: str, *, until: datetime) -> Nonce:
    """The nonce *value* of *signer*."""
    return Nonce(UUID(sha256(f"{signer}\0{value}".encode()).digest()[:16]), until)


async def claim(db: Runs, nonce: Nonce) -> None:
    """Use a nonce in this transaction, or raise ReplayDetected."""
    await _claiming(db.execute, _SQL["claim"], [nonce.key], [nonce.until])


async def give_back(db: Runs, nonce: Nonce) -> None:
    """Let a nonce be used again."""
    await db.execute(_SQL["give_back"], nonce.key)


async def forget(db: Runs) -> int:
    """Drop a batch of nonces that no clock takes any more; how many."""
    tag = await db.execute(_SQL["forget"])
    return int(tag.rsplit(" ", 1)[-1])


class WithNonces:
    """A session, for one statement that uses these nonces with what it writes."""

    def __init__(self, db: Runs, nonces: Sequence[Nonce]) -> None:
        self._db = db
        self._nonces = nonces

    async def fetch(self, sql: str, *args: object) -> list[Any]:
        """All rows of the one statement."""
        keys, until = [n.key for n in self._nonces], [n.until for n in self._nonces]
        rows: list[Any] = await _claiming(self._db.fetch, _with_nonces(sql, len(args)), *args, keys, until)
        return rows

    async def execute(self, sql: str, *args: object) -> str:
        """The command tag of the one statement."""
        await self.fetch(sql, *args)
        return ""


@lru_cache(maxsize=64)
def _with_nonces(sql: str, parameters: int) -> str:
    """The statement with the claim in front; it begins with WITH, as all do that take many."""
    comment, found, rest = sql.partition("WITH ")
    assert found and all(line.startswith("--") for line in comment.splitlines()), sql  # noqa: PT018
    claiming = _SQL["claim"].partition("INSERT")[2]
    claiming = claiming.replace("$2", f"${parameters + 2}").replace("$1", f"${parameters + 1}")
    return f"{comment}WITH nonces AS (INSERT{claiming}), {rest}"


async def _claiming(run: Any, sql: str, *args: object) -> Any:  # noqa: ANN401 - one of a session's calls
    try:
        return await run(sql, *args)
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name != _TAKEN:
            raise
        raise ReplayDetected("this signature was used before: sign anew, with a nonce of its own") from error
