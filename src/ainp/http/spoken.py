"""What the broker itself says in envelopes: signed if it has a key, else as existing clients know it."""

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import msgspec

from ainp.adapters.broker_key import Identity
from ainp.core.did import AgentDid
from ainp.core.envelope import DEFAULT_TTL, VERSION, signed_envelope
from ainp.core.message import MsgType
from ainp.core.moments import unix_ms

UNNAMED = "did:ainp:broker"  # a broker without a key, as existing clients know it


@dataclass(frozen=True, slots=True)
class Spoken:
    """An envelope of the broker's."""

    id: UUID
    sender: str
    sent_at: datetime
    text: bytes


def speak(
    identity: Identity | None,
    msg_type: MsgType,
    payload: Mapping[str, object],
    *,
    to: AgentDid,
    trace_id: str | None,
    beside: Mapping[str, object] | None = None,
) -> Spoken:
    """Write an envelope to an agent, now; members that are None are left out, those *beside* the payload too."""
    id_, sender = UUID(bytes=secrets.token_bytes(16), version=4), UNNAMED if identity is None else identity.did
    now = datetime.now(UTC)
    members: dict[str, object] = {
        "version": VERSION,
        "id": str(id_),
        "trace_id": trace_id,
        "from_did": sender,
        "to_did": to,
        "msg_type": msg_type,
        "ttl": DEFAULT_TTL.seconds * 1000,
        "timestamp": unix_ms(now),
        "payload": payload,
        **(beside or {}),
    }
    said = {name: value for name, value in members.items() if value is not None}
    if identity is None:
        return Spoken(id_, sender, now, msgspec.json.encode({**said, "sig": ""}))
    text = signed_envelope(said, sign=lambda text: base64.b64encode(identity.sign(text)).decode())
    return Spoken(id_, sender, now, text)
