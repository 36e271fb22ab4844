"""The story itself: what the agents do, one after the other, and who has to be told of it."""

import time
from collections.abc import Awaitable, Iterable
from typing import TypeVar

import httpx

from ainp.cli.demo.broker import DemoBroker
from ainp.cli.demo.cast import Agent, Cast, Unexpected
from ainp.cli.demo.checks import examine
from ainp.cli.demo.evidence import Before, Course, Evidence, before, gather
from ainp.cli.demo.plot import DELIVERY_MS, PRICES, Plot, Voice
from ainp.cli.demo.show import Show
from ainp.cli.demo.summary import summarize
from ainp.cli.signals import cancel_on_signals
from ainp.client import AinpError, Told
from ainp.core.receipt import ReceiptStatus
from ainp.wire.negotiations import NegotiationReply, SettledReply

Done = TypeVar("Done")


async def play(broker: DemoBroker, plot: Plot, show: Show) -> bool:
    """Play the job, show what came of it, and tell whether all of it is as it has to be."""
    cancel_on_signals()
    try:
        async with httpx.AsyncClient(trust_env=False) as http:
            cast = Cast(broker.url, http)
            evidence = await Story(broker, plot, show, cast).play()
    except AinpError as error:
        raise Unexpected(f"a request went wrong: {error}") from error
    claims = examine(plot, evidence, client=cast.client.did, worker=cast.worker.did)
    summarize(show, cast, evidence)
    show.claims(claims)
    return not any(claim.problems for claim in claims)


class Story:
    """What happens, step by step."""

    def __init__(self, broker: DemoBroker, plot: Plot, show: Show, cast: Cast) -> None:
        self._broker = broker
        self._plot = plot
        self._show = show
        self._cast = cast
        self._began = time.monotonic()

    async def play(self) -> Evidence:
        """All of it, and what there is to show for it."""
        earlier = await self._register()
        async with self._cast.listening():
            agreed = await self._negotiate()
            settled = await self._work(agreed)
            said = await self._judge(settled)
            course = Course(agreed.committee_seed_commitment, settled.task_id, said)
            with self._show.busy("proving the books"):
                return await gather(self._broker, self._cast, course, earlier, strict=self._plot.strict)

    async def _register(self) -> Before:
        cast, show = self._cast, self._show
        show.act(f"{len(cast.everybody)} agents make a key each and register: a client, a worker, auditors")
        for agent in cast.everybody:
            await agent.client.register("translates texts" if agent is cast.worker else "orders and checks texts")
        earlier = await before(cast)
        show.note(f"the client is {cast.client.did}")
        show.note(f"the worker is {cast.worker.did}")
        show.note(f"each begins with {show.credits(earlier.money[cast.client.did])} credits, and listens on a socket")
        return earlier

    async def _negotiate(self) -> NegotiationReply:
        client, worker, show = self._cast.client, self._cast.worker, self._show
        offered, asked, agreed = ({"price": price, "delivery_time": DELIVERY_MS} for price in PRICES)
        show.act("they negotiate a translation, and sign every proposal")
        opened = await self._do(client.client.initiate(worker.did, offered, intent_id="translate-1"))
        await self._told("proposed", [worker])
        await self._do(worker.client.propose(opened.id, asked))
        await self._told("proposed", [client])
        seen = await self._do(client.client.propose(opened.id, agreed))
        await self._told("counter_proposed", [worker])
        accepted = await self._do(worker.client.accept(seen))
        await self._told("accepted", [client])
        show.note(f"{show.credits(accepted.reserved_atomic)} credits of the client are in escrow")
        show.note(f"the broker commits to a seed with SHA-256 {accepted.committee_seed_commitment}")
        return accepted

    async def _work(self, agreed: NegotiationReply) -> SettledReply:
        client, worker = self._cast.client, self._cast.worker
        self._show.act("the worker delivers, the client settles: paid, and a committee is drawn")
        await self._do(worker.client.deliver(agreed.id, "https://example.com/translation.txt"))
        await self._told("delivered", [client])
        settled = await self._do(client.client.settle(agreed.id))
        await self._told("settled", [client, worker])
        await self._told("opened", self._concerned(settled.receipt.committee))
        return settled

    async def _judge(self, settled: SettledReply) -> list[tuple[str, Voice]]:
        plot, cast = self._plot, self._cast
        members = cast.named(settled.receipt.committee)
        self._show.act("the client and the committee say what they think of it, signed")
        voices = [(cast.client, plot.client), *zip(members, plot.verdicts, strict=False)]
        await self._speak(settled.task_id, voices, members, everyone=not plot.silent)
        if plot.silent:
            self._show.act(f"{plot.silent} members stay silent until the window ends, and as many seats are drawn")
            with self._show.busy("the window is open"):
                extended = await self._told("extended", [cast.client, cast.worker, *members], more=True)
            seated = cast.named(extended.frame["committee"])
            later = list(zip(seated[len(members) :], plot.later, strict=True))
            await self._speak(settled.task_id, later, seated, everyone=False)
            self._show.act("the window ends once more, and the receipt is judged")
            with self._show.busy("the window is open"):
                await self._told("judged", self._concerned(agent.did for agent in seated))
            voices = [*voices, *later]
        return [(agent.did, voice) for agent, voice in voices]

    async def _speak(
        self, task_id: str, voices: list[tuple[Agent, Voice]], members: list[Agent], *, everyone: bool
    ) -> None:
        """Let each speak; *everyone* if then nobody is left to be heard, so that the receipt is judged at once."""
        concerned = self._concerned(member.did for member in members)
        for number, (agent, voice) in enumerate(voices, start=1):
            said = await self._do(
                agent.client.attest(task_id, voice.kind, score=voice.score, confidence=voice.confidence)
            )
            await self._told("attested", concerned)
            if said.status != ReceiptStatus.PENDING and not said.late:
                await self._told(said.status, concerned)
            if everyone and number == len(voices):
                await self._told("judged", concerned)

    def _concerned(self, committee: Iterable[str]) -> list[Agent]:
        return [self._cast.client, self._cast.worker, *self._cast.named(committee)]

    async def _do(self, request: Awaitable[Done]) -> Done:
        self._began = time.monotonic()
        return await request

    async def _told(self, name: str, agents: list[Agent], *, more: bool = False) -> Told:
        """Wait for an event, and show it; *more* if those whom it names are told, too."""
        told = await self._cast.told(name, agents)
        if more:
            new = [agent for agent in self._cast.named(told.frame["committee"]) if agent not in agents]
            await self._cast.told(name, new)
            agents = [*agents, *new]
        self._show.event(told, agents, self._cast, ms=round((time.monotonic() - self._began) * 1000))
        return told
