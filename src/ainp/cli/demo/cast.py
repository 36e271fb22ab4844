"""The agents of the demo, each with a key and a socket of its own, and what they have to be told."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

import httpx

from ainp.cli.demo.plot import AUDITORS
from ainp.client import AsyncClient, Identity, Told

_PATIENCE_S = 30.0


class Unexpected(Exception):
    """Something was not as the story has it; the message says what."""


@dataclass(eq=False, slots=True)
class Agent:
    """Somebody with a name; *due* is what it has to have been told so far."""

    name: str
    client: AsyncClient
    heard: list[Told] = field(default_factory=list)
    due: list[str] = field(default_factory=list)

    @property
    def did(self) -> str:
        """Who it is to the broker."""
        assert self.client.identity is not None
        return self.client.identity.did


class Cast:
    """A client, a worker, and auditors."""

    def __init__(self, url: str, http: httpx.AsyncClient) -> None:
        names = ["client", "worker", *(f"auditor {number}" for number in range(1, AUDITORS + 1))]
        self.url, self.http = url, http
        agents = [Agent(name, AsyncClient(url, Identity.new(), http=http)) for name in names]
        self.client, self.worker, *self.auditors = agents
        self.everybody = [self.client, self.worker, *self.auditors]
        self._by_did = {agent.did: agent for agent in self.everybody}
        self._news = asyncio.Condition()

    def named(self, dids: Iterable[str]) -> list[Agent]:
        """The agents of these DIDs, in this order."""
        return [self._by_did[did] for did in dids]

    def name(self, did: str) -> str:
        """What the story calls a DID."""
        return self._by_did[did].name if did in self._by_did else did

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Let everybody listen until the block ends."""
        ears = [asyncio.create_task(self._listen(agent)) for agent in self.everybody]
        try:
            yield
        finally:
            for ear in ears:
                ear.cancel()
            ended = await asyncio.gather(*ears, return_exceptions=True)
        for error in ended:
            if not isinstance(error, asyncio.CancelledError):
                raise Unexpected(f"a socket has ended: {error}")

    async def told(self, name: str, agents: Iterable[Agent]) -> Told:
        """Wait until all of *agents* have their next event, which has to have this name; the first one's."""
        agents = list(agents)
        for agent in agents:
            agent.due.append(name)
        try:
            async with asyncio.timeout(_PATIENCE_S), self._news:
                await self._news.wait_for(lambda: all(len(agent.heard) >= len(agent.due) for agent in agents))
        except TimeoutError as error:
            deaf = ", ".join(agent.name for agent in agents if len(agent.heard) < len(agent.due))
            raise Unexpected(f"not told of {name!r} within {_PATIENCE_S:.0f} s: {deaf}") from error
        for agent in agents:
            if (found := agent.heard[len(agent.due) - 1].name) != name:
                raise Unexpected(f"{agent.name} was told {found!r}, expected {name!r}")
        return agents[0].heard[len(agents[0].due) - 1]

    async def _listen(self, agent: Agent) -> None:
        async with aclosing(agent.client.events()) as events:
            async for told in events:
                async with self._news:
                    agent.heard.append(told)
                    self._news.notify_all()
