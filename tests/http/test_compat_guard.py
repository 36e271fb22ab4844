"""Compat mode believes what a request says, so it believes only those who come the way they must."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import httpx
import pytest

from support.api import a_configuration
from support.world import World, a_world

SECRET = "s3cret-of-the-proxy"
PROXY = ("X-AINP-Proxy-Secret", SECRET)
PATHS = ("/api/receipts", "/openapi.json", "/docs", "/nowhere")
Lines = Sequence[tuple[str, str]]

FOREIGN_HOSTS = (
    "evil.example",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "evil.example:8080",
    "192.168.0.1",
    "10.0.0.1:8080",
    "0.0.0.0",
    "[::]",
    "[fe80::1]",
    "169.254.169.254",
    "127.0.0.1@evil.example",
    "localhost@evil.example:80",
    "evil.example#127.0.0.1",
    "evil.example/127.0.0.1",
    "2130706433",
    "0x7f.0.0.1",
    "localhost, evil.example",
    "",
    "[::1",
    "::1",
    "[]",
)
LOOPBACK_HOSTS = ("127.0.0.1", "127.0.0.1:8080", "localhost", "LOCALHOST:9", "[::1]", "[::1]:8080", "127.1.2.3")
PASSED_ON = {
    "Forwarded": "for=192.0.2.1",
    "Via": "1.1 proxy",
    "X-Forwarded-For": "127.0.0.1",
    "X-Forwarded-Host": "localhost",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-Port": "8080",
    "x-forwarded-prefix": "/",
    "X-Forwarded-Anything": "",
    "X-Real-IP": "127.0.0.1",
    "via": "",
}
FOREIGN_ORIGINS = (
    "null",
    "https://evil.example",
    "http://localhost.evil.example:8080",
    "http://127.0.0.1.evil.example:8080",
    "http://127.0.0.1:8080.evil.example",
    "http://127.0.0.1:3000",
    "http://127.0.0.1",
    "http://localhost:8080",
    "http://evil@127.0.0.1:8080",
    "http://[",
    "http://[::1",
    "file://",
    "chrome-extension://abc",
    "127.0.0.1:8080",
    "",
)


@asynccontextmanager
async def proxied(database_url: str) -> AsyncIterator[World]:
    """A broker behind a proxy; its agents came through the door of loopback before."""
    async with a_world(database_url) as world:
        world.api.broker.settings = a_configuration(host="0.0.0.0", auth_mode="compat", ainp_proxy_secret=SECRET)
        yield world


async def ask(world: World, lines: Lines, method: str = "GET", path: str = "/api/receipts") -> httpx.Response:
    """A request with exactly these header lines."""
    request = httpx.Request(method, f"http://127.0.0.1:8080{path}")
    request.headers = httpx.Headers([(name.encode(), value.encode("latin-1")) for name, value in lines])
    return await world.api.client.send(request)


def untrusted(response: httpx.Response, said: str = "") -> None:
    assert response.status_code == 403, response.text
    found = response.json()
    assert found["error"] == "UNTRUSTED_REQUEST"
    assert said in found["message"]


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
async def test_another_host_is_refused(world: World, host: str) -> None:
    for path in PATHS:
        untrusted(await ask(world, [("Host", host)], path=path), "Host")


@pytest.mark.parametrize("host", LOOPBACK_HOSTS)
async def test_a_host_on_loopback_is_served(world: World, host: str) -> None:
    assert (await ask(world, [("Host", host)])).status_code == 200


async def test_a_host_stands_once(world: World) -> None:
    untrusted(await ask(world, []), "Host")
    untrusted(await ask(world, [("Host", "127.0.0.1"), ("Host", "127.0.0.1")]), "Host")
    untrusted(await ask(world, [("Host", "127.0.0.1"), ("Host", "evil.example")]), "Host")


@pytest.mark.parametrize(("name", "value"), PASSED_ON.items(), ids=PASSED_ON)
async def test_what_was_passed_on_is_refused(world: World, name: str, value: str) -> None:
    async with world.nothing_written():
        for method, path in (("GET", "/api/receipts"), ("POST", "/api/agents/register")):
            untrusted(await ask(world, [("Host", "127.0.0.1"), (name, value)], method, path), "forwarded")


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
async def test_a_web_page_is_refused(world: World, origin: str) -> None:
    async with world.nothing_written():
        for method, path in (("GET", "/api/receipts"), ("OPTIONS", "/api/receipts"), ("POST", "/api/agents/register")):
            untrusted(await ask(world, [("Host", "127.0.0.1:8080"), ("Origin", origin)], method, path), "Origin")


async def test_a_page_of_the_broker_itself_is_served(world: World) -> None:
    for host in ("127.0.0.1:8080", "localhost:9", "[::1]:8080"):
        assert (await ask(world, [("Host", host), ("Origin", f"http://{host}")])).status_code == 200


async def test_no_header_lets_a_web_page_in(world: World) -> None:
    response = await ask(world, [("Host", "127.0.0.1:8080"), ("Origin", "https://evil.example")], "OPTIONS")

    assert not [name for name in response.headers if name.startswith("access-control")]


async def test_health_is_for_everyone(world: World) -> None:
    lines = [("Host", "evil.example"), ("X-Forwarded-For", "1.2.3.4"), ("Origin", "null")]

    for path in ("/health", "/health/ready", "/health/detailed"):
        assert (await ask(world, lines, path=path)).status_code == 200


async def test_a_form_cannot_act(world: World) -> None:
    body = b'{"did":"did:key:zForm","capabilities":[],"x":"="}'
    async with world.nothing_written():
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b", ""):
            response = await world.send("POST", "/api/agents/register", body, {"content-type": kind})

            assert response.status_code == 415


async def test_a_did_in_two_headers_is_refused(world: World) -> None:
    path = f"/api/negotiations/{world.accepted}/settle"
    async with world.nothing_written():
        lines = [("Host", "127.0.0.1"), ("X-AINP-DID", world.client), ("X-AINP-DID", world.agent)]
        response = await ask(world, lines, "POST", path)
        joined = [("Host", "127.0.0.1"), ("X-AINP-DID", f"{world.client}, {world.agent}")]

        assert (response.status_code, response.json()["error"]) == (403, "FORBIDDEN")
        assert (await ask(world, joined, "POST", path)).json()["error"] == "INVALID_DID"


async def test_nobody_acts_without_a_name(world: World) -> None:
    for path in (f"/api/negotiations/{world.accepted}/settle", f"/api/receipts/{world.task_id}/attestations"):
        body = b'{"type":"SAFETY_PASS"}'
        response = await world.send("POST", path, body)

        assert (response.status_code, response.json()["error"]) == (401, "UNAUTHORIZED")
        assert response.json()["message"].startswith("Missing DID")


async def test_on_loopback_the_body_is_heard_before_the_header(world: World) -> None:
    opened = await world.api.initiate(world.client, world.agent)

    rejected = await world.api.call(
        "POST", f"/api/negotiations/{opened['id']}/reject", {"rejector_did": world.agent}, by=world.others[0]
    )

    assert rejected["closed_by"] == world.agent


async def test_behind_a_proxy_only_its_secret_opens(database_url: str) -> None:
    async with proxied(database_url) as world:
        for shown in ("", "wrong", SECRET[:-1], SECRET + " x", SECRET.upper(), f"{SECRET}, {SECRET}", "\xe9"):
            lines = [("Host", "broker.example"), ("X-AINP-Proxy-Secret", shown)]
            untrusted(await ask(world, lines), "X-AINP-Proxy-Secret")
        untrusted(await ask(world, [("Host", "127.0.0.1")]), "X-AINP-Proxy-Secret")
        for refused in (await ask(world, [("Host", "127.0.0.1")]), await ask(world, [("X-AINP-Proxy-Secret", "x")])):
            assert SECRET not in refused.text
        assert (await ask(world, [("Host", "broker.example"), PROXY])).status_code == 200
        passed_on = [("Host", "broker.example"), PROXY, ("X-Forwarded-For", "1.2.3.4"), ("Via", "1.1 p")]
        assert (await ask(world, passed_on)).status_code == 200


async def test_behind_a_proxy_the_header_alone_is_the_actor(database_url: str) -> None:
    async with proxied(database_url) as world:
        api, (client, agent) = world.api, (world.client, world.agent)
        offer = {"intent_id": "x", "initiator_did": client, "responder_did": agent, "initial_proposal": {"price": 1}}
        nameless = {name: value for name, value in offer.items() if name != "initiator_did"}

        async with world.nothing_written():
            missing = await api.call("POST", "/api/negotiations", offer, headers=dict([PROXY]), status=401)
            other = await api.call("POST", "/api/negotiations", offer, by=agent, headers=dict([PROXY]), status=403)
            taken = {"address": {"did": client, "capabilities": []}}
            await api.call("POST", "/api/agents/register", taken, by=agent, headers=dict([PROXY]), status=403)
        assert missing["error"] == "UNAUTHORIZED"
        assert other["error"] == "FORBIDDEN"

        same = await api.call("POST", "/api/negotiations", offer, by=client, headers=dict([PROXY]), status=201)
        none = await api.call("POST", "/api/negotiations", nameless, by=client, headers=dict([PROXY]), status=201)
        assert same["initiator_did"] == none["initiator_did"] == client


async def test_behind_a_proxy_a_body_is_json_as_well(database_url: str) -> None:
    async with proxied(database_url) as world:
        response = await world.send(
            "POST", "/api/agents/register", b"{}", {**dict([PROXY]), "content-type": "text/plain"}
        )

        assert response.status_code == 415
