"""What the broker answers: how it is, and what it answers to who has no right to it."""

import re
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import msgspec
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from ainp.client import AinpError, AsyncClient, BadSetting, Identity
from ainp.client.clients import is_address
from ainp.client.events import is_local
from ainp.core.checkup import Answered
from ainp.core.checkup_setup import DEPOSIT, NO_METRICS, NO_TOKEN, UNPROVEN, UNSIGNED
from ainp.core.trail import printable
from ainp.http.compat import PROXY_HEADER
from ainp.http.strict import bases_of
from ainp.settings import Settings
from ainp.wire.about import BrokerReply
from ainp.wire.health import HealthReply

_TIMEOUT_S = 5.0
_GAUGES = {
    "ainp_database_pool_waiting": "pool_waiting",
    "ainp_rate_limits_degraded": "redis_away",
    "ainp_bus_behind_seconds": "bus_behind_s",
}


@dataclass(frozen=True, slots=True)
class Way:
    """How the broker is reached: where, who certifies it, what a proxy would send; and what agents call it (*base*)."""

    url: str
    tls: ssl.SSLContext | None
    headers: Mapping[str, str]
    base: str

    def http(self) -> httpx.AsyncClient:
        """A client of it, which asks here whatever is asked of its base."""

        async def add(request: httpx.Request) -> None:
            request.headers.update(self.headers)

        verify: ssl.SSLContext | bool = True if self.tls is None else self.tls
        transport = None if self.base == self.url else _Here(self, httpx.AsyncHTTPTransport(verify=verify))
        return httpx.AsyncClient(
            verify=verify,
            transport=transport,
            trust_env=not is_local(self.url),
            event_hooks={"request": [add]},
            timeout=_TIMEOUT_S,
        )

    def socket_of(self, did: str) -> dict[str, Any]:
        """What connecting a socket takes; behind a proxy the header says who listens."""
        tls = {} if self.tls is None or not self.url.startswith("https:") else {"ssl": self.tls}
        return {"additional_headers": {**self.headers, "X-AINP-DID": did}, **tls}


class _Here(httpx.AsyncBaseTransport):
    """Sends to where the broker is what was signed for what agents call it."""

    def __init__(self, way: Way, inner: httpx.AsyncHTTPTransport) -> None:
        self._here, self._base, self._inner = httpx.URL(way.url), httpx.URL(way.base), inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        here, prefix = self._here, self._base.raw_path.rstrip(b"/")
        if request.url.host == self._base.host:
            request.extensions = {**request.extensions, "sni_hostname": request.url.host}
            path = request.url.raw_path.removeprefix(prefix)
            request.url = request.url.copy_with(scheme=here.scheme, host=here.host, port=here.port, raw_path=path)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


def way_to(settings: Settings, url: str, ca: Path | None) -> Way:
    """How to get to the broker at *url*; raises BadSetting for what is no address, and for a *ca* that is none."""
    if not is_address(url):
        raise BadSetting(f"--url: found {printable(url)!r}, expected a broker's address: http(s)://host[:port][/path]")
    try:
        tls = None if ca is None else ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise BadSetting(f"--ca: {ca} has no certificates that could be read: {error.strerror or error}") from error
    secret = settings.ainp_proxy_secret
    headers = {} if secret is None or settings.strict else {PROXY_HEADER: secret.get_secret_value()}
    return Way(url.rstrip("/"), tls, headers, url.rstrip("/"))


def address_of(settings: Settings) -> str:
    """Where the broker of these settings answers."""
    found = bases_of(settings, port=settings.port)[0]
    if settings.public_base_url is None and settings.on_every_address:
        return re.sub(r"//(0\.0\.0\.0|\[::\])?:", "//127.0.0.1:", found)
    return found


async def ask(way: Way, settings: Settings) -> Answered:
    """Ask for everything."""
    async with way.http() as http:
        client = AsyncClient(way.url, timeout_s=_TIMEOUT_S, http=http)
        try:
            answer = await http.get(f"{way.url}/health")
            health = msgspec.json.decode(answer.content, type=HealthReply)
            ready = await client.ready()
            about = msgspec.json.decode((await http.get(f"{way.url}/api/broker")).content, type=BrokerReply)
            refused = await _refused(way, http, settings, strict=about.auth_mode == "strict")
            metrics = await _metrics(way, http, settings)
        except (httpx.HTTPError, OSError, AinpError) as error:
            return Answered(url=way.url, problem=f"{way.url}: {str(error) or type(error).__name__}")
        except msgspec.MsgspecError as error:
            return Answered(url=way.url, problem=f"{way.url} answers what no broker does: {error}")
        except Exception as error:  # noqa: BLE001 - whatever it was, it is a line, and all others are shown
            return Answered(url=way.url, problem=f"{way.url}: {type(error).__name__}: {error}")
    return Answered(
        url=way.url,
        status=answer.status_code,
        unwell=health.error,
        version=health.version,
        uptime_s=health.uptime,
        ready=ready.status == "ready",
        missing=tuple(ready.missing),
        warnings=tuple(ready.warnings),
        checks=ready.checks,
        base_url=about.base_url,
        refused=refused,
        metrics=metrics,
    )


async def _refused(way: Way, http: httpx.AsyncClient, settings: Settings, *, strict: bool) -> dict[str, int]:
    """Try what nobody may."""
    said = {"type": "AUDIT_PASS", "score": 0.9, "confidence": 0.9}
    unsigned = await http.post(f"{way.url}/api/receipts/{uuid4()}/attestations", json=said)
    audit = await http.get(f"{way.url}/api/admin/audit")
    metrics = await http.get(f"{way.url}/metrics")
    found = {UNSIGNED: unsigned.status_code, NO_TOKEN: audit.status_code, NO_METRICS: metrics.status_code}
    if not settings.credits_dev_deposit_enabled:
        nothing = {"agent_did": Identity.new().did, "amount": 0}
        found[DEPOSIT] = (await http.post(f"{way.url}/api/credits/deposit", json=nothing)).status_code
    if strict:
        found[UNPROVEN] = await _unproven(way)
    return found


async def _unproven(way: Way) -> int:
    """Open a socket for somebody with a proof that is none: the code that it is closed with, 0 if it is not."""
    claimed, other = Identity.new(), Identity.new()
    address = f"ws{way.url.removeprefix('http')}/ws?did={claimed.did}"
    try:
        async with connect(address, proxy=None, open_timeout=_TIMEOUT_S, **way.socket_of(claimed.did)) as socket:
            challenge = str(msgspec.json.decode(await socket.recv()).get("challenge"))
            signature = other.sign_challenge(challenge, audience=way.url)
            proof = {"type": "proof", "did": claimed.did, "key_id": claimed.key_id, "signature": signature}
            await socket.send(msgspec.json.encode(proof).decode())
            await socket.recv()
    except ConnectionClosed as error:
        return 0 if error.rcvd is None else error.rcvd.code
    except InvalidHandshake:
        return 4401  # it was not even opened
    return 0


async def _metrics(way: Way, http: httpx.AsyncClient, settings: Settings) -> dict[str, float]:
    """The gauges that alerts watch, all processes together."""
    token = settings.metrics_token
    headers = {} if token is None else {"Authorization": f"Bearer {token.get_secret_value()}"}
    answer = await http.get(f"{way.url}/metrics", headers=headers)
    found: dict[str, float] = {}
    for line in answer.text.splitlines() if answer.is_success else ():
        name, _, value = line.partition(" ")
        fact = _GAUGES.get(name.partition("{")[0])
        if fact is not None:
            with suppress(ValueError):
                found[fact] = found.get(fact, 0.0) + float(value)
    return found
