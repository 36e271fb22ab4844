"""The audit trail as an administrator is shown it."""

from datetime import UTC, datetime
from uuid import UUID

from ainp.core.errors import InvalidRequest
from ainp.core.moments import moment_of
from ainp.core.trail import Trace
from ainp.http.auth import require_admin
from ainp.http.call import Call, Reply
from ainp.http.cursor import read_cursor, write_cursor
from ainp.operations import trail
from ainp.store.audit import Kept, Wanted
from ainp.wire.trail import RecordReply, TrailReply
from ainp.wire.values import iso

_NEWEST = (datetime(9999, 1, 1, tzinfo=UTC), UUID(int=2**128 - 1))
_OLDEST = datetime(1970, 1, 1, tzinfo=UTC)


async def page(call: Call) -> Reply:
    """What was refused to whom, and what administrators did, newest first; for an administrator."""
    require_admin(call)
    limit = call.limit()
    wanted = Wanted(
        below=read_cursor(call.query.get("cursor"), default=_NEWEST),
        since=_since(call.query.get("since")),
        agent_did=call.did_in_query("agent_did"),
        trace=_trace(call.query.get("event_type")),
    )
    records = await trail.page(call.db, wanted, limit=limit)
    more = write_cursor(records[-1].at, records[-1].id) if len(records) == limit else None
    return Reply(TrailReply([_shown(record) for record in records], more))


def _shown(kept: Kept) -> RecordReply:
    return RecordReply(str(kept.id), kept.trace, kept.agent_did, kept.address, dict(kept.details), iso(kept.at))


def _trace(text: str | None) -> Trace | None:
    try:
        return None if text is None else Trace(text)
    except ValueError:
        raise InvalidRequest(f"event_type: found {text!r:.60}, expected one of {', '.join(Trace)}") from None


def _since(text: str | None) -> datetime:
    if text is None:
        return _OLDEST
    found = moment_of(text)
    if found is None:
        raise InvalidRequest(f"since: found {text[:60]!r}, expected a time such as 2026-01-31T12:00:00Z")
    return found
