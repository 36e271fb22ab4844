"""
did:web: an agent's keys are in a document under its own domain (https://w3c-ccg.github.io/did-method-web/).

Whoever names a did:web has this broker connect to an address of their choice. So it connects only to what is public,
by checking the addresses that a name has and then connecting to one of these and not to the name, which could have
another by then; takes no redirects; reads little, for a short time, not much at once; and remembers what it found, also
that it found nothing.
"""

import asyncio
import re
import ssl
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from socket import SOCK_STREAM
from time import monotonic
from typing import TYPE_CHECKING
from urllib.parse import unquote

import msgspec

from ainp.adapters.later import Later
from ainp.core.addresses import is_public
from ainp.core.did import AgentDid
from ainp.core.did_document import Document, read_document
from ainp.core.errors import NoVerificationKey, Unavailable
from ainp.core.limits import (
    MAX_DOCUMENT_BYTES,
    MAX_DOCUMENT_TIME,
    MAX_DOCUMENTS,
    MAX_DOCUMENTS_AT_ONCE,
    MAX_DOCUMENTS_WAITING,
)
from ainp.telemetry.metrics import DID_DOCUMENTS

if TYPE_CHECKING:
    import httpx
else:
    httpx = Later("httpx")

_TRIED = 3  # addresses of one name, one after the other
REMEMBERED = timedelta(minutes=10)
FAILURE_REMEMBERED = timedelta(minutes=1)
_HTTPS = 443
_ACCEPTED = "application/did+json, application/json"
_FIRST_USER_PORT = 1024  # below are other protocols' servers
_HOST = re.compile(
    r"(?=.{1,253}$)(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
)
_SEGMENT = re.compile(r"(?!(?:\.|%2[Ee]){1,2}$)(?:[A-Za-z0-9._-]|%[0-9A-Fa-f]{2})+")

Address = IPv4Address | IPv6Address
Policy = Callable[[Address], bool]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a document is: a host, a port and a path under it."""

    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """Host and port as a Host header has them."""
        return self.host if self.port == _HTTPS else f"{self.host}:{self.port}"


def place_of(did: AgentDid) -> Place:
    """Where the document of a did:web is, or NoVerificationKey if it can be nowhere."""
    first, *segments = did.removeprefix("did:web:").split(":")
    host, _, port = unquote(first).partition(":")
    if not did.startswith("did:web:") or not _HOST.fullmatch(host):
        raise _failure(did, "it names no domain")
    if port and not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) < 2**16):  # noqa: PLR2004
        raise _failure(did, f"{port[:20]!r} is no port")
    if not all(map(_SEGMENT.fullmatch, segments)):
        raise _failure(did, "its path is not one")
    number = int(port or _HTTPS)
    if number < _FIRST_USER_PORT and number != _HTTPS:
        raise _failure(did, f"port {number} is another protocol's")
    return Place(
        host.lower(), number, "/" + "/".join([*segments, "did.json"] if segments else [".well-known/did.json"])
    )


class DidWeb:
    """The documents of did:web, fetched and remembered."""

    def __init__(
        self,
        *,
        may_connect: Policy = is_public,
        domains: Collection[str] = (),
        ca_file: Path | None = None,
        remembered: timedelta = REMEMBERED,
        failure_remembered: timedelta = FAILURE_REMEMBERED,
        max_time: timedelta = MAX_DOCUMENT_TIME,
    ) -> None:
        """*domains*, if there are any, are the only ones; *ca_file* holds certificates to trust beside the usual."""
        self._may_connect = may_connect
        self._domains = frozenset(domain.lower() for domain in domains)
        self._ca_file = ca_file
        self._tls: ssl.SSLContext | None = None
        self._remembered = remembered
        self._failure_remembered = failure_remembered
        self._max_time = max_time
        self._known: OrderedDict[AgentDid, tuple[float, Document | NoVerificationKey]] = OrderedDict()
        self._under_way: dict[AgentDid, asyncio.Task[Document]] = {}
        self._slots = asyncio.Semaphore(MAX_DOCUMENTS_AT_ONCE)

    async def document_of(self, did: AgentDid) -> Document:
        """The document of *did*, as it was at most ten minutes ago."""
        known = self._known.get(did)
        if known is not None and known[0] > monotonic():
            if isinstance(known[1], NoVerificationKey):
                raise NoVerificationKey(known[1].message)
            return known[1]
        task = self._under_way.get(did)
        if task is None:
            if len(self._under_way) >= MAX_DOCUMENTS_AT_ONCE + MAX_DOCUMENTS_WAITING:
                raise Unavailable(f"too many documents of did:web are being fetched, {did[:100]} has to wait")
            task = asyncio.create_task(self._remember(did))
            self._under_way[did] = task
            task.add_done_callback(lambda done: self._done(did, done))
        return await asyncio.shield(task)  # who gives up waiting does not take it away from the others

    async def close(self) -> None:
        """Stop fetching."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _done(self, did: AgentDid, task: asyncio.Task[Document]) -> None:
        del self._under_way[did]
        if not task.cancelled():
            task.exception()  # whoever waits has been told

    async def _remember(self, did: AgentDid) -> Document:
        found: Document | NoVerificationKey
        try:
            found = await self._fetch(did)
        except NoVerificationKey as failure:
            found = failure
        failed = isinstance(found, NoVerificationKey)
        DID_DOCUMENTS.of("failed" if failed else "fetched").count()
        lasts = self._failure_remembered if failed else self._remembered
        self._known[did] = (monotonic() + lasts.total_seconds(), found)
        self._known.move_to_end(did)
        if len(self._known) > MAX_DOCUMENTS:
            self._known.popitem(last=False)
        if isinstance(found, NoVerificationKey):
            raise found
        return found

    async def _fetch(self, did: AgentDid) -> Document:
        place = place_of(did)
        if self._domains and place.host not in self._domains:
            raise _failure(did, f"{place.host} is not among DID_WEB_ALLOWLIST")
        async with self._slots:
            try:
                async with asyncio.timeout(self._max_time.total_seconds()):
                    content = await self._get(did, place)
            except TimeoutError as error:
                raise _failure(did, f"it took more than {self._max_time.total_seconds():g} s") from error
        try:
            return read_document(msgspec.json.decode(content), did)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _failure(did, "it is not JSON") from error

    async def _get(self, did: AgentDid, place: Place) -> bytes:
        addresses = await self._addresses(did, place)
        problem: Exception | None = None
        for address in addresses[:_TRIED]:
            try:
                return await self._get_from(did, place, address)
            except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
                problem = error
        raise _failure(did, f"{place.authority} does not answer: {type(problem).__name__}") from problem

    async def _addresses(self, did: AgentDid, place: Place) -> list[Address]:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(place.host, place.port, type=SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise _failure(did, f"{place.host} is not known") from error
        # A scope ("%eth0") stands only behind link-local addresses; without it they are still that.
        addresses = [ip_address(str(sockaddr[0]).partition("%")[0]) for *_, sockaddr in found]
        allowed = [address for address in dict.fromkeys(addresses) if self._may_connect(address)]
        if not allowed:
            raise _failure(did, f"{place.host} has no public address")
        return allowed

    async def _get_from(self, did: AgentDid, place: Place, address: Address) -> bytes:
        """Ask *address*, and no other, for the document; the certificate must be the host's."""
        numeric = f"[{address}]" if address.version == 6 else str(address)  # noqa: PLR2004 - the address family
        url = f"https://{numeric}:{place.port}{place.path}"
        headers = {"Host": place.authority, "Accept": _ACCEPTED, "Accept-Encoding": "identity"}
        extensions = {"sni_hostname": place.host}
        limit = self._max_time.total_seconds()
        async with (
            httpx.AsyncClient(verify=self._context(), trust_env=False, follow_redirects=False, timeout=limit) as client,
            client.stream("GET", url, headers=headers, extensions=extensions) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                raise _failure(did, f"{place.authority} answers {answer.status_code}")
            if answer.headers.get("content-encoding", "identity") != "identity":
                raise _failure(did, "it is compressed")
            content = bytearray()
            async for chunk in answer.aiter_raw():
                content += chunk
                if len(content) > MAX_DOCUMENT_BYTES:
                    raise _failure(did, f"it has more than {MAX_DOCUMENT_BYTES} bytes")
        return bytes(content)

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = httpx.create_ssl_context(trust_env=False)
            if self._ca_file is not None:
                self._tls.load_verify_locations(self._ca_file)
        return self._tls


def _failure(did: AgentDid, why: str) -> NoVerificationKey:
    return NoVerificationKey(f"Signature verification failed: the document of {did[:200]} can't be had: {why}")
