"""What is said of settings that can't be used: in one line, every problem by its variable, no value that is secret."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path

from pydantic import BaseModel, ValidationError

from ainp.store.embedded import CONNECTIONS_FOR_REQUESTS

PLAIN = (
    "requests come over plain HTTP, where others can read them: set AINP_TLS_CERT and AINP_TLS_KEY, or"
    " PUBLIC_BASE_URL=https://… if a proxy in front speaks TLS"
)


def problems_of(error: ValidationError, kind: type[BaseModel], given: Mapping[str, object]) -> list[str]:
    """Every problem that making a *kind* of what was *given* has met, and would meet next."""
    problems = [_problem(found["loc"], found["msg"]) for found in error.errors(include_input=False)]
    return [*problems, *_hidden(error, kind, given)]


def _hidden(error: ValidationError, kind: type[BaseModel], given: Mapping[str, object]) -> list[str]:
    """What would be found once the fields that *error* names are right: how the others fit together."""
    broken = {str(found["loc"][0]) for found in error.errors() if found["loc"]} & set(kind.model_fields)
    if not broken:
        return []
    try:
        kind(**{**given, **{name: kind.model_fields[name].default for name in broken}})
    except ValidationError as hidden:
        return [_problem(found["loc"], found["msg"]) for found in hidden.errors() if not found["loc"]]
    return []


def _problem(where: tuple[int | str, ...], message: str) -> str:
    plain = message.removeprefix("Value error, ")
    return f"{str(where[0]).upper()}: {plain}" if where else plain


def of_quorum(k: int, m: int) -> Iterator[str]:
    """A committee can reach its quorum."""
    if k > m:
        yield f"POU_K={k} is more than POU_M={m}: no committee could reach it"


def of_did_web(allowlist: str | None, *, allow_private: bool) -> Iterator[str]:
    """Nobody aims the broker at its own network."""
    if allow_private and allowlist is None:
        yield (
            "DID_WEB_ALLOW_PRIVATE=true lets anyone aim this broker at machines of its own network: it needs"
            " DID_WEB_ALLOWLIST"
        )


def of_tls(certificate: Path | None, key: Path | None) -> Iterator[str]:
    """A certificate and its key go together."""
    if (certificate is None) != (key is None):
        given, other = ("CERT", "KEY") if key is None else ("KEY", "CERT")
        yield f"AINP_TLS_{given} is set without AINP_TLS_{other}: TLS needs both"


def of_connections(workers: int, pool_size: int) -> Iterator[str]:
    """The embedded PostgreSQL has enough of them."""
    if workers * (pool_size + 1) > CONNECTIONS_FOR_REQUESTS:
        fits = CONNECTIONS_FOR_REQUESTS // workers - 1
        yield (
            f"{connections_in_words(workers, pool_size)}, the embedded PostgreSQL has {CONNECTIONS_FOR_REQUESTS} for"
            f" them: set {f'POOL_SIZE={fits} or less' if fits > 0 else 'WORKERS lower'}"
        )


def connections_in_words(workers: int, pool_size: int) -> str:
    """How many connections to PostgreSQL there are at most, with the reason."""
    return (
        f"WORKERS={workers} with POOL_SIZE={pool_size} and one for events are {workers * (pool_size + 1)} connections"
    )


@lru_cache(maxsize=16)  # every request asks it of the same few addresses, and an answer takes 9 µs
def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to *host*."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_every_address(host: str) -> bool:
    """Whether *host* names no address but all of them."""
    try:
        return not host or ip_address(host.strip("[]")).is_unspecified
    except ValueError:
        return False
