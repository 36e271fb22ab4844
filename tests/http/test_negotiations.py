"""Negotiations over HTTP: what each route answers, and every way it refuses."""

import base64
from typing import Any

import pytest
from nacl.signing import SigningKey

from ainp.core.did import did_of_key
from support.api import an_api
from support.shapes import HASH, TIME, UUID, check_values
from support.world import World

Json = Any
MEMBERS = {
    "id", "intent_id", "initiator_did", "responder_did", "state", "rounds", "convergence_score", "current_proposal",
    "final_proposal", "incentive_split", "max_rounds", "created_at", "updated_at", "expires_at",
}  # fmt: skip


def path(negotiation: Json, move: str = "") -> str:
    return f"/api/negotiations/{negotiation['id']}" + (f"/{move}" if move else "")


async def refusal(
    world: World, negotiation: Json, move: str, body: Json, expected: tuple[int, str], *, by: str
) -> Json:
    """The move is refused with this status and code, and nothing is written."""
    async with world.nothing_written():
        found = await world.api.call("POST", path(negotiation, move), body, status=expected[0], by=by)
    assert found["error"] == expected[1]
    assert found["message"]
    check_values(found)
    return found


async def test_an_opening_is_shown_in_full(world: World) -> None:
    opened = await world.api.initiate(world.client, world.agent, delivery_time=5000, duration_ms=7)

    assert set(opened) >= MEMBERS
    check_values(opened)
    assert UUID.fullmatch(opened["id"])
    assert opened["state"] == "initiated"
    assert opened["convergence_score"] == 0
    assert opened["final_proposal"] is None
    assert opened["incentive_split"] == {"agent": 0.7, "broker": 0.1, "validator": 0.1, "pool": 0.1}
    assert opened["max_rounds"] == 10
    assert opened["reserved_atomic"] == "0"
    (first,) = opened["rounds"]
    assert first == {
        "round_number": 1,
        "proposer_did": world.client,
        "proposal": {"price": 100, "delivery_time": 5000, "duration_ms": 7},
        "timestamp": first["timestamp"],
        "terms_hash": opened["terms_hash"],
    }
    assert isinstance(first["timestamp"], int)
    assert await world.api.get(path(opened)) == opened


async def test_a_counter_proposal_comes_nearer(world: World) -> None:
    opened = await world.api.initiate(world.client, world.agent)

    body = {"proposer_did": world.agent, "proposal": {"price": 120}}
    answered = await world.api.call("POST", path(opened, "propose"), body)
    countered = await world.api.call(
        "POST", path(opened, "propose"), {"proposer_did": world.client, "proposal": {"price": 118}}
    )

    assert answered["state"] == "proposed"
    assert countered["state"] == "counter_proposed"
    assert [r["round_number"] for r in countered["rounds"]] == [1, 2, 3]
    assert 0 < answered["convergence_score"] < countered["convergence_score"] <= 1
    assert countered["current_proposal"] == {"price": 118}
    check_values(countered)


async def test_an_acceptance_reserves_and_commits_to_a_seed(world: World) -> None:
    before = await world.api.get(f"/api/credits/{world.client}")
    accepted = await world.api.accepted(world.client, world.agent, custom_terms={"tone": "plain"})
    after = await world.api.get(f"/api/credits/{world.client}")

    assert accepted["state"] == "accepted"
    assert accepted["final_proposal"] == {"price": 100, "custom_terms": {"tone": "plain"}}
    assert accepted["current_proposal"]["custom_terms"] == {"tone": "plain", "reserved_credits": "100000"}
    assert accepted["reserved_atomic"] == "100000"
    assert HASH.fullmatch(accepted["committee_seed_commitment"])
    assert TIME.fullmatch(accepted["settle_by"])
    assert int(after["reserved"]) - int(before["reserved"]) == 100_000
    assert after["balance"] == before["balance"]
    check_values(accepted)


async def test_a_rejection_is_a_round_as_well(world: World) -> None:
    opened = await world.api.initiate(world.client, world.agent)

    rejected = await world.api.call(
        "POST", path(opened, "reject"), {"rejector_did": world.agent, "reason": "too cheap"}
    )

    assert rejected["state"] == "rejected"
    assert rejected["closed_by"] == world.agent
    assert rejected["close_reason"] == "too cheap"
    assert rejected["rounds"][-1]["proposal"] == {"custom_terms": {"rejected": True, "reason": "too cheap"}}


async def test_a_settlement_carries_what_it_did(world: World) -> None:
    settled = await world.api.settled(world.client, world.agent)

    assert settled["success"] is True
    assert settled["message"] == "Negotiation settled successfully"
    assert settled["state"] == "settled"
    assert settled["task_id"] == settled["task_receipt_id"] == settled["receipt"]["id"]
    assert settled["distribution"] == {
        "agent": "70000", "broker": "10000", "validator": "0", "pool": "10000", "reward": "10000"
    }  # fmt: skip
    assert settled["validator_did"] is None
    assert "idempotent" not in settled
    check_values(settled)
    shown = await world.api.get(f"/api/negotiations/{settled['negotiation_id']}")
    assert (shown["state"], shown["task_id"]) == ("settled", settled["task_id"])


async def test_settling_again_is_the_same_answer_and_nobody_elses(world: World) -> None:
    settled = await world.api.settled(world.client, world.agent)
    n = {"id": settled["negotiation_id"]}

    async with world.nothing_written():
        again = await world.api.call("POST", path(n, "settle"), {}, by=world.client)

    assert again == {**settled, "idempotent": True}
    await refusal(world, n, "settle", {}, (403, "FORBIDDEN"), by=world.agent)
    await refusal(world, n, "settle", {}, (403, "FORBIDDEN"), by=world.others[0])


async def test_a_stranger_moves_nothing(world: World) -> None:
    opened = await world.api.initiate(world.client, world.agent)
    accepted = await world.api.accepted(world.client, world.agent)
    by = world.others[0]

    for move, body in (("propose", {"proposal": {"price": 1}}), ("accept", {}), ("reject", {}), ("cancel", {})):
        await refusal(world, opened, move, body, (403, "FORBIDDEN"), by=by)
    for move in ("deliver", "settle", "cancel"):
        await refusal(world, accepted, move, {}, (403, "FORBIDDEN"), by=by)


async def test_only_the_right_party_moves(world: World) -> None:
    opened = await world.api.initiate(world.client, world.agent)
    accepted = await world.api.accepted(world.client, world.agent)
    client, agent = world.client, world.agent

    await refusal(world, opened, "propose", {"proposal": {"price": 1}}, (409, "NOT_YOUR_TURN"), by=client)
    own = await refusal(world, opened, "accept", {}, (400, "OWN_PROPOSAL"), by=client)
    assert own["message"].startswith("Invalid state transition: cannot accept from state 'initiated'")
    await refusal(world, accepted, "deliver", {}, (403, "FORBIDDEN"), by=client)
    await refusal(world, accepted, "cancel", {}, (403, "FORBIDDEN"), by=client)
    await refusal(world, accepted, "settle", {}, (403, "FORBIDDEN"), by=agent)


@pytest.mark.parametrize("end", ["rejected", "cancelled", "settled", "expired"])
async def test_what_has_ended_stays_ended(world: World, end: str) -> None:
    n = await ended(world, end)
    expected = (410, "EXPIRED") if end == "expired" else (409, "INVALID_STATE")

    for move, body in (("propose", {"proposal": {"price": 1}}), ("accept", {}), ("reject", {}), ("cancel", {})):
        found = await refusal(world, n, move, body, expected, by=world.agent)
        assert end in found["message"] or end == "expired"
    await refusal(world, n, "deliver", {}, (409, "INVALID_STATE"), by=world.agent)
    if end != "settled":
        found = await refusal(world, n, "settle", {}, (409, "INVALID_STATE"), by=world.client)
        assert found["message"] == f"Cannot settle negotiation in state {end}"


async def test_nothing_is_settled_or_delivered_before_it_is_accepted(world: World) -> None:
    opened = await world.api.initiate(world.client, world.agent)

    await refusal(world, opened, "settle", {}, (409, "INVALID_STATE"), by=world.client)
    await refusal(world, opened, "deliver", {}, (409, "INVALID_STATE"), by=world.agent)


async def test_too_little_money_changes_nothing(world: World) -> None:
    opened = await world.api.initiate(world.client, world.agent, price=100_000)

    found = await refusal(world, opened, "accept", {}, (402, "INSUFFICIENT_CREDITS"), by=world.agent)

    have = (await world.api.get(f"/api/credits/{world.client}"))["available"]
    assert (found["needed"], found["have"]) == ("100000000", have)
    assert found["message"] == f"Insufficient balance: need 100000000, have {have}"


async def test_a_responder_who_never_registered_accepts_nothing(world: World) -> None:
    opened = await world.api.initiate(world.client, "did:web:nobody.example")

    await refusal(world, opened, "accept", {}, (404, "AGENT_NOT_FOUND"), by="did:web:nobody.example")


async def test_a_changed_proposal_is_not_accepted_by_an_older_acceptance(world: World) -> None:
    opened = await world.api.initiate(world.client, world.agent)
    await world.api.call("POST", path(opened, "propose"), {"proposal": {"price": 200}}, by=world.agent)
    changed = await world.api.call("POST", path(opened, "propose"), {"proposal": {"price": 300}}, by=world.client)

    for claim in ({"terms_hash": opened["terms_hash"]}, {"round_number": 1}, {"round_number": -3}):
        found = await refusal(world, opened, "accept", claim, (409, "PROPOSAL_CHANGED"), by=world.agent)
        assert (found["terms_hash"], found["round_number"]) == (changed["terms_hash"], 3)

    claim = {"terms_hash": changed["terms_hash"].upper(), "round_number": 3}
    assert (await world.api.call("POST", path(opened, "accept"), claim, by=world.agent))["reserved_atomic"] == "300000"


async def test_rounds_run_out(world: World) -> None:
    offer = {"intent_id": "x", "responder_did": world.agent, "initial_proposal": {"price": 1}, "max_rounds": 2}
    opened = await world.api.call("POST", "/api/negotiations", offer, by=world.client, status=201)
    await world.api.call("POST", path(opened, "propose"), {"proposal": {"price": 2}}, by=world.agent)

    body = {"proposal": {"price": 3}}
    found = await refusal(world, opened, "propose", body, (409, "MAX_ROUNDS_EXCEEDED"), by=world.client)

    assert found["message"] == f"Negotiation exceeded max rounds: {opened['id']} (max: 2)"


async def test_nobody_negotiates_alone(world: World) -> None:
    offer = {"intent_id": "x", "responder_did": world.client, "initial_proposal": {}}
    async with world.nothing_written():
        found = await world.api.call("POST", "/api/negotiations", offer, by=world.client, status=400)

    assert (found["error"], found["message"]) == (
        "SELF_NEGOTIATION",
        "Initiator and responder must be different agents",
    )


async def test_work_is_delivered_once(world: World) -> None:
    accepted = await world.api.accepted(world.client, world.agent)
    handed_over = {"outputs_ref": "ipfs://x", "metrics": {"words": 12}}

    delivered = await world.api.call("POST", path(accepted, "deliver"), handed_over, by=world.agent)

    assert delivered["delivery"] == handed_over
    check_values(delivered)
    await refusal(world, accepted, "deliver", {}, (409, "INVALID_STATE"), by=world.agent)


async def test_the_responder_settles_after_a_silence(world: World) -> None:
    accepted = await world.api.accepted(world.client, world.agent)
    await world.api.call("POST", path(accepted, "deliver"), {}, by=world.agent)
    early = await refusal(world, accepted, "settle", {}, (403, "FORBIDDEN"), by=world.agent)
    assert TIME.fullmatch(early["opens_at"])
    await moved_back(world, accepted, "settle_by", hours=3)

    settled = await world.api.call("POST", path(accepted, "settle"), {"settler_did": world.agent})

    assert settled["distribution"]["agent"] == "70000"


async def test_what_was_not_delivered_in_time_can_be_neither_delivered_nor_settled(world: World) -> None:
    accepted = await world.api.accepted(world.client, world.agent)
    await moved_back(world, accepted, "settle_by", hours=3)

    await refusal(world, accepted, "deliver", {}, (410, "EXPIRED"), by=world.agent)
    await refusal(world, accepted, "settle", {}, (410, "EXPIRED"), by=world.client)


async def test_a_free_task_has_a_receipt_and_moves_nothing(world: World) -> None:
    before = await world.api.get(f"/api/reputation/{world.agent}/history")
    settled = await world.api.settled(world.client, world.agent, price=0)

    assert settled["receipt"]["amount_atomic"] == "0"
    assert set(settled["distribution"].values()) == {"0"}
    assert settled["receipt"]["status"] == "pending"
    assert await world.api.get(f"/api/reputation/{world.agent}/history") == before


async def test_lists_are_newest_first_and_filtered(database_url: str) -> None:
    async with an_api(database_url) as api:
        client, agent, other = await api.register(3)
        first, second = await api.initiate(client, agent), await api.initiate(agent, client)
        third = await api.accepted(client, agent)
        await api.initiate(agent, other)
        mine = f"/api/negotiations?agent_did={client}"

        ids = [n["id"] for n in await api.get(mine)]

        assert ids == [third["id"], second["id"], first["id"]]
        assert [n["id"] for n in await api.get(f"{mine}&limit=1")] == ids[:1]
        assert [n["id"] for n in await api.get(f"{mine}&state=active")] == ids[1:]
        assert [n["id"] for n in await api.get(f"{mine}&state=accepted")] == ids[:1]
        assert await api.get(f"{mine}&state=settled") == []
        assert await api.get("/api/negotiations?agent_did=did:web:nobody.example") == []


async def test_signed_terms_are_kept_and_others_refused(world: World) -> None:
    key = SigningKey(b"k" * 32)
    did = did_of_key(bytes(key.verify_key))
    await world.api.call("POST", "/api/agents/register", {"did": did, "capabilities": ["signs"]})
    opened = await world.api.initiate(world.client, did)

    def signed(text: str) -> str:
        return base64.b64encode(key.sign(bytes.fromhex(text)).signature).decode()

    other = {"terms_signature": signed("00" * 32)}
    await refusal(world, opened, "accept", other, (401, "INVALID_SIGNATURE"), by=did)
    body = {"terms_signature": signed(opened["terms_hash"])}
    accepted = await world.api.call("POST", path(opened, "accept"), body, by=did)

    assert accepted["rounds"][-1]["countersignature"] == body["terms_signature"]


async def ended(world: World, end: str) -> Json:
    """A negotiation that has ended this way."""
    if end == "settled":
        return {"id": (await world.api.settled(world.client, world.agent))["negotiation_id"]}
    opened = await world.api.initiate(world.client, world.agent)
    if end == "expired":
        await moved_back(world, opened, "expires_at", hours=3)
        await world.api.broker.database.execute(
            "UPDATE negotiations SET state = 'expired', closed_at = now() WHERE id = $1", opened["id"]
        )
        return opened
    move = {"rejected": "reject", "cancelled": "cancel"}[end]
    return await world.api.call("POST", path(opened, move), {}, by=world.agent)


async def moved_back(world: World, negotiation: Json, column: str, *, hours: int) -> None:
    """Let time pass for one negotiation."""
    columns = {"settle_by", "expires_at"}
    assert column in columns
    statement = f"UPDATE negotiations SET {column} = now() - $2 * interval '1 hour' WHERE id = $1"  # noqa: S608 - see above
    await world.api.broker.database.execute(statement, negotiation["id"], hours)
