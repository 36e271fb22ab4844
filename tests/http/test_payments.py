"""Payments by Coinbase Commerce and with credits: credited is what its provider vouches for, and that once."""

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from ainp.core.audit import Finding
from ainp.operations import fsck, trail
from ainp.worker import payments
from support.api import Api, an_api
from support.clock import let_pass
from support.mail import an_email
from support.providers import CoinbaseStandIn, a_coinbase, signature
from support.races import at_once, errors, statuses
from support.shapes import check_values
from support.signing import identity
from support.world import ADMIN_TOKEN

ALICE, BOB = identity("alice"), identity("bob")
HOOK, REQUESTS = "/api/payments/webhooks/coinbase", "/api/payments/requests"
SEND = "/api/intents/send"
HAD = 1_000_000
_NUMBERS = count()
Json = Any


@dataclass
class Shop:
    """A broker that takes money by the stand-in."""

    api: Api
    coinbase: CoinbaseStandIn

    async def register(self, count: int = 1) -> Sequence[str]:
        return await self.api.register(count, f"agent {next(_NUMBERS)}")

    async def statuses(self, did: str) -> list[str]:
        rows = await self.api.broker.database.fetch("SELECT status FROM payment_requests WHERE owner_did = $1", did)
        return [row["status"] for row in rows]

    async def asked(self, did: str, amount: object = "10000", *, status: int = 201, **said: object) -> Json:
        body = {"owner_did": did, "amount_atomic": amount, "method": "coinbase", **said}
        return await self.api.call("POST", REQUESTS, body, status=status)

    async def tell(self, raw: bytes, *, status: int = 200, **headers: str) -> Json:
        answer = await self.api.client.post(HOOK, content=raw, headers={**signature(raw), **headers})
        assert answer.status_code == status, answer.text
        return answer.json()

    async def state(self, asked: Json) -> str:
        return str((await self.api.get(f"{REQUESTS}/{asked['request_id']}"))["status"])

    async def has(self, did: str) -> int:
        return int((await self.api.get(f"/api/credits/{did}"))["balance"])

    async def records(self, kind: str) -> list[Json]:
        await trail.flush(self.api.broker.database, self.api.broker.refusals)
        headers = {"authorization": f"Bearer {ADMIN_TOKEN}"}
        page = await self.api.call("GET", f"/api/admin/audit?event_type={kind}", headers=headers)
        return list(page["records"])

    async def check_books(self) -> None:
        assert [f async for f in fsck.run(self.api.broker.database) if isinstance(f, Finding)] == []


@pytest.fixture(scope="module")
async def open_shop(module_database_url: str, anyio_backend: str) -> AsyncIterator[Shop]:
    """One for all of them, as each has agents of its own."""
    async with (
        a_coinbase() as coinbase,
        an_api(module_database_url, admin_token=ADMIN_TOKEN, **coinbase.settings()) as api,
    ):
        shop = Shop(api, coinbase)
        yield shop
        await shop.check_books()


@pytest.fixture
async def shop(open_shop: Shop) -> Shop:
    """With nothing left of other tests but the books."""
    open_shop.coinbase.server.broken = None
    open_shop.coinbase.server.asked.clear()
    open_shop.api.broker.refusals.take()
    await open_shop.api.broker.database.execute("DELETE FROM audit_log")
    return open_shop


async def test_a_payment_is_asked_for_and_credited_when_it_is_confirmed(shop: Shop) -> None:
    (did,) = await shop.register()
    answer = await shop.api.client.post(
        REQUESTS,
        json={"amount_atomic": 10_001, "method": "coinbase", "description": "tea"},
        headers={"X-AINP-DID": did},
    )
    asked = answer.json()
    charge = shop.coinbase.charges[asked["provider_id"]]
    ignored = await shop.tell(shop.coinbase.webhook(charge["id"], "charge:pending"))
    shop.coinbase.paid(charge["id"])
    told = await shop.tell(shop.coinbase.webhook(charge["id"]))
    again = await shop.tell(shop.coinbase.webhook(charge["id"]))
    read = await shop.api.get(f"{REQUESTS}/{asked['request_id']}")

    assert answer.status_code == 201
    assert answer.headers["www-authenticate"] == (
        f'AINP-Pay realm="ainp", request_id="{asked["request_id"]}", method="coinbase"'
    )
    assert answer.headers["link"] == f'<{charge["hosted_url"]}>; rel="payment"'
    assert asked["headers"] == {"WWW-Authenticate": answer.headers["www-authenticate"], "Link": answer.headers["link"]}
    assert (asked["amount_atomic"], asked["currency"], asked["provider"]) == ("10001", "credits", "coinbase")
    assert asked["payment_url"] == charge["hosted_url"]
    assert charge["pricing"]["local"] == {"amount": "10.01", "currency": "USD"}  # never less than it is worth
    assert charge["metadata"] == {"request_id": asked["request_id"]}
    assert ignored == {"ok": True, "request_id": None}
    assert told == again == {"ok": True, "request_id": asked["request_id"]}
    check_values(read)
    assert (read["status"], read["tx_ref"], read["owner_did"], read["description"]) == (
        "paid",
        charge["id"],
        did,
        "tea",
    )
    assert await shop.has(did) == HAD + 10_001
    assert (await shop.api.get(f"/api/credits/{did}"))["earned"] == "0"
    (entry, *_) = (await shop.api.get(f"/api/credits/{did}/transactions"))["transactions"]
    assert (entry["type"], entry["amount"], entry["intent_id"]) == ("deposit", "10001", asked["request_id"])


async def test_fifty_webhooks_at_once_credit_once(shop: Shop) -> None:
    (did,) = await shop.register()
    charge = (await shop.asked(did))["provider_id"]
    shop.coinbase.paid(charge)
    kinds = ("charge:confirmed", "charge:resolved", "charge:failed")
    raws = [shop.coinbase.webhook(charge, kinds[turn % 3]) for turn in range(50)]

    answers = await at_once(shop.api.client.post(HOOK, content=raw, headers=signature(raw)) for raw in raws)

    assert statuses(answers) == {200: 50}
    assert await shop.has(did) == HAD + 10_000
    assert await shop.statuses(did) == ["paid"]


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"x-cc-webhook-signature": ""}, id="nothing"),
        pytest.param({"x-cc-webhook-signature": "0" * 64}, id="zeros"),
        pytest.param({"x-cc-webhook-signature": "é"}, id="no ASCII"),
        pytest.param(signature(b"{}"), id="of other bytes"),
        pytest.param({"x-cc-webhook-signature": ""} | {"x-ainp-did": "did:key:a"}, id="a DID"),
    ],
)
async def test_a_webhook_that_nobody_signed_moves_nothing_and_is_on_record(shop: Shop, headers: dict[str, str]) -> None:
    (did,) = await shop.register()
    asked = await shop.asked(did)
    shop.coinbase.paid(asked["provider_id"])
    raw = shop.coinbase.webhook(asked["provider_id"])
    sent = [(k.encode(), v.encode("latin-1")) for k, v in {"content-type": "application/json", **headers}.items()]

    answer = await shop.api.client.post(HOOK, content=raw, headers=sent)

    assert (answer.status_code, answer.json()["error"]) == (400, "WEBHOOK_ERROR")
    assert (await shop.state(asked), await shop.has(did)) == ("pending", HAD)
    (record,) = await shop.records("webhook_refused")
    assert record["details"]["code"] == "WEBHOOK_ERROR"
    assert record["ip_address"] == "127.0.0.1"


async def test_one_byte_more_and_it_is_not_what_was_signed(shop: Shop) -> None:
    (did,) = await shop.register()
    asked = await shop.asked(did)
    shop.coinbase.paid(asked["provider_id"])
    raw = shop.coinbase.webhook(asked["provider_id"])

    for changed in (raw + b" ", raw.replace(b'"10.00"', b'"99.00"'), raw[:-1] + b"} "):
        await shop.tell(changed, status=400, **{"x-cc-webhook-signature": signature(raw)["x-cc-webhook-signature"]})
    await shop.tell(raw, status=400, **signature(raw, "another secret, as long"))

    assert await shop.has(did) == HAD


@pytest.mark.parametrize(
    ("paid", "why"),
    [
        pytest.param({"amount": "9.99"}, "found 9990 atomic units, expected 10000", id="too little"),
        pytest.param({"amount": "0"}, "found 0", id="nothing"),
        pytest.param({"amount": "10.00", "currency": "IDR"}, "found 0", id="another currency"),
        pytest.param({"at": datetime.now(UTC) + timedelta(hours=3)}, "ended at", id="too late"),
        pytest.param({"amount": "NaN"}, "expected a decimal number", id="no number"),
        pytest.param({"amount": "1e400"}, "expected a decimal number", id="a number beyond all money"),
        pytest.param({"amount": "-10"}, "expected a decimal number", id="less than nothing"),
    ],
)
async def test_money_that_is_not_what_was_asked_for_is_not_credited(shop: Shop, paid: Json, why: str) -> None:
    (did,) = await shop.register()
    asked = await shop.asked(did)
    shop.coinbase.paid(asked["provider_id"], **paid)

    refused = await shop.tell(shop.coinbase.webhook(asked["provider_id"]), status=400)

    assert refused["error"] == "WEBHOOK_ERROR"
    assert why in refused["message"]
    assert (await shop.state(asked), await shop.has(did)) == ("pending", HAD)
    if "number" not in why:  # what is verified and can't be credited is somebody's money
        (record,) = await shop.records("payment_refused")
        assert (record["agent_did"], record["details"]["request_id"]) == (did, asked["request_id"])
        assert why in record["details"]["reason"]


async def test_two_payments_of_a_charge_count_together(shop: Shop) -> None:
    (did,) = await shop.register()
    asked = await shop.asked(did)
    shop.coinbase.paid(asked["provider_id"], "4.00")
    await shop.tell(shop.coinbase.webhook(asked["provider_id"], "charge:pending"))
    shop.coinbase.paid(asked["provider_id"], "7.50")
    await shop.tell(shop.coinbase.webhook(asked["provider_id"], "charge:resolved"))

    assert await shop.has(did) == HAD + 10_000  # what was asked for, not what was sent


async def test_a_webhook_pays_the_charge_that_was_made_and_no_other(shop: Shop) -> None:
    """The metadata of a charge are whatever somebody wrote there."""
    did, other = await shop.register(2)
    asked = await shop.asked(did)
    theirs = await shop.asked(other, "1")
    foreign = {**shop.coinbase.charges[asked["provider_id"]], "id": "another", "payments": []}
    shop.coinbase.charges["another"] = foreign
    shop.coinbase.paid("another")
    shop.coinbase.charges[theirs["provider_id"]]["metadata"] = {"request_id": asked["request_id"]}
    shop.coinbase.paid(theirs["provider_id"])
    await shop.tell(shop.coinbase.webhook("another"), status=400)
    await shop.tell(shop.coinbase.webhook(theirs["provider_id"]))

    assert (await shop.state(asked), await shop.has(did), await shop.has(other)) == ("pending", HAD, HAD + 1)


@pytest.mark.parametrize("age", [timedelta(days=8), timedelta(minutes=-10)])
async def test_a_webhook_of_another_time_is_refused(shop: Shop, age: timedelta) -> None:
    (did,) = await shop.register()
    asked = await shop.asked(did)
    shop.coinbase.paid(asked["provider_id"])

    refused = await shop.tell(shop.coinbase.webhook(asked["provider_id"], at=datetime.now(UTC) - age), status=400)

    assert "created_at" in refused["message"]
    assert await shop.has(did) == HAD


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({}, id="no event"),
        pytest.param(
            {"event": {"id": "1", "type": "charge:confirmed", "created_at": "yesterday", "data": {}}}, id="a word"
        ),
        pytest.param({"event": {"id": 1, "type": 2, "created_at": 3, "data": {}}}, id="numbers"),
        pytest.param(
            {"event": {"id": "1", "type": "charge:confirmed", "created_at": "2026-01-01T00:00:00", "data": {}}},
            id="no zone",
        ),
    ],
)
async def test_a_signed_body_that_is_no_event_is_refused(shop: Shop, body: Json) -> None:
    refused = await shop.tell(json.dumps(body).encode(), status=400)

    assert refused["error"] == "WEBHOOK_ERROR"


async def test_a_request_that_nobody_paid_expires_and_money_that_was_seen_before_counts(shop: Shop) -> None:
    did, other = await shop.register(2)
    late, early = await shop.asked(did), await shop.asked(other)
    shop.coinbase.paid(early["provider_id"])
    await let_pass(shop.api.broker.database, timedelta(minutes=59))
    await payments.run(shop.api.broker)
    assert await shop.state(late) == "pending"
    await let_pass(shop.api.broker.database, timedelta(minutes=2))
    shop.coinbase.paid(late["provider_id"], at=datetime.now(UTC))
    shop.coinbase.charges[early["provider_id"]]["payments"][0]["detected_at"] = "2026-01-01T00:00:00Z"
    await payments.run(shop.api.broker)
    assert (await shop.state(late), await shop.state(early)) == ("expired", "expired")
    await shop.tell(shop.coinbase.webhook(late["provider_id"]), status=400)
    await shop.tell(shop.coinbase.webhook(early["provider_id"]))

    assert (await shop.state(late), await shop.state(early)) == ("expired", "paid")
    assert (await shop.has(did), await shop.has(other)) == (HAD, HAD + 10_000)


async def test_a_charge_that_failed_is_told_and_its_owner_may_cancel_another(shop: Shop) -> None:
    did, other = await shop.register(2)
    failed, cancelled = await shop.asked(did), await shop.asked(did)
    path = f"{REQUESTS}/{cancelled['request_id']}/cancel"
    await shop.tell(shop.coinbase.webhook(failed["provider_id"], "charge:failed"))
    await shop.api.call("POST", path, {"owner_did": other}, status=403)
    await shop.api.call("POST", path, {"owner_did": did})
    again = await shop.api.call("POST", path, {"owner_did": did}, status=409)

    assert (await shop.state(failed), await shop.state(cancelled)) == ("failed", "cancelled")
    assert again["error"] == "INVALID_STATE"
    told = await shop.api.broker.database.fetch(
        "SELECT event FROM outbox WHERE recipients = ARRAY[$1] ORDER BY id", did
    )
    assert [row["event"] for row in told] == [
        *("payment.pending", "payment.pending", "payment.failed", "payment.cancelled"),
    ]


async def test_credits_pay_another_agent_with_what_is_there(shop: Shop) -> None:
    """DEF-80: the known implementation deposits the amount for nothing."""
    payer, payee = await shop.register(2)
    free = await shop.asked(payer, "777", method="credits", status=400)
    done = await shop.asked(payer, "777", method="credits", to_did=payee)
    much = await shop.asked(payer, HAD, method="credits", to_did=payee, status=402)
    self_ = await shop.asked(payer, 1, method="credits", to_did=payer, status=400)
    nobody = await shop.asked(payer, 1, method="credits", to_did="did:web:nobody.example", status=404)

    assert (free["error"], self_["error"], nobody["error"]) == ("INVALID_METHOD", "INVALID_REQUEST", "AGENT_NOT_FOUND")
    assert (done["status"], "headers" in done) == ("paid", False)
    assert (much["error"], much["have"]) == ("INSUFFICIENT_CREDITS", str(HAD - 777))
    assert (await shop.has(payer), await shop.has(payee)) == (HAD - 777, HAD + 777)


async def test_two_who_pay_each_other_all_they_have_at_once_lose_nothing(shop: Shop) -> None:
    a, b = await shop.register(2)
    bodies = [{"owner_did": a, "to_did": b}, {"owner_did": b, "to_did": a}] * 10

    answers = await at_once(
        shop.api.client.post(REQUESTS, json={**body, "amount_atomic": 600_000, "method": "credits"}) for body in bodies
    )

    assert set(statuses(answers)) <= {201, 402}
    assert await shop.has(a) + await shop.has(b) == 2 * HAD


@pytest.mark.parametrize(
    ("said", "status", "code"),
    [
        pytest.param({"amount_atomic": None}, 400, "INVALID_REQUEST", id="no amount"),
        pytest.param({"method": None}, 400, "INVALID_REQUEST", id="no method"),
        pytest.param({"amount_atomic": 0}, 400, "INVALID_REQUEST", id="nothing"),
        pytest.param({"amount_atomic": "-5"}, 400, "INVALID_REQUEST", id="less"),
        pytest.param({"amount_atomic": 1.5}, 400, "INVALID_REQUEST", id="a part"),
        pytest.param({"amount_atomic": 10**15 + 1}, 400, "INVALID_REQUEST", id="too much"),
        pytest.param({"currency": "USD"}, 400, "INVALID_REQUEST", id="another currency"),
        pytest.param({"expires_in_seconds": 59}, 400, "INVALID_REQUEST", id="too soon"),
        pytest.param({"expires_in_seconds": 10**20}, 400, "INVALID_REQUEST", id="never"),
        pytest.param({"description": "x" * 201}, 400, "INVALID_REQUEST", id="a long description"),
        pytest.param({"method": "usdc"}, 400, "INVALID_METHOD", id="no provider"),
        pytest.param({"method": "lightning"}, 400, "INVALID_METHOD", id="a provider that is off"),
        pytest.param({"method": "gold"}, 400, "INVALID_METHOD", id="no method that anybody knows"),
        pytest.param({"to_did": "did:web:b.example"}, 400, "INVALID_METHOD", id="money for another"),
        pytest.param({"owner_did": "did:web:nobody.example"}, 404, "AGENT_NOT_FOUND", id="nobody"),
    ],
)
async def test_what_nobody_can_pay_is_refused_and_leaves_nothing(
    shop: Shop, said: Json, status: int, code: str
) -> None:
    (did,) = await shop.register()
    body = {"owner_did": did, "amount_atomic": "1000", "method": "coinbase", **said}

    refused = await shop.api.call("POST", REQUESTS, {k: v for k, v in body.items() if v is not None}, status=status)

    assert refused["error"] == code
    assert await shop.statuses(did) == []
    assert shop.coinbase.server.asked == []


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(b"", id="silence"),
        pytest.param(b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n", id="a failure"),
        pytest.param(b"HTTP/1.1 302 X\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n", id="elsewhere"),
        pytest.param(b"HTTP/1.1 201 X\r\nContent-Length: 2\r\n\r\n{}", id="nothing in it"),
        pytest.param(
            b'HTTP/1.1 201 X\r\nContent-Length: 36\r\n\r\n{"data":{"id":"1","hosted_url":"x>"}}', id="no address"
        ),
        pytest.param(b"HTTP/1.1 201 X\r\nContent-Length: 70000\r\n\r\n" + bytes(70_000), id="too much"),
    ],
)
async def test_a_provider_that_does_not_answer_leaves_a_request_that_failed(shop: Shop, broken: bytes) -> None:
    (did,) = await shop.register()
    shop.coinbase.server.broken = broken

    refused = await shop.asked(did, status=503)

    assert refused["error"] == "PROVIDER_UNAVAILABLE"
    assert "stand-in" not in refused["message"]
    assert await shop.statuses(did) == ["failed"]


async def test_an_agent_has_so_many_open_requests_and_no_more(shop: Shop) -> None:
    (did,) = await shop.register()
    body = {"owner_did": did, "amount_atomic": 1, "method": "coinbase"}

    answers = [await shop.api.client.post(REQUESTS, json=body) for _ in range(21)]

    assert statuses(answers) == {201: 20, 409: 1}
    assert errors(answers) == {"TOO_MANY_PAYMENTS": 1}


async def test_a_key_is_one_charge(shop: Shop) -> None:
    (did,) = await shop.register()
    body = {"owner_did": did, "amount_atomic": 1, "method": "coinbase"}

    answers = await at_once(
        shop.api.client.post(REQUESTS, json=body, headers={"idempotency-key": "one"}) for _ in range(5)
    )

    assert statuses(answers) == {201: 5}
    assert len({answer.json()["request_id"] for answer in answers}) == len(shop.coinbase.server.asked) == 1


async def test_whoever_has_too_little_is_told_how_to_pay_and_pays(shop: Shop) -> None:
    (did,) = await shop.register()
    body = {"agent_did": did, "amount_atomic": HAD + 500}
    keyed = {"idempotency-key": "stake"}
    answer = await shop.api.client.post("/api/stakes", json=body, headers=keyed)
    again = await shop.api.client.post("/api/stakes", json=body, headers=keyed)
    told = answer.json()
    charge = shop.coinbase.charges[(await shop.api.get(f"{REQUESTS}/{told['request_id']}"))["provider_id"]]
    shop.coinbase.paid(charge["id"])
    await shop.tell(shop.coinbase.webhook(charge["id"]))
    done = await shop.api.client.post("/api/stakes", json=body, headers=keyed)

    assert (answer.status_code, told["error"], told["amount_atomic"]) == (402, "INSUFFICIENT_CREDITS", "500")
    assert (told["method"], told["provider"], told["payment_url"]) == ("coinbase", "coinbase", charge["hosted_url"])
    assert answer.headers["link"] == f'<{charge["hosted_url"]}>; rel="payment"'
    assert f'request_id="{told["request_id"]}"' in answer.headers["www-authenticate"]
    assert again.json()["request_id"] == told["request_id"]  # the same invoice, not one more
    assert (done.status_code, done.json()["locked_atomic"]) == (200, str(HAD + 500))


async def test_postage_that_is_not_there_can_be_bought(database_url: str) -> None:
    settings = {"email_postage_enabled": True, "email_postage_amount_atomic": 2500, "initial_credits": 1000}
    async with a_coinbase() as coinbase, an_api(database_url, **settings, **coinbase.settings()) as api:
        shop, raw = Shop(api, coinbase), an_email(ALICE, BOB.did)
        await api.call("POST", "/api/agents/register", {"did": ALICE.did, "capabilities": []})
        answer = await api.client.post(SEND, content=raw, headers={"content-type": "application/json"})
        told = answer.json()
        (charge,) = coinbase.charges
        coinbase.paid(charge)
        await shop.tell(coinbase.webhook(charge))
        sent = await api.client.post(SEND, content=raw, headers={"content-type": "application/json"})

        assert (answer.status_code, told["error"], told["amount_atomic"]) == (402, "INSUFFICIENT_CREDITS", "1500")
        assert 'rel="payment"' in answer.headers["link"]
        assert sent.status_code == 200  # the same envelope
        assert await shop.has(ALICE.did) == 0


async def test_nobody_is_asked_to_pay_for_another(shop: Shop) -> None:
    """The responder accepts, the initiator has too little."""
    client, agent = await shop.register(2)
    opened = await shop.api.initiate(client, agent, price=10_000)
    path = f"/api/negotiations/{opened['id']}/accept"

    refused = await shop.api.call("POST", path, {"acceptor_did": agent}, status=402)

    assert "request_id" not in refused
    assert shop.coinbase.server.asked == []


async def test_while_the_provider_is_away_too_little_is_just_too_little(shop: Shop) -> None:
    (did,) = await shop.register()
    shop.coinbase.server.broken = b""

    refused = await shop.api.call("POST", "/api/stakes", {"agent_did": did, "amount_atomic": HAD + 1}, status=402)

    assert "request_id" not in refused
