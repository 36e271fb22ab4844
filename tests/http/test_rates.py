"""Limits at the door: who is counted where, what is told, and how nobody gets around them."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from ainp.http.fields import Fields
from ainp.http.rates import address_of
from ainp.http.routes import ROUTES
from ainp.settings import load_settings
from support.api import Api, a_configuration, an_api
from support.builders import agents
from support.listening import a_telling_broker, listening
from support.redis import a_redis

LIMITED = {"rate_limit_enabled": True, "rate_limit_max": 10}
SECRET = "what the proxy shows"
UNKNOWN = "/api/reputation/did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp"
DID, OTHER, *_ = agents(8)


async def ask(api: Api, path: str = UNKNOWN, **headers: str) -> httpx.Response:
    """Read something, with these headers."""
    return await api.client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})


async def offer(api: Api, did: str) -> httpx.Response:
    """Do something that names who acts, and is refused for nothing but its number."""
    body = {"intent_id": "i", "responder_did": OTHER, "initial_proposal": {"price": 0}}
    return await api.client.post("/api/negotiations", json=body, headers={"X-AINP-DID": did})


def test_limits_are_on_wherever_others_than_the_operator_can_come() -> None:
    assert a_configuration(auth_mode="compat").rates is None
    assert a_configuration(auth_mode="compat", ainp_proxy_secret=SECRET).rates is not None
    assert a_configuration(auth_mode="compat", rate_limit_enabled=True).rates is not None
    strict = load_settings(_env_file=None, auth_mode="strict")
    assert strict.rates is not None
    assert strict.rates.messages_burst == 200


def test_every_route_of_agents_is_counted_and_those_of_watchers_are_not() -> None:
    assert {route.path for route in ROUTES if route.group is None} == {
        *("/health", "/health/ready", "/health/detailed", "/metrics")
    }


async def test_without_limits_nothing_is_said_of_them(database_url: str) -> None:
    async with an_api(database_url) as api:
        assert not [name for name in (await ask(api)).headers if "ratelimit" in name]


async def test_a_did_has_its_limit_in_each_group_and_is_told_what_is_left(database_url: str) -> None:
    async with an_api(database_url, **LIMITED) as api:
        await api.register(2)
        answers = [await offer(api, DID) for _ in range(11)]

        assert [answer.status_code for answer in answers] == [201] * 10 + [429]
        first, last = answers[0].headers, answers[-1].headers
        assert first["ratelimit-policy"] == '"negotiations-by-address";q=100;w=60, "negotiations-by-did";q=10;w=60'
        assert first["ratelimit"] == '"negotiations-by-address";r=99;t=1, "negotiations-by-did";r=9;t=6'
        shown = (
            "ratelimit-limit",
            "ratelimit-remaining",
            "ratelimit-reset",
            "x-ratelimit-limit",
            "x-ratelimit-remaining",
        )
        assert [first[name] for name in shown] == ["10", "9", "6", "10", "9"]
        assert [last[name] for name in shown] == ["10", "0", "60", "10", "0"]
        assert "x-ratelimit-degraded" not in last
        refused = answers[-1].json()
        assert refused["error"] == "RATE_LIMIT_EXCEEDED"
        assert refused["message"] == "Too many requests: this DID has 10 per 60 s for negotiations"
        assert 0 < refused["retry_after_ms"] <= 6000
        assert last["retry-after"] == str(-(-refused["retry_after_ms"] // 1000))
        assert (await offer(api, OTHER)).status_code == 400  # SELF_NEGOTIATION: not too many
        assert (await ask(api)).status_code == 404


async def test_a_did_that_is_made_up_costs_its_address(database_url: str) -> None:
    async with an_api(database_url, **LIMITED, rate_limit_address_factor=2) as api:
        answers = [(await offer(api, did)).status_code for did in agents(21, "invented")]

        assert answers.count(429) == 1
        assert answers[-1] == 429


async def test_who_comes_too_often_is_refused_before_the_body_is_read(database_url: str) -> None:
    async with an_api(database_url, **LIMITED, rate_limit_address_factor=1) as api:
        for _ in range(10):
            assert (await api.client.post("/api/negotiations", content=b"{")).status_code == 415
        reads = 0

        async def body() -> AsyncIterator[bytes]:
            nonlocal reads
            reads += 1
            yield b"{"

        refused = await api.client.post("/api/negotiations", content=body())

        assert (refused.status_code, reads) == (429, 0)
        assert "this address" in refused.json()["message"]


async def test_whoever_watches_is_not_counted(database_url: str) -> None:
    async with an_api(database_url, **{**LIMITED, "rate_limit_max": 1}, rate_limit_address_factor=1) as api:
        for path in ("/health", "/health/ready", "/metrics"):
            for _ in range(3):
                assert (await ask(api, path)).status_code == 200
        counted = (await ask(api, "/metrics")).text
        assert 'ainp_rate_limited_total{by="address",group="reads"}' not in counted
        assert [(await ask(api)).status_code for _ in range(2)] == [404, 429]
        assert 'ainp_rate_limited_total{by="address",group="reads"} 1.0' in (await ask(api, "/metrics")).text


@pytest.mark.parametrize(("path", "status"), [("/docs", 200), ("/openapi.json", 200), ("/nothing", 404)])
async def test_what_is_no_agent_s_route_has_a_limit_too(database_url: str, path: str, status: int) -> None:
    """The documents are large, and a request for them is small."""
    async with an_api(database_url, **{**LIMITED, "rate_limit_max": 1}, rate_limit_address_factor=1) as api:
        assert [(await ask(api, path)).status_code for _ in range(2)] == [status, 429]


def _from(peer: str, **headers: str) -> str:
    settings = a_configuration(auth_mode="compat", ainp_proxy_secret=SECRET)
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return address_of({"type": "http", "client": (peer, 1)}, Fields(raw), settings)


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        pytest.param(
            {"x_forwarded_for": "6.6.6.6, 203.0.113.7"}, "203.0.113.7", id="the last, which the proxy has seen"
        ),
        pytest.param({"x_forwarded_for": "203.0.113.7:4711"}, "203.0.113.7", id="with a port"),
        pytest.param({"x_forwarded_for": "[2001:db8:1:2:3::4]:4711"}, "2001:db8:1:2::/64", id="IPv6 with a port"),
        pytest.param({"x_real_ip": "2001:db8:1:2:ffff::9"}, "2001:db8:1:2::/64", id="a network of IPv6"),
        pytest.param({"x_real_ip": "::ffff:203.0.113.7"}, "203.0.113.7", id="IPv4 in IPv6"),
        pytest.param({"x_forwarded_for": "unknown"}, "10.0.0.1", id="what is no address"),
        pytest.param({}, "10.0.0.1", id="nothing"),
    ],
)
def test_behind_a_proxy_it_is_the_address_that_the_proxy_names(headers: Mapping[str, str], address: str) -> None:
    assert _from("10.0.0.1", x_ainp_proxy_secret=SECRET, **headers) == address
    assert _from("10.0.0.1", x_ainp_proxy_secret="wrong", **headers) == "10.0.0.1"


async def test_addresses_behind_a_proxy_are_counted_apart(database_url: str) -> None:
    shown = {"x_ainp_proxy_secret": SECRET}
    async with an_api(
        database_url, ainp_proxy_secret=SECRET, rate_limit_enabled=None, rate_limit_max=2, rate_limit_address_factor=1
    ) as api:
        one = [(await ask(api, **shown, x_forwarded_for=f"1.1.1.{n}, 7.7.7.7")).status_code for n in range(3)]

        assert one == [404, 404, 429]
        assert (await ask(api, **shown, x_forwarded_for="8.8.8.8")).status_code == 404


async def test_a_socket_that_says_too_much_is_closed_with_the_reason(database_url: str) -> None:
    async with a_telling_broker(
        database_url, rate_limit_enabled=True, rate_limit_max=3, rate_limit_burst=2, rate_limit_address_factor=1
    ) as told:
        async with listening(told.port, DID) as listener:
            for _ in range(3):
                await listener.socket.send("{}")
            code, reason = await listener.closed()
        async with listening(told.port, DID), listening(told.port, DID):
            with pytest.raises(InvalidStatus) as refused:
                await connect(f"ws://127.0.0.1:{told.port}/ws?did={DID}")

        assert code == 1008
        assert reason.startswith("Too many requests: this address has 100 per 60 s for messages; again in ")
        assert refused.value.response.status_code == 429
        assert refused.value.response.headers["ratelimit-limit"] == "3"


async def test_a_redis_that_goes_away_is_seen_in_headers_and_health_and_ends_no_request(database_url: str) -> None:
    with a_redis() as redis:
        async with _counting_in(redis.url, database_url) as api:
            assert "x-ratelimit-degraded" not in (await ask(api)).headers
            health = await api.get("/health")
            assert (health["connections"]["redis"], health["modes"]["redis"]) == (True, "configured")
            redis.kill()
            degraded = await ask(api)
            assert (degraded.status_code, degraded.headers["x-ratelimit-degraded"]) == (404, "true")
            await _until(api, connected=False)
            health = await api.get("/health")
            assert (health["status"], health["connections"]["redis"]) == ("healthy", False)
            assert (await api.get("/health/ready"))["checks"]["redis"].startswith("away")
            redis.start()
            await _until(api, connected=True)
            assert "x-ratelimit-degraded" not in (await ask(api)).headers


@asynccontextmanager
async def _counting_in(url: str, database_url: str) -> AsyncIterator[Api]:
    async with an_api(database_url, **LIMITED, redis_url=url) as api:
        assert api.broker.rates is not None
        keeper = asyncio.create_task(api.broker.rates.keep_connected())
        try:
            await _until(api, connected=True)
            yield api
        finally:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)


async def _until(api: Api, *, connected: bool) -> None:
    assert api.broker.rates is not None
    async with asyncio.timeout(20):
        while api.broker.rates.redis is not connected:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)
