"""Strict mode: who stakes has signed it, and the trail tells who tried otherwise."""

from ainp.operations import trail
from support.api import Json
from support.signing import ADMIN_TOKEN, SignedApi, a_strict_api, identity, signed_request

ALICE, BOB = identity("alice"), identity("bob")
ADMIN = {"Authorization": f"Bearer {ADMIN_TOKEN}"}


async def told(api: SignedApi) -> list[Json]:
    broker = api.api.broker
    await trail.flush(broker.database, broker.refusals)
    rows = (await api.call("GET", "/api/admin/audit", headers=ADMIN))["records"]
    return sorted((row["event_type"], row["agent_did"], row["details"].get("code")) for row in rows)


async def test_an_agent_stakes_its_own_and_an_administrator_slashes(database_url: str) -> None:
    async with a_strict_api(database_url) as api:
        await api.register(ALICE, BOB)
        stake = {"agent_did": ALICE.did, "amount_atomic": "5000"}
        await api.call("POST", "/api/stakes", {"amount_atomic": 5000}, by=ALICE)
        await api.call("POST", "/api/stakes/unstake", stake, by=BOB, status=403)
        await api.call("POST", "/api/stakes/unstake", stake, headers={"X-AINP-DID": ALICE.did}, status=401)
        slash = {**stake, "reason": "lied"}
        await api.call("POST", "/api/admin/slash", slash, by=BOB, status=403)
        done = await api.call("POST", "/api/admin/slash", slash, headers=ADMIN)
        seen = await api.call("GET", f"/api/stakes/{ALICE.did}")

        assert (done["taken_atomic"], seen["locked_atomic"]) == ("5000", "0")
        assert await told(api) == [
            ("forbidden", BOB.did, "FORBIDDEN"),
            ("forbidden", BOB.did, "FORBIDDEN"),
            ("slash", ALICE.did, None),
            ("unauthenticated", ALICE.did, "UNAUTHORIZED"),
        ]


async def test_a_forged_and_a_repeated_signature_are_told_with_the_name_that_they_used(database_url: str) -> None:
    async with a_strict_api(database_url) as api:
        await api.register(ALICE, BOB)
        right = signed_request(api, ALICE, "POST", "/api/stakes", b'{"amount_atomic":1}')
        forged = signed_request(api, BOB, "POST", "/api/stakes", b'{"amount_atomic":1}')
        forged.headers["Signature"] = right.headers["Signature"]
        statuses = [(await api.api.client.send(request)).status_code for request in (forged, right, right)]

        assert statuses == [401, 200, 409]
        assert await told(api) == [
            ("replay", ALICE.did, "REPLAY_DETECTED"),
            ("unauthenticated", BOB.did, "INVALID_SIGNATURE"),
        ]
        assert (await api.call("GET", f"/api/stakes/{ALICE.did}"))["locked_atomic"] == "1"
