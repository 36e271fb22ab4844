"""Groups over the routes and by envelope: who is told, who may, and what a round's end does."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from ainp.client.identity import Identity
from ainp.client.signing import SignedBy
from ainp.core.group import MIN_PARTICIPANTS
from ainp.operations import groups
from support.api import Json, an_api
from support.mail import an_intent
from support.races import at_once, statuses
from support.signing import SignedApi, a_strict_api, identity

ALICE, BOB, CAROL, DAVE = PEOPLE = tuple(identity(name) for name in ("alice", "bob", "carol", "dave"))
GROUPS = "/api/groups"


@pytest.fixture(scope="module")
async def api(module_database_url: str, anyio_backend: str) -> AsyncIterator[SignedApi]:
    async with a_strict_api(module_database_url) as api:
        await api.register(*PEOPLE)
        yield api


async def opened(api: SignedApi, *others: Identity, **said: Any) -> Json:  # noqa: ANN401 - any JSON
    body = {
        "intent_id": "meet",
        "participants": [who.did for who in others or (BOB, CAROL)],
        "proposal": {"price": 10, "custom_terms": {"slot": "ten"}},
        "timeout_per_round_ms": 60_000,
        **said,
    }
    return await api.call("POST", GROUPS, body, by=ALICE, status=201)


async def vote(api: SignedApi, by: Identity, group: Json, choice: str, status: int = 200, **said: Any) -> Json:  # noqa: ANN401
    body = {"vote": choice, "round_number": group["round_number"], **said}
    return await api.call("POST", f"{GROUPS}/{group['id']}/votes", body, by=by, status=status)


async def say(api: SignedApi, by: Identity, phase: str, status: int = 200, **payload: Any) -> Json:  # noqa: ANN401
    raw = an_intent(by, None, msg_type="NEGOTIATE", payload={"phase": phase, **payload})
    response = await api.api.client.post("/api/intents/send", content=raw, headers={"content-type": "application/json"})

    assert response.status_code == status, response.text
    return response.json()


async def told(api: SignedApi, group: Json) -> list[tuple[str, list[str]]]:
    """Which events there are of a group, and for whom."""
    rows = await api.api.broker.database.fetch(
        "SELECT event, recipients FROM outbox WHERE event LIKE 'group.%' AND body ->> 'group_id' = $1 ORDER BY id",
        group["id"],
    )
    return [(row["event"], sorted(row["recipients"])) for row in rows]


def dids(*people: Identity) -> list[str]:
    return sorted(who.did for who in people)


async def test_three_agree_after_a_second_round(api: SignedApi) -> None:
    group = await opened(api)
    await vote(api, BOB, group, "REJECT", proposal={"price": 14})
    second = await vote(api, CAROL, group, "REJECT", proposal={"price": 20})
    for who in (ALICE, BOB):
        await vote(api, who, second, "ACCEPT", terms_hash=second["terms_hash"])
    agreed = await vote(api, CAROL, second, "ACCEPT", terms_hash=second["terms_hash"])

    assert (second["round_number"], second["proposal"]) == (2, {"price": 14, "custom_terms": {"slot": "ten"}})
    assert (agreed["state"], agreed["accepted_by"]) == ("agreed", dids(ALICE, BOB, CAROL))
    assert [one["score"] for one in agreed["rounds"]] == [0.3333, 1.0]
    assert agreed == await api.call("GET", f"{GROUPS}/{group['id']}", by=CAROL)
    assert await told(api, group) == [
        ("group.opened", dids(BOB, CAROL)),
        ("group.voted", dids(ALICE, CAROL)),
        ("group.proposed", dids(ALICE, BOB, CAROL)),
        ("group.voted", dids(BOB, CAROL)),
        ("group.voted", dids(ALICE, CAROL)),
        ("group.agreed", dids(ALICE, BOB, CAROL)),
    ]
    assert await api.api.broker.database.fetchval("SELECT count(*) FROM ledger_entries WHERE reason = 'reserve'") == 0


async def test_who_does_not_take_part_sees_and_says_nothing(api: SignedApi) -> None:
    group = await opened(api)

    await api.call("GET", f"{GROUPS}/{group['id']}", by=DAVE, status=403)
    await vote(api, DAVE, group, "ACCEPT", 403)
    await api.call("POST", f"{GROUPS}/{group['id']}/abort", {}, by=BOB, status=403)
    await api.call("GET", f"{GROUPS}?agent_did={ALICE.did}", by=DAVE, status=403)
    listed = await api.call("GET", f"{GROUPS}?agent_did={DAVE.did}", by=DAVE)
    assert listed == {"groups": [], "cursor": None}
    await api.call("GET", f"{GROUPS}/{uuid4()}", by=ALICE, status=404)


async def test_a_vote_counts_once_and_says_what_it_is_on(api: SignedApi) -> None:
    group = await opened(api)
    await vote(api, BOB, group, "ACCEPT")

    assert (await vote(api, BOB, group, "REJECT", 409))["error"] == "DUPLICATE_VOTE"
    assert (await vote(api, CAROL, {**group, "round_number": 2}, "ACCEPT", 409))["error"] == "PROPOSAL_CHANGED"
    assert (await vote(api, CAROL, {**group, "round_number": None}, "ACCEPT", 400))["error"] == "INVALID_REQUEST"
    await vote(api, CAROL, group, "ACCEPT")
    assert (await vote(api, CAROL, group, "ACCEPT", 409))["error"] == "INVALID_STATE"


async def test_who_has_opened_it_ends_it(api: SignedApi) -> None:
    group = await opened(api)
    aborted = await api.call("POST", f"{GROUPS}/{group['id']}/abort", {"reason": "rain"}, by=ALICE)

    assert (aborted["state"], aborted["closed_by"], aborted["close_reason"]) == ("aborted", ALICE.did, "rain")
    assert (await told(api, group))[-1] == ("group.aborted", dids(ALICE, BOB, CAROL))


async def test_a_group_by_envelope_reaches_everybody_in_it(api: SignedApi) -> None:
    proposal = {"participants": [BOB.did, CAROL.did], "voting_mechanism": "majority", "price": 10}
    offered = await say(api, ALICE, "OFFER", proposal=proposal, constraints={"timeout_per_round_ms": 60_000})
    id_ = offered["group_id"]
    countered = await say(api, BOB, "COUNTER", group_id=id_, round=1, proposal={"price": 12})
    agreed = await say(api, CAROL, "ACCEPT", group_id=id_, round=1)

    assert (offered["state"], sorted(offered["recipients"])) == ("open", dids(BOB, CAROL))
    assert (countered["state"], sorted(countered["recipients"])) == ("open", dids(ALICE, CAROL))
    assert (agreed["state"], agreed["round_number"]) == ("agreed", 1)
    group = await api.call("GET", f"{GROUPS}/{id_}", by=BOB)
    assert (group["accepted_by"], group["proposal"]) == (dids(ALICE, CAROL), {"price": 10})
    await say(api, DAVE, "ACCEPT", 403, group_id=id_, round=1)
    await say(api, ALICE, "OFFER", 409, group_id=id_, proposal=proposal)
    await say(api, ALICE, "ABORT", 409, group_id=id_)


async def test_a_round_ends_when_its_time_is_over(api: SignedApi) -> None:
    db = api.api.broker.database
    short, long = await opened(api, timeout_per_round_ms=1, max_rounds=1), await opened(api)
    await say(api, BOB, "TIMEOUT", 409, group_id=long["id"])
    await vote(api, BOB, short, "ACCEPT", 409)
    assert (await say(api, BOB, "TIMEOUT", group_id=short["id"]))["state"] == "failed"

    due = await opened(api, timeout_per_round_ms=60_000)
    await db.execute(
        "UPDATE group_negotiations SET round_ends_at = now() - interval '1 second',"
        " rounds = replace(rounds::text, rounds -> 0 ->> 'ends_at', '1')::json WHERE id = $1",
        due["id"],
    )
    moved = await groups.end_rounds(db)
    assert [(str(one.group.id), one.event, one.group.current.number) for one in moved] == [(due["id"], "proposed", 2)]
    assert await groups.end_rounds(db) == []


async def test_all_who_vote_at_once_are_counted(api: SignedApi) -> None:
    """Each looks at the group as the others have left it."""
    group = await opened(api, BOB, CAROL, DAVE)
    path, body = f"{GROUPS}/{group['id']}/votes", {"vote": "ACCEPT", "round_number": 1}
    answers = await at_once(api.api.client.post(path, json=body, auth=SignedBy(who)) for who in (BOB, CAROL, DAVE) * 3)

    assert statuses(answers) == {200: 3, 409: 6}
    found = await api.call("GET", f"{GROUPS}/{group['id']}", by=ALICE)
    assert (found["state"], len(found["accepted_by"])) == ("agreed", 4)


async def test_groups_are_listed_and_paged(api: SignedApi) -> None:
    eve, mallory = identity("eve"), identity("mallory")
    ids = [(await opened(api, eve, mallory))["id"] for _ in range(3)]
    first = await api.call("GET", f"{GROUPS}?agent_did={eve.did}&limit=2", by=eve)
    rest = await api.call("GET", f"{GROUPS}?agent_did={eve.did}&limit=2&cursor={first['cursor']}", by=eve)

    assert [one["id"] for page in (first, rest) for one in page["groups"]] == ids[::-1]
    assert rest["cursor"] is None
    assert (await api.call("GET", f"{GROUPS}?agent_did={eve.did}&state=agreed", by=eve))["groups"] == []
    await api.call("GET", f"{GROUPS}?agent_did={eve.did}&state=lost", by=eve, status=400)
    await api.call("GET", GROUPS, by=eve, status=400)


async def test_who_has_blocked_is_not_invited(api: SignedApi) -> None:
    body = {"consent_state": "blocked"}
    await api.call("PUT", f"/api/contacts/{ALICE.did}", body, by=DAVE)
    said = {"intent_id": "meet", "participants": dids(BOB, DAVE), "proposal": {"price": 1}}

    assert (await api.call("POST", GROUPS, said, by=ALICE, status=403))["error"] == "BLOCKED"
    await api.call("PUT", f"/api/contacts/{ALICE.did}", {"consent_state": "unknown"}, by=DAVE)


async def test_so_many_are_open_and_no_more(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "MAX_OPEN_GROUPS", 1)
    async with an_api(database_url) as api:
        body = {"intent_id": "meet", "participants": dids(BOB, CAROL), "proposal": {}, "opener_did": ALICE.did}
        first = await api.call("POST", GROUPS, body, status=201)

        assert (await api.call("POST", GROUPS, body, status=409))["error"] == "TOO_MANY_OPEN"
        assert len(first["participants"]) == MIN_PARTICIPANTS
        await api.call("POST", f"{GROUPS}/{first['id']}/abort", {"opener_did": ALICE.did})
        await api.call("POST", GROUPS, body, status=201)
