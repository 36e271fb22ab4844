"""What the SDK sends again, and when it gives up; both kinds of clients alike."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from ainp.client import AinpError, AsyncClient, Client, Identity, Refused, Unexpected, Unreachable
from ainp.client.errors import Conflict, QuorumNotMet, RateLimited, Unavailable
from ainp.client.retry import TRIES
from support.flaky import HANG_UP, STALL, a_flaky_server, answer

WHO = Identity.new()
DONE = b'{"ok":true,"status":"finalized","finalized_at":null,"reason":null}'
AWAY = answer(503, b'{"error":"UNAVAILABLE","message":"later"}')


async def finalize_soon(url: str, timeout_s: float = 20) -> Any:  # noqa: ANN401 - whatever comes back
    async with AsyncClient(url, WHO, timeout_s=timeout_s) as client:
        return await client.finalize("t")


async def finalize_now(url: str, timeout_s: float = 20) -> Any:  # noqa: ANN401
    def ask() -> Any:  # noqa: ANN401
        with Client(url, WHO, timeout_s=timeout_s) as client:
            return client.finalize("t")

    return await asyncio.to_thread(ask)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ainp.client.retry._FIRST_S", 0.001)


both = pytest.mark.parametrize("finalize", [finalize_soon, finalize_now], ids=["async", "sync"])
Finalize = Callable[..., Awaitable[Any]]


@both
async def test_it_is_asked_again_under_the_same_key_with_a_new_signature(finalize: Finalize) -> None:
    limited = answer(429, b'{"error":"RATE_LIMIT_EXCEEDED","message":"m","retry_after_ms":0}', Retry_After="0")
    async with a_flaky_server([HANG_UP, AWAY, limited, answer(200, DONE)]) as server:
        done = await finalize(server.url)

        assert done.status == "finalized"
        assert len(server.asked) == 4
        assert len({asked.fields["idempotency-key"] for asked in server.asked}) == 1
        assert len({asked.fields["signature"] for asked in server.asked}) == 4
        assert {asked.fields["x-ainp-did"] for asked in server.asked} == {WHO.did}


@both
async def test_at_last_it_gives_up(finalize: Finalize) -> None:
    async with a_flaky_server([AWAY]) as server:
        with pytest.raises(Unavailable, match="503 UNAVAILABLE: later"):
            await finalize(server.url)

        assert len(server.asked) == TRIES


@both
async def test_what_is_asked_to_wait_longer_than_there_is_time_does_not_wait(finalize: Finalize) -> None:
    limited = answer(429, b'{"error":"RATE_LIMIT_EXCEEDED","message":"m","retry_after_ms":60000}', Retry_After="60")
    async with a_flaky_server([limited]) as server:
        with pytest.raises(RateLimited) as refused:
            await finalize(server.url)

        assert (refused.value.retry_after_s, refused.value.facts) == (60, {"retry_after_ms": 60000})
        assert len(server.asked) == 1


@both
async def test_a_refusal_is_not_asked_again(finalize: Finalize) -> None:
    said = b'{"error":"QUORUM_NOT_MET","message":"needed 3, have 1","needed":3,"have":1}'
    async with a_flaky_server([answer(409, said)]) as server:
        with pytest.raises(QuorumNotMet) as refused:
            await finalize(server.url)

        assert isinstance(refused.value, Conflict)
        assert (refused.value.status, refused.value.facts) == (409, {"needed": 3, "have": 1})
        assert len(server.asked) == 1


@both
async def test_an_answer_that_does_not_come_is_not_waited_for(finalize: Finalize) -> None:
    async with a_flaky_server([STALL]) as server:
        with pytest.raises(Unreachable, match="no answer from http"):
            await finalize(server.url, timeout_s=0.2)


@both
async def test_nobody_there_is_unreachable(finalize: Finalize) -> None:
    with pytest.raises(Unreachable, match=r"no answer from http://127\.0\.0\.1:1: "):
        await finalize("http://127.0.0.1:1")


@both
@pytest.mark.parametrize(
    ("sent", "error", "message"),
    [
        (answer(200, b"<html>"), Unexpected, "not what a broker answers"),
        (answer(200, b"{}"), Unexpected, "missing required field"),
        (answer(404, b"<html>no such page"), Refused, "404 HTTP_404: <html>no such page"),
        (answer(418, b"[1]"), Refused, "418 HTTP_418"),
        (answer(302, b"", Location="http://elsewhere.example/"), Refused, "302 HTTP_302"),
    ],
    ids=["a page", "another object", "a page that is not there", "a list", "elsewhere"],
)
async def test_what_is_no_broker_is_said_so(
    finalize: Finalize, sent: bytes, error: type[AinpError], message: str
) -> None:
    async with a_flaky_server([sent]) as server:
        with pytest.raises(error, match=message):
            await finalize(server.url)


async def test_health_is_an_answer_also_if_it_is_bad() -> None:
    body = b'{"status":"unhealthy","connections":{},"modes":{},"timestamp":"","uptime":1.0,"version":"","error":"e"}'
    async with a_flaky_server([answer(503, body)]) as server, AsyncClient(server.url) as client:
        assert (await client.health()).error == "e"

        assert len(server.asked) == 1
        assert "signature" not in server.asked[0].fields
