"""The part of the route table that is about memories of mail."""

from dataclasses import replace

from ainp.core import errors as e
from ainp.http import dev, memories
from ainp.http.route import ACTS, PAGE, Query, Route, get, post, private
from ainp.wire import dev as wd
from ainp.wire import memories as wm

_READS = (e.InvalidRequest, e.InvalidDid, e.FeatureDisabled)
_QUERY = (
    Query("agent_did", "whose", required=True),
    Query("conversation_id", "only of this conversation, and with the whole content"),
    Query("since", "a time; what is older is left out"),
    *PAGE,
)

DEV_ROUTES: tuple[Route, ...] = tuple(
    replace(post(f"/api/dev/{path}", handler, reply, body, None, e.NotFound, e.EmbeddingsUnavailable), reads=True)
    for path, handler, reply, body in (
        ("embed", dev.embed, wd.EmbedReply, wd.EmbedBody),
        ("embed_batch", dev.embed_batch, wd.EmbedBatchReply, wd.EmbedBatchBody),
    )
)
MEMORY_ROUTES: tuple[Route, ...] = (
    replace(
        post("/api/memories", memories.want, wm.WantReply, wm.WantBody, "agent_did", *ACTS, e.FeatureDisabled),
        method="PUT",
    ),
    private("/api/memories", memories.page, wm.MemoriesReply, *_READS, query=_QUERY),
    replace(
        post(
            "/api/memories/search",
            memories.search,
            wm.FoundMemoriesReply,
            wm.SearchMemoriesBody,
            "agent_did",
            *(*ACTS, e.FeatureDisabled),
        ),
        searches=True,
    ),
    replace(
        get("/api/admin/memories", memories.page_for_admin, wm.MemoriesReply, *_READS, e.Forbidden, query=_QUERY),
        admin=True,
    ),
    replace(
        post(
            "/api/admin/memories/search",
            memories.search_for_admin,
            wm.FoundMemoriesReply,
            wm.SearchMemoriesBody,
            None,
            *(e.Forbidden, e.InvalidRequest, e.InvalidDid, e.FeatureDisabled),
        ),
        admin=True,
        searches=True,
    ),
)
