"""A request of every kind for every route, and the order in which the writes make room for each other."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice

import msgspec

from ainp.core.did import AgentDid
from bench import requests
from bench.client import Single
from bench.load import BUSY
from bench.measure import Bench
from bench.operations import Named, Settled

ADMIN_TOKEN = "bench"
_SAMPLE = (
    "SELECT id::text, negotiation_id::text FROM task_receipts WHERE status = 'finalized' ORDER BY random() LIMIT $1"
)


@dataclass(frozen=True, slots=True)
class Asked:
    """Requests of one kind; the first few are only there to warm up."""

    name: str
    works: Sequence[Single]


class Routes:
    """Asks a broker with many receipts for everything it can do."""

    def __init__(self, bench: Bench, dids: Sequence[AgentDid], *, reads: int, writes: int) -> None:
        self._bench = bench
        self._busy, self._others = dids[:BUSY], dids[BUSY:]
        self._reads = reads
        self._writes = writes
        self._answers: Sequence[bytes] = ()

    def reads(self) -> Iterator[Asked]:
        """Every GET: rows from all over the tables, agents with long histories and with short ones."""
        for name, path in _OF_A_SAMPLE.items():
            yield Asked(f"GET {name}", self._of_sample(path))
        for name, path in _OF_AN_AGENT.items():
            yield Asked(f"GET {name}, long history", self._of_agents(path, self._busy))
            yield Asked(f"GET {name}, short history", self._of_agents(path + _SHORT.get(name, ""), self._others))
        epoch = self._bench.ask("SELECT max(id) FROM committee_epochs")
        for path in ("/api/receipts", "/api/receipts?status=finalized", "/api/broker", "/health", "/health/ready"):
            yield Asked(f"GET {path}", [requests.get(path)] * self._reads)
        yield Asked(
            "GET /api/receipts?committee_did=",
            self._of_agents("/api/receipts?committee_did={did}&limit=5", self._others),
        )
        yield Asked("GET /api/committee-epochs/{id}", [requests.get(f"/api/committee-epochs/{epoch}")] * self._reads)

    def writes(self) -> Iterator[Asked]:
        """Every POST; the answers to each are to be told by `answered` before the next."""
        pairs = requests.pairs([*self._busy, *self._others], 3 * self._writes, "growth")
        yield Asked("POST /api/agents/register", self._registrations())
        yield Asked("POST /api/negotiations", [requests.initiate(*pair) for pair in pairs])
        ids = [msgspec.json.decode(answer, type=Named).id for answer in self._answers]
        opened = list(zip(ids, pairs, strict=True))
        rejected, cancelled, agreed = (opened[part::3] for part in range(3))
        yield Asked(
            "POST /api/negotiations/{id}/reject", [_verb(id_, "reject", rejector_did=w) for id_, (_, w) in rejected]
        )
        yield Asked(
            "POST /api/negotiations/{id}/cancel", [_verb(id_, "cancel", canceller_did=c) for id_, (c, _) in cancelled]
        )
        yield Asked("POST /api/negotiations/{id}/propose", [requests.propose(id_, w) for id_, (_, w) in agreed])
        yield Asked("POST /api/negotiations/{id}/accept", [requests.accept(id_, c) for id_, (c, _) in agreed])
        yield Asked(
            "POST /api/negotiations/{id}/deliver", [_verb(id_, "deliver", deliverer_did=w) for id_, (_, w) in agreed]
        )
        yield Asked("POST /api/negotiations/{id}/settle", [requests.settle(id_, c) for id_, (c, _) in agreed])
        settled = [msgspec.json.decode(answer, type=Settled) for answer in self._answers]
        remarks = [requests.attest(each.task_id, each.receipt.client_did, "QUALITY_HIGH") for each in settled]
        yield Asked("POST /api/receipts/{task_id}/attestations, a remark", remarks)
        passed = [
            [requests.attest(each.task_id, each.receipt.committee[seat], "AUDIT_PASS") for each in settled]
            for seat in range(3)
        ]
        self._bench.run(passed[0])
        yield Asked("POST /api/receipts/{task_id}/attestations, a verdict", passed[1])
        yield Asked("POST /api/receipts/{task_id}/attestations, the quorum", passed[2])
        yield Asked(
            "POST /api/receipts/{task_id}/finalize",
            [requests.post(f"/api/receipts/{s.task_id}/finalize", {}) for s in settled],
        )
        yield Asked("POST /api/credits/deposit", self._deposits())
        yield Asked("POST /api/stakes", self._of_others("/api/stakes", "agent_did", amount_atomic=1000))
        yield Asked("POST /api/usefulness/proofs", self._proofs())

    def _of_others(self, path: str, who: str, **said: object) -> Sequence[Single]:
        return [requests.post(path, {who: did, **said}) for did in islice(cycle(self._others), self._writes)]

    def _proofs(self) -> Sequence[Single]:
        said = {"work_type": "compute", "metrics": {"compute_ms": 5}, "timestamp": 1000 * time.time()}
        return [
            requests.post("/api/usefulness/proofs", {**said, "agent_did": did, "trace_id": f"growth {number}"})
            for number, did in enumerate(islice(cycle(self._others), self._writes))
        ]

    def answered(self, answers: Sequence[bytes]) -> None:
        """What came back for what was asked last."""
        self._answers = answers

    def _of_sample(self, path: str) -> Sequence[Single]:
        found = self._bench.rows(_SAMPLE, self._reads)
        some = [requests.get(path.format(task_id=row[0], id=row[1])) for row in found]
        return list(islice(cycle(some), self._reads))

    def _of_agents(self, path: str, dids: Sequence[AgentDid]) -> Sequence[Single]:
        return [requests.get(path.format(did=dids[number % len(dids)])) for number in range(self._reads)]

    def _registrations(self) -> Sequence[Single]:
        return [requests.register(did) for did in requests.agents(self._writes, "growth")]

    def _deposits(self) -> Sequence[Single]:
        token = f"Bearer {ADMIN_TOKEN}"
        return [
            requests.post("/api/credits/deposit", {"agent_did": did, "amount": 1000}, authorization=token)
            for did in islice(cycle(self._others), self._writes)
        ]


_OF_A_SAMPLE = {
    "/api/receipts/{task_id}": "/api/receipts/{task_id}",
    "/api/receipts/{task_id}/statement": "/api/receipts/{task_id}/statement",
    "/api/receipts/{task_id}/committee": "/api/receipts/{task_id}/committee",
    "/api/receipts/{task_id}/attestations": "/api/receipts/{task_id}/attestations",
    "/api/receipts?negotiation_id=": "/api/receipts?negotiation_id={id}",
    "/api/negotiations/{id}": "/api/negotiations/{id}",
}
_OF_AN_AGENT = {
    "/api/agents/{did}": "/api/agents/{did}",
    "/api/negotiations?agent_did=": "/api/negotiations?agent_did={did}",
    "/api/receipts?agent_did=": "/api/receipts?agent_did={did}",
    "/api/receipts?client_did=": "/api/receipts?client_did={did}",
    "/api/reputation/{did}": "/api/reputation/{did}",
    "/api/reputation/{did}/history": "/api/reputation/{did}/history",
    "/api/credits/{did}": "/api/credits/{did}",
    "/api/credits/{did}/transactions": "/api/credits/{did}/transactions",
    "/api/stakes/{did}": "/api/stakes/{did}",
    "/api/usefulness/agents/{did}": "/api/usefulness/agents/{did}",
}
# An agent that has one receipt among a thousand has a thousand among a million: the answers must stay the same size.
_SHORT = {
    "/api/negotiations?agent_did=": "&limit=1",
    "/api/receipts?agent_did=": "&limit=1",
    "/api/receipts?client_did=": "&limit=1",
    "/api/reputation/{did}/history": "?limit=1",
    "/api/credits/{did}/transactions": "?limit=1",
}


def _verb(id_: str, verb: str, **said: str) -> Single:
    return requests.post(f"/api/negotiations/{id_}/{verb}", said)
