"""Defects of the known implementation in receipts, committees, quorum and reputation, each by its number."""

import asyncio
import hashlib
from io import StringIO
from typing import Any

import pytest

from ainp.settings import SettingsError
from ainp.worker import finalizer
from support.api import Api, a_configuration, an_api
from support.world import World

Json = Any


async def pending(api: Api, agents: int = 8, **proposal: object) -> tuple[Json, str, str]:
    client, agent, *_ = await api.register(agents)
    return await api.settled(client, agent, **proposal), client, agent


async def passed(api: Api, settled: Json, voices: int = 3) -> None:
    for member in settled["receipt"]["committee"][:voices]:
        await api.attest(settled["task_id"], member, "AUDIT_PASS", score=0.9, confidence=0.9)


async def status(api: Api, settled: Json) -> str:
    found: str = (await api.get(f"/api/receipts/{settled['task_id']}"))["status"]
    return found


async def test_def_40_reputation_is_written_by_a_real_server(database_url: str) -> None:
    async with an_api(database_url) as api:
        _, _, agent = await pending(api, delivery_time=60_000)

        row = await api.broker.database.fetchrow("SELECT * FROM agent_reputation")
        assert row is not None
        assert (await api.get(f"/api/reputation/{agent}"))["t"] == pytest.approx(0.6, abs=1e-4)


async def test_def_41_settling_alone_says_nothing_of_quality(database_url: str) -> None:
    async with an_api(database_url) as api:
        settled, _, agent = await pending(api)

        found = await api.get(f"/api/reputation/{agent}")
        assert (found["q"], found["r"], found["v"]) == (0.5, 0.5, 0.5)
        assert (await api.get(f"/api/receipts/{settled['task_id']}"))["attestations"] == []


async def test_def_42_later_attestations_reach_reputation_once(database_url: str) -> None:
    async with an_api(database_url) as api:
        client, agent, *_ = await api.register(8)
        await api.finalized(client, agent)
        judged = await api.get(f"/api/reputation/{agent}/history")

        await finalizer.run(api.broker)

        assert {c["name"] for c in judged["changes"]} >= {"reliability", "quality", "truthfulness"}
        assert await api.get(f"/api/reputation/{agent}/history") == judged


async def test_def_43_the_first_observation_is_an_average_too(database_url: str) -> None:
    async with an_api(database_url) as api:
        client, agent, *_ = await api.register(8)
        await api.finalized(client, agent)

        found = await api.get(f"/api/reputation/{agent}")
        assert found["r"] == pytest.approx(0.6, abs=1e-4)  # 0.5 + 0.2 x (1 - 0.5)
        assert found["dimensions"]["reliability"]["observations"] == 1


async def test_def_44_outsiders_finalize_nothing(database_url: str) -> None:
    async with an_api(database_url) as api:
        settled, *_ = await pending(api, 12)
        insert = "INSERT INTO task_attestations (task_id, by_did, type, score) VALUES ($1, $2, 'AUDIT_PASS', 1)"
        rows = await api.broker.database.fetch("SELECT did FROM agents")
        for row in rows:
            if row["did"] not in settled["receipt"]["committee"]:
                await api.broker.database.execute(insert, settled["task_id"], row["did"])

        await finalizer.run(api.broker)

        found = await api.call("POST", f"/api/receipts/{settled['task_id']}/finalize", status=409)
        assert (found["have"], await status(api, settled)) == (0, "pending")


@pytest.mark.parametrize("mode", ["committee_only", "committee_plus_client"])
async def test_def_45_job_and_route_count_alike(database_url: str, mode: str) -> None:
    async with an_api(database_url, pou_finalizer_enabled=False, pou_quorum_mode=mode) as api:
        settled, client, _ = await pending(api)
        await api.attest(settled["task_id"], client, "ACCEPTED")
        await passed(api, settled, 2)

        await finalizer.run(api.broker)
        by_job = await status(api, settled)
        response = await api.client.post(f"/api/receipts/{settled['task_id']}/finalize")

        assert by_job == ("pending" if mode == "committee_only" else "finalized")
        assert response.status_code == (409 if mode == "committee_only" else 200)


async def test_def_46_stuck_receipts_starve_nobody(database_url: str) -> None:
    async with an_api(database_url, pou_finalizer_enabled=False, pou_finalizer_batch=2) as api:
        client, agent, *_ = await api.register(8)
        for _ in range(6):
            await api.settled(client, agent, price=1)
        newest = await api.settled(client, agent, price=1)
        await passed(api, newest)

        await asyncio.gather(*(finalizer.run(api.broker) for _ in range(3)))

        assert await status(api, newest) == "finalized"
        finalized = (await api.get("/api/receipts?status=finalized"))["receipts"]
        assert [r["id"] for r in finalized] == [newest["task_id"]]


async def test_def_47_finalizing_again_changes_nothing(world: World) -> None:
    settled = await world.api.settled(world.client, world.agent)
    await passed(world.api, settled)
    path = f"/api/receipts/{settled['task_id']}"
    first = await world.api.get(path)

    async with world.nothing_written():
        again = await world.api.call("POST", f"{path}/finalize")

    assert again["finalized_at"] == first["finalized_at"]


async def test_def_48_no_committee_means_nobody(database_url: str) -> None:
    async with an_api(database_url) as api:
        client, agent, third, *_ = await api.register(4)
        settled = await api.settled(client, agent)
        assert settled["receipt"]["committee"] == []

        for did in (client, third):
            found = await api.attest(settled["task_id"], did, "AUDIT_PASS", status=403)
            assert found["error"] == "UNAUTHORIZED_ATTESTATION"
        clientless = await api.broker.database.fetchval(
            "INSERT INTO task_receipts (agent_did) VALUES ($1) RETURNING id", agent
        )
        for did in (client, third):
            await api.attest(str(clientless), did, "ACCEPTED", status=403)


async def test_def_49_a_bad_attestation_is_a_refusal(world: World) -> None:
    path, member = f"/api/receipts/{world.task_id}/attestations", world.committee[0]
    for said, expected in (
        ({"type": "AUDIT_PASS", "signature": "AAAA"}, 401),
        ({"type": "AUDIT_PASS", "score": 9.9999}, 400),
        ({"type": "AUDIT_PASS", "score": -1}, 400),
    ):
        async with world.nothing_written():
            await world.api.call("POST", path, said, by=member, status=expected)
    await world.api.attest(world.task_id, member, "AUDIT_PASS")
    await world.api.attest(world.task_id, member, "AUDIT_PASS", status=409)


async def test_def_50_after_the_judgement_nobody_is_heard(database_url: str) -> None:
    async with an_api(database_url) as api:
        client, agent, *_ = await api.register(8)
        receipt = await api.finalized(client, agent)

        for did in (client, receipt["committee"][0]):
            assert (await api.attest(receipt["id"], did, "SAFETY_PASS", status=409))["error"] == "RECEIPT_CLOSED"


async def test_def_51_every_eligible_agent_is_on_the_list(database_url: str) -> None:
    async with an_api(database_url) as api:
        insert = """INSERT INTO agents (did, public_key, ttl, expires_at)
                    SELECT 'did:key:zMany' || n, 'k', 60000, now() + interval '1 day' FROM generate_series(1, 600) n"""
        await api.broker.database.execute(insert)
        settled, *_ = await pending(api)

        epoch = await api.get(f"/api/committee-epochs/{settled['receipt']['committee_epoch']}")

        assert len(epoch["members"]) == 608
        assert epoch["members"] == sorted(epoch["members"])


async def test_def_52_the_draw_is_a_hash_of_a_seed(world: World) -> None:
    shown = await world.api.get(f"/api/receipts/{world.task_id}/committee")

    assert len(bytes.fromhex(shown["seed"])) == 32
    assert shown["policy"] == "weighted"
    # That it is proportional, and repeated by a second implementation, is shown beside the draw and in tests/http.


async def test_def_53_the_expired_and_the_parties_do_not_sit(database_url: str) -> None:
    async with an_api(database_url) as api:
        client, agent, *others = await api.register(8)
        gone = others[:2]
        await api.broker.database.execute(
            "UPDATE agents SET expires_at = now() - interval '1 second' WHERE did = ANY ($1)", gone
        )

        for _ in range(5):
            settled = await api.settled(client, agent, price=1)
            assert not {client, agent, *gone} & set(settled["receipt"]["committee"])


async def test_def_54_the_seed_was_committed_to_when_the_terms_were_accepted(world: World) -> None:
    accepted = await world.api.accepted(world.client, world.agent)
    async with world.nothing_written():
        hidden = await world.api.get(f"/api/negotiations/{accepted['id']}")
    settled = await world.api.call("POST", f"/api/negotiations/{accepted['id']}/settle", {}, by=world.client)

    seed = bytes.fromhex(settled["receipt"]["seed"])
    assert "seed" not in hidden
    assert hashlib.sha256(seed).hexdigest() == accepted["committee_seed_commitment"]


async def test_def_55_a_short_committee_is_marked(database_url: str) -> None:
    async with an_api(database_url) as api:
        settled, *_ = await pending(api, 5)

        assert settled["receipt"]["committee_short"] is True
        assert len(settled["receipt"]["committee"]) == settled["receipt"]["k"] == 3


@pytest.mark.parametrize("given", [{"pou_k": 6, "pou_m": 5}, {"pou_k": 0}, {"pou_k": "three"}, {"pou_m": -1}])
def test_def_56_an_impossible_quorum_does_not_start(given: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match="POU_"):
        a_configuration(**given)


async def test_def_60_every_run_of_the_finalizer_says_so(database_url: str, log: StringIO) -> None:
    async with an_api(database_url) as api:
        await finalizer.run(api.broker)
        settled, *_ = await pending(api)
        await passed(api, settled)

    assert "[PoU Finalizer] Checking 0 pending receipts" in log.getvalue()
    assert "[PoU Finalizer] Finalized task receipt" in log.getvalue()
