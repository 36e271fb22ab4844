"""Memories of mail: for their owner, and for an administrator."""

from datetime import datetime

from ainp.core.did import AgentDid, parse_did
from ainp.core.errors import FeatureDisabled, InvalidRequest
from ainp.core.moments import moment_of
from ainp.http.auth import require_admin
from ainp.http.call import Call, Reply
from ainp.http.cursor import read_cursor, write_cursor
from ainp.operations import memories
from ainp.operations.memories import NEWEST, OLDEST, Memories
from ainp.wire.memories import (
    FoundMemoriesReply,
    MemoriesReply,
    SearchMemoriesBody,
    WantBody,
    WantReply,
    memory_reply,
)


async def want(call: Call) -> Reply:
    """Have one's mail remembered from now on, or not any more; what there is is forgotten then."""
    _enabled(call)
    body = call.body(WantBody)
    await memories.want(call.db, call.by, wanted=body.enabled)
    return Reply(WantReply(call.by, body.enabled))


async def page(call: Call) -> Reply:
    """An agent's memories, for itself."""
    _enabled(call)
    did = _whose(call)
    call.check_owner(did)
    return await _page(call, did)


async def page_for_admin(call: Call) -> Reply:
    """An agent's memories, for an administrator."""
    require_admin(call)
    _enabled(call)
    return await _page(call, _whose(call))


async def search(call: Call) -> Reply:
    """Look for something among one's own memories."""
    return await _search(call, _enabled(call), call.by)


async def search_for_admin(call: Call) -> Reply:
    """Look for something among an agent's memories, as an administrator."""
    require_admin(call)
    named = call.body(SearchMemoriesBody).agent_did
    if named is None:
        raise InvalidRequest("agent_did and query required", field="agent_did")
    return await _search(call, _enabled(call), parse_did(named))


async def _page(call: Call, did: AgentDid) -> Reply:
    conversation, limit = call.text_in_query("conversation_id"), call.limit()
    wanted, found = await memories.page(
        call.db,
        did,
        before=read_cursor(call.query.get("cursor"), default=NEWEST),
        limit=limit,
        since=_since(call.query.get("since")),
        conversation=conversation,
    )
    cursor = write_cursor(found[-1].created_at, found[-1].id) if len(found) == limit else None
    shown = [memory_reply(did, one, whole=conversation is not None) for one in found]
    return Reply(MemoriesReply(did, wanted, len(shown), shown, cursor))


async def _search(call: Call, model: Memories, did: AgentDid) -> Reply:
    body = call.body(SearchMemoriesBody)
    found = await memories.search(call.db, model, did, body.query, least=body.min_similarity, limit=body.limit)
    shown = [memory_reply(did, one, whole=True, similarity=similarity) for one, similarity in found]
    return Reply(FoundMemoriesReply(did, shown))


def _enabled(call: Call) -> Memories:
    if call.broker.memories is None:
        raise FeatureDisabled("Memories are not enabled: MEMORY_DISTILLER_ENABLED")
    return call.broker.memories


def _whose(call: Call) -> AgentDid:
    did = call.did_in_query("agent_did")
    if did is None:
        raise InvalidRequest("agent_did required", field="agent_did")
    return did


def _since(text: str | None) -> datetime:
    if text is None:
        return OLDEST
    found = moment_of(text)
    if found is None:
        raise InvalidRequest(f"since: found {text[:60]!r}, expected a time such as 2026-01-31T12:00:00Z")
    return found
