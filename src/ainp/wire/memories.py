"""Memories of mail, as they go over the wire."""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from ainp.core.memory import Remembered
from ainp.core.message_limits import MAX_RECALLED_LENGTH
from ainp.wire.values import Did, iso

_PREVIEW = 200


class WantBody(Struct):
    """Whether one's mail is to be remembered; false forgets all that is."""

    enabled: bool
    agent_did: Did | None = None


class WantReply(Struct):
    """What was noted."""

    agent_did: str
    enabled: bool


class SearchMemoriesBody(Struct):
    """What is looked for among an agent's memories."""

    query: Annotated[str, Meta(min_length=1, max_length=MAX_RECALLED_LENGTH)]
    agent_did: Did | None = None
    min_similarity: Annotated[float, Meta(ge=0, le=1)] = 0.5
    limit: Annotated[int, Meta(ge=1, le=100)] = 10


class KeptReply(Struct):
    """A sentence that was kept, and why."""

    text: str
    why: list[str]


class MemoryReply(Struct):
    """A memory: in lists of all a preview, in those of a conversation and of a search the content."""

    id: str
    agent_did: str
    conversation_id: str | None
    tags: list[str]
    created_at: str
    kept: list[KeptReply]
    preview: str | UnsetType = UNSET
    summary: str | UnsetType | None = UNSET
    content: str | UnsetType = UNSET
    similarity: float | UnsetType = UNSET


class MemoriesReply(Struct):
    """An agent's memories, the newest first; `enabled` says whether there will be more."""

    agent_did: str
    enabled: bool
    count: int
    memories: list[MemoryReply]
    cursor: str | None


class FoundMemoriesReply(Struct):
    """What was found, the most similar first."""

    agent_did: str
    results: list[MemoryReply]


def memory_reply(did: str, found: Remembered, *, whole: bool, similarity: float | None = None) -> MemoryReply:
    """Show a memory."""
    reply = MemoryReply(
        id=str(found.id),
        agent_did=did,
        conversation_id=found.conversation_id,
        tags=list(found.tags),
        created_at=iso(found.created_at),
        kept=[KeptReply(one.text, list(one.why)) for one in found.kept],
    )
    if whole:
        reply.content = found.content
    else:
        reply.preview, reply.summary = found.content[:_PREVIEW], found.summary
    if similarity is not None:
        reply.similarity = round(similarity, 4)
    return reply
