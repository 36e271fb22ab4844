"""
What a signature costs: requests and attestations that are signed, to a broker in strict mode.

`initiate-signed` is to be compared with `initiate`, `attest-signed` with `attest-extra`: the same, believed. Everything
is signed before the clock starts, so the client is not the limit.
"""

import random
import secrets
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

import msgspec
from nacl.signing import SigningKey

from ainp.client import Identity
from ainp.core.http_signature import draft
from bench import requests
from bench.broker import HOST
from bench.client import Single
from bench.measure import Bench, Figure
from bench.operations import Named, Settled, Sizes

NAMES = ("initiate-signed", "attest-signed")
SETTINGS = {
    "AUTH_MODE": "strict",
    "INITIAL_CREDITS": "1000000",
    "POU_COMMITTEE_MIN_AGE_MINUTES": "0",
    "RATE_LIMIT_ENABLED": "false",
}
_MOST = 100  # agents; each of them has what it needs for its part of the jobs


class Signing:
    """Agents with keys, and a broker that they sign for."""

    def __init__(self, bench: Bench, sizes: Sizes) -> None:
        self._bench = bench
        self._count = sizes.each + sizes.each // 10
        chance = random.Random("signed")
        self._agents = [Identity(SigningKey(chance.randbytes(32))) for _ in range(min(sizes.agents, _MOST))]
        self._pairs = [(found[0], found[1]) for found in (chance.sample(self._agents, 2) for _ in range(self._count))]

    def measure(self) -> Iterator[Figure]:
        """Both, and what is needed in between."""
        can = [{"description": "translates contracts"}]
        self._bench.run(
            [
                self._post(agent, "/api/agents/register", {"address": {"did": agent.did, "capabilities": can}})
                for agent in self._agents
            ]
        )
        offers = [
            self._post(client, "/api/negotiations", requests.opening(client.did, worker.did))
            for client, worker in self._pairs
        ]
        figure, answers = self._step("initiate-signed", offers)
        yield figure
        paths = [f"/api/negotiations/{msgspec.json.decode(answer, type=Named).id}" for answer in answers]
        both = list(zip(paths, self._pairs, strict=True))
        self._bench.run([self._post(worker, f"{path}/accept", {"round_number": 1}) for path, (_, worker) in both])
        answers = self._bench.run([self._post(client, f"{path}/settle", {}) for path, (client, _) in both], keep=True)
        settled = [msgspec.json.decode(answer, type=Settled) for answer in answers]
        yield self._step("attest-signed", [self._remark(each, number) for number, each in enumerate(settled)])[0]

    def _step(self, name: str, works: Sequence[Single]) -> tuple[Figure, Sequence[bytes]]:
        return self._bench.measure(name, works, connections=16, warm_up=len(works) // 11, keep=True)

    def _remark(self, settled: Settled, number: int) -> Single:
        """What somebody else than the worker says; its own signature is enough."""
        speaker = self._agents[number % len(self._agents)]
        if speaker.did == settled.receipt.agent_did:
            speaker = self._agents[(number + 1) % len(self._agents)]
        said = speaker.attest(settled.task_id, "QUALITY_HIGH", score=0.9, confidence=0.8)
        body: Mapping[str, object] = msgspec.to_builtins(said)
        return requests.post(f"/api/receipts/{settled.task_id}/attestations", body)

    def _post(self, by: Identity, path: str, body: Mapping[str, object]) -> Single:
        host, raw = f"{HOST}:{self._bench.served.port}", msgspec.json.encode(body)
        nonce, now = secrets.token_urlsafe(16), datetime.now(UTC)
        signature = draft("POST", f"http://{host}{path}", raw, key_id=by.did, nonce=nonce, now=now)
        return requests.post(path, body, host=host, **signature.fields(by.sign_raw(signature.base)))
