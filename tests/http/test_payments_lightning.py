"""Payments by Lightning: the node's word counts, a preimage only has it asked at once."""

import asyncio
import base64
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count as counting
from typing import Any

import pytest

from ainp.core.audit import Finding
from ainp.operations import fsck
from ainp.worker import payments
from support.api import Api, an_api
from support.clock import let_pass
from support.providers import LightningStandIn, a_node
from support.races import at_once, statuses
from support.said import what_is_logged

REQUESTS = "/api/payments/requests"
HAD = 1_000_000
_NUMBERS = counting()
Json = Any


@pytest.fixture(scope="module")
async def running(anyio_backend: str) -> AsyncIterator[LightningStandIn]:
    async with a_node() as node:
        yield node


@pytest.fixture(scope="module")
async def api(module_database_url: str, running: LightningStandIn) -> AsyncIterator[Api]:
    """A broker for all of them, as each has agents of its own."""
    async with an_api(module_database_url, lightning_atomic_per_sat=3, **running.settings()) as api:
        yield api
        assert [f async for f in fsck.run(api.broker.database) if isinstance(f, Finding)] == []


@pytest.fixture
def node(running: LightningStandIn) -> LightningStandIn:
    """As it should be."""
    running.server.broken, running.server.slow = None, None
    return running


async def register(api: Api, count: int = 1) -> Sequence[str]:
    return await api.register(count, f"agent {next(_NUMBERS)}")


async def asked(api: Api, did: str, amount: int = 1000) -> Json:
    body = {"owner_did": did, "amount_atomic": amount, "method": "lightning"}
    return await api.call("POST", REQUESTS, body, status=201)


async def confirm(api: Api, did: str, found: Json, *, shown: str = "", status: int = 200) -> Json:
    headers = {"authorization": f"L402 {shown}"} if shown else {}
    path = f"{REQUESTS}/{found['request_id']}/confirm"
    return await api.call("POST", path, {"owner_did": did}, headers=headers, status=status)


async def has(api: Api, did: str) -> int:
    return int((await api.get(f"/api/credits/{did}"))["balance"])


async def test_an_invoice_is_credited_once_it_is_settled(api: Api, node: LightningStandIn) -> None:
    (did,) = await register(api)
    body = {"owner_did": did, "amount_atomic": 1000, "method": "lightning"}
    answer = await api.client.post(REQUESTS, json=body)
    found = answer.json()
    invoice = node.invoices[found["provider_id"]]
    waiting = await confirm(api, did, found)
    preimage = node.paid(found["provider_id"])
    done = await confirm(api, did, found, shown=f"{found['metadata']['macaroon']}:{preimage}")
    again = await confirm(api, did, found)

    ours, l402 = answer.headers.get_list("www-authenticate")
    assert ours == f'AINP-Pay realm="ainp", request_id="{found["request_id"]}", method="lightning"'
    assert l402 == f'L402 macaroon="{found["metadata"]["macaroon"]}", invoice="{invoice["payment_request"]}"'
    assert found["payment_url"] == f"lightning:{invoice['payment_request']}"
    assert invoice["value"] == "334"  # satoshis, never fewer than it is worth
    assert 3500 < int(invoice["expiry"]) <= 3570  # before the request ends
    assert (waiting["status"], done["status"], done["tx_ref"]) == ("pending", "paid", found["provider_id"])
    assert again == done
    assert await has(api, did) == HAD + 1000


async def test_the_job_asks_the_node_so_nobody_has_to_say_that_they_paid(api: Api, node: LightningStandIn) -> None:
    paid, other, never = await register(api, 3)
    first, second, third = [await asked(api, did) for did in (paid, other, never)]
    node.paid(first["provider_id"])
    await payments.run(api.broker)
    await payments.run(api.broker)
    node.paid(second["provider_id"])
    await let_pass(api.broker.database, timedelta(hours=1, seconds=-2))
    node.invoices[second["provider_id"]]["settle_date"] = str(int(datetime.now(UTC).timestamp()) - 60)
    await let_pass(api.broker.database, timedelta(seconds=4))
    await payments.run(api.broker)

    states = [(await api.get(f"{REQUESTS}/{each['request_id']}"))["status"] for each in (first, second, third)]
    assert states == ["paid", "paid", "expired"]  # the node was asked before anything ended
    assert [await has(api, did) for did in (paid, other, never)] == [HAD + 1000, HAD + 1000, HAD]


async def test_while_the_node_is_away_nothing_of_it_ends(api: Api, node: LightningStandIn) -> None:
    (did,) = await register(api)
    found = await asked(api, did)
    await let_pass(api.broker.database, timedelta(hours=2))
    node.server.broken = b""
    with what_is_logged() as said:
        await payments.run(api.broker)
    before = (await api.get(f"{REQUESTS}/{found['request_id']}"))["status"]
    node.server.broken = None
    await payments.run(api.broker)

    assert said.messages == ["Lightning node was not asked"]
    assert (before, (await api.get(f"{REQUESTS}/{found['request_id']}"))["status"]) == ("pending", "expired")


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        pytest.param({"amt_paid_msat": "333000"}, 400, id="too little"),
        pytest.param({"settle_date": "9999999999"}, 400, id="too late"),
        pytest.param({"r_preimage": base64.b64encode(bytes(32)).decode()}, 503, id="another's preimage"),
        pytest.param({"r_preimage": ""}, 503, id="no preimage"),
        pytest.param({"amt_paid_msat": "many"}, 503, id="no number"),
        pytest.param({"amt_paid_msat": "9" * 40}, 503, id="more than there is"),
        pytest.param({"state": "ACCEPTED"}, 200, id="not settled yet"),
        pytest.param({"state": "CANCELED"}, 200, id="cancelled"),
        pytest.param({"state": "HAPPY"}, 503, id="no state"),
    ],
)
async def test_nothing_but_a_settled_invoice_is_credited(
    api: Api, node: LightningStandIn, changes: Json, status: int
) -> None:
    (did,) = await register(api)
    found = await asked(api, did)
    node.paid(found["provider_id"])
    node.invoices[found["provider_id"]] |= changes

    answer = await confirm(api, did, found, status=status)

    assert answer.get("status") in (None, "pending", "failed")
    assert await has(api, did) == HAD


async def test_credentials_are_of_this_request_and_of_its_payment(api: Api, node: LightningStandIn) -> None:
    (did,) = await register(api)
    first, second = await asked(api, did), await asked(api, did)
    token, other = first["metadata"]["macaroon"], second["metadata"]["macaroon"]
    right = node.preimages[first["provider_id"]].hex()
    wrong = node.preimages[second["provider_id"]].hex()
    asked_before = len(node.server.asked)

    for shown in (f"{token}:{wrong}", f"{other}:{right}", f"{token}:", "x:y", f"{token}:{right}00", f"é:{right}"):
        headers = [(b"authorization", f"L402 {shown}".encode("latin-1"))]
        path = f"{REQUESTS}/{first['request_id']}/confirm"
        answer = await api.client.post(path, json={"owner_did": did}, headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (401, "INVALID_SIGNATURE")
    assert len(node.server.asked) == asked_before
    assert (await confirm(api, did, first, shown=f"{token}:{right}"))["status"] == "pending"  # it is not settled
    assert await has(api, did) == HAD


async def test_many_who_ask_at_once_credit_once(api: Api, node: LightningStandIn) -> None:
    (did,) = await register(api)
    found = await asked(api, did)
    node.paid(found["provider_id"])
    path = f"{REQUESTS}/{found['request_id']}/confirm"

    answers = await at_once(
        [*(api.client.post(path, json={"owner_did": did}) for _ in range(8)), payments.run(api.broker)]
    )

    assert set(statuses([answer for answer in answers if answer is not None])) <= {200, 503}
    assert await has(api, did) == HAD + 1000


async def test_a_slow_node_is_asked_by_few_and_holds_up_nobody_else(api: Api, node: LightningStandIn) -> None:

    dids = await register(api, 12)
    node.server.slow = asyncio.Event()
    body = {"amount_atomic": 1000, "method": "lightning"}
    waiting = [asyncio.create_task(api.client.post(REQUESTS, json={**body, "owner_did": did})) for did in dids]
    refused = await asyncio.wait_for(asyncio.shield(_first_done(waiting)), 20)
    node.server.slow.set()
    answers = await asyncio.gather(*waiting)

    assert refused.status_code == 503
    assert statuses(answers) == {201: 8, 503: 4}


async def _first_done(tasks: list[Any]) -> Any:  # noqa: ANN401 - a response

    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    return done.pop().result()


async def test_the_node_s_secret_is_in_no_answer(api: Api, node: LightningStandIn) -> None:
    (did,) = await register(api)
    found = await asked(api, did)
    node.server.broken = b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n"

    refused = await api.call(
        "POST", REQUESTS, {"owner_did": did, "amount_atomic": 1, "method": "lightning"}, status=503
    )

    assert "0201036c6e64" not in str(refused) + str(found)
