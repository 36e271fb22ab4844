"""Messages in a world where everything exists once: one that waits, one that is mail, a contact; and right requests."""

from typing import Any

import httpx
import msgspec

from ainp.client.identity import Identity
from support.mail import a_mail, an_intent
from support.signing import identity

SENDER = identity("somebody who writes")
WAITING = "the intent that waits"
JSON = {"content-type": "application/json"}


async def written(client: httpx.AsyncClient, to: str) -> str:
    """Write to an agent: one mail, whose id is returned, and an intent that waits."""
    intent = an_intent(SENDER, to, id=WAITING, ttl=600_000)
    for raw in (a_mail(SENDER, to, labels=["work"], conversation_id="2026-1"), intent):
        (await client.post("/api/intents/send", content=raw, headers=JSON)).raise_for_status()
    await client.put(f"/api/contacts/{SENDER.did}", json={"notes": "writes"}, headers={"x-ainp-did": to})
    inbox = await client.get("/api/mail/inbox", headers={"x-ainp-did": to})
    mail: str = inbox.json()["messages"][0]["id"]
    return mail


def right(client: str, mail: str) -> dict[tuple[str, str], tuple[str, Any]]:
    """For each route a path and a body that would be accepted, from *client*, who has got *mail*."""
    sends = {
        ("POST", path): (path, msgspec.json.decode(an_intent(Identity.new(), client)))
        for path in ("/api/intents/send", "/api/intents/publish", "/api/intents")
    }
    contact = {
        "consent_state": "consented",
        "allowlist": True,
        "alias": "Al",
        "notes": "met",
        "trust_override": 0.5,
        "owner_did": client,
    }
    remembered = {"agent_did": client, "query": "hello", "min_similarity": 0.5, "limit": 5}
    return {
        **sends,
        ("GET", "/api/intents/queue"): (f"/api/intents/queue?agent_did={client}", None),
        ("POST", "/api/intents/cancel"): ("/api/intents/cancel", {"id": WAITING, "from_did": SENDER.did}),
        ("GET", "/api/mail/inbox"): (f"/api/mail/inbox?agent_did={client}", None),
        ("GET", "/api/mail/threads/{conversation_id}"): (f"/api/mail/threads/2026-1?agent_did={client}", None),
        ("POST", "/api/mail/read"): ("/api/mail/read", {"message_id": mail, "read": True}),
        ("POST", "/api/mail/label"): ("/api/mail/label", {"message_id": mail, "add": ["a"], "remove": ["b"]}),
        ("PUT", "/api/memories"): ("/api/memories", {"enabled": True, "agent_did": client}),
        ("GET", "/api/memories"): (f"/api/memories?agent_did={client}", None),
        ("POST", "/api/memories/search"): ("/api/memories/search", remembered),
        ("GET", "/api/contacts"): (f"/api/contacts?agent_did={client}", None),
        ("GET", "/api/contacts/{did}"): (f"/api/contacts/{SENDER.did}?agent_did={client}", None),
        ("PUT", "/api/contacts/{did}"): (f"/api/contacts/{SENDER.did}", contact),
    }
