"""The requests as bytes, made before the clock starts."""

import random
from collections.abc import Mapping, Sequence
from urllib.parse import quote

import msgspec

from ainp.core.did import AgentDid, did_of_key
from bench.client import Flow, Single

PRICE = 2  # credits: above what moves no reputation, and small against the welcome grant
_TERMS = {"price": PRICE, "delivery_time": 60_000, "quality_sla": 0.9}
_COUNTER = {**_TERMS, "delivery_time": 90_000}


def agents(count: int, name: str = "agents") -> Sequence[AgentDid]:
    """As many DIDs, the same in every run."""
    chance = random.Random(name)
    return [did_of_key(chance.randbytes(32)) for _ in range(count)]


def pairs(dids: Sequence[AgentDid], count: int, seed: str) -> Sequence[tuple[AgentDid, AgentDid]]:
    """Random clients and workers."""
    chance = random.Random(seed)
    return [(found[0], found[1]) for found in (chance.sample(dids, 2) for _ in range(count))]


def get(path: str) -> Single:
    """A read."""
    return Single(f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n".encode())


def post(path: str, body: Mapping[str, object], **headers: str) -> Single:
    """A write."""
    return Single(f"POST {path}".encode() + _rest(body, **headers))


def register(did: AgentDid) -> Single:
    """A registration with one capability."""
    can = {"description": "translates contracts", "tags": ["text", "law"], "version": "1.0.0"}
    return post("/api/agents/register", {"address": {"did": did, "capabilities": [can]}})


def initiate(client: AgentDid, worker: AgentDid) -> Single:
    """An opening offer."""
    return post("/api/negotiations", opening(client, worker))


def propose(id_: str, worker: AgentDid) -> Single:
    """The worker's answer to it."""
    return post(f"/api/negotiations/{id_}/propose", _proposal(worker))


def accept(id_: str, client: AgentDid) -> Single:
    """The client's agreement."""
    return post(f"/api/negotiations/{id_}/accept", {"acceptor_did": client})


def settle(id_: str, client: AgentDid) -> Single:
    """The client's payment."""
    return post(f"/api/negotiations/{id_}/settle", {"settler_did": client})


def flow(client: AgentDid, worker: AgentDid) -> Flow:
    """All four, one after the other."""
    return Flow(
        initiate(client, worker).request,
        (
            (b"propose", _rest(_proposal(worker))),
            (b"accept", _rest({"acceptor_did": client})),
            (b"settle", _rest({"settler_did": client})),
        ),
    )


def attest(task_id: str, by: AgentDid, type_: str) -> Single:
    """An unsigned attestation."""
    said = {"by_did": by, "type": type_, "score": 0.9, "confidence": 0.8}
    return post(f"/api/receipts/{task_id}/attestations", said)


def receipt(task_id: str) -> Single:
    """A receipt with what was said."""
    return get(f"/api/receipts/{quote(task_id)}")


def opening(client: AgentDid, worker: AgentDid) -> Mapping[str, object]:
    """What an opening offer says."""
    return {
        "intent_id": "translate-contract",
        "initiator_did": client,
        "responder_did": worker,
        "initial_proposal": _TERMS,
        "max_rounds": 10,
        "ttl_minutes": 60,
    }


def _proposal(worker: AgentDid) -> Mapping[str, object]:
    return {"proposer_did": worker, "proposal": _COUNTER}


def _rest(body: Mapping[str, object], **headers: str) -> bytes:
    raw = msgspec.json.encode(body)
    fixed = {"host": "127.0.0.1", "content-type": "application/json", "content-length": str(len(raw))}
    lines = [f"{name}: {value}\r\n" for name, value in {**fixed, **headers}.items()]
    return f" HTTP/1.1\r\n{''.join(lines)}\r\n".encode() + raw
