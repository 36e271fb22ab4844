"""
A broker's clients: `Client` for programs that wait, `AsyncClient` for those with an event loop.

Both ask what `calls` has, signed, and again if it may work a moment later: a write under the same idempotency key, so
that it happens once, and with a new signature, as one counts once.
"""

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Mapping
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Self, TypeVar, cast
from urllib.parse import urlsplit
from uuid import uuid4

import httpx

from ainp.client import ask as asking
from ainp.client import calls, messages, verify
from ainp.client import groups as together
from ainp.client.ask import Ask
from ainp.client.errors import BadSetting
from ainp.client.events import Told, follow, follow_now, is_local
from ainp.client.identity import Identity
from ainp.client.retry import Tries
from ainp.client.signing import SignedBy
from ainp.client.verify import Published

Reply = TypeVar("Reply")
P = ParamSpec("P")
Who = Identity | None

TIMEOUT_S = 30.0
LOCAL = "http://localhost:8080"  # where `ainp serve` answers


class _Either:
    """What both clients know."""

    def __init__(self, url: str, identity: Identity | None, admin_token: str | None, timeout_s: float) -> None:
        if not is_address(url):
            raise BadSetting(f"found {url!r}, expected a broker's address: http(s)://host[:port][/path]")
        self.url = url.rstrip("/")
        self.identity = identity
        self._admin_token = admin_token
        self._timeout_s = timeout_s
        self._signed = None if identity is None else SignedBy(identity)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r}, {self.identity})"

    def _request(self, ask: Ask[Any], key: str) -> httpx.Request:
        return asking.request(ask, url=self.url, by=self.identity, admin_token=self._admin_token, idempotency_key=key)


def is_address(url: str) -> bool:
    """Whether a broker could answer there."""
    try:
        parts = urlsplit(url)
        port_is_a_number = parts.port != 0
    except ValueError:
        return False
    whole = parts.scheme in ("http", "https") and bool(parts.hostname) and not (parts.query or parts.fragment)
    return port_is_a_number and whole and parts.username is None


def address_and_time(environment: Mapping[str, str] = os.environ) -> tuple[str, float]:
    """What AINP_BASE_URL and AINP_TIMEOUT_MS say, in seconds."""
    milliseconds = environment.get("AINP_TIMEOUT_MS") or "30000"
    if not milliseconds.isdecimal() or not int(milliseconds):
        raise BadSetting(f"AINP_TIMEOUT_MS: found {milliseconds!r}, expected milliseconds")
    return environment.get("AINP_BASE_URL") or LOCAL, int(milliseconds) / 1000


def _now(call: Callable[Concatenate[Who, P], Ask[Reply]]) -> Callable[Concatenate["Client", P], Reply]:
    """A call as a method of Client."""

    @wraps(call)
    def method(self: "Client", /, *args: P.args, **kwargs: P.kwargs) -> Reply:
        return self.send(call(self.identity, *args, **kwargs))

    return method


def _soon(
    call: Callable[Concatenate[Who, P], Ask[Reply]],
) -> Callable[Concatenate["AsyncClient", P], Coroutine[Any, Any, Reply]]:
    """A call as a method of AsyncClient."""

    @wraps(call)
    async def method(self: "AsyncClient", /, *args: P.args, **kwargs: P.kwargs) -> Reply:
        return await self.send(call(self.identity, *args, **kwargs))

    return method


class Client(_Either):
    """
    What an agent asks of the broker at *url*; use it in a `with`, or close it.

    Without an *identity* it can read what is for everybody. One *timeout_s* is for all tries of a request together;
    *http* is an httpx client to share, which stays open.
    """

    def __init__(
        self,
        url: str,
        identity: Identity | None = None,
        *,
        admin_token: str | None = None,
        timeout_s: float = TIMEOUT_S,
        http: httpx.Client | None = None,
    ) -> None:
        super().__init__(url, identity, admin_token, timeout_s)
        self._owned = http is None
        self._http = http or httpx.Client(trust_env=not is_local(url))

    @classmethod
    def from_env(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """As AINP_BASE_URL, AINP_KEY_FILE or AINP_PRIVATE_KEY, and AINP_TIMEOUT_MS say."""
        url, timeout_s = address_and_time(environment)
        return cls(url, Identity.from_env_if_any(environment), timeout_s=timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        if self._owned:
            self._http.close()

    def send(self, ask: Ask[Reply], *, idempotency_key: str | None = None) -> Reply:
        """Ask, and read the answer; what `calls` makes can be sent with a key of one's own."""
        return asking.answered(ask, self.exchange(ask, idempotency_key=idempotency_key))

    def exchange(self, ask: Ask[Any], *, idempotency_key: str | None = None) -> httpx.Response:
        """Ask, again if it may work a moment later, and take whatever answer comes in the end."""
        tries, key = Tries(self._timeout_s), idempotency_key or str(uuid4())
        while True:
            try:
                answer = self._once(self._request(ask, key), tries)
            except (httpx.TransportError, TimeoutError) as error:
                pause = tries.after_error(error, url=self.url)
            else:
                wait = tries.after_answer(ask, answer)
                if wait is None:
                    return answer
                pause = wait
            time.sleep(pause)

    def events(self, *, since: int = 0) -> Generator[Told, None, None]:
        """What the agent is told after event number *since*, without end; reconnects and resumes."""
        return follow_now(self.url, asking.of(self.identity), since=since)

    def published(self, task_id: str) -> Published:
        """All that the broker has published of a receipt, for `verify`."""
        flow = verify.collect(task_id)
        try:
            ask = next(flow)
            while True:
                ask = flow.send(self.send(ask))
        except StopIteration as end:
            return cast("Published", end.value)

    def _once(self, request: httpx.Request, tries: Tries) -> httpx.Response:
        request.extensions = {"timeout": httpx.Timeout(tries.left_s).as_dict()}
        answer = self._http.send(request, auth=self._signed, stream=True)
        try:
            content = bytearray()
            for piece in answer.iter_bytes():  # a piece now and then is no answer in time
                content += piece
                if tries.over:
                    raise TimeoutError("the time is over")
        finally:
            answer.close()
        return httpx.Response(answer.status_code, headers=answer.headers, content=bytes(content), request=request)

    register = _now(calls.register)
    agent = _now(calls.agent)
    search = _now(calls.search)
    reputation = _now(calls.reputation)
    history = _now(calls.history)
    initiate = _now(calls.initiate)
    propose = _now(calls.propose)
    accept = _now(calls.accept)
    reject = _now(calls.reject)
    cancel = _now(calls.cancel)
    deliver = _now(calls.deliver)
    settle = _now(calls.settle)
    negotiation = _now(calls.negotiation)
    negotiations = _now(calls.negotiations)
    receipt = _now(calls.receipt)
    receipts = _now(calls.receipts)
    attestations = _now(calls.attestations)
    statement = _now(calls.statement)
    committee = _now(calls.committee)
    epoch = _now(calls.epoch)
    attest = _now(calls.attest)
    finalize = _now(calls.finalize)
    balance = _now(calls.balance)
    transactions = _now(calls.transactions)
    stake = _now(calls.stake)
    unstake = _now(calls.unstake)
    cancel_unstake = _now(calls.cancel_unstake)
    staked = _now(calls.staked)
    prove = _now(calls.prove)
    usefulness = _now(calls.usefulness)
    deposit = _now(calls.deposit)
    slash = _now(calls.slash)
    aggregate = _now(calls.aggregate)
    audit = _now(calls.audit)
    health = _now(calls.health)
    ready = _now(calls.ready)
    message = _now(messages.message)
    mail = _now(messages.mail)
    waiting = _now(messages.waiting)
    take_back = _now(messages.take_back)
    inbox = _now(messages.inbox)
    thread = _now(messages.thread)
    mark_read = _now(messages.mark_read)
    label = _now(messages.label)
    contacts = _now(messages.contacts)
    contact = _now(messages.contact)
    remember_mail = _now(messages.remember_mail)
    memories = _now(messages.memories)
    recall = _now(messages.recall)
    open_group = _now(together.open_group)
    group = _now(together.group)
    groups = _now(together.groups)
    vote = _now(together.vote)
    abort_group = _now(together.abort_group)


class AsyncClient(_Either):
    """The same for programs with an event loop; use it in an `async with`, or close it."""

    def __init__(
        self,
        url: str,
        identity: Identity | None = None,
        *,
        admin_token: str | None = None,
        timeout_s: float = TIMEOUT_S,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        super().__init__(url, identity, admin_token, timeout_s)
        self._owned = http is None
        self._http = http or httpx.AsyncClient(trust_env=not is_local(url))

    @classmethod
    def from_env(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """As AINP_BASE_URL, AINP_KEY_FILE or AINP_PRIVATE_KEY, and AINP_TIMEOUT_MS say."""
        url, timeout_s = address_and_time(environment)
        return cls(url, Identity.from_env_if_any(environment), timeout_s=timeout_s)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close its connections."""
        if self._owned:
            await self._http.aclose()

    async def send(self, ask: Ask[Reply], *, idempotency_key: str | None = None) -> Reply:
        """Ask, and read the answer; what `calls` makes can be sent with a key of one's own."""
        return asking.answered(ask, await self.exchange(ask, idempotency_key=idempotency_key))

    async def exchange(self, ask: Ask[Any], *, idempotency_key: str | None = None) -> httpx.Response:
        """Ask, again if it may work a moment later, and take whatever answer comes in the end."""
        tries, key = Tries(self._timeout_s), idempotency_key or str(uuid4())
        while True:
            try:
                async with asyncio.timeout(tries.left_s):
                    answer = await self._http.send(self._request(ask, key), auth=self._signed)
            except (httpx.TransportError, TimeoutError) as error:
                pause = tries.after_error(error, url=self.url)
            else:
                wait = tries.after_answer(ask, answer)
                if wait is None:
                    return answer
                pause = wait
            await asyncio.sleep(pause)

    def events(self, *, since: int = 0) -> AsyncGenerator[Told, None]:
        """What the agent is told after event number *since*, without end; reconnects and resumes."""
        return follow(self.url, asking.of(self.identity), since=since)

    async def published(self, task_id: str) -> Published:
        """All that the broker has published of a receipt, for `verify`."""
        flow = verify.collect(task_id)
        try:
            ask = next(flow)
            while True:
                ask = flow.send(await self.send(ask))
        except StopIteration as end:
            return cast("Published", end.value)

    register = _soon(calls.register)
    agent = _soon(calls.agent)
    search = _soon(calls.search)
    reputation = _soon(calls.reputation)
    history = _soon(calls.history)
    initiate = _soon(calls.initiate)
    propose = _soon(calls.propose)
    accept = _soon(calls.accept)
    reject = _soon(calls.reject)
    cancel = _soon(calls.cancel)
    deliver = _soon(calls.deliver)
    settle = _soon(calls.settle)
    negotiation = _soon(calls.negotiation)
    negotiations = _soon(calls.negotiations)
    receipt = _soon(calls.receipt)
    receipts = _soon(calls.receipts)
    attestations = _soon(calls.attestations)
    statement = _soon(calls.statement)
    committee = _soon(calls.committee)
    epoch = _soon(calls.epoch)
    attest = _soon(calls.attest)
    finalize = _soon(calls.finalize)
    balance = _soon(calls.balance)
    transactions = _soon(calls.transactions)
    stake = _soon(calls.stake)
    unstake = _soon(calls.unstake)
    cancel_unstake = _soon(calls.cancel_unstake)
    staked = _soon(calls.staked)
    prove = _soon(calls.prove)
    usefulness = _soon(calls.usefulness)
    deposit = _soon(calls.deposit)
    slash = _soon(calls.slash)
    aggregate = _soon(calls.aggregate)
    audit = _soon(calls.audit)
    health = _soon(calls.health)
    ready = _soon(calls.ready)
    message = _soon(messages.message)
    mail = _soon(messages.mail)
    waiting = _soon(messages.waiting)
    take_back = _soon(messages.take_back)
    inbox = _soon(messages.inbox)
    thread = _soon(messages.thread)
    mark_read = _soon(messages.mark_read)
    label = _soon(messages.label)
    contacts = _soon(messages.contacts)
    contact = _soon(messages.contact)
    remember_mail = _soon(messages.remember_mail)
    memories = _soon(messages.memories)
    recall = _soon(messages.recall)
    open_group = _soon(together.open_group)
    group = _soon(together.group)
    groups = _soon(together.groups)
    vote = _soon(together.vote)
    abort_group = _soon(together.abort_group)
