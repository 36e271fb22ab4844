"""Agents are found: searches, and what agents say of themselves and look for in envelopes."""

import math
from collections.abc import Sequence
from typing import TypeVar

import msgspec
from msgspec import Struct

from ainp.core.agent import clamp_ttl
from ainp.core.discovery import Query
from ainp.core.envelope import Envelope
from ainp.core.errors import (
    Forbidden,
    InvalidAdvertisement,
    InvalidDiscovery,
    InvalidQuery,
    InvalidRequest,
    UnsupportedMsgType,
)
from ainp.core.events import carrying, result_notice
from ainp.core.limits import MAX_FOUND
from ainp.core.message import MsgType
from ainp.core.message_limits import MAX_RESULT_BYTES
from ainp.core.moments import unix_ms
from ainp.core.vectors import to_base64
from ainp.http.call import Call, Reply
from ainp.http.envelopes import ADVERTISE, DISCOVER
from ainp.http.spoken import speak
from ainp.operations import agents, discovery
from ainp.operations.discovery import Hit
from ainp.telemetry import Line
from ainp.telemetry.metrics import REGISTRATIONS, SEARCHES
from ainp.wire.discovery import (
    DiscoverPayload,
    EnvelopeReply,
    FoundAgents,
    FoundReply,
    QueryBody,
    RankReply,
    capability_reply,
    match_reply,
)
from ainp.wire.envelopes import MINUTE_MS, AdvertisePayload
from ainp.wire.reputation import trust_reply

EMBEDDINGS = "embeddings"
_T = TypeVar("_T", bound=Struct)


async def search(call: Call) -> Reply:
    """Find agents by what they say they can do, best first; the answer says why each stands where it does."""
    body = call.body(QueryBody)
    found = await _found(call, body.query())
    return Reply(FoundAgents(found) if body.wrapped else [*found])


async def search_by_url(call: Call) -> Reply:
    """The same by query parameters, for who can only read."""
    said = call.text_in_query("description")
    tags = tuple(tag for tag in (call.text_in_query("tags") or "").split(",") if tag)
    limit = call.number_in_query("limit", default=call.broker.discovery.limit, most=MAX_FOUND)
    numbers = {
        "min_trust": _number(call, "min_trust", most=1),
        "max_latency_ms": _number(call, "max_latency_ms"),
        "max_cost": _number(call, "max_cost"),
    }
    asked = {"description": said, "tags": list(tags), "limit": limit, **numbers}
    try:
        body = msgspec.convert(asked, QueryBody)
    except msgspec.ValidationError as error:
        raise InvalidQuery(f"query: {error}") from error
    return Reply([*await _found(call, body.query())])


async def receive(call: Call) -> Reply:
    """Take a signed envelope: ADVERTISE registers its sender with the capabilities in it, DISCOVER finds agents."""
    envelope = call.signed
    if envelope.msg_type == DISCOVER:
        return await _discover(call, envelope)
    if envelope.msg_type != ADVERTISE:
        raise UnsupportedMsgType(f"msg_type: found {envelope.msg_type!r}, expected {ADVERTISE} or {DISCOVER}")
    payload = _converted(envelope.payload, AdvertisePayload, InvalidAdvertisement)
    if payload.address is not None and payload.address.did != envelope.sender:
        raise Forbidden(f"address.did: found {payload.address.did!r}, the envelope was signed by {envelope.sender}")
    ttl_ms = payload.lifetime_ms(of_envelope=envelope.ttl.total_seconds() * 1000)
    said = payload.registration()
    await agents.register(
        call.db,
        envelope.sender,
        agents.Description(said.described(), said.embeddings(), ttl_ms),
        policy=call.broker.grant,
        discovery=call.broker.discovery,
    )
    lasts = clamp_ttl(ttl_ms).total_seconds() * 1000 / MINUTE_MS
    reply = EnvelopeReply("registered", int(lasts) if lasts == int(lasts) else lasts)
    facts = {"agent_did": envelope.sender, "envelope_id": envelope.id}
    return Reply(reply, lines=(Line("Agent registered", facts, counts=((REGISTRATIONS.of(), 1),)),))


def query_of(said: object) -> Query:
    """What an envelope looks for."""
    return _converted(said, QueryBody, InvalidQuery).query()


async def _discover(call: Call, envelope: Envelope) -> Reply:
    """Find agents; what was found is the answer, and an envelope of the broker's that the sender's sockets get."""
    results = await _found(call, _query(envelope))
    matches = [match_reply(found) for found in results]
    fits = len(msgspec.json.encode(results)) <= MAX_RESULT_BYTES
    payload = {**({"results": results} if fits else {}), "matches": matches}
    spoken = speak(
        call.broker.identity,
        MsgType.DISCOVER_RESULT,
        msgspec.to_builtins(payload),
        to=envelope.sender,
        trace_id=envelope.trace_id,
    )
    notice = result_notice(spoken.id, MsgType.DISCOVER_RESULT, by=spoken.sender, at=spoken.sent_at)
    await discovery.tell(call.db, envelope.sender, carrying(notice, spoken.text))
    call.broker.talked.set()
    return Reply(EnvelopeReply(results=results, matches=matches))


async def _found(call: Call, query: Query) -> list[FoundReply]:
    hits = await discovery.search(call.db, call.broker.discovery, query)
    SEARCHES.of().count()
    vectors = {}
    if call.flag(EMBEDDINGS):
        vectors = await discovery.embeddings(call.db, call.broker.discovery, [hit.agent.did for hit in hits])
    return [
        _reply(hit, [to_base64(vectors.get((hit.agent.did, c.description), ())) for c in hit.agent.capabilities])
        for hit in hits
    ]


def _reply(hit: Hit, embeddings: Sequence[str]) -> FoundReply:
    agent, found = hit.agent, hit.found
    updated = agent.usefulness_updated_at
    return FoundReply(
        did=agent.did,
        capabilities=[capability_reply(c, e) for c, e in zip(agent.capabilities, embeddings, strict=True)],
        credentials=[agent.public_key],
        trust=trust_reply(agent.reputation, now=agent.now),
        usefulness_score_cached=agent.usefulness_score,
        usefulness_last_updated=None if updated is None else unix_ms(updated),
        similarity=round(found.similarity, 6),
        score=round(hit.score, 6),
        rank=RankReply(
            similarity=round(found.similarity, 6),
            trust=found.trust,
            usefulness=found.usefulness,
            shared_words=round(found.shared_words, 6),
            cosine=round(hit.cosine, 6),
            score=round(hit.score, 6),
        ),
    )


def _query(envelope: Envelope) -> Query:
    said = envelope.query
    body = (
        _converted(envelope.payload, DiscoverPayload, InvalidDiscovery).query
        if said is None
        else _converted(said, QueryBody, InvalidDiscovery)
    )
    if body is None:
        raise InvalidDiscovery("Missing query in envelope.to_query or payload.query")
    return body.query()


def _converted(said: object, kind: type[_T], refusal: type[InvalidRequest]) -> _T:
    try:
        return msgspec.convert(said, kind)
    except msgspec.ValidationError as error:
        raise refusal(f"payload: {error}") from error


def _number(call: Call, name: str, *, most: float = math.inf) -> float | None:
    text = call.query.get(name)
    if text is None:
        return None
    try:
        number = float(text)
    except ValueError:
        number = -1
    if not (math.isfinite(number) and 0 <= number <= most):
        expected = "of 0 or more" if most == math.inf else f"from 0 to {most:g}"
        raise InvalidQuery(f"{name}: found {text[:40]!r}, expected a number {expected}")
    return number
