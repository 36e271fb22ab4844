"""Bodies of the audit trail."""

from msgspec import Struct


class RecordReply(Struct):
    """One record; `agent_did` of a refusal is who the request named, which nobody has proven."""

    id: str
    event_type: str
    agent_did: str | None
    ip_address: str | None
    details: dict[str, object]
    timestamp: str


class TrailReply(Struct):
    """A page of records, newest first; `cursor` continues, null at the end."""

    records: list[RecordReply]
    cursor: str | None
