"""What is measured, in an order in which each operation leaves the rows that the next one needs."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import msgspec

from ainp.core.did import AgentDid
from bench import requests
from bench.client import Work
from bench.measure import Bench, Figure

OPERATIONS = (
    "health",
    "flow",
    "initiate",
    "propose",
    "accept",
    "settle",
    "attest-extra",
    "attest-verdict",
    "attest-quorum",
    "receipt",
)


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything; a tenth more of each is done before its clock starts."""

    agents: int
    flows: int
    each: int
    attested: int
    reads: int
    commits: int
    finalized: int
    idle_s: float
    patience_s: float


FULL = Sizes(
    agents=1000,
    flows=3000,
    each=3000,
    attested=2000,
    reads=10_000,
    commits=100_000,
    finalized=10_000,
    idle_s=5,
    patience_s=15,
)
QUICK = Sizes(
    agents=40, flows=20, each=20, attested=10, reads=50, commits=500, finalized=50, idle_s=0.2, patience_s=0.0
)


class Named(msgspec.Struct):
    """What has an id."""

    id: str


class _Receipt(msgspec.Struct):
    agent_did: AgentDid
    client_did: AgentDid
    committee: list[AgentDid]


class Settled(msgspec.Struct):
    """The answer to a settlement, as far as it is needed."""

    task_id: str
    receipt: _Receipt


@dataclass
class Suite:
    """Measures what is wanted, and does the rest of what that needs."""

    bench: Bench
    sizes: Sizes
    wanted: Collection[str]
    connections: tuple[int, ...]  # the first is what everything is measured with
    said: Callable[[Figure], None]

    def run(self) -> None:
        """Everything that is wanted, in order."""
        if "health" in self.wanted:
            self._step("health", [requests.get("/health")] * self._with_warm_up(self.sizes.reads))
        dids = requests.agents(self.sizes.agents)
        if "flow" in self.wanted:
            pairs = requests.pairs(dids, self._with_warm_up(self.sizes.flows), "flow")
            self._step("flow", [requests.flow(client, worker) for client, worker in pairs])
        settled: Sequence[Settled] = ()
        if self._wants("initiate", "propose", "accept", "settle", "attest", "receipt"):
            settled = self._chain(dids, self.connections[0])
        for more in self.connections[1:] if self._wants("initiate", "propose", "accept", "settle") else ():
            self._chain(dids, more)
        if self._wants("attest", "receipt"):
            self._attested(dids, settled[: self._with_warm_up(self.sizes.attested)])

    def _wants(self, *beginnings: str) -> bool:
        return any(name.startswith(beginnings) for name in self.wanted)

    def _with_warm_up(self, count: int) -> int:
        return count + count // 10

    def _step(self, name: str, works: Sequence[Work], connections: int | None = None) -> Sequence[bytes]:
        connections = connections or self.connections[0]
        if name not in self.wanted:
            return self.bench.run(works, connections=connections, keep=True)
        figure, answers = self.bench.measure(
            name, works, connections=connections, warm_up=len(works) // 11, keep=name != "receipt"
        )
        self.said(figure)
        return answers

    def _chain(self, dids: Sequence[AgentDid], connections: int) -> Sequence[Settled]:
        """The four steps of a flow, each for all negotiations before the next."""
        pairs = requests.pairs(dids, self._with_warm_up(self.sizes.each), f"chain {connections}")
        opened = self._step("initiate", [requests.initiate(client, worker) for client, worker in pairs], connections)
        ids = [msgspec.json.decode(answer, type=Named).id for answer in opened]
        self._step(
            "propose",
            [requests.propose(id_, worker) for id_, (_, worker) in zip(ids, pairs, strict=True)],
            connections,
        )
        self._step(
            "accept",
            [requests.accept(id_, client) for id_, (client, _) in zip(ids, pairs, strict=True)],
            connections,
        )
        settled = self._step(
            "settle",
            [requests.settle(id_, client) for id_, (client, _) in zip(ids, pairs, strict=True)],
            connections,
        )
        return [msgspec.json.decode(answer, type=Settled) for answer in settled]

    def _attested(self, dids: Sequence[AgentDid], settled: Sequence[Settled]) -> None:
        """Five attestations on each: a remark, two verdicts, the one that completes the quorum, a late one."""
        remarks = [
            requests.attest(each.task_id, self._stranger(dids, each, number), "QUALITY_HIGH")
            for number, each in enumerate(settled)
        ]
        self._step("attest-extra", remarks)
        self._step("attest-verdict", [self._passed(each, seat) for seat in (0, 1) for each in settled])
        self._step("attest-quorum", [self._passed(each, 2) for each in settled])
        if "receipt" in self.wanted:
            self.bench.run([self._passed(each, 3) for each in settled])
            reads = [requests.receipt(each.task_id) for each in settled]
            count = self._with_warm_up(self.sizes.reads)
            self._step("receipt", (reads * (count // len(reads) + 1))[:count])

    def _stranger(self, dids: Sequence[AgentDid], settled: Settled, number: int) -> AgentDid:
        did = dids[number % len(dids)]
        return dids[(number + 1) % len(dids)] if did == settled.receipt.agent_did else did

    def _passed(self, settled: Settled, seat: int) -> Work:
        return requests.attest(settled.task_id, settled.receipt.committee[seat], "AUDIT_PASS")
