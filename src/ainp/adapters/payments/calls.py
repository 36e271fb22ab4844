"""Calls to a provider's API: few at once, short, small answers, nobody else's address."""

import asyncio
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec
from msgspec import Struct

from ainp.adapters.later import Later
from ainp.core.payment import Method, ProviderUnavailable
from ainp.core.payment_limits import MAX_PROVIDER_BYTES, MAX_PROVIDER_CALLS, MAX_PROVIDER_TIME
from ainp.telemetry.metrics import PROVIDER_CALLS

if TYPE_CHECKING:
    import httpx
else:
    httpx = Later("httpx")

_T = TypeVar("_T", bound=Struct)


class Calls:
    """One provider's API at *url*; *headers* say who asks, and are in no message of an error."""

    def __init__(self, method: Method, url: str, *, headers: Mapping[str, str], ca_file: Path | None = None) -> None:
        self._method = method
        self._url = url
        self._headers = {"Accept": "application/json", **headers}
        self._ca_file = ca_file
        self._tls: ssl.SSLContext | None = None
        self._running = 0

    async def call(self, verb: str, path: str, kind: type[_T], body: object = None) -> _T:
        """One call, and its answer as a *kind*; ProviderUnavailable if there is none."""
        if self._running >= MAX_PROVIDER_CALLS:
            raise self._failure(f"found {self._running} calls under way, expected fewer than {MAX_PROVIDER_CALLS}")
        self._running += 1
        try:
            async with asyncio.timeout(MAX_PROVIDER_TIME.total_seconds()):
                found = msgspec.json.decode(await self._answer(verb, path, body), type=kind)
        except TimeoutError as error:
            raise self._failure(f"no answer within {MAX_PROVIDER_TIME.seconds} s") from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise self._failure(type(error).__name__) from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self._failure(f"an answer that is not as documented: {error}") from error
        finally:
            self._running -= 1
        PROVIDER_CALLS.of(self._method, "answered").count()
        return found

    async def _answer(self, verb: str, path: str, body: object) -> bytes:
        content = None if body is None else msgspec.json.encode(body)
        headers = self._headers if content is None else {**self._headers, "Content-Type": "application/json"}
        limit = MAX_PROVIDER_TIME.total_seconds()
        async with (
            httpx.AsyncClient(verify=self._context(), trust_env=False, follow_redirects=False, timeout=limit) as client,
            client.stream(verb, self._url + path, content=content, headers=headers) as answer,
        ):
            if not answer.is_success:
                raise self._failure(f"an answer of {answer.status_code}")
            read = bytearray()
            async for chunk in answer.aiter_bytes():
                read += chunk
                if len(read) > MAX_PROVIDER_BYTES:
                    raise self._failure(f"an answer of more than {MAX_PROVIDER_BYTES} bytes")
        return bytes(read)

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = httpx.create_ssl_context(trust_env=False)
            if self._ca_file is not None:
                self._tls.load_verify_locations(self._ca_file)
        return self._tls

    def _failure(self, what: str) -> ProviderUnavailable:
        PROVIDER_CALLS.of(self._method, "failed").count()
        return ProviderUnavailable(f"{self._method}: {what}; try again")
