"""
Limits at the door: whose bucket a request is taken from, and what its answer says of it.

The bucket of an address is asked before a body is read or a signature verified; that of a DID once it is known who
acts. Both are asked, so a DID that is made up costs the address it comes from.
"""

import hmac
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Literal, NamedTuple

from starlette.types import Message, Receive, Scope, Send

from ainp.adapters.rates import Rates
from ainp.broker import Broker
from ainp.core.did import AgentDid
from ainp.core.errors import RateLimited
from ainp.core.rate import SECOND_US, Limit, Taken
from ainp.core.rate_policy import Group
from ainp.http import refusals
from ainp.http.call import Call
from ainp.http.compat import PROXY_HEADER
from ainp.http.fields import Fields
from ainp.settings import Settings
from ainp.telemetry.metrics import RATE_LIMITED

Whose = Literal["did", "address"]
_VISIT = "ainp.rates"  # the member of a request's scope that has what was taken for it
_BY_TAG = {
    "discovery": Group.DISCOVERY,
    "negotiations": Group.NEGOTIATIONS,
    "groups": Group.NEGOTIATIONS,
    "receipts": Group.READS,
    "committee epochs": Group.READS,
    "reputation": Group.READS,
    "credits": Group.CREDITS,
    "stakes": Group.CREDITS,
    "payments": Group.PAYMENTS,
}
_EXEMPT = frozenset({"health", "metrics"})  # whoever watches the broker must see it under load, too
_NETWORK_BITS = 64  # of IPv6: one customer has all addresses of it
_BEGINS = frozenset({"http.response.start", "websocket.http.response.start"})
_Headers = list[tuple[bytes, bytes]]


class _Answered(NamedTuple):
    """What a bucket has answered, and whose it is."""

    group: Group
    whose: Whose
    taken: Taken


class _Visit(NamedTuple):
    """A request, or a socket: where it comes from, where it is counted, and what was answered so far."""

    address: str
    group: Group
    answers: list[_Answered]


def group_of(tag: str) -> Group | None:
    """Where the routes with this tag are counted; None is nowhere."""
    return None if tag in _EXEMPT else _BY_TAG.get(tag, Group.OTHERS)


async def admit_address(broker: Broker, group: Group | None, scope: Scope, headers: Fields) -> None:
    """Let a request in, as far as its address goes; raises RateLimited."""
    if broker.rates is not None and group is not None:
        address = scope[refusals.ADDRESS] = address_of(scope, headers, broker.settings)
        visit = scope[_VISIT] = _Visit(address, group, [])
        await _take_of_address(broker.rates, visit, group)


async def admit_actor(call: Call) -> None:
    """
    Let a request in, as far as who acts goes; raises RateLimited.

    In strict mode that is who has signed the request, or its envelope: an attestation that is signed itself is verified
    later, and until then it must not use up what the one it names may do.
    """
    did = _counted(call)
    if did is not None:
        await admit_did(call.broker, call.scope, did)


async def give_back(call: Call) -> None:
    """
    Give back to who acts what a request has cost that was sent before.

    Whoever has it can send it again: an envelope's receiver does. It costs the address it came from.
    """
    did, visit, limits = _counted(call), call.scope.get(_VISIT), call.broker.rates
    if limits is not None and visit is not None and did is not None:
        for answer in visit.answers:
            if answer.whose == "did":
                await limits.give_back_to_did(did, answer.group)


async def admit_search(call: Call) -> None:
    """Count a message as a search, too, if it makes one: else as many were made as messages may be sent."""
    visit, limits = call.scope.get(_VISIT), call.broker.rates
    if limits is not None and visit is not None and visit.group is not Group.DISCOVERY:
        await _take_of_address(limits, visit, Group.DISCOVERY)
        _answer(visit, _Answered(Group.DISCOVERY, "did", await limits.take_of_did(call.by, Group.DISCOVERY)))


def _counted(call: Call) -> AgentDid | None:
    believed = None if call.broker.settings.strict and call.envelope is None else call.actor
    return believed if call.proof is None else call.proof.did


async def admit_did(broker: Broker, scope: Scope, did: AgentDid) -> None:
    """The same for a DID that is known."""
    visit: _Visit | None = scope.get(_VISIT)
    if broker.rates is not None and visit is not None:
        _answer(visit, _Answered(visit.group, "did", await broker.rates.take_of_did(did, visit.group)))


def counted(broker: Broker, scope: Scope, receive: Receive, did: AgentDid) -> Receive:
    """Count the messages of an open socket; receiving one too many raises RateLimited."""
    rates, visit = broker.rates, scope.get(_VISIT)
    if rates is None or visit is None:
        return receive

    async def receive_and_count() -> Message:
        message = await receive()
        if message["type"] == "websocket.receive":
            visit.answers.clear()
            await _take_of_address(rates, visit, Group.MESSAGES)
            _answer(visit, _Answered(Group.MESSAGES, "did", await rates.take_of_did(did, Group.MESSAGES)))
        return message

    return receive_and_count


async def _take_of_address(rates: Rates, visit: _Visit, group: Group) -> None:
    _answer(visit, _Answered(group, "address", await rates.take_of_address(visit.address, group)))


def _answer(visit: _Visit, answered: _Answered) -> None:
    visit.answers.append(answered)
    if not answered.taken.allowed:
        RATE_LIMITED.of(answered.group, answered.whose).count()
        raise RateLimited(
            whose=f"this {'DID' if answered.whose == 'did' else 'address'}",
            limit=in_words(answered.taken.limit, answered.group),
            retry_after_ms=-(-answered.taken.wait_us // 1000),
        )


def in_words(limit: Limit, group: Group) -> str:
    """A limit as a client is told it."""
    return f"{limit.amount} per {limit.window_us / SECOND_US:g} s for {group}"


def telling(broker: Broker, scope: Scope, send: Send) -> Send:
    """Send answers with what their request has left."""
    rates = broker.rates
    if rates is None:
        return send

    async def send_with_headers(message: Message) -> None:
        if message["type"] in _BEGINS and (visit := scope.get(_VISIT)) is not None:
            message = {**message, "headers": [*message["headers"], *_headers(visit.answers, rates)]}
        await send(message)

    return send_with_headers


def _headers(answers: Sequence[_Answered], rates: Rates) -> _Headers:
    """
    What is left, as draft-ietf-httpapi-ratelimit-headers-10 says it: every bucket by its name.

    Older clients know one only, of earlier drafts or with X-: they are told of the one that has least left.
    """
    tightest = min(answers, key=lambda answer: answer.taken.remaining).taken
    limit, remaining = b"%d" % tightest.limit.burst, b"%d" % tightest.remaining
    policies = ", ".join(_policy(answer.group, answer.whose, answer.taken.limit) for answer in answers)
    told = [
        (b"ratelimit-policy", policies.encode()),
        (b"ratelimit", ", ".join(_state(answer) for answer in answers).encode()),
        (b"ratelimit-limit", limit),
        (b"ratelimit-remaining", remaining),
        (b"ratelimit-reset", b"%d" % _seconds(tightest.reset_us)),
        (b"x-ratelimit-limit", limit),
        (b"x-ratelimit-remaining", remaining),
    ]
    return [*told, (b"x-ratelimit-degraded", b"true")] if rates.degraded else told


@lru_cache(maxsize=64)  # there are two of each group
def _policy(group: Group, whose: Whose, limit: Limit) -> str:
    return f'"{group}-by-{whose}";q={limit.amount};w={_seconds(limit.window_us)}'


def _state(answer: _Answered) -> str:
    taken = answer.taken
    return f'"{answer.group}-by-{answer.whose}";r={taken.remaining};t={_seconds(taken.wait_us or taken.reset_us)}'


def _seconds(microseconds: int) -> int:
    return -(-microseconds // SECOND_US)


def address_of(scope: Scope, headers: Fields, settings: Settings) -> str:
    """The address a request came from; behind a proxy that has proven itself, the one that the proxy names."""
    client = scope.get("client")
    peer = _network(client[0]) if client else None
    secret = settings.ainp_proxy_secret
    if secret is not None and _shown(headers, secret.get_secret_value()):
        forwarded = headers.all("x-forwarded-for") or headers.all("x-real-ip")
        # The last element is what the proxy itself has seen; those before are what it was told.
        named = _network(forwarded[-1].rpartition(",")[2].strip()) if forwarded else None
        peer = named or peer
    return peer or "unknown"


def _shown(headers: Fields, secret: str) -> bool:
    return hmac.compare_digest((headers.get(PROXY_HEADER) or "").encode(), secret.encode())


@lru_cache(maxsize=4096)  # 5 µs each
def _network(address: str) -> str | None:
    """One name for all addresses that one customer has, without a port; None for what is no address."""
    host = address.partition(":")[0] if address.count(":") == 1 else address.rpartition("]")[0] or address
    try:
        found = ip_address(host.strip("[").partition("%")[0])
    except ValueError:
        return None
    if not isinstance(found, IPv6Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(IPv6Network((found, _NETWORK_BITS), strict=False))
