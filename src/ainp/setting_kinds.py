"""Kinds of settings: how the text of an environment variable becomes a value, or is refused with what was expected."""

import re
from functools import lru_cache
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from croniter import croniter
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from ainp.adapters.broker_key import UnusableKey, key_of
from ainp.core.did import parse_did
from ainp.core.envelope import Scheme
from ainp.core.errors import InvalidDid

# One or several of host:port; the host may be missing (a Unix socket), a name, or an address.
_HOST = r"(\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._%-]*)(:[0-9]*)?"
_HOSTS = re.compile(f"{_HOST}(,{_HOST})*")
_UNITS_DIGITS = 16  # fits a ledger entry many times over
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


def _units(value: object) -> object:
    # The mission's document writes 1000000000n; signs, points and underscores are not what anybody means.
    text = str(value).strip().removesuffix("n")
    if not (text.isascii() and text.isdigit() and len(text) <= _UNITS_DIGITS):
        raise ValueError(f"expected a whole number of atomic units, found {value!r}")
    return int(text)


def _did(value: str) -> str:
    try:
        return parse_did(value)
    except InvalidDid as error:
        raise ValueError(error.message) from error


def _postgres_url(value: SecretStr) -> SecretStr:
    if not re.match(r"postgres(ql)?://", value.get_secret_value()):
        raise ValueError("expected a URL that starts with postgresql:// or postgres://")
    return one_way_to_read(value)


def one_way_to_read(value: SecretStr) -> SecretStr:
    """
    Refuse a URL of which a password would be taken for a host or a name, and shown as such.

    It has a password in it, so nothing of it is repeated.
    """
    text = value.get_secret_value()
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = urlsplit("//?unreadable")
    hosts = parts.netloc.rpartition("@")[2]
    strange = "@" in parts.path or "#" in text or any("=" not in each for each in parts.query.split("&") if each)
    if strange or not _HOSTS.fullmatch(hosts) or re.search(r"\s", text):
        raise ValueError(
            "expected ://user:password@host:port/name; in a password write %40 for @, %2F for /, %3A for :,"
            " %3F for ?, %23 for #, %25 for %"
        )
    return value


def _http_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError as error:
        why = "it can't be read" if "@" in value else str(error)
        raise ValueError(f"expected a URL such as https://broker.example: {why}") from error
    known = {"http": 80, "https": 443}
    if parts.scheme not in known or not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
        found = "one with a user" if "@" in value else repr(value)  # and then with a password
        raise ValueError(f"expected a URL such as https://broker.example, found {found}")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    shown = host if port in (None, known[parts.scheme]) else f"{host}:{port}"
    return f"{parts.scheme}://{shown}{parts.path.rstrip('/')}"


def _redis_url(value: SecretStr) -> SecretStr:
    if not re.match(r"rediss?://[^/?#]", value.get_secret_value()):
        raise ValueError("expected a URL that starts with redis:// or rediss:// and names a host")
    return one_way_to_read(value)


def _private_key(value: SecretStr) -> SecretStr:
    try:
        key_of(value.get_secret_value())
    except UnusableKey as error:
        raise ValueError(str(error)) from error
    return value


def _file(value: Path) -> Path:
    if not value.is_file():
        raise ValueError(f"expected a file, found none at {str(value)!r}")
    return value


def _key_file(value: Path) -> Path:
    return value.expanduser()


def _schemes(value: str) -> str:
    named = [name.strip().upper() for name in value.split(",")]
    if not set(named) <= set(Scheme) or len(set(named)) != len(named):
        raise ValueError(f"expected some of {', '.join(Scheme)} with commas between them, each once, found {value!r}")
    return ",".join(named)


@lru_cache(maxsize=8)  # every envelope asks
def schemes_of(value: str) -> tuple[Scheme, ...]:
    """The schemes that a setting names, in its order."""
    return tuple(Scheme(name) for name in value.split(","))


def _domains(value: str) -> str:
    names = [name.strip().lower() for name in value.split(",")]
    for name in names:
        if not re.fullmatch(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*", name):
            raise ValueError(f"expected domain names with commas between them, found {name!r}")
    return ",".join(names)


PostgresUrl = Annotated[SecretStr, AfterValidator(_postgres_url)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
RedisUrl = Annotated[SecretStr, AfterValidator(_redis_url)]
PrivateKey = Annotated[SecretStr, AfterValidator(_private_key)]
File = Annotated[Path, AfterValidator(_file)]
KeyFile = Annotated[Path, AfterValidator(_key_file)]
Boolean = Annotated[bool, BeforeValidator(_boolean)]
Units = Annotated[int, BeforeValidator(_units)]
Cron = Annotated[str, AfterValidator(_cron)]
Did = Annotated[str, AfterValidator(_did)]
Schemes = Annotated[str, AfterValidator(_schemes)]
Domains = Annotated[str, AfterValidator(_domains)]
Part = Annotated[float, Field(ge=0, le=1)]
