"""E-mail of strangers: sent away first, paid for, and what is refused may come again as it is."""

import asyncio
from collections.abc import Mapping

from support.api import Api, Json, an_api
from support.mail import a_payload, an_email, an_intent
from support.races import at_once, statuses, two_apis
from support.signing import identity

SEND = "/api/intents/send"
ALICE, BOB = identity("alice"), identity("bob")
JSON: Mapping[str, str] = {"content-type": "application/json"}


async def post(api: Api, raw: bytes) -> tuple[int, Json, Mapping[str, str]]:
    response = await api.client.post(SEND, content=raw, headers=JSON)
    return response.status_code, response.json(), response.headers


async def later(api: Api, by: str) -> None:
    """Let a stranger's first try be *by* earlier."""
    await api.broker.database.execute("UPDATE greylist SET first_seen_at = first_seen_at - $1::text::interval", by)


async def available(api: Api, did: str) -> int:
    return int((await api.get(f"/api/credits/{did}"))["available"])


async def test_a_stranger_comes_again_with_the_same_envelope(database_url: str) -> None:
    """DEF-61, DEF-62: the greylist passes who comes back, and the first try has used up nothing."""
    async with an_api(database_url, email_greylist_enabled=True, email_greylist_delay_seconds=30) as api:
        raw = an_email(ALICE, BOB.did)
        status, answer, headers = await post(api, raw)
        assert (status, answer["error"], headers["retry-after"]) == (425, "GREYLISTED", "30")
        assert answer["message"] == "First-contact greylist in effect. Retry after 30s."
        assert 0 < answer["retry_after_ms"] <= 30_000

        assert (await post(api, raw))[0] == 425  # a try too early does not begin anew
        await later(api, "29.9 s")
        await asyncio.sleep(0.1)
        assert (await post(api, raw))[0] == 200

        assert (await post(api, raw))[:2] == (409, {**(await post(api, raw))[1]})
        assert (await post(api, raw))[1]["error"] == "REPLAY_DETECTED"
        assert (await post(api, an_email(ALICE, BOB.did)))[1]["error"] == "DUPLICATE_EMAIL"
        assert (await post(api, an_email(ALICE, BOB.did, "another")))[0] == 200  # they know each other now
        assert (await post(api, an_email(BOB, ALICE.did, "answer")))[0] == 200


async def test_who_is_expected_is_not_sent_away(database_url: str) -> None:
    async with an_api(database_url, email_greylist_enabled=True, email_postage_enabled=True) as api:
        for said in ({"consent_state": "consented"}, {"consent_state": "unknown", "allowlist": True}):
            await api.call("PUT", f"/api/contacts/{ALICE.did}", said, by=BOB.did)

            assert (await post(api, an_email(ALICE, BOB.did, str(said))))[0] == 200
            await api.broker.database.execute("UPDATE contacts SET message_count = 0")


async def test_the_first_mail_to_somebody_costs_postage_and_no_other(database_url: str) -> None:
    """DEF-63: 402, once, and nothing for what did not arrive."""
    settings = {"email_postage_enabled": True, "email_postage_amount_atomic": 2500, "initial_credits": 4000}
    async with an_api(database_url, **settings) as api:
        raw = an_email(ALICE, BOB.did)
        status, answer, _ = await post(api, raw)
        assert (status, answer["error"], answer["needed"]) == (402, "INSUFFICIENT_CREDITS", "2500")
        await api.call("POST", "/api/agents/register", {"address": {"did": ALICE.did, "capabilities": []}})

        assert (await post(api, raw))[0] == 200  # the same envelope
        assert await available(api, ALICE.did) == 1500
        assert (await post(api, an_email(ALICE, BOB.did)))[0] == 409  # a copy costs nothing
        assert (await post(api, an_email(ALICE, BOB.did, "again")))[0] == 200
        assert await available(api, ALICE.did) == 1500
        assert (await post(api, an_email(ALICE, identity("carol").did)))[0] == 402
        assert (await post(api, an_intent(ALICE, identity("carol").did)))[0] == 200  # no e-mail
        row = await api.broker.database.fetchrow("SELECT * FROM ledger_entries WHERE reason = 'postage'")
        assert row is not None
        assert (row["from_account"], row["to_account"], row["amount"]) == (f"available:{ALICE.did}", "pool", 2500)


async def test_nobody_pays_postage_with_credits_that_are_not_there(database_url: str) -> None:
    """Ten first mails at once, and credits for three of them."""
    settings = {"email_postage_enabled": True, "email_postage_amount_atomic": 1000, "initial_credits": 3500}
    async with two_apis(database_url, **settings) as apis:
        await apis[0].call("POST", "/api/agents/register", {"address": {"did": ALICE.did, "capabilities": []}})
        raws = [an_email(ALICE, identity(f"peer {n}").did) for n in range(10)]
        answers = await at_once(apis[n % 2].client.post(SEND, content=raw, headers=JSON) for n, raw in enumerate(raws))

        assert statuses(answers) == {200: 3, 402: 7}
        assert await available(apis[0], ALICE.did) == 500
        again = await at_once(
            apis[0].client.post(SEND, content=raw, headers=JSON)
            for raw, answer in zip(raws, answers, strict=True)
            if answer.status_code == 402
        )
        assert statuses(again) == {402: 7}  # and no 409: their ids were not used up


async def test_a_content_may_come_again_when_its_time_is_over(database_url: str) -> None:
    async with an_api(database_url, email_dedupe_ttl_seconds=60) as api:
        assert (await post(api, an_email(ALICE, BOB.did)))[0] == 200
        await api.broker.database.execute("UPDATE mail_marks SET until = now() - interval '1 second'")

        assert (await post(api, an_email(ALICE, BOB.did)))[0] == 200
        assert (await post(api, an_email(ALICE, BOB.did)))[0] == 409
        assert (await post(api, an_email(ALICE, BOB.did, subject="another")))[0] == 200
        assert (await post(api, an_email(ALICE, identity("carol").did)))[0] == 200
    async with an_api(database_url, email_content_dedupe_enabled=False) as api:
        assert (await post(api, an_email(ALICE, BOB.did)))[0] == 200


async def test_a_content_that_reached_nobody_is_not_marked(database_url: str) -> None:
    """What is refused as nobody is there, or as it is blocked, may come again: it was no first copy of anything."""
    async with an_api(database_url) as api:
        away = an_intent(ALICE, BOB.did, payload=a_payload("offer", kind="EMAIL_OFFER"), metadata={"no_queue": True})
        assert (await post(api, away))[1]["error"] == "AGENT_OFFLINE"

        await api.broker.presence.enter(api.broker.database, BOB.did, fresh=True)
        assert (await post(api, away))[0] == 200
        again = an_intent(ALICE, BOB.did, payload=a_payload("offer", kind="EMAIL_OFFER"))
        assert (await post(api, again))[1]["error"] == "DUPLICATE_EMAIL"
