"""Agents that write to each other with the SDK, in strict mode."""

import asyncio
import json
from contextlib import aclosing
from datetime import UTC, datetime

import pytest

from ainp.client import AsyncClient, Refused
from ainp.core.did import key_of_did
from ainp.core.envelope import Scheme, open_envelope, verify
from support.signing import a_strict_broker, identity

ALICE, BOB = identity("alice"), identity("bob")


async def test_two_agents_write_to_each_other(database_url: str) -> None:
    async with a_strict_broker(database_url) as (_, port):
        url = f"http://127.0.0.1:{port}"
        async with AsyncClient(url, ALICE) as alice, AsyncClient(url, BOB) as bob:
            await alice.contact(BOB.did, consent="trusted", alias="Bob")
            queued = await bob.mail(ALICE.did, "Lunch?", subject="Today", conversation_id="lunch")
            asked = await bob.message({"@type": "Ask", "semantics": {}}, to=ALICE.did)
            taken = await bob.take_back(str(asked.id))
            async with asyncio.timeout(20), aclosing(alice.events()) as events:
                told = await anext(events)
            inbox = await alice.inbox(unread=True)
            await alice.mark_read(inbox.messages[0].id)
            await alice.label(inbox.messages[0].id, add=["food"])
            await alice.mail(BOB.did, "Yes", conversation_id="lunch")
            thread = await bob.thread("lunch")

            assert (queued.queued, taken.recipients) == (True, [ALICE.did])
            assert told.name == "received"
            assert told.envelope is not None
            envelope = open_envelope(told.envelope, now=datetime.now(UTC))
            assert verify(envelope, keys=[key_of_did(BOB.did)], schemes=[Scheme.C]).query_signed
            assert json.loads(told.envelope)["payload"]["semantics"]["content"] == "Lunch?"
            assert [mail.body_text for mail in thread.messages] == ["Lunch?", "Yes"]
            assert thread.participants == [BOB.did, ALICE.did]
            assert (await alice.inbox(unread=True)).messages == []
            assert [mail.subject for mail in (await alice.inbox(label="food")).messages] == ["Today"]
            assert [(c.alias, c.message_count) for c in (await alice.contacts()).contacts] == [("Bob", 2)]
            with pytest.raises(Refused, match="not a participant"):
                async with AsyncClient(url, identity("carol")) as carol:
                    await carol.thread("lunch")
