"""Settings of the message bus."""

import re
from collections.abc import Iterator
from typing import Annotated
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings

from ainp.adapters.nats import BusPolicy
from ainp.setting_kinds import File, one_way_to_read

_DAY_S = 86_400.0


def _nats_urls(value: SecretStr) -> SecretStr:
    urls = [url.strip() for url in value.get_secret_value().split(",")]
    for url in urls:
        if not re.match(r"(nats|tls)://[^/?#]", url):
            raise ValueError(
                "expected URLs that start with nats:// or tls:// and name a host, with commas between them; in a"
                " password write %2C for a comma"
            )
        one_way_to_read(SecretStr(url))
        if urlsplit(url).path.strip("/") or urlsplit(url).query:
            raise ValueError("expected nats://user:password@host:port, and nothing behind the port")
    if len({url.partition("@")[0] for url in urls if "@" in url}) > 1:
        raise ValueError("expected one user with one password, or one token, for all of its servers")
    return SecretStr(",".join(urls))


NatsUrls = Annotated[SecretStr, AfterValidator(_nats_urls)]


class BusSettings(BaseSettings):
    """Where NATS is, who the broker is there, and how much of the events it keeps."""

    nats_url: NatsUrls | None = Field(
        None, description="NATS servers with JetStream, commas between them; they get a copy of every event"
    )
    nats_credentials_file: File | None = Field(None, description="the broker's JWT and seed, as `nsc` writes them")
    nats_nkey_file: File | None = Field(None, description="or the seed of its nkey alone")
    nats_tls_ca: File | None = Field(
        None, description="who certifies the servers, and then TLS is asked for; default: who the system trusts"
    )
    nats_replicas: int = Field(1, ge=1, le=5, description="servers that keep each event, for streams that it makes")
    nats_max_bytes: int = Field(
        1 << 30, ge=1 << 20, le=1 << 50, description="bytes that each of these streams may take; the oldest go"
    )

    def bus_problems(self) -> Iterator[str]:
        """What does not fit together."""
        files = {"NATS_CREDENTIALS_FILE": self.nats_credentials_file, "NATS_NKEY_FILE": self.nats_nkey_file}
        given = [name for name, value in files.items() if value is not None]
        if self.nats_url is not None and "@" in self.nats_url.get_secret_value():
            given.append("a user or token in NATS_URL")
        if len(given) > 1:
            yield f"{' and '.join(given)} say who the broker is to NATS, expected one of them"

    def bus_policy(self, *, days: float) -> BusPolicy | None:
        """Where it is, and that it keeps events for so many *days*; None where there is none."""
        if self.nats_url is None:
            return None
        urls = [urlsplit(url) for url in self.nats_url.get_secret_value().split(",")]
        who = next((url for url in urls if url.username), None)
        user = None if who is None else unquote(who.username or "")
        password = None if who is None or who.password is None else unquote(who.password)
        return BusPolicy(
            servers=[f"{url.scheme}://{url.netloc.rpartition('@')[2]}" for url in urls],
            user=user if password is not None else None,
            password=password,
            token=user if password is None else None,
            credentials_file=self.nats_credentials_file,
            nkey_file=self.nats_nkey_file,
            ca=self.nats_tls_ca,
            encrypted=self.nats_tls_ca is not None or any(url.scheme == "tls" for url in urls),
            replicas=self.nats_replicas,
            max_bytes=self.nats_max_bytes,
            max_age_s=days * _DAY_S,
        )
