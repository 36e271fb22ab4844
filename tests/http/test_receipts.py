"""Receipts over HTTP: read, filtered, paged, attested, finalized; the draw repeated from what the broker publishes."""

import base64
import hashlib
import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import pytest
from nacl.signing import SigningKey

from ainp.core.did import did_of_key
from ainp.worker import finalizer
from support.api import Api, an_api
from support.shapes import check_values
from support.world import World

Json = Any
MEMBERS = {
    "id", "status", "agent_did", "client_did", "k", "m", "committee", "finalized_at", "negotiation_id", "intent_id",
    "metrics", "amount_atomic", "created_at", "updated_at", "outputs_ref", "inputs_ref", "intent_type",
}  # fmt: skip


async def refusal(world: World, said: Json, expected: tuple[int, str], *, by: str, task_id: str = "") -> Json:
    path = f"/api/receipts/{task_id or world.task_id}/attestations"
    async with world.nothing_written():
        found = await world.api.call("POST", path, said, by=by, status=expected[0])
    assert found["error"] == expected[1]
    return found


async def test_a_receipt_is_shown_at_the_top_and_as_a_member(world: World) -> None:
    shown = await world.api.get(f"/api/receipts/{world.task_id}")

    assert set(shown) >= MEMBERS | {"receipt", "attestations", "attestations_cursor"}
    assert shown["receipt"].items() <= shown.items()
    assert (shown["k"], shown["m"], shown["status"]) == (3, 5, "pending")
    assert shown["committee"] == world.committee
    assert shown["attestations"] == []
    check_values(shown)
    assert await world.api.get(f"/api/receipts/{world.task_id.upper()}") == shown


async def test_an_attestation_is_answered_with_the_quorum(database_url: str) -> None:
    async with an_api(database_url) as api:
        settled, client = await a_pending_receipt(api)
        member, *_ = settled["receipt"]["committee"]

        answer = await api.attest(settled["task_id"], member, "AUDIT_PASS", score=0.9, confidence=0.95)
        accepted = await api.attest(settled["task_id"], client, "ACCEPTED", score=0.95, confidence=0.98)

        assert answer == {
            "ok": True, "id": answer["id"], "type": "AUDIT_PASS", "status": "pending", "late": False,
            "quorum": {"needed": 3, "have": 1},
        }  # fmt: skip
        assert accepted["quorum"] == {"needed": 3, "have": 1}  # the client is no committee
        said = (await api.get(f"/api/receipts/{settled['task_id']}"))["attestations"]
        assert [(a["by_did"], a["type"], a["score"], a["confidence"]) for a in said] == [
            (member, "AUDIT_PASS", 0.9, 0.95),
            (client, "ACCEPTED", 0.95, 0.98),
        ]
        check_values(said)


async def test_who_may_not_say_it_is_refused(world: World) -> None:
    outsider = next(did for did in world.others if did not in world.committee)
    member = world.committee[0]
    unauthorized = (403, "UNAUTHORIZED_ATTESTATION")

    for kind in ("AUDIT_PASS", "AUDIT_FAIL"):
        for did in (outsider, world.client):
            found = await refusal(world, {"type": kind}, unauthorized, by=did)
            assert f"Only committee members can submit {kind}" in found["message"]
    for kind in ("ACCEPTED", "REJECTED"):
        for did in (outsider, member):
            found = await refusal(world, {"type": kind}, unauthorized, by=did)
            assert f"{kind} must be by client_did" in found["message"]
    for kind in ("AUDIT_PASS", "ACCEPTED", "SAFETY_PASS", "ANYTHING_ELSE"):
        await refusal(world, {"type": kind}, (403, "SELF_ATTESTATION"), by=world.agent)
    await refusal(world, {"type": "SAFETY_PASS"}, (403, "FORBIDDEN"), by="did:web:nobody.example")


@pytest.mark.parametrize(
    ("kind", "score", "side"),
    [("AUDIT_PASS", 0.49, "at least"), ("AUDIT_FAIL", 0.5, "less than"), ("ACCEPTED", 0, "at least")],
)
async def test_a_verdict_scores_on_its_own_side(world: World, kind: str, score: float, side: str) -> None:
    by = world.client if kind == "ACCEPTED" else world.committee[0]

    found = await refusal(world, {"type": kind, "score": score}, (400, "INVALID_REQUEST"), by=by)

    assert side in found["message"]


async def test_nobody_says_it_twice(database_url: str) -> None:
    async with an_api(database_url) as api:
        settled, client = await a_pending_receipt(api)
        task_id, (member, *_) = settled["task_id"], settled["receipt"]["committee"]
        await api.attest(task_id, member, "AUDIT_PASS")
        await api.attest(task_id, client, "SAFETY_PASS", score=1)

        for did, kind in ((member, "AUDIT_PASS"), (member, "AUDIT_FAIL"), (client, "SAFETY_PASS")):
            found = await api.attest(task_id, did, kind, status=409)
            assert found["error"] == "DUPLICATE_ATTESTATION"
        for number in range(7):
            await api.attest(task_id, client, f"REMARK_{number}")
        assert (await api.attest(task_id, client, "REMARK_8", status=409))["error"] == "ATTESTATION_LIMIT"


async def test_a_signature_is_verified(world: World) -> None:
    key = SigningKey(b"a" * 32)
    did = did_of_key(bytes(key.verify_key))
    await world.api.call("POST", "/api/agents/register", {"did": did, "capabilities": ["signs"]})
    said = {"task_id": world.task_id, "by_did": did, "type": "SAFETY_PASS", "score": 0.5}
    members = {**said, "confidence": None, "evidence_ref": None}
    canonical = json.dumps(dict(sorted(members.items())), separators=(",", ":")).encode()
    signature = base64.b64encode(key.sign(canonical).signature).decode()

    for wrong in (signature[::-1], "", "AAAA", base64.b64encode(bytes(64)).decode()):
        await refusal(world, {**said, "signature": wrong}, (401, "INVALID_SIGNATURE"), by=did)
    await refusal(world, {**said, "score": 0.6, "signature": signature}, (401, "INVALID_SIGNATURE"), by=did)
    path = f"/api/receipts/{world.task_id}/attestations"
    await world.api.call("POST", path, {**said, "signature": signature}, status=201)

    kept = (await world.api.get(path))["attestations"][-1]
    assert kept["signature"] == signature
    assert kept["statement"] == canonical.decode()
    assert kept["statement_hash"] == hashlib.sha256(canonical).hexdigest()


async def test_the_voice_that_completes_the_quorum_finalizes_and_later_ones_are_late(database_url: str) -> None:
    async with an_api(database_url) as api:
        settled, client = await a_pending_receipt(api)
        task_id, committee = settled["task_id"], settled["receipt"]["committee"]
        statuses = [(await api.attest(task_id, did, "AUDIT_PASS"))["status"] for did in committee[:3]]
        final = await api.get(f"/api/receipts/{task_id}")

        late = await api.attest(task_id, committee[3], "AUDIT_FAIL")
        accepted = await api.attest(task_id, client, "ACCEPTED")

        assert statuses == ["pending", "pending", "finalized"]
        assert (late["late"], late["status"], accepted["late"]) == (True, "finalized", True)
        shown = await api.get(f"/api/receipts/{task_id}")
        assert shown["finalized_at"] == final["finalized_at"]
        assert shown["judged_at"] is None
        assert [a["late"] for a in shown["attestations"]] == [False] * 3 + [True] * 2
        await api.attest(task_id, committee[4], "AUDIT_PASS")
        assert (await api.get(f"/api/receipts/{task_id}"))["judged_at"] is not None
        closed = await api.attest(task_id, client, "SAFETY_PASS", status=409)
        assert closed["error"] == "RECEIPT_CLOSED"


async def test_three_who_fail_it_end_it(database_url: str) -> None:
    async with an_api(database_url) as api:
        settled, _ = await a_pending_receipt(api)
        failing = settled["receipt"]["committee"][:3]
        told = [(await api.attest(settled["task_id"], did, "AUDIT_FAIL"))["status"] for did in failing]

        shown = await api.get(f"/api/receipts/{settled['task_id']}")
        assert told == ["pending", "pending", shown["status"]]
        assert shown["status"] == "failed"
        assert (shown["failure"], shown["finalized_at"]) == ("verdicts", None)
        again = await api.call("POST", f"/api/receipts/{settled['task_id']}/finalize")
        assert again == {"ok": True, "status": "failed", "finalized_at": None, "reason": "verdicts"}


async def test_finalizing_by_hand_needs_the_same_quorum(database_url: str) -> None:
    async with an_api(database_url, pou_finalizer_enabled=False) as api:
        settled, client = await a_pending_receipt(api)
        task_id, committee = settled["task_id"], settled["receipt"]["committee"]
        finalize = f"/api/receipts/{task_id}/finalize"
        await api.attest(task_id, client, "ACCEPTED")
        await api.attest(task_id, committee[0], "AUDIT_PASS")

        early = await api.call("POST", finalize, status=409)
        _, told = [await api.attest(task_id, did, "AUDIT_PASS") for did in committee[1:3]]
        first = await api.call("POST", finalize)
        second = await api.call("POST", finalize, {})

        assert early == {
            "error": "QUORUM_NOT_MET", "message": "QUORUM_NOT_MET: needed 3, have 1", "needed": 3, "have": 1
        }  # fmt: skip
        assert (told["status"], told["quorum"]) == ("pending", {"needed": 3, "have": 3})
        assert first["status"] == "finalized"
        assert second == first
        check_values(first)


async def test_with_the_client_counted_two_members_are_enough(database_url: str) -> None:
    async with an_api(database_url, pou_quorum_mode="committee_plus_client") as api:
        settled, client = await a_pending_receipt(api)
        task_id, committee = settled["task_id"], settled["receipt"]["committee"]

        said = [(client, "ACCEPTED"), (committee[0], "AUDIT_PASS"), (committee[1], "AUDIT_PASS")]
        told = [(await api.attest(task_id, did, kind))["quorum"]["have"] for did, kind in said]

        assert told == [1, 2, 3]
        assert (await api.get(f"/api/receipts/{task_id}"))["status"] == "finalized"
        assert settled["receipt"]["quorum_mode"] == "committee_plus_client"


async def test_the_statement_is_bytes_that_hash_to_what_the_receipt_says(world: World) -> None:
    response = await world.api.client.get(f"/api/receipts/{world.task_id}/statement")
    receipt = (await world.api.get(f"/api/receipts/{world.task_id}"))["receipt"]

    said = response.json()
    assert response.headers["content-type"] == "application/json"
    assert hashlib.sha256(response.content).hexdigest() == receipt["statement_hash"]
    assert response.text == json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert said["task_id"] == receipt["id"]
    for name in ("agent_did", "client_did", "committee", "k", "m", "seed", "amount_atomic", "distribution"):
        assert said[name] == receipt[name]


async def test_a_receipt_written_by_hand_has_no_statement_and_no_committee(world: World) -> None:
    insert = """INSERT INTO task_receipts (agent_did, client_did, intent_type, metrics, amount_atomic, status, k, m)
                VALUES ($1, $2, 'TEST', '{}', 1000, 'pending', 3, 5) RETURNING id"""
    id_ = await world.api.broker.database.fetchval(insert, world.agent, world.client)

    shown = await world.api.get(f"/api/receipts/{id_}")
    assert (shown["status"], shown["committee"], shown["k"]) == ("pending", [], 3)
    assert (await world.api.get(f"/api/receipts/{id_}/committee"))["committee"] == []
    await world.api.get(f"/api/receipts/{id_}/statement", status=404)
    for did in (world.client, *world.others):
        await refusal(world, {"type": "AUDIT_PASS"}, (403, "UNAUTHORIZED_ATTESTATION"), by=did, task_id=str(id_))
    assert (await world.api.call("POST", f"/api/receipts/{id_}/finalize", status=409))["error"] == "QUORUM_NOT_MET"
    await world.api.attest(str(id_), world.client, "ACCEPTED")


async def test_the_committee_can_be_drawn_again_from_what_is_published(database_url: str) -> None:
    async with an_api(database_url) as api:
        client, agent, *_ = await api.register(12)
        for _ in range(4):
            accepted = await api.accepted(client, agent)
            settled = await api.call("POST", f"/api/negotiations/{accepted['id']}/settle", {}, by=client)
            shown = await api.get(f"/api/receipts/{settled['task_id']}/committee")
            epoch = await api.get(f"/api/committee-epochs/{shown['epoch']}")

            assert shown["seed_commitment"] == accepted["committee_seed_commitment"]
            assert hashlib.sha256(bytes.fromhex(shown["seed"])).hexdigest() == shown["seed_commitment"]
            assert shown["epoch_hash"] == epoch["hash"] == hash_of(epoch)
            assert drawn_again(shown, epoch) == shown["committee"]
            assert shown["parties"] == [agent, client]
            assert (shown["short"], shown["policy"], shown["extensions"]) == (False, "weighted", 0)


async def test_an_extended_committee_is_the_longer_draw(database_url: str) -> None:
    async with an_api(database_url) as api:
        client, agent, *_ = await api.register(20)
        settled = await api.settled(client, agent)
        for did in settled["receipt"]["committee"][:2]:
            await api.attest(settled["task_id"], did, "AUDIT_PASS")
        await api.broker.database.execute("UPDATE task_receipts SET window_ends_at = now() - interval '1 second'")
        await finalizer.run(api.broker)

        shown = await api.get(f"/api/receipts/{settled['task_id']}/committee")
        epoch = await api.get(f"/api/committee-epochs/{shown['epoch']}")

        assert (len(shown["committee"]), shown["extensions"]) == (8, 1)
        assert shown["committee"][:5] == settled["receipt"]["committee"]
        assert drawn_again(shown, epoch) == shown["committee"]


async def test_a_small_network_has_a_short_committee_or_none(database_url: str) -> None:
    async with an_api(database_url) as api:
        client, agent, *_ = await api.register(4)
        none = await api.settled(client, agent)
        await api.register(1, "fifth")
        short = await api.settled(client, agent)

        assert (none["receipt"]["committee"], none["receipt"]["committee_short"]) == ([], True)
        assert (len(short["receipt"]["committee"]), short["receipt"]["committee_short"]) == (3, True)
        shown = await api.get(f"/api/receipts/{none['task_id']}/committee")
        assert (shown["committee"], shown["epoch"], shown["epoch_hash"]) == ([], None, None)


async def test_lists_are_filtered_and_paged_to_the_end(database_url: str) -> None:
    async with an_api(database_url) as api:
        client, agent, other, *_ = await api.register(8)
        mine = [await api.settled(client, agent, price=1) for _ in range(5)]
        theirs = [await api.settled(client, other, price=1) for _ in range(2)]
        for did in mine[0]["receipt"]["committee"][:3]:
            await api.attest(mine[0]["task_id"], did, "AUDIT_PASS")
        everything = [s["task_id"] for s in reversed([*mine, *theirs])]
        member = mine[0]["receipt"]["committee"][0]
        seated = [s["task_id"] for s in reversed([*mine, *theirs]) if member in s["receipt"]["committee"]]

        assert await ids(api, "limit=2") == everything
        assert await ids(api, "limit=7") == everything
        assert await ids(api, f"limit=2&agent_did={agent}") == everything[2:]
        assert await ids(api, f"limit=1&agent_did={other}") == everything[:2]
        assert await ids(api, f"limit=3&client_did={client}") == everything
        assert await ids(api, f"client_did={agent}") == []
        assert await ids(api, f"limit=1&committee_did={member}") == seated
        assert await ids(api, "limit=1&status=finalized") == [mine[0]["task_id"]]
        assert await ids(api, f"limit=2&status=pending&agent_did={agent}") == everything[2:-1]
        assert await ids(api, "status=failed") == []
        assert await ids(api, f"negotiation_id={theirs[0]['negotiation_id']}") == [theirs[0]["task_id"]]
        page = await api.get("/api/receipts?limit=1")
        check_values(page)
        assert page["receipts"][0].keys() == mine[0]["receipt"].keys()


async def test_attestations_are_paged_oldest_first(world: World) -> None:
    settled = await world.api.settled(world.client, world.agent)
    path = f"/api/receipts/{settled['task_id']}"
    voices = [world.client, *world.others]
    for did in voices:
        await world.api.attest(settled["task_id"], did, "SAFETY_PASS", score=1)

    for paged, cursor in ((f"{path}/attestations", "cursor"), (path, "attestations_cursor")):
        seen, query = [], "limit=3"
        while query:
            page = await world.api.get(f"{paged}?{query}")
            assert len(page["attestations"]) <= 3
            seen += [a["by_did"] for a in page["attestations"]]
            query = f"limit=3&cursor={quote(page[cursor])}" if page[cursor] else ""
        assert seen == voices


async def a_pending_receipt(api: Api) -> tuple[Json, str]:
    client, agent, *_ = await api.register(8)
    return await api.settled(client, agent), client


async def ids(api: Api, query: str) -> list[str]:
    """Page through to the end."""
    found, more = [], ""
    while True:
        page = await api.get(f"/api/receipts?{query}{more}")
        found += [receipt["id"] for receipt in page["receipts"]]
        if page["cursor"] is None:
            return found
        more = f"&cursor={quote(page['cursor'])}"


def hash_of(epoch: Json) -> str:
    """The epoch's hash as its documentation says it is made."""
    rows = zip(epoch["members"], epoch["weights"], epoch["running_sums"], epoch["registered_at_ms"], strict=True)
    text = "".join(f"{did} {weight} {end} {at}\n" for did, weight, end, at in rows)
    return hashlib.sha256(text.encode()).hexdigest()


def drawn_again(shown: Json, epoch: Json) -> Sequence[str]:
    """
    The lottery, written from its description: parties first out, then seat by seat.

    Each seat is one ticket of the line of weights that is left; all agents here are did:key, each its own operator.
    """
    line = [(did, weight) for did, weight in zip(epoch["members"], epoch["weights"], strict=True)]
    line = [(did, weight) for did, weight in line if did not in shown["parties"]]
    drawn: list[str] = []
    for seat in range(shown["seats"]):
        ticket = hashlib.sha256(bytes.fromhex(shown["seed"]) + seat.to_bytes(4, "big")).hexdigest()
        place = int(ticket, 16) % sum(weight for _, weight in line)
        for did, weight in line:
            if place < weight:
                drawn.append(did)
                break
            place -= weight
        line = [(did, weight) for did, weight in line if did not in drawn]
    return drawn
