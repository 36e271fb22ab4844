"""did:web: where a document is, what it may be fetched from, and which keys are in it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from nacl.signing import SigningKey

from ainp.adapters import did_web
from ainp.adapters.did_web import Address, DidWeb, Place, place_of
from ainp.core.did import AgentDid, did_of_key
from ainp.core.errors import NoVerificationKey, Unavailable
from ainp.core.limits import MAX_DOCUMENT_BYTES
from support.documents import NAME, DocumentServer, Names, a_document_server, saying
from support.races import wait_until

KEY = bytes(SigningKey(bytes(range(32))).verify_key)
MULTIBASE = did_of_key(KEY).removeprefix("did:key:")


def keys_for(did: AgentDid) -> dict[str, object]:
    """What a document has to say."""
    method = {"id": "#1", "type": "Multikey", "controller": did, "publicKeyMultibase": MULTIBASE}
    return {"verificationMethod": [method], "authentication": ["#1"]}


def loopback(address: Address) -> bool:
    return address.is_loopback


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[DocumentServer]:
    async with a_document_server(tmp_path) as server:
        yield server


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    return Names(monkeypatch)


@pytest.fixture
async def web(server: DocumentServer, names: Names) -> AsyncIterator[DidWeb]:
    web = DidWeb(may_connect=loopback, ca_file=server.ca_file)
    yield web
    await web.close()


@pytest.mark.parametrize(
    ("did", "place"),
    [
        ("did:web:agent.example", Place("agent.example", 443, "/.well-known/did.json")),
        ("did:web:agent.example:user:1", Place("agent.example", 443, "/user/1/did.json")),
        ("did:web:agent.example%3A8443", Place("agent.example", 8443, "/.well-known/did.json")),
        ("did:web:Agent.Example%3a8443:u%20x", Place("agent.example", 8443, "/u%20x/did.json")),
        ("did:web:xn--bcher-kva.example", Place("xn--bcher-kva.example", 443, "/.well-known/did.json")),
    ],
)
def test_where_a_document_is(did: str, place: Place) -> None:
    assert place_of(AgentDid(did)) == place


@pytest.mark.parametrize(
    "name",
    [
        "127.0.0.1",
        "2130706433",
        "0x7f.1",
        "1.2.3.0x4",
        "%5B%3A%3A1%5D",
        "agent.example%3A22",
        "agent.example%3A0",
        "agent.example%3A65536",
        "agent.example%3A443%3A443",
        "agent.example%2Fother",
        "user%40agent.example",
        "agent.example%23x",
        "agent.example%00",
        "agent.example:",
        "agent.example::x",
        "agent.example:..:x",
        "agent.example:%2e%2E:x",
        "agent.example:%zz",
        "-agent.example",
        "a" * 64 + ".example",
        "%C3%A4.example",
        "agent..example",
        "",
    ],
)
def test_what_names_no_place_is_not_asked(name: str) -> None:
    with pytest.raises(NoVerificationKey, match="can't be had"):
        place_of(AgentDid(f"did:web:{name}"))


@pytest.mark.parametrize("path", [(), ("agents", "one")])
async def test_the_keys_of_a_document(web: DidWeb, server: DocumentServer, path: tuple[str, ...]) -> None:
    did = server.did(*path)
    server.publish(did, **keys_for(did))

    keys = (await web.document_of(did)).authentication

    assert [(key.id, key.raw) for key in keys] == [(f"{did}#1", KEY)]
    assert server.asked == [(f"{NAME}:{server.port}", f"/{'/'.join(path) or '.well-known'}/did.json")]


async def test_a_document_is_remembered_so_is_a_failure(web: DidWeb, server: DocumentServer) -> None:
    there, missing = server.did("there"), server.did("missing")
    server.publish(there, **keys_for(there))

    for _ in range(3):
        await web.document_of(there)
        with pytest.raises(NoVerificationKey, match="answers 404"):
            await web.document_of(missing)

    assert server.connections == 2


async def test_what_is_remembered_grows_old(server: DocumentServer, names: Names) -> None:
    web = DidWeb(may_connect=loopback, ca_file=server.ca_file, remembered=timedelta(0), failure_remembered=timedelta(0))
    did = server.did()
    with pytest.raises(NoVerificationKey):
        await web.document_of(did)
    server.publish(did, **keys_for(did))

    await web.document_of(did)
    await web.document_of(did)

    assert server.connections == 3


async def test_not_everything_is_remembered(
    web: DidWeb, server: DocumentServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(did_web, "MAX_DOCUMENTS", 2)
    for name in ("a", "b", "c", "c", "a"):
        did = server.did(name)
        server.publish(did, **keys_for(did))
        await web.document_of(did)

    assert [path for _, path in server.asked] == [f"/{name}/did.json" for name in ("a", "b", "c", "a")]


async def test_who_asks_at_the_same_time_asks_once_and_who_gives_up_takes_it_from_nobody(
    web: DidWeb, server: DocumentServer
) -> None:
    did = server.did("slow")
    server.answers["/slow/did.json"] = saying(json.dumps({"id": did, **keys_for(did)}).encode(), after_s=0.1)

    first = asyncio.create_task(web.document_of(did))
    others = [asyncio.create_task(web.document_of(did)) for _ in range(20)]
    await asyncio.sleep(0.02)
    first.cancel()

    assert len({found.authentication for found in await asyncio.gather(*others)}) == 1
    assert server.connections == 1


async def test_eight_are_fetched_at_once_and_only_so_many_wait(
    web: DidWeb, server: DocumentServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(did_web, "MAX_DOCUMENTS_WAITING", 4)
    for number in range(13):
        server.answers[f"/{number}/did.json"] = saying(b"{}", after_s=30)
    asking = [asyncio.create_task(web.document_of(server.did(str(number)))) for number in range(12)]
    await wait_until(lambda: server.connections == 8)

    with pytest.raises(Unavailable, match="has to wait"):
        await web.document_of(server.did("12"))
    await asyncio.sleep(0.05)
    assert server.connections == 8
    await web.close()
    await asyncio.gather(*asking, return_exceptions=True)


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], ["10.0.0.1", "169.254.169.254"], ["::1"], ["::ffff:127.0.0.1"]], ids=str
)
async def test_a_name_of_somebody_s_own_network_is_not_connected_to(
    server: DocumentServer, names: Names, addresses: list[str]
) -> None:
    names.known[NAME] = [addresses]
    web = DidWeb(ca_file=server.ca_file)

    with pytest.raises(NoVerificationKey, match="no public address"):
        await web.document_of(server.did())
    assert server.connections == 0


async def test_a_name_is_looked_up_once_so_it_can_t_become_another_address(
    server: DocumentServer, names: Names
) -> None:
    """DNS rebinding: the name is public while it is checked, and this machine's when it is connected to."""
    names.known[NAME] = [["192.0.2.1"], ["127.0.0.1"]]
    checked: list[Address] = []

    def note(address: Address) -> bool:
        checked.append(address)
        return True

    web = DidWeb(
        may_connect=note,
        ca_file=server.ca_file,
        max_time=timedelta(seconds=0.3),
    )

    with pytest.raises(NoVerificationKey):
        await web.document_of(server.did())
    assert (names.asked, list(map(str, checked)), server.connections) == ([NAME], ["192.0.2.1"], 0)


async def test_of_several_addresses_only_the_allowed_are_tried_one_after_the_other(
    server: DocumentServer, names: Names
) -> None:
    names.known[NAME] = [["127.0.0.9", "127.0.0.2", "127.0.0.1"]]
    web = DidWeb(may_connect=lambda address: str(address) != "127.0.0.9", ca_file=server.ca_file)
    did = server.did()
    server.publish(did, **keys_for(did))

    assert (await web.document_of(did)).authentication  # nobody listens on 127.0.0.2


REFUSED: dict[str, tuple[Callable[[AgentDid], bytes], str, str, str]] = {
    "a redirect": (lambda _: b"", "302 Found", "Location: https://agent.test/\r\n", "answers 302"),
    "an error": (lambda _: b"", "500 Oops", "", "answers 500"),
    "too much": (lambda _: b" " * (MAX_DOCUMENT_BYTES + 1), "200 OK", "", "more than 1048576 bytes"),
    "compressed": (lambda _: b"x", "200 OK", "Content-Encoding: gzip\r\n", "compressed"),
    "no JSON": (lambda _: b"<html>", "200 OK", "", "not JSON"),
    "much too deep": (lambda _: b"[" * 100_000, "200 OK", "", "not JSON"),
    "another's": (lambda did: json.dumps({"id": did + ":x"}).encode(), "200 OK", "", "its id is"),
    "without a key": (lambda did: json.dumps({"id": did}).encode(), "200 OK", "", "no Ed25519 key"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_is_no_document_is_refused(web: DidWeb, server: DocumentServer, case: str) -> None:
    content, status, headers, words = REFUSED[case]
    did = server.did()
    server.answers["/.well-known/did.json"] = saying(content(did), status=status, headers=headers)

    with pytest.raises(NoVerificationKey, match=words):
        await web.document_of(did)
    assert server.connections == 1


async def test_a_server_that_takes_its_time_is_left(server: DocumentServer, names: Names) -> None:
    async def drop_by_drop(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(50):
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.05)

    server.answers["/.well-known/did.json"] = drop_by_drop
    web = DidWeb(may_connect=loopback, ca_file=server.ca_file, max_time=timedelta(seconds=0.3))

    with pytest.raises(NoVerificationKey, match=r"more than 0\.3 s"):
        await web.document_of(server.did())


@pytest.mark.parametrize("trusted", [True, False], ids=["another name", "nobody's authority"])
async def test_the_certificate_must_be_the_name_s(server: DocumentServer, names: Names, *, trusted: bool) -> None:
    names.known["other.test"] = [["127.0.0.1"]]
    name = "other.test" if trusted else NAME
    web = DidWeb(may_connect=loopback, ca_file=server.ca_file if trusted else None)

    with pytest.raises(NoVerificationKey, match="does not answer: ConnectError"):
        await web.document_of(server.did(name=name))
    assert server.asked == []


async def test_with_a_list_of_domains_no_other_is_asked(server: DocumentServer, names: Names) -> None:
    web = DidWeb(may_connect=loopback, domains=["other.test"], ca_file=server.ca_file)

    with pytest.raises(NoVerificationKey, match=r"agent\.test is not among DID_WEB_ALLOWLIST"):
        await web.document_of(server.did())
    assert (names.asked, server.connections) == ([], 0)


async def test_a_name_that_nobody_has_is_a_refusal(web: DidWeb) -> None:
    with pytest.raises(NoVerificationKey, match="is not known"):
        await web.document_of(AgentDid("did:web:nobody.invalid"))
