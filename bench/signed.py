"""
What a signature costs: requests and attestations, signed and believed, in turns.

Two brokers that differ in AUTH_MODE alone get the same requests, a batch each by turns, so that whatever else the
machine does meets both. The cost of a signature is the median of the batches' differences. A batch is signed before
its clock starts, so the client is not the limit.
"""

import asyncio
import random
import secrets
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from statistics import median, quantiles
from time import process_time

import msgspec
from nacl.signing import SigningKey

from ainp.client import Identity
from ainp.core.did import key_of_did
from ainp.core.http_signature import draft
from ainp.core.signature import verify_raw
from bench import requests
from bench.broker import HOST
from bench.client import Single
from bench.measure import Bench, Figure
from bench.operations import Named, Settled, Sizes
from bench.populate import publish_epoch

NAMES = ("initiate-signed", "attest-signed")
BELIEVING = {
    "AUTH_MODE": "compat",
    "INITIAL_CREDITS": "1000000",
    "POU_COMMITTEE_MIN_AGE_MINUTES": "0",
    "RATE_LIMIT_ENABLED": "false",
}
STRICT = {**BELIEVING, "AUTH_MODE": "strict"}
_MOST = 100  # agents; each of them has what it needs for its part of the jobs
_TIMES = 3  # as many as of an operation: the difference of two costs is less certain than either
_BATCHES = 30
_VERIFICATIONS = 5000

Make = Callable[[Bench, int], Single]


class Signing:
    """Agents with keys, a broker that believes them and one that they sign for."""

    def __init__(self, believing: Bench, strict: Bench, sizes: Sizes) -> None:
        self._both = (believing, strict)
        self._strict = strict
        self._count = _TIMES * sizes.each // _BATCHES * _BATCHES
        self._facts: dict[str, float] = {}
        chance = random.Random("signed")
        self._agents = [Identity(SigningKey(chance.randbytes(32))) for _ in range(min(sizes.agents, _MOST))]
        self._pairs = [(found[0], found[1]) for found in (chance.sample(self._agents, 2) for _ in range(self._count))]
        self._settled: dict[Bench, Sequence[Settled]] = {}

    @property
    def facts(self) -> Mapping[str, float]:
        """What a signature has cost."""
        return self._facts

    def measure(self) -> Iterator[Figure]:
        """Both, and what is needed in between."""
        can = [{"description": "translates contracts"}]
        here = [(agent, {"address": {"did": agent.did, "capabilities": can}}) for agent in self._agents]
        for bench in self._both:
            bench.run([self._post(bench, agent, "/api/agents/register", body) for agent, body in here])
            asyncio.run(publish_epoch(bench.served.dsn))
        opened = yield from self._by_turns("initiate", self._offer)
        for bench, answers in opened.items():
            paths = [f"/api/negotiations/{msgspec.json.decode(answer, type=Named).id}" for answer in answers]
            self._settle(bench, list(zip(paths, self._pairs, strict=True)))
        yield from self._by_turns("attest", self._remark)
        self._facts["a verification alone, in a tight loop: ms"] = _verification(self._agents[0])

    def _by_turns(self, name: str, make: Make) -> Generator[Figure, None, Mapping[Bench, Sequence[bytes]]]:
        """Measure the same on both, batch by batch; return the answers of each."""
        figures: dict[Bench, list[Figure]] = {bench: [] for bench in self._both}
        answers: dict[Bench, list[bytes]] = {bench: [] for bench in self._both}
        size = self._count // _BATCHES
        for began in range(0, self._count, size):
            for bench in self._both if began // size % 2 else reversed(self._both):
                works = [make(bench, number) for number in range(began, began + size)]
                title = f"{name}-signed" if bench is self._strict else f"{name}-believed"
                figure, found = bench.measure(title, works, connections=16, warm_up=0, keep=True)
                figures[bench].append(figure)
                answers[bench].extend(found)
        believed, signed = (figures[bench] for bench in self._both)
        more = [b.broker - a.broker for a, b in zip(believed, signed, strict=True)]
        low, _, high = quantiles(more, n=4)
        self._facts[f"{name}: ms of the broker for a signature"] = median(more)
        self._facts[f"{name}: half of the batches from"] = low
        self._facts[f"{name}: half of the batches to"] = high
        yield _together(believed)
        yield _together(signed)
        return answers

    def _offer(self, bench: Bench, number: int) -> Single:
        client, worker = self._pairs[number]
        return self._post(bench, client, "/api/negotiations", requests.opening(client.did, worker.did))

    def _settle(self, bench: Bench, opened: Sequence[tuple[str, tuple[Identity, Identity]]]) -> None:
        accepts = [
            self._post(bench, worker, f"{path}/accept", {"round_number": 1, "acceptor_did": worker.did})
            for path, (_, worker) in opened
        ]
        bench.run(accepts)
        settles = [
            self._post(bench, client, f"{path}/settle", {"settler_did": client.did}) for path, (client, _) in opened
        ]
        answers = bench.run(settles, keep=True)
        self._settled[bench] = [msgspec.json.decode(answer, type=Settled) for answer in answers]

    def _remark(self, bench: Bench, number: int) -> Single:
        """What somebody else than the worker says; in strict mode its own signature is enough."""
        settled = self._settled[bench][number]
        speaker = self._agents[number % len(self._agents)]
        if speaker.did == settled.receipt.agent_did:
            speaker = self._agents[(number + 1) % len(self._agents)]
        if bench is not self._strict:
            return requests.attest(settled.task_id, speaker.did, "QUALITY_HIGH")
        said = speaker.attest(settled.task_id, "QUALITY_HIGH", score=0.9, confidence=0.8)
        body: Mapping[str, object] = msgspec.to_builtins(said)
        return requests.post(f"/api/receipts/{settled.task_id}/attestations", body)

    def _post(self, bench: Bench, by: Identity, path: str, body: Mapping[str, object]) -> Single:
        host, raw = f"{HOST}:{bench.served.port}", msgspec.json.encode(body)
        if bench is not self._strict:
            return requests.post(path, body, host=host)
        nonce, now = secrets.token_urlsafe(16), datetime.now(UTC)
        signature = draft("POST", f"http://{host}{path}", raw, key_id=by.did, nonce=nonce, now=now)
        return requests.post(path, body, host=host, **signature.fields(by.sign_raw(signature.base)))


def _verification(signer: Identity) -> float:
    """What verifying one signature takes where nothing else is done, in milliseconds: the limit of this machine now."""
    said = secrets.token_bytes(400)
    signature, key = signer.sign_raw(said), key_of_did(signer.did)
    began = process_time()
    for _ in range(_VERIFICATIONS):
        verify_raw(said, signature=signature, key=key)
    return (process_time() - began) / _VERIFICATIONS * 1000


def _together(batches: Sequence[Figure]) -> Figure:
    """One figure for all batches; its latencies are the medians of theirs."""
    first, count = batches[0], len(batches)
    return Figure(
        name=first.name,
        count=sum(each.count for each in batches),
        connections=first.connections,
        seconds=sum(each.seconds for each in batches),
        p50=median(each.p50 for each in batches),
        p95=median(each.p95 for each in batches),
        p99=median(each.p99 for each in batches),
        broker=sum(each.broker for each in batches) / count,
        postgres=sum(each.postgres for each in batches) / count,
        client=sum(each.client for each in batches) / count,
        others=sum(each.others for each in batches) / count,
    )
