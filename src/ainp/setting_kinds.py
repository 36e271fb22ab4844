"""Kinds of settings: how the text of an environment variable becomes a value, or is refused with what was expected."""

import re
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from croniter import croniter
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from ainp.core.did import parse_did
from ainp.core.envelope import Scheme
from ainp.core.errors import InvalidDid

_BOOLEANS = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}


def _boolean(value: object) -> object:
    if isinstance(value, bool):
        return value
    found = _BOOLEANS.get(str(value).strip().lower())
    if found is None:
        raise ValueError(f"expected true or false, found {value!r}")
    return found


def _cron(value: str) -> str:
    # minute hour day month weekday; a sixth in front of them is seconds, as other brokers' cron lines have it
    if len(value.split()) not in (5, 6) or not croniter.is_valid(value, second_at_beginning=True):
        raise ValueError(f"expected five cron fields such as */1 * * * *, or seconds and five, found {value!r}")
    return value


def _did(value: str) -> str:
    try:
        return parse_did(value)
    except InvalidDid as error:
        raise ValueError(error.message) from error


def _postgres_url(value: str) -> str:
    if not re.match(r"postgres(ql)?://", value):
        raise ValueError("expected a URL that starts with postgresql:// or postgres://")
    return value


def _http_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"expected a URL such as https://broker.example: {error}") from error
    known = {"http": 80, "https": 443}
    if parts.scheme not in known or not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError(f"expected a URL such as https://broker.example, found {value!r}")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    shown = host if port in (None, known[parts.scheme]) else f"{host}:{port}"
    return f"{parts.scheme}://{shown}{parts.path.rstrip('/')}"


def _redis_url(value: SecretStr) -> SecretStr:  # it has a password in it, so nothing of it is shown
    if not re.match(r"rediss?://[^/?#]", value.get_secret_value()):
        raise ValueError("expected a URL that starts with redis:// or rediss:// and names a host")
    return value


def _file(value: Path) -> Path:
    if not value.is_file():
        raise ValueError(f"expected a file, found none at {str(value)!r}")
    return value


def _schemes(value: str) -> str:
    named = [name.strip().upper() for name in value.split(",")]
    if not set(named) <= set(Scheme) or len(set(named)) != len(named):
        raise ValueError(f"expected some of {', '.join(Scheme)} with commas between them, each once, found {value!r}")
    return ",".join(named)


def _domains(value: str) -> str:
    names = [name.strip().lower() for name in value.split(",")]
    for name in names:
        if not re.fullmatch(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*", name):
            raise ValueError(f"expected domain names with commas between them, found {name!r}")
    return ",".join(names)


PostgresUrl = Annotated[str, AfterValidator(_postgres_url)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
RedisUrl = Annotated[SecretStr, AfterValidator(_redis_url)]
File = Annotated[Path, AfterValidator(_file)]
Boolean = Annotated[bool, BeforeValidator(_boolean)]
Cron = Annotated[str, AfterValidator(_cron)]
Did = Annotated[str, AfterValidator(_did)]
Schemes = Annotated[str, AfterValidator(_schemes)]
Domains = Annotated[str, AfterValidator(_domains)]
Part = Annotated[float, Field(ge=0, le=1)]
