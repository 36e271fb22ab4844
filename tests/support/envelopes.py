"""Envelopes as agents make them."""

import time
from uuid import uuid4

from ainp.client.identity import Identity
from ainp.core.did import AgentDid
from ainp.core.envelope import signed_envelope
from support.api import Json


def an_address(did: str) -> Json:
    """A semantic address as the TypeScript SDK makes it."""
    return {"did": did, "capabilities": [{"description": "Answer questions", "embedding": "", "tags": ["ainp"]}]}


def an_envelope(by: Identity, *, did: AgentDid | None = None, **changes: object) -> bytes:
    """An advertisement made now, signed by *by*, in the name of *did*; what is changed to `...` is left out."""
    sender = did or by.did
    members = {
        "version": "0.1.0",
        "id": str(uuid4()),
        "trace_id": str(uuid4()),
        "from_did": sender,
        "msg_type": "ADVERTISE",
        "ttl": 60_000,
        "timestamp": int(time.time() * 1000),
        "payload": {"address": an_address(sender), "ttl_minutes": 60},
        **changes,
    }
    return signed_envelope({name: value for name, value in members.items() if value is not ...}, sign=by.sign)
