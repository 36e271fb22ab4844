"""Embeddings for whoever tries something out; there in development and in tests alone."""

from ainp.core.errors import NotFound
from ainp.core.vectors import to_base64
from ainp.http.call import Call, Reply
from ainp.wire.dev import EmbedBatchBody, EmbedBatchReply, EmbedBody, EmbedReply

_DEVELOPING = {"development", "test"}


async def embed(call: Call) -> Reply:
    """A text as a vector, in base64 of little-endian float32."""
    _check(call)
    [vector] = await call.broker.discovery.embed(call.db, [call.body(EmbedBody).text])
    return Reply(EmbedReply(to_base64(vector)))


async def embed_batch(call: Call) -> Reply:
    """Several of them."""
    _check(call)
    vectors = await call.broker.discovery.embed(call.db, call.body(EmbedBatchBody).texts)
    return Reply(EmbedBatchReply([to_base64(vector) for vector in vectors]))


def _check(call: Call) -> None:
    settings = call.broker.settings
    if not {(name or "").strip().lower() for name in (settings.ainp_env, settings.node_env)} & _DEVELOPING:
        raise NotFound(f"{call.path} is there with AINP_ENV=development or test alone")
