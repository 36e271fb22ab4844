"""Mailboxes and contacts over HTTP."""

import json
from collections.abc import AsyncIterator

import pytest

from ainp.client.identity import Identity
from support.api import Api, Json, an_api
from support.mail import a_mail, an_email, an_intent
from support.races import at_once, statuses, two_apis
from support.signing import a_strict_api, identity

SEND = "/api/intents/send"


@pytest.fixture(scope="module")
async def api(module_database_url: str, anyio_backend: str) -> AsyncIterator[Api]:
    async with an_api(module_database_url) as api:
        yield api


async def post(api: Api, raw: bytes, status: int = 200) -> Json:
    response = await api.client.post(SEND, content=raw, headers={"content-type": "application/json"})

    assert response.status_code == status, response.text
    return response.json()


async def inbox(api: Api, did: str, query: str = "") -> list[Json]:
    found = await api.call("GET", f"/api/mail/inbox?{query}", by=did)
    messages: list[Json] = found["messages"]
    return messages


def two(name: str) -> tuple[Identity, Identity]:
    return identity(f"{name} one"), identity(f"{name} two")


async def test_a_mail_is_in_the_inbox_with_all_that_clients_read(api: Api) -> None:
    alice, bob = two("inbox")
    raw = a_mail(alice, bob.did, "Dear Bob", labels=["work"], headers={"X-A": "1", "bcc": "carol"})

    sent = await post(api, raw)
    (mail,) = await inbox(api, bob.did)

    assert mail["id"] == sent["message_id"]
    assert mail["conversation_id"].startswith("conv_")
    assert {name: mail[name] for name in ("from_did", "to_dids", "subject", "body_text", "body_mime", "body_html")} == {
        "from_did": alice.did,
        "to_dids": [bob.did],
        "subject": "About it",
        "body_text": "Dear Bob",
        "body_mime": "text/plain",
        "body_html": None,
    }
    assert (mail["labels"], mail["read"], mail["read_at"], mail["headers"]) == (["work"], False, None, {"X-A": "1"})
    assert (mail["envelope_id"], mail["intent_type"]) == (json.loads(raw)["id"], "MESSAGE")
    assert mail["body_hash"].startswith("sha256:")
    assert await inbox(api, alice.did) == []


async def test_pages_come_newest_first_and_without_a_gap(api: Api) -> None:
    alice, bob = two("pages")
    for number in range(7):
        await post(api, a_mail(alice, bob.did, str(number)))

    found, cursor = [], ""
    while True:
        page = await api.call("GET", f"/api/mail/inbox?limit=3{cursor}", by=bob.did)
        found += [mail["body_text"] for mail in page["messages"]]
        if not page["pagination"]["has_more"]:
            break
        cursor = f"&cursor={page['pagination']['cursor']}"
    times = [mail["created_at"] for mail in await inbox(api, bob.did)]

    assert found == [str(number) for number in reversed(range(7))]
    assert times == sorted(times, reverse=True)
    older = await inbox(api, bob.did, f"cursor={times[2]}")
    assert [mail["created_at"] for mail in older] == [time for time in times if time < times[2]]


async def test_read_and_labels_are_each_owner_s_own(api: Api) -> None:
    alice, bob = two("own")
    sent = await post(api, a_mail(alice, bob.did, labels=["in"]))
    id_ = sent["message_id"]

    await api.call("POST", "/api/mail/read", {"message_id": id_}, by=bob.did)
    changed = {"message_id": id_, "add": ["a", "b"], "remove": ["in", "b"]}
    answer = await api.call("POST", "/api/mail/label", changed, by=bob.did)
    await api.call("POST", "/api/mail/label", {"message_id": id_, "add": ["mine"]}, by=alice.did)

    (mail,) = await inbox(api, bob.did)
    thread = await api.call("GET", f"/api/mail/threads/{mail['conversation_id']}", by=alice.did)
    assert (answer["labels_added"], answer["labels_removed"]) == (["a", "b"], ["in", "b"])
    assert (mail["read"], mail["labels"]) == (True, ["a"])
    assert [one["labels"] for one in thread["messages"]] == [["mine"]]
    assert await inbox(api, bob.did, "unread=true") == []
    assert [m["id"] for m in await inbox(api, bob.did, "label=a")] == [id_]
    assert await inbox(api, bob.did, "label=a&unread=true") == await inbox(api, bob.did, "label=in") == []
    await api.call("POST", "/api/mail/read", {"message_id": id_, "read": False}, by=bob.did)
    assert (await inbox(api, bob.did, "unread=true"))[0]["read"] is False


async def test_a_thread_has_what_both_have_said(api: Api) -> None:
    alice, bob = two("thread")
    await post(api, a_mail(alice, bob.did, "1"))
    await post(api, a_mail(bob, alice.did, "2", subject="Another"))

    (mail,) = await inbox(api, bob.did)
    thread = await api.call("GET", f"/api/mail/threads/{mail['conversation_id']}", by=bob.did)

    assert [one["body_text"] for one in thread["messages"]] == ["1", "2"]
    assert thread["participants"] == [alice.did, bob.did]
    assert thread["participant_roles"][0]["roles"] == ["sender", "recipient"]
    assert (thread["id"], thread["subject"]) == (thread["conversation_id"], "About it")
    assert (thread["message_count"], thread["unread_count"], thread["thread"]["message_count"]) == (2, 1, 2)


async def test_nobody_reads_a_thread_by_writing_into_it(api: Api) -> None:
    """Whoever knows a conversation's name may use it, and reads what it has said and was told itself."""
    (alice, bob), eve = two("private"), identity("eve")
    await post(api, a_mail(alice, bob.did, "secret", conversation_id="between us"))
    refused = await api.call("GET", "/api/mail/threads/between%20us", by=eve.did, status=403)
    await post(api, a_mail(eve, bob.did, "hello", conversation_id="between us"))

    seen = await api.call("GET", "/api/mail/threads/between%20us", by=eve.did)

    assert refused["error"] == "ACCESS_DENIED"
    assert [one["body_text"] for one in seen["messages"]] == ["hello"]
    await api.call("GET", "/api/mail/threads/nothing", by=eve.did, status=404)


async def test_a_trace_that_names_a_thread_of_both_continues_it(api: Api) -> None:
    alice, bob = two("trace")
    await post(api, a_mail(alice, bob.did, "1", conversation_id="c-77"))

    reply = json.loads(a_mail(bob, alice.did, "2"))
    await post(api, an_intent(bob, alice.did, payload=reply["payload"], trace_id="c-77"))
    await post(api, an_intent(identity("eve"), alice.did, payload=reply["payload"], trace_id="c-77"))

    thread = await api.call("GET", "/api/mail/threads/c-77", by=alice.did)
    assert [one["from_did"] for one in thread["messages"]] == [alice.did, bob.did]


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/api/mail/read", {}, 400, "MISSING_MESSAGE_ID"),
        ("/api/mail/read", {"message_id": "x"}, 403, "ACCESS_DENIED"),
        ("/api/mail/read", {"message_id": "0193a2b4-0000-7000-8000-000000000000"}, 403, "ACCESS_DENIED"),
        ("/api/mail/label", {"add": ["a"]}, 400, "MISSING_MESSAGE_ID"),
        ("/api/mail/label", {"message_id": "0193a2b4-0000-7000-8000-000000000000"}, 400, "NO_LABELS"),
        ("/api/mail/label", {"message_id": "0193a2b4-0000-7000-8000-000000000000", "add": ["a"]}, 403, "ACCESS_DENIED"),
        ("/api/mail/label", {"message_id": "x", "add": [""]}, 400, "INVALID_REQUEST"),
    ],
)
async def test_what_is_not_one_s_own_mail_is_refused(api: Api, path: str, body: Json, status: int, code: str) -> None:
    answer = await api.call("POST", path, body, by=identity("nobody").did, status=status)

    assert answer["error"] == code


async def test_another_s_mail_is_not_marked(api: Api) -> None:
    alice, bob = two("mark")
    id_ = (await post(api, a_mail(alice, bob.did)))["message_id"]

    await api.call("POST", "/api/mail/read", {"message_id": id_}, by=alice.did, status=403)
    await api.call("POST", "/api/mail/label", {"message_id": id_, "add": ["x"]}, by=identity("eve").did, status=403)

    assert not (await inbox(api, bob.did))[0]["read"]


async def test_a_mail_has_so_many_labels_and_no_more(api: Api) -> None:
    alice, bob = two("labels")
    id_ = (await post(api, a_mail(alice, bob.did)))["message_id"]
    many = [str(number) for number in range(50)]
    await api.call("POST", "/api/mail/label", {"message_id": id_, "add": many}, by=bob.did)

    answer = await api.call("POST", "/api/mail/label", {"message_id": id_, "add": ["x"]}, by=bob.did, status=409)
    await api.call("POST", "/api/mail/label", {"message_id": id_, "add": ["x"], "remove": ["0"]}, by=bob.did)

    assert answer["error"] == "TOO_MANY_LABELS"
    assert len((await inbox(api, bob.did))[0]["labels"]) == 50


async def test_in_strict_mode_a_mailbox_is_its_owner_s_alone(database_url: str) -> None:
    alice, bob = two("strict")
    async with a_strict_api(database_url) as api:
        await post(api.api, a_mail(alice, bob.did, conversation_id="c"))
        for path in ("/api/mail/inbox", "/api/mail/threads/c", "/api/contacts", "/api/intents/queue"):
            await api.call("GET", f"{path}?agent_did={bob.did}", by=bob)
            await api.call("GET", f"{path}?agent_did={bob.did}", by=alice, status=403)
            await api.call("GET", f"{path}?agent_did={bob.did}", status=401)
        assert len((await api.call("GET", "/api/mail/inbox", by=bob))["messages"]) == 1
        contact = await api.call("PUT", f"/api/contacts/{alice.did}", {"allowlist": True}, by=bob)
        assert (contact["owner_did"], contact["allowlist"]) == (bob.did, True)
        await api.call("PUT", f"/api/contacts/{alice.did}", {"owner_did": bob.did}, by=alice, status=403)


async def test_contacts_are_counted_once_and_change_only_where_something_is_said(api: Api) -> None:
    """DEF-64: consent can be set, and a mail counts once on both sides."""
    alice, bob = two("contacts")
    await post(api, a_mail(alice, bob.did, "1"))
    await post(api, a_mail(bob, alice.did, "2"))
    path = f"/api/contacts/{alice.did}"

    await api.call("PUT", path, {"consent_state": "trusted", "notes": "kind"}, by=bob.did)
    changed = await api.call("PUT", path, {"alias": "Al"}, by=bob.did)

    assert (changed["consent_state"], changed["notes"], changed["alias"]) == ("trusted", "kind", "Al")
    assert changed["message_count"] == 2
    listed = await api.call("GET", "/api/contacts?consent_state=trusted", by=bob.did)
    assert [one["peer_did"] for one in listed["contacts"]] == [alice.did]
    assert (await api.call("GET", "/api/contacts?allowlist=true", by=bob.did))["contacts"] == []
    await api.call("PUT", f"/api/contacts/{bob.did}", {"alias": "me"}, by=bob.did, status=400)
    await api.call("GET", "/api/contacts/did:web:nobody.example", by=bob.did, status=404)


async def test_contacts_are_paged_without_a_gap(api: Api) -> None:
    owner, peers = identity("popular").did, [identity(f"peer {n}").did for n in range(5)]
    for peer in peers:
        await api.call("PUT", f"/api/contacts/{peer}", {}, by=owner)

    first = await api.call("GET", "/api/contacts?limit=3", by=owner)
    cursor = first["pagination"]["cursor"].replace("+", "%2B")
    second = await api.call("GET", f"/api/contacts?limit=3&cursor={cursor}", by=owner)

    assert [one["peer_did"] for one in (*first["contacts"], *second["contacts"])] == peers[::-1]
    for bad in ("x", "2026-01-01|", "|", "9999"):
        await api.call("GET", f"/api/contacts?cursor={bad}", by=owner, status=400)


async def test_the_blocked_reach_nobody_who_has_blocked_them(api: Api) -> None:
    """DEF-64: a block has an effect, on every kind of message."""
    alice, bob = two("blocked")
    await api.call("PUT", f"/api/contacts/{alice.did}", {"consent_state": "blocked", "allowlist": True}, by=bob.did)

    for raw in (a_mail(alice, bob.did), an_email(alice, bob.did), an_intent(alice, bob.did)):
        assert (await post(api, raw, 403))["error"] == "BLOCKED"

    assert await inbox(api, bob.did) == []
    assert (await api.call("GET", f"/api/intents/queue?agent_did={bob.did}"))["messages"] == []
    await post(api, a_mail(bob, alice.did))  # the other way round it is open


async def test_without_messaging_mail_is_routed_and_not_kept(database_url: str) -> None:
    """DEF-69: the flag is followed."""
    alice, bob = two("flag")
    async with an_api(database_url, messaging_enabled=False) as api:
        assert (await post(api, a_mail(alice, bob.did)))["queued"]
        answer = await api.call("GET", "/api/mail/inbox", by=bob.did, status=503)
        assert (answer["error"], answer["message"]) == ("FEATURE_DISABLED", "Messaging is not enabled")
        assert await api.broker.database.fetchval("SELECT count(*) FROM mailbox") == 0


async def test_fifty_copies_at_once_are_one_mail(database_url: str) -> None:
    alice, bob = two("copies")
    async with two_apis(database_url) as apis:
        raws = [an_email(alice, bob.did, "buy!") for _ in range(50)]

        async def send(number: int) -> object:
            headers = {"content-type": "application/json"}
            return await apis[number % 2].client.post(SEND, content=raws[number], headers=headers)

        answers = await at_once(send(number) for number in range(50))

        assert statuses(answers) == {200: 1, 409: 49}  # type: ignore[arg-type]
        assert len(await inbox(apis[0], bob.did)) == 1
