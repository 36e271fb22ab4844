"""
Everything an operator can set: environment variables and `.env`, read once, checked together.

Below the entry points nobody reads the environment; they get the policies that are made here. Settings never change,
so what requests ask of them is worked out once.
"""

from collections.abc import Iterator
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from ainp import setting_problems as problem
from ainp import setting_secrets
from ainp.core.attestation import millionths
from ainp.core.committee import DrawPolicy, Eligibility
from ainp.core.did import parse_did
from ainp.core.envelope import Scheme
from ainp.core.limits import MAX_CONNECTIONS, MAX_CONNECTIONS_PER_ADDRESS, MAX_OPEN_PER_PAIR
from ainp.core.quorum import QuorumMode
from ainp.core.rate_policy import RatePolicy
from ainp.core.receipt import JudgingPolicy
from ainp.core.settlement import SettlementPolicy
from ainp.setting_groups import GroupSettings
from ainp.setting_kinds import (
    Boolean,
    Cron,
    Did,
    Domains,
    File,
    HttpUrl,
    KeyFile,
    Part,
    PostgresUrl,
    PrivateKey,
    RedisUrl,
    Schemes,
    schemes_of,
)
from ainp.setting_problems import is_every_address, is_loopback, problems_of

_YEAR_MINUTES = 366 * 24 * 60  # nothing here waits longer; far from what a date can't hold


class SettingsError(Exception):
    """The environment can't be used; the message names every problem."""


class Settings(GroupSettings, BaseSettings):
    """The broker's configuration; every field is the environment variable of the same name in capitals."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8080, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    data_dir: Path = Field(
        Path(".ainp"),
        validation_alias=AliasChoices("AINP_DATA_DIR", "data_dir"),
        description="folder of the embedded PostgreSQL",
    )
    database_url: PostgresUrl | None = Field(
        None, description="an existing PostgreSQL; without it an embedded one is started"
    )
    workers: int = Field(1, ge=1, le=64, description="processes that answer requests")
    max_connections: int = Field(MAX_CONNECTIONS, ge=16, le=10**6, description="connections of each of these processes")
    max_connections_per_address: int = Field(
        MAX_CONNECTIONS_PER_ADDRESS,
        ge=1,
        le=10**6,
        description="of these from one address, unless AINP_PROXY_SECRET is set",
    )
    pool_size: int = Field(20, ge=1, le=500, description="connections to PostgreSQL, for each of these processes")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="what is logged")
    log_file: Path | None = Field(None, description="a file that gets the log too, as JSON; it may be rotated")
    metrics_port: int | None = Field(
        None, ge=0, le=65535, description="port on HOST where `ainp work` shows its metrics; a broker does on its own"
    )
    jobs_enabled: Boolean = Field(True, description="run the jobs and publish events; false leaves it to `ainp work`")

    auth_mode: Literal["compat", "strict"] | None = Field(
        None, description="compat believes the DID that a request names; default: compat on loopback, else strict"
    )
    public_base_url: HttpUrl | None = Field(
        None, description="the address that agents use, which their signatures name; default: the one listened on"
    )
    ainp_env: str | None = Field(None, description="`production` makes strict the default")
    node_env: str | None = Field(None, description="the same, by its older name")
    ainp_proxy_secret: SecretStr | None = Field(
        None, description="behind a proxy: what it sends in X-AINP-Proxy-Secret with every request"
    )
    ainp_tls_cert: File | None = Field(None, description="certificate chain in PEM: the broker itself speaks TLS")
    ainp_tls_key: File | None = Field(None, description="the certificate's private key in PEM")
    signature_schemes: Schemes = Field(
        "A,C,B", description="which signatures of envelopes are tried, in this order: docs/envelopes.md"
    )
    signature_verification_enabled: Boolean = Field(
        True,
        description="false believes envelopes as compat mode believes requests: for old test suites, never elsewhere",
    )
    did_web_enabled: Boolean = Field(True, description="fetch the keys of did:web; off, nothing of theirs verifies")
    did_web_allowlist: Domains | None = Field(None, description="the only domains that these are fetched from")
    did_web_ca_file: File | None = Field(
        None, description="certificates in PEM that are trusted for it beside the usual ones"
    )
    did_web_allow_private: Boolean = Field(
        False, description="fetch from private addresses and loopback too; needs DID_WEB_ALLOWLIST"
    )
    admin_token: SecretStr | None = Field(None, description="bearer token of the admin routes; unset refuses them")
    metrics_token: SecretStr | None = Field(None, description="bearer token that `/metrics` asks for")
    credits_dev_deposit_enabled: Boolean = Field(False, description="let anyone deposit credits; for development")

    rate_limit_enabled: Boolean | None = Field(
        None, description="limit how often a DID and an address may ask; default: not in compat mode on loopback"
    )
    rate_limit_max: int = Field(100, ge=1, le=10**6, description="requests of a DID in a group and window")
    rate_limit_window_ms: int = Field(60_000, ge=1000, le=86_400_000, description="that window")
    rate_limit_intents_per_min: int = Field(
        100, ge=1, le=10**6, description="messages of a DID on WebSockets, a minute"
    )
    rate_limit_burst: int | None = Field(
        None, ge=1, le=100_000, description="how many of these may come at once; default: 100, in strict mode 200"
    )
    rate_limit_address_factor: int = Field(
        10, ge=1, le=1000, description="how many times as much an address may, for the agents that share it"
    )
    redis_url: RedisUrl | None = Field(None, description="where nodes count together; without it each counts alone")
    redis_tls_ca: File | None = Field(
        None, description="who certifies a `rediss://` server; default: who the system trusts"
    )

    initial_credits: int | None = Field(
        None, ge=0, le=10**15, description="atomic units a new agent gets, once; default: 1000000, in strict mode 0"
    )
    initial_credits_hourly_cap: int = Field(
        10**12, ge=0, le=10**17, description="atomic units all new agents of an hour get at most"
    )
    broker_did: Did | None = Field(
        None, description="who gets the broker's share, and who it signs as; unset: the fees account, and its key's DID"
    )
    broker_private_key: PrivateKey | None = Field(None, description="the broker's key: 32 bytes in base64")
    broker_key_file: KeyFile | None = Field(
        None, description="or the file with it, made on first start; default: broker.key beside the embedded PostgreSQL"
    )
    min_fee_bps: int = Field(1000, ge=0, le=10_000, description="least share of broker and pool together")
    settle_grace_minutes: float = Field(
        60, ge=0, le=_YEAR_MINUTES, description="after it the responder may settle what it delivered"
    )
    max_open_negotiations_per_pair: int = Field(
        MAX_OPEN_PER_PAIR, ge=1, le=32_767, description="open negotiations that one agent may have begun with another"
    )
    negotiation_expiration_interval_minutes: int = Field(5, ge=1, le=59, description="how often negotiations expire")

    unstake_delay_hours: float = Field(
        168, ge=0, le=_YEAR_MINUTES / 60, description="how long a withdrawn stake stays locked"
    )

    events_retention_days: int = Field(
        7, ge=1, le=3650, description="how long events are kept for receivers that come back"
    )

    audit_retention_days: int = Field(90, ge=1, le=3650, description="how long refusals and admin actions are kept")

    pou_k: int = Field(3, ge=1, description="voices that make the quorum")
    pou_m: int = Field(5, ge=1, le=100, description="seats of a committee")
    pou_quorum_mode: QuorumMode = Field(QuorumMode.COMMITTEE_ONLY, description="whose passing voice counts")
    # A verdict without a score counts as 0.8 for a pass and 0.2 for a fail, so the threshold lies between.
    pou_pass_score: float = Field(
        0.5, gt=0.2, le=0.8, description="a passing verdict scores at least this, a failing one less"
    )
    pou_finalizer_enabled: Boolean = Field(True, description="finalize with the voice that completes the quorum")
    pou_finalizer_cron: Cron = Field("*/1 * * * *", description="when the finalizer looks for what is left")
    pou_finalizer_batch: int = Field(100, ge=1, le=10_000, description="receipts in one transaction of the finalizer")
    pou_attest_window_minutes: float = Field(
        60, gt=0, le=_YEAR_MINUTES, description="how long a committee has to speak"
    )
    pou_max_extensions: int = Field(2, ge=0, le=100, description="how often silence gets another window")
    pou_committee_policy: DrawPolicy = Field(DrawPolicy.WEIGHTED, description="how seats are given out")
    pou_committee_min_trust: Part = Field(0, description="lower bound of trust a member needs")
    pou_committee_min_stake: int = Field(0, ge=0, description="atomic units a member must have staked")
    pou_committee_max_idle_hours: float = Field(
        168, gt=0, le=_YEAR_MINUTES / 60, description="a member was seen within this time"
    )
    pou_committee_min_age_minutes: float | None = Field(
        None,
        ge=0,
        le=_YEAR_MINUTES,
        description="a member has been registered for so long; default: 0, in strict mode 1440",
    )
    pou_require_attestation_signature: Boolean | None = Field(
        None, description="store signed attestations only; default: in strict mode, where it can't be switched off"
    )
    pou_min_reputation_price: int = Field(1000, ge=0, description="atomic units below which no reputation moves")
    reputation_alpha: Annotated[float, Field(gt=0, le=1)] = Field(0.2, description="weight of a new observation")

    @field_validator("log_level", mode="before")
    @classmethod
    def _capitals(cls, value: object) -> object:
        return value.strip().upper() if isinstance(value, str) else value

    @field_validator("pou_finalizer_cron", mode="before")
    @classmethod
    def _strip(cls, value: object) -> object:
        return value.strip() if isinstance(value, str) else value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if problems := [
            *problem.of_quorum(self.pou_k, self.pou_m),
            *self.group_problems(),
            *self._mode_problems(),
            *problem.of_did_web(self.did_web_allowlist, allow_private=self.did_web_allow_private),
            *problem.of_tls(self.ainp_tls_cert, self.ainp_tls_key),
            *(problem.of_connections(self.workers, self.pool_size) if self.database_url is None else ()),
            *setting_secrets.problems(self.secrets, production=self.production),
            *setting_secrets.key_problems(self.broker_private_key, self.broker_did, file=self.broker_key_file),
        ]:
            raise ValueError("; ".join(problems))
        return self

    def _mode_problems(self) -> Iterator[str]:
        if not self.signature_verification_enabled and (self.strict or self.production):
            yield "SIGNATURE_VERIFICATION_ENABLED=false is for AUTH_MODE=compat, and not for production"
        if self.strict:
            yield from self._strict_problems()
        elif not self.on_loopback and self.ainp_proxy_secret is None:
            yield (
                f"AUTH_MODE=compat believes what a request says, so HOST={self.host} needs AINP_PROXY_SECRET and a"
                " proxy that sends it"
            )

    def _strict_problems(self) -> Iterator[str]:
        if self.public_base_url is None and self.on_every_address:
            yield (
                f"AUTH_MODE=strict needs PUBLIC_BASE_URL where HOST={self.host} is no address that an agent could sign"
                " a request to"
            )
        if self.credits_dev_deposit_enabled:
            yield "CREDITS_DEV_DEPOSIT_ENABLED=true lets anyone make money: it is for AUTH_MODE=compat"
        if self.pou_require_attestation_signature is False:
            yield "POU_REQUIRE_ATTESTATION_SIGNATURE=false is for AUTH_MODE=compat: in strict mode nothing is believed"

    @property
    def connections(self) -> int:
        """How many connections to PostgreSQL the processes that answer have at most."""
        return self.workers * (self.pool_size + 1)

    @property
    def connections_in_words(self) -> str:
        """The same with its reason."""
        return problem.connections_in_words(self.workers, self.pool_size)

    @cached_property
    def production(self) -> bool:
        """Whether this is a production deployment."""
        return "production" in [(name or "").strip().lower() for name in (self.ainp_env, self.node_env)]

    @cached_property
    def on_loopback(self) -> bool:
        """Whether only this machine can connect."""
        return is_loopback(self.host)

    @cached_property
    def on_every_address(self) -> bool:
        """Whether HOST names no address but all of them."""
        return is_every_address(self.host)

    @cached_property
    def mode(self) -> Literal["compat", "strict"]:
        """How requests prove who speaks."""
        if self.auth_mode is not None:
            return self.auth_mode
        return "compat" if self.on_loopback and not self.production else "strict"

    @cached_property
    def strict(self) -> bool:
        """Whether requests have to prove who speaks."""
        return self.mode == "strict"

    @cached_property
    def schemes(self) -> tuple[Scheme, ...]:
        """Which signatures of envelopes are tried, in this order."""
        return schemes_of(self.signature_schemes)

    @cached_property
    def welcome_credits(self) -> int:
        """Atomic units that a new agent gets."""
        if self.initial_credits is not None:
            return self.initial_credits
        return 0 if self.strict else 1_000_000

    @property
    def warnings(self) -> list[str]:
        """What an operator should know although the broker runs, and everybody may."""
        found = list(self.payment_warnings())
        if self.pou_committee_min_stake == 0:
            found.append("POU_COMMITTEE_MIN_STAKE=0: the committee is not Sybil-resistant")
        if self.strict and not self.on_loopback and not self.encrypted:
            found.append(problem.PLAIN)
        return found

    @property
    def encrypted(self) -> bool:
        """Whether agents reach the broker by TLS, of its own or of a proxy in front."""
        return self.ainp_tls_cert is not None or (self.public_base_url or "").startswith("https:")

    @property
    def secrets(self) -> dict[str, SecretStr]:
        """Every secret that is set, by its variable."""
        return {variable_of(name): value for name, value in self if isinstance(value, SecretStr)}

    @property
    def postgres(self) -> str | None:
        """Where the given PostgreSQL is, with its password."""
        return None if self.database_url is None else self.database_url.get_secret_value()

    @property
    def redis(self) -> str | None:
        """Where nodes count together, with its password."""
        return None if self.redis_url is None else self.redis_url.get_secret_value()

    @cached_property
    def rates(self) -> RatePolicy | None:
        """How often who may ask; None is no limit: on loopback in compat mode everybody is the operator."""
        open_to_others = self.mode == "strict" or not self.on_loopback or self.ainp_proxy_secret is not None
        if not (open_to_others if self.rate_limit_enabled is None else self.rate_limit_enabled):
            return None
        return RatePolicy(
            amount=self.rate_limit_max,
            window_ms=self.rate_limit_window_ms,
            messages_per_minute=self.rate_limit_intents_per_min,
            messages_burst=self.rate_limit_burst or (200 if self.mode == "strict" else 100),
            address_factor=self.rate_limit_address_factor,
        )

    @cached_property
    def judging(self) -> JudgingPolicy:
        """How receipts are judged."""
        return JudgingPolicy(
            quorum=self.pou_k,
            committee_size=self.pou_m,
            mode=self.pou_quorum_mode,
            draw=self.pou_committee_policy,
            window=timedelta(minutes=self.pou_attest_window_minutes),
            max_extensions=self.pou_max_extensions,
            pass_score=self.pou_pass_score,
            immediate=self.pou_finalizer_enabled,
            min_reputation_price=self.pou_min_reputation_price,
            alpha=self.reputation_alpha,
            signed=self.strict or bool(self.pou_require_attestation_signature),
            scored=self.strict,
        )

    @property
    def _min_age_minutes(self) -> float:
        if self.pou_committee_min_age_minutes is not None:
            return self.pou_committee_min_age_minutes
        return 1440 if self.strict else 0

    @cached_property
    def eligibility(self) -> Eligibility:
        """Who may sit on a committee."""
        return Eligibility(
            max_idle=timedelta(hours=self.pou_committee_max_idle_hours),
            min_age=timedelta(minutes=self._min_age_minutes),
            min_trust=millionths(self.pou_committee_min_trust),
            min_stake=self.pou_committee_min_stake,
        )

    @cached_property
    def settlement(self) -> SettlementPolicy:
        """Who is paid, and when a responder may settle."""
        broker = None if self.broker_did is None else parse_did(self.broker_did)
        return SettlementPolicy(grace=timedelta(minutes=self.settle_grace_minutes), broker=broker)


def variable_of(name: str) -> str:
    """What a field is called in the environment."""
    alias = Settings.model_fields[name].validation_alias
    return str(alias.choices[0]) if isinstance(alias, AliasChoices) else name.upper()


def load_settings(**overrides: object) -> Settings:
    """Read the environment and `.env`; raises SettingsError with every problem there is."""
    try:
        return Settings(**overrides)  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as error:
        raise SettingsError("; ".join(problems_of(error, Settings, overrides))) from error
    except UnicodeDecodeError as error:
        raise SettingsError(f".env is not UTF-8: {error.reason} at byte {error.start}") from error
