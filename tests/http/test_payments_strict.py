"""Payments that are switched off, and payments in strict mode."""

from support.api import an_api
from support.providers import a_coinbase, signature
from support.signing import a_strict_api, identity

ALICE, BOB = identity("alice"), identity("bob")
HOOK, REQUESTS = "/api/payments/webhooks/coinbase", "/api/payments/requests"
HAD = 1_000_000


async def test_payments_are_off_unless_they_are_switched_on(database_url: str) -> None:
    async with an_api(database_url) as off, an_api(database_url, payments_enabled=True) as on:
        (did,) = await off.register(1)
        body = {"owner_did": did, "amount_atomic": 1, "method": "coinbase"}
        for path in (REQUESTS, HOOK):
            refused = await off.call("POST", path, body, status=503)
            assert refused["error"] == "FEATURE_DISABLED"
        hook = await on.call("POST", HOOK, {}, status=503)
        unset = await on.call("POST", REQUESTS, body, status=400)

        assert hook["message"] == "Coinbase Commerce is not enabled"
        assert unset["message"] == "Payment provider not configured for method: coinbase"


async def test_in_strict_mode_a_request_is_its_owner_s_and_a_webhook_needs_nothing_but_its_signature(
    database_url: str,
) -> None:
    async with a_coinbase() as coinbase, a_strict_api(database_url, **coinbase.settings()) as api:
        await api.register(ALICE, BOB)
        body = {"amount_atomic": "5000", "method": "coinbase"}
        await api.call("POST", REQUESTS, body, status=401)
        await api.call("POST", REQUESTS, {**body, "owner_did": ALICE.did}, by=BOB, status=403)
        asked = await api.call("POST", REQUESTS, body, by=ALICE, status=201)
        path = f"{REQUESTS}/{asked['request_id']}"
        await api.call("GET", path, status=401)
        await api.call("GET", path, by=BOB, status=403)
        await api.call("POST", f"{path}/cancel", {}, by=BOB, status=403)
        await api.call("POST", f"{path}/confirm", {}, by=BOB, status=403)
        coinbase.paid(asked["provider_id"])
        raw = coinbase.webhook(asked["provider_id"])
        answer = await api.api.client.post(HOOK, content=raw, headers=signature(raw))

        assert answer.json() == {"ok": True, "request_id": asked["request_id"]}
        assert (await api.call("GET", path, by=ALICE))["status"] == "paid"
        assert (await api.call("GET", f"/api/credits/{ALICE.did}", by=ALICE))["balance"] == str(HAD + 5000)
