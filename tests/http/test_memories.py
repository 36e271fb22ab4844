"""Memories of mail: for who wants them, of what they were sent, and for nobody else."""

from datetime import timedelta
from typing import Any

import pytest

from ainp.core.memory import Why
from ainp.operations import memories, messages
from ainp.operations.memories import Memories
from support.api import Api, Json, an_api
from support.mail import a_mail
from support.signing import ADMIN_TOKEN, a_strict_api, identity

ALICE, BOB, CAROL = (identity(name) for name in ("alice", "bob", "carol"))
ADMIN = {"authorization": f"Bearer {ADMIN_TOKEN}"}
MAILS = {
    "contract": "The translation of the contract has to be here by 2026-03-05. We pay 120 credits for it.",
    "garden": "The roses and tulips in the garden bloom early this spring. Water them every morning.",
    "train": "Your train to Vienna leaves at 14:30 from platform nine. The ticket is at the station.",
}


async def send(api: Api, text: str, **semantics: Any) -> None:  # noqa: ANN401 - any JSON
    raw = a_mail(ALICE, BOB.did, text, **semantics)
    answer = await api.client.post("/api/intents/send", content=raw, headers={"content-type": "application/json"})
    assert answer.status_code == 200, answer.text


async def distilled(api: Api) -> int:
    """What the job does, as if all mail had come minutes ago."""
    model = api.broker.memories
    assert model is not None
    model.age = timedelta(minutes=-1)
    return await memories.distill_all(api.broker.database, model)


async def wants(api: Api, *, enabled: bool = True) -> Json:
    return await api.call("PUT", "/api/memories", {"enabled": enabled, "agent_did": BOB.did})


async def remembered(api: Api, **query: str) -> Json:
    asked = "".join(f"&{name}={value}" for name, value in query.items())
    return await api.get(f"/api/memories?agent_did={BOB.did}{asked}")


async def found(api: Api, query: str, **said: object) -> list[str]:
    answer = await api.call("POST", "/api/memories/search", {"agent_did": BOB.did, "query": query, **said})
    return [one["conversation_id"] for one in answer["results"]]


async def test_mail_is_remembered_and_found_by_what_it_is_about(database_url: str) -> None:
    async with an_api(database_url, memory_distiller_enabled=True) as api:
        await wants(api)
        for conversation, text in MAILS.items():
            await send(api, text, subject=None, conversation_id=conversation)
        await send(api, "ok", subject=None)

        assert await distilled(api) == 3
        assert await distilled(api) == 0  # each mail once
        assert await found(api, "when does the railway depart") == ["train"]
        assert await found(api, "flowers") == ["garden"]
        assert await found(api, "a contract to be translated") == ["contract"]
        assert await found(api, "flowers", min_similarity=1) == []
        listed = await remembered(api)
        assert (listed["enabled"], listed["count"]) == (True, 3)
        whole = await remembered(api, conversation_id="contract")
        assert [one["content"] for one in whole["memories"]] == [MAILS["contract"]]
        assert whole["memories"][0]["tags"] == ["mailbox", "distilled"]
        assert [one["why"] for one in whole["memories"][0]["kept"]] == [[Why.WHEN], [Why.HOW_MUCH]]


async def test_who_did_not_ask_has_nothing_remembered(database_url: str) -> None:
    async with an_api(database_url, memory_distiller_enabled=True) as api:
        await send(api, MAILS["garden"])
        await wants(api)
        await api.broker.database.execute("UPDATE memory_owners SET done_at = done_at + interval '1 s'")
        assert await distilled(api) == 0  # it came before
        await api.broker.database.execute("UPDATE memory_owners SET done_at = done_at - interval '1 hour'")

        assert await distilled(api) == 1
        assert (await api.get(f"/api/memories?agent_did={ALICE.did}"))["memories"] == []  # who has sent it

        await wants(api, enabled=False)
        assert await remembered(api) == {
            "agent_did": BOB.did, "enabled": False, "count": 0, "memories": [], "cursor": None,
        }  # fmt: skip
        await send(api, MAILS["train"])
        assert await distilled(api) == 0


async def test_what_is_remembered_goes_with_its_mail_and_is_bounded(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memories, "MAX_MEMORIES", 2)
    async with an_api(database_url, memory_distiller_enabled=True, memory_distiller_batch_limit=1) as api:
        await wants(api)
        for text in MAILS.values():
            await send(api, text)
        assert await distilled(api) == 3

        listed = await remembered(api, limit="1")
        rest = await remembered(api, limit="1", cursor=listed["cursor"])
        assert [one["preview"] for page in (listed, rest) for one in page["memories"]] == [
            f"About it\n\n{MAILS['train']}",
            f"About it\n\n{MAILS['garden']}",
        ]
        await messages.forget(api.broker.database, mail_older_than=timedelta(0))
        assert (await remembered(api))["memories"] == []


async def test_memories_are_their_owner_s_and_an_administrator_s(database_url: str) -> None:
    async with a_strict_api(database_url, memory_distiller_enabled=True) as api:
        await api.register(ALICE, BOB, CAROL)
        await api.call("PUT", "/api/memories", {"enabled": True}, by=BOB)
        await send(api.api, MAILS["train"], conversation_id="train")
        await distilled(api.api)
        path, query = f"/api/memories?agent_did={BOB.did}", {"agent_did": BOB.did, "query": "railway"}

        assert (await api.call("GET", path, by=BOB))["count"] == 1
        assert (await api.call("POST", "/api/memories/search", query, by=BOB))["results"]
        await api.call("GET", path, by=CAROL, status=403)
        await api.call("GET", path, status=401)
        await api.call("POST", "/api/memories/search", query, by=CAROL, status=403)
        await api.call("PUT", "/api/memories", {"enabled": False, "agent_did": BOB.did}, by=CAROL, status=403)
        for by in (BOB, CAROL):
            await api.call("GET", path.replace("/api/", "/api/admin/"), by=by, status=403)
            await api.call("POST", "/api/admin/memories/search", query, by=by, status=403)
        assert (await api.call("GET", path.replace("/api/", "/api/admin/"), headers=ADMIN))["count"] == 1
        assert (await api.call("POST", "/api/admin/memories/search", query, headers=ADMIN))["results"]


async def test_it_is_off_unless_it_is_switched_on(database_url: str) -> None:
    async with an_api(database_url) as api:
        for method, path, body in (
            ("PUT", "/api/memories", {"enabled": True, "agent_did": BOB.did}),
            ("GET", f"/api/memories?agent_did={BOB.did}", None),
            ("POST", "/api/memories/search", {"agent_did": BOB.did, "query": "x"}),
        ):
            assert (await api.call(method, path, body, status=503))["error"] == "FEATURE_DISABLED"
        assert api.broker.memories is None


async def test_what_has_just_come_is_left_for_later(database_url: str) -> None:
    """Somebody may be writing a mail that is a moment older."""
    async with an_api(database_url, memory_distiller_enabled=True) as api:
        await wants(api)
        await api.broker.database.execute("UPDATE memory_owners SET done_at = done_at - interval '1 hour'")
        await send(api, MAILS["garden"])

        assert await memories.distill_all(api.broker.database, Memories()) == 0
        assert await distilled(api) == 1


async def test_two_workers_remember_a_mail_once(database_url: str) -> None:
    async with an_api(database_url, memory_distiller_enabled=True) as api:
        await wants(api)
        await send(api, MAILS["garden"])
        assert api.broker.memories is not None
        async with api.broker.database.transaction() as tx:
            await tx.fetchval("SELECT did FROM memory_owners FOR UPDATE")
            assert await distilled(api) == 0  # another one is at it
        assert await distilled(api) == 1


@pytest.mark.parametrize("query", ["since=yesterday", "limit=0", "cursor=x"])
async def test_what_is_asked_wrongly_is_refused(database_url: str, query: str) -> None:
    async with an_api(database_url, memory_distiller_enabled=True) as api:
        await api.get(f"/api/memories?agent_did={BOB.did}&{query}", status=400)
