"""
What is wrong with secrets: too short, or known to everybody.

In production that keeps the broker from starting; elsewhere it is a warning. Nothing here repeats a secret.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import SecretStr

from ainp.adapters.broker_key import UnusableKey, identity_of, key_of
from ainp.core.did import AgentDid
from ainp.core.samples import is_published_seed, is_sample

MIN_SECRET_LENGTH = 16  # characters; with less than that a guess is thinkable
PRIVATE_KEY = "BROKER_PRIVATE_KEY"
PROXY_SECRET = "AINP_PROXY_SECRET"
_TOKENS = ("ADMIN_TOKEN", "METRICS_TOKEN")
_WITH_TOKENS = ("nats", "tls")


def problems(secrets: Mapping[str, SecretStr], *, production: bool) -> Iterator[str]:
    """What keeps the broker from starting."""
    proxy = secrets.get(PROXY_SECRET)
    if proxy is not None and len(proxy.get_secret_value()) < MIN_SECRET_LENGTH:
        yield f"{PROXY_SECRET} has fewer than {MIN_SECRET_LENGTH} characters: whoever knows it can act as anybody"
    if production:
        yield from _weaknesses(secrets)


def warnings(secrets: Mapping[str, SecretStr], *, production: bool) -> list[str]:
    """What would keep it from starting in production."""
    return [] if production else [f"{said}; in production it is refused" for said in _weaknesses(secrets)]


def key_problems(private_key: SecretStr | None, did: str | None, *, file: Path | None) -> Iterator[str]:
    """What does not fit together about the broker's own key; where that is no key at all, its field says so."""
    if private_key is None:
        return
    if file is not None:
        yield f"{PRIVATE_KEY} and BROKER_KEY_FILE are both set, expected one of them"
    try:
        identity_of(private_key.get_secret_value(), did=None if did is None else AgentDid(did))
    except UnusableKey as error:
        yield str(error)


def _weaknesses(secrets: Mapping[str, SecretStr]) -> Iterator[str]:
    for name, secret in secrets.items():
        text = secret.get_secret_value()
        if name == PRIVATE_KEY:
            if is_published_seed(bytes(key_of(text))):
                yield f"{name} is a published test key, which everybody has: `ainp keys new` makes one"
            continue
        url = "://" in text
        shown = _password_of(text) if url else text
        if shown is not None and is_sample(shown):
            yield f"{f'the password in {name}' if url else name} is a sample value, which everybody knows"
        elif name in _TOKENS and len(text) < MIN_SECRET_LENGTH:
            yield f"{name} has fewer than {MIN_SECRET_LENGTH} characters"


def _password_of(url: str) -> str | None:
    """The password in a URL, or in its query; a user without one may be a token, as NATS has them."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if parts.password:
        return unquote(parts.password)
    if parts.username and parts.scheme in _WITH_TOKENS:
        return unquote(parts.username)
    return dict(parse_qsl(parts.query)).get("password")
