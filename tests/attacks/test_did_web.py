"""did:web: whoever names one makes the broker connect to somewhere, but never to where it should not."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from ainp.client.identity import Identity
from ainp.core.did import AgentDid
from support.documents import NAME, DocumentServer, Names, a_document_server
from support.target import BOB, CAROL, Sent, Target, signed

REGISTER = "/api/agents/register"
HERE = ("127.0.0.1", "127.1.2.3", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1", "64:ff9b::7f00:1")
INSIDE = ("10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "fd00::1", "fe80::1", "2002:7f00:1::")
METADATA = ("169.254.169.254", "fd00:ec2::254", "168.63.129.16", "100.100.100.200", "::ffff:169.254.169.254")


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory, anyio_backend: str) -> AsyncIterator[DocumentServer]:
    """A server on loopback with a document that would do, for anybody who gets through to it."""
    folder: Path = tmp_path_factory.mktemp("documents")
    async with a_document_server(folder) as server:
        key = {
            "id": "#1",
            "type": "Multikey",
            "controller": server.did(),
            "publicKeyMultibase": CAROL.did.removeprefix("did:key:"),
        }
        server.publish(server.did(), authentication=[key])
        yield server


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    return Names(monkeypatch)


def registering(target: Target, did: AgentDid) -> Sent:
    body = b'{"address":{"did":"%s","capabilities":[]}}' % did.encode()
    return signed(Identity(CAROL._key, did=did), "POST", target.base + REGISTER, body)


@pytest.mark.parametrize("address", [*HERE, *INSIDE, *METADATA])
async def test_an_address_of_a_network_of_ours_is_not_asked(
    target: Target, server: DocumentServer, names: Names, address: str
) -> None:
    name = f"a{(*HERE, *INSIDE, *METADATA).index(address)}.test"  # a name of its own: what was not found is remembered
    names.known[name] = [[address]]

    reason = await target.refuses(registering(target, server.did(name=name)), 401, "SIGNATURE_VERIFICATION_ERROR")
    assert "no public address" in reason
    assert server.connections == 0


async def test_a_name_that_changes_between_the_look_and_the_connection_gains_nothing(
    target: Target, server: DocumentServer, names: Names
) -> None:
    """Rebinding, in both directions: the name is asked for once, and all it says then is all there is."""
    names.known["first.test"] = [["127.0.0.1"], ["203.0.113.7"]]
    names.known["mixed.test"] = [["169.254.169.254", "10.0.0.1", "127.0.0.1"], ["127.0.0.1"]]
    for name in ("first.test", "mixed.test"):
        sent = registering(target, server.did(name=name))
        await target.refuses(sent, 401, "SIGNATURE_VERIFICATION_ERROR")
        await target.refuses(registering(target, server.did(name=name)), 401, "SIGNATURE_VERIFICATION_ERROR")

    assert names.asked == ["first.test", "mixed.test"]
    assert server.connections == 0


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "127.0.0.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "%5B%3A%3A1%5D",
        f"{NAME}%3A22",
        f"user%40{NAME}",
        f"{NAME}%2F..%2Fadmin",
        f"{NAME}%23x",
        f"{NAME}%3Fx",
        f"{NAME}%0d%0aHost%3A%20x",
        f"{NAME}:..:admin",
    ],
)
async def test_what_is_no_public_name_is_not_even_looked_up(
    target: Target, server: DocumentServer, names: Names, host: str
) -> None:
    await target.refuses(registering(target, AgentDid(f"did:web:{host}")), 401, "SIGNATURE_VERIFICATION_ERROR")

    assert names.asked == []
    assert server.connections == 0


async def test_only_who_registers_has_a_stranger_s_document_fetched(
    target: Target, server: DocumentServer, names: Names
) -> None:
    stranger = Identity(CAROL._key, did=server.did(), key_id=f"{server.did()}#1")
    for sent in (
        target.accept(stranger),
        target.read(target.negotiation, stranger),
        signed(stranger, "POST", f"{target.base}/api/stakes", b'{"amount_atomic":"1"}'),
    ):
        assert "not registered" in await target.refuses(sent, 401, "SIGNATURE_VERIFICATION_ERROR")
    said = target.member.attest(target.task_id, "AUDIT_PASS", score=0.9, confidence=0.9)
    body = b'{"type":"AUDIT_PASS","score":0.9,"confidence":0.9,"by_did":"%b","signature":"%b"}'
    assert said.signature is not None
    raw = body % (stranger.did.encode(), said.signature.encode())
    unsigned = replace(signed(BOB, "POST", target.base + target.attestations, raw), lines=target.accept().lines[:3])
    await target.refuses(unsigned, 401, "SIGNATURE_VERIFICATION_ERROR")

    assert (names.asked, server.connections) == ([], 0)
