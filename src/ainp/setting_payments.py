"""Settings of payments: which providers there are, and what money is worth."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

from ainp.adapters.payments import Coinbase, Lightning, Providers
from ainp.core.payment_limits import MAX_PAYMENT_TIME
from ainp.setting_kinds import Boolean, File, HttpUrl
from ainp.setting_problems import is_loopback
from ainp.setting_secrets import MIN_SECRET_LENGTH

_LONGEST_S = int(MAX_PAYMENT_TIME.total_seconds())


class PaymentSettings(BaseSettings):
    """Payments are off unless an operator switches them on, and each provider by itself."""

    payments_enabled: Boolean = Field(False, description="let agents buy credits, and pay each other with them")
    payments_expire_seconds: int = Field(
        3600, ge=60, le=_LONGEST_S, description="the time to pay, where a request asks for none"
    )
    atomic_per_unit: int = Field(
        1000, ge=1, le=10**9, description="atomic units that one unit of COINBASE_COMMERCE_CURRENCY buys"
    )
    coinbase_commerce_enabled: Boolean = Field(False, description="take payments by Coinbase Commerce")
    coinbase_commerce_api_key: SecretStr | None = Field(None, description="its API key, to make charges")
    coinbase_commerce_webhook_secret: SecretStr | None = Field(
        None, description="its webhooks' shared secret: whoever knows it can make credits"
    )
    coinbase_commerce_url: HttpUrl = Field("https://api.commerce.coinbase.com", description="where its API is")
    coinbase_commerce_currency: str = Field("USD", pattern=r"^[A-Z]{3,5}$", description="the currency of its charges")
    lightning_enabled: Boolean = Field(False, description="take payments by Lightning")
    lightning_node_url: HttpUrl | None = Field(None, description="the REST address of an LND node")
    lightning_macaroon: SecretStr | None = Field(
        None, description="its macaroon in hex, which may make and read invoices and needs no more"
    )
    lightning_ca_file: File | None = Field(None, description="the node's certificate in PEM, where it has its own")
    lightning_atomic_per_sat: int = Field(1, ge=1, le=10**9, description="atomic units that one satoshi buys")
    usdc_onchain_enabled: Boolean = Field(False, description="not used by this version, which says so at start")

    @property
    def providers(self) -> Providers | None:
        """Who takes money; None if payments are off."""
        if not self.payments_enabled:
            return None
        return Providers(coinbase=self._coinbase(), lightning=self._lightning())

    def payment_problems(self) -> Iterator[str]:
        """What keeps payments from working, or from being safe."""
        if not self.payments_enabled:
            return
        for name in ("coinbase_commerce_url", "lightning_node_url"):
            if _in_the_clear(getattr(self, name)):
                yield f"{name.upper()} is plain HTTP, over which the broker's secret can be read: expected https://"
        if self.coinbase_commerce_enabled:
            yield from _missing("COINBASE_COMMERCE", api_key=self.coinbase_commerce_api_key)
            secret = self.coinbase_commerce_webhook_secret
            yield from _missing("COINBASE_COMMERCE", webhook_secret=secret)
            if secret is not None and len(secret.get_secret_value()) < MIN_SECRET_LENGTH:
                yield (
                    f"COINBASE_COMMERCE_WEBHOOK_SECRET has fewer than {MIN_SECRET_LENGTH} characters: whoever knows it"
                    " can make credits"
                )
        if self.lightning_enabled:
            yield from _missing("LIGHTNING", node_url=self.lightning_node_url, macaroon=self.lightning_macaroon)
            macaroon = self.lightning_macaroon
            if macaroon is not None and not re.fullmatch(r"(?:[0-9A-Fa-f]{2}){16,2048}", macaroon.get_secret_value()):
                yield "LIGHTNING_MACAROON: expected a macaroon in hex, as `xxd -p -c 9999 invoice.macaroon` prints it"

    def payment_warnings(self) -> Iterator[str]:
        """What an operator may not expect."""
        if self.usdc_onchain_enabled:
            yield "USDC_ONCHAIN_ENABLED is set, but no provider for it is in this version: such payments are refused"
        if not self.payments_enabled and (self.coinbase_commerce_enabled or self.lightning_enabled):
            yield "a payment provider is enabled, but PAYMENTS_ENABLED is not: nobody can pay"

    def _coinbase(self) -> Coinbase | None:
        key, secret = self.coinbase_commerce_api_key, self.coinbase_commerce_webhook_secret
        if not self.coinbase_commerce_enabled or key is None or secret is None:
            return None
        return Coinbase(
            url=self.coinbase_commerce_url,
            api_key=key.get_secret_value(),
            secret=secret.get_secret_value(),
            currency=self.coinbase_commerce_currency,
            atomic_per_unit=self.atomic_per_unit,
        )

    def _lightning(self) -> Lightning | None:
        url, macaroon = self.lightning_node_url, self.lightning_macaroon
        if not self.lightning_enabled or url is None or macaroon is None:
            return None
        return Lightning(
            url=url,
            macaroon=macaroon.get_secret_value(),
            atomic_per_sat=self.lightning_atomic_per_sat,
            ca_file=self.lightning_ca_file,
        )


def _in_the_clear(url: str | None) -> bool:
    parts = urlsplit(url or "")
    return parts.scheme == "http" and not is_loopback(parts.hostname or "")


def _missing(group: str, **needed: object) -> Iterator[str]:
    for name, value in needed.items():
        if value is None:
            yield f"{group}_ENABLED=true needs {group}_{name.upper()}"
