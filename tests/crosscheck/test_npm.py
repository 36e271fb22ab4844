"""Libraries of another language and other hands: what they sign we take, what we sign they take, and no other."""

import asyncio
import json
import shutil
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from ainp.client.identity import Identity
from ainp.core.canonical import canonical
from support.target import ALICE, BOB, Sent, Target, a_target, signed

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        shutil.which("node") is None or shutil.which("npm") is None,
        reason="node and npm are not here: the check against their libraries is left out",
    ),
]
HERE = Path(__file__).parent
FILES = ("package.json", "package-lock.json", ".npmrc", "crosscheck.mjs")
HARD = (
    '{"\\u20ac":"Euro","\\r":"Return","\\ufb33":"Dalet","1":"One","\\ud83d\\ude00":"Face","\\u0080":"Control"}',
    "[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001,-0,0.0,1e21,1e-7,1e-6,5e-324,9007199254740993]",
    '{"numbers":[1.7976931348623157e308,123456789012345680000,4.35,100,1e2,9.5e-3,0.1,-1.5e-10,1e23]}',
    '"\\u2028\\u2029\\ufeff\\u007f\\u001f\\b\\f\\n\\r\\t\\"\\\\\\/<>&"',
    '{"":{"":[[],{},null,true,false]},"a":{"b":1,"B":2,"aa":3,"10":4,"9":5}}',
)


@dataclass
class Node:
    """Asks the libraries."""

    process: asyncio.subprocess.Process

    async def ask(self, ask: str, **given: object) -> Any:  # noqa: ANN401 - any JSON
        """One question, and its answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"ask": ask, **given}).encode() + b"\n")
        said = json.loads(await asyncio.wait_for(self.process.stdout.readline(), 30))
        assert "answer" in said, said
        return said["answer"]


@pytest.fixture(scope="module")
async def node(tmp_path_factory: pytest.TempPathFactory, anyio_backend: str) -> AsyncIterator[Node]:
    folder = tmp_path_factory.mktemp("npm")
    for name in FILES:
        shutil.copy(HERE / name, folder)
    install = await asyncio.create_subprocess_exec("npm", "ci", "--ignore-scripts", "--silent", cwd=folder)
    assert await install.wait() == 0, "npm ci failed"
    process = await asyncio.create_subprocess_exec(
        "node", "crosscheck.mjs", cwd=folder, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    yield Node(process)
    process.kill()
    await process.wait()


@pytest.fixture
async def target(database_url: str) -> AsyncIterator[Target]:
    async with a_target(database_url) as target:
        yield target


def seed(identity: Identity) -> str:
    return bytes(identity._key).hex()


async def signed_by_node(node: Node, by: Identity, method: str, url: str, body: str | None = None) -> Sent:
    """A request as an agent in JavaScript sends it."""
    fields = await node.ask(
        "sign",
        seed=seed(by),
        keyid=by.did,
        method=method,
        url=url,
        body=body,
        created=int(time.time()),
        lasts=60,
        nonce=uuid4().hex,
    )
    host, _, path = url.removeprefix("http://").partition("/")
    return Sent(method, f"/{path}", (body or "").encode(), (("Host", host), ("Connection", "close"), *fields.items()))


async def test_the_broker_takes_what_javascript_has_signed(node: Node, target: Target) -> None:
    url = f"{target.base}{target.negotiation}"
    read = await signed_by_node(node, BOB, "GET", f"{target.base}/api/negotiations?agent_did={BOB.did}&limit=5")
    accept = await signed_by_node(node, BOB, "POST", f"{url}/accept", target.acceptance.decode())

    assert (await target.send(read)).status == 200
    assert (await target.send(accept.but(body=accept.body.replace(b":1", b":2")))).status == 401
    assert (await target.send(accept)).status == 200
    assert (await target.send(accept)).json["error"] == "REPLAY_DETECTED"


async def test_javascript_takes_what_our_sdk_has_signed(node: Node) -> None:
    for method, body in (("GET", b""), ("POST", b'{"a":1}')):
        url = "https://broker.example/api/negotiations?agent_did=x%20y&limit=1"
        sent = signed(ALICE, method, url, body)
        headers = dict(sent.lines)
        asked = {"method": method, "url": url, "headers": headers}

        assert await node.ask("verify", key=ALICE.public_key, **asked) is True
        assert await node.ask("verify", key=BOB.public_key, **asked) is False
        assert await node.ask("verify", key=ALICE.public_key, **{**asked, "url": f"{url}0"}) is False
        assert await node.ask("verify", key=ALICE.public_key, **{**asked, "method": "DELETE"}) is False


@pytest.mark.parametrize("text", HARD)
async def test_canonical_json_is_theirs(node: Node, text: str) -> None:
    theirs = await node.ask("canonical", json=text)

    # JavaScript has doubles alone: a whole number that no double holds is another number there before it is written.
    ours = canonical(
        json.loads(text, parse_int=lambda digits: int(float(digits)) if len(digits) < 16 else float(digits))
    )
    assert ours.decode() == theirs


async def test_an_attestation_that_javascript_has_signed_is_heard_and_ours_holds_there(
    node: Node, target: Target
) -> None:
    member = target.member
    members: dict[str, Any] = {
        "task_id": target.task_id,
        "by_did": member.did,
        "type": "AUDIT_PASS",
        "score": 0.1 + 0.8,
        "confidence": 1,
        "evidence_ref": "https://example.com/\u00e9\u20ac\U0001f600",
    }
    signature = await node.ask("statement", seed=seed(member), members=members)
    said = {**members, "signature": signature}

    answer = await target.send(
        replace(await signed_by_node(node, member, "POST", target.base + target.attestations, json.dumps(said)))
    )

    assert answer.status == 201, answer.body
    stored = (await target.raw.get(f"{target.attestations}".encode())).json["attestations"][0]
    kept = json.loads(stored["statement"])
    assert await node.ask("canonical", json=stored["statement"]) == stored["statement"]
    assert await node.ask("holds", key=stored["public_key"], members=kept, signature=stored["signature"]) is True
    changed = {**kept, "score": 0.8}
    assert await node.ask("holds", key=stored["public_key"], members=changed, signature=stored["signature"]) is False


async def test_an_envelope_that_javascript_has_signed_registers_its_sender(node: Node, target: Target) -> None:
    carl = Identity.new()
    members = {
        "version": "0.1.0",
        "id": str(uuid4()),
        "from_did": carl.did,
        "msg_type": "ADVERTISE",
        "ttl": 60_000,
        "timestamp": int(time.time() * 1000),
        "payload": {"ttl_minutes": 60, "capabilities": [{"description": "\u00dcbersetzt \u20ac", "tags": ["b", "a"]}]},
    }
    raw = (await node.ask("envelope", seed=seed(carl), members=members)).encode()

    for sent, status in ((raw.replace(b'"b"', b'"c"'), 401), (raw, 200), (raw, 409)):
        assert (await target.raw.post(b"/api/discovery/envelope", sent)).status == status
