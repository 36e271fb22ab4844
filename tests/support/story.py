"""A broker's data, what the world has heard of it while something went wrong, and the proof that all of it is true."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ainp.store.db import Database
from ainp.store.embedded import EmbeddedPostgres
from support.books import wrong
from support.builders import agents
from support.receivers import Heard, listening, until_heard
from support.serving import AINP, Served, an_environment
from support.trading import Answered, check_over_http, trading

AGENTS = agents(14)
FLOWS = 12
RICH = "1000000000"  # nobody runs out of credits


@dataclass
class Story:
    """A broker's data, and what the world has heard of it."""

    data_dir: Path
    settlements: int  # between two of what goes wrong
    answered: Answered = field(default_factory=Answered)
    heard: list[Heard] = field(default_factory=lambda: [Heard(did) for did in AGENTS])

    @asynccontextmanager
    async def load(self, broker: Served) -> AsyncIterator[None]:
        """Trade and listen until the block ends."""
        async with (
            listening(broker.url, self.heard),
            trading(broker.url, self.answered, AGENTS, flows=FLOWS),
        ):
            yield

    async def trade_for_a_while(self, broker: Served) -> None:
        """Trade, and kill nobody."""
        async with trading(broker.url, self.answered, AGENTS, flows=FLOWS):
            await self.settle_more()

    async def settle_more(self) -> None:
        """Wait until enough was settled."""
        wanted = len(self.answered.settled) + self.settlements
        async with asyncio.timeout(60 + self.settlements):
            while len(self.answered.settled) < wanted:  # noqa: ASYNC110 - any of the flows may bring it about
                await asyncio.sleep(0.005)

    async def check(self, broker: Served) -> None:
        """Everything that was said is true, and is said again in the same words to who asks."""
        await check_over_http(broker.url, self.answered)
        again = [Heard(did) for did in AGENTS]
        async with listening(broker.url, again):
            await until_heard(again, self.expected())
        for first, second in zip(self.heard, again, strict=True):
            assert second.frames[: len(first.frames)] == first.frames
            assert second.told_twice == []
        assert self.answered.refused == []

    def expected(self) -> dict[str, dict[str, str]]:
        """The settlements that each agent is to be told of."""
        by_agent: dict[str, dict[str, str]] = {did: {} for did in AGENTS}
        for negotiation, task in self.answered.settled.items():
            for party in self.answered.asked[negotiation]:
                by_agent[party][negotiation] = task
        return by_agent


def prove(data_dir: Path) -> None:
    """Let `ainp fsck` look at everything while the broker runs, and ask the database what contradicts itself."""
    environment = an_environment(AINP_DATA_DIR=str(data_dir))
    proof = subprocess.run([AINP, "fsck"], env=environment, check=False, capture_output=True, text=True)
    assert proof.returncode == 0, proof.stdout + proof.stderr
    assert asyncio.run(what_is_wrong(EmbeddedPostgres(data_dir).dsn)) == []


async def what_is_wrong(dsn: str) -> list[str]:
    database = Database(dsn, size=2)
    await database.open()
    try:
        return await wrong(database)
    finally:
        await database.close()


def bugs_of(served: Served) -> list[str]:
    """What it logged with a trace."""
    return [f"{line['message']}: {line['exception']}" for line in served.lines if "exception" in line]
