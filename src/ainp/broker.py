"""What every handler and job works with: the database, the policies, the lists of candidates, the events."""

import asyncio
import math
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from ainp.adapters.broker_key import Identity
from ainp.adapters.did_web import DidWeb
from ainp.adapters.embeddings import make_embedder
from ainp.adapters.events import Feed
from ainp.adapters.nats import Bus
from ainp.adapters.payments import Providers
from ainp.adapters.rates import Rates, make_rates
from ainp.core.addresses import is_public, is_public_or_private
from ainp.core.did import AgentDid
from ainp.core.trail import Refusals
from ainp.operations.agents import GrantPolicy
from ainp.operations.committees import Epochs
from ainp.operations.discovery import Discovery
from ainp.operations.health import Gaps
from ainp.operations.keys import Keys
from ainp.operations.memories import Memories
from ainp.operations.presence import Presence
from ainp.operations.settlements import Terms
from ainp.settings import Settings
from ainp.store.db import Database
from ainp.store.events import PublishedEvents
from ainp.telemetry.metrics import POOL_IN_USE, POOL_SIZE, POOL_WAITING
from ainp.telemetry.process import measure_process

_UNWRITABLE_S = 5.0  # after a write was refused the broker is unhealthy; then it may be tried again
_SEEN_LIMIT = 50_000  # a minute of distinct agents; more are noticed the next minute


@dataclass
class Broker:
    """One process of the broker."""

    settings: Settings
    database: Database
    terms: Terms
    grant: GrantPolicy
    discovery: Discovery
    events: Feed
    keys: Keys
    rates: Rates | None = None  # as often as they like
    bus: Bus | None = None  # events go to sockets alone
    identity: Identity | None = None  # it signs nothing
    presence: Presence = field(default_factory=Presence)
    talked: asyncio.Event = field(default_factory=asyncio.Event)  # a message was sent: whoever publishes need not wait
    providers: Providers | None = None  # nobody pays
    memories: Memories | None = None  # nobody's mail is remembered
    refusals: Refusals = field(default_factory=Refusals)
    gaps: Gaps = field(default_factory=Gaps)
    started: float = field(default_factory=monotonic)
    _unwritable: tuple[str, float] = ("", -math.inf)
    _seen: set[AgentDid] = field(default_factory=set)

    @property
    def epochs(self) -> Epochs:
        """The lists committees are drawn from."""
        return self.terms.epochs

    @property
    def uptime_s(self) -> float:
        """How long this process has been up."""
        return monotonic() - self.started

    @property
    def unwritable(self) -> str | None:
        """Why the database has just refused to write, if it has; reading from it may work all the while."""
        reason, at = self._unwritable
        return reason if monotonic() - at < _UNWRITABLE_S else None

    def note_unwritable(self, reason: str) -> None:
        """Remember that the database did not write."""
        self._unwritable = reason, monotonic()

    def notice(self, did: AgentDid) -> None:
        """Remember that an agent is alive; written by a job, not by the request."""
        if len(self._seen) < _SEEN_LIMIT:
            self._seen.add(did)

    def measure(self) -> None:
        """Write down what can't be counted as it happens: what this process uses now."""
        pool = self.database.pool
        if pool is not None:
            POOL_SIZE.of().set(pool.size)
            POOL_IN_USE.of().set(pool.in_use)
            POOL_WAITING.of().set(pool.waiting)
        measure_process()

    def take_seen(self) -> set[AgentDid]:
        """Who was noticed since the last time."""
        seen, self._seen = self._seen, set()
        return seen


def make_broker(
    settings: Settings, database: Database, *, identity: Identity | None = None, buckets: Path | None = None
) -> Broker:
    """Wire one process of the broker; *buckets* is the file in which several count together."""
    epochs = Epochs(settings.eligibility, committee_size=settings.pou_m)
    policy = settings.bus_policy(days=settings.events_retention_days)
    bus = None if policy is None else Bus(policy)
    return Broker(
        settings=settings,
        database=database,
        terms=Terms(settings.settlement, settings.judging, epochs),
        grant=GrantPolicy(settings.welcome_credits, settings.initial_credits_hourly_cap),
        discovery=Discovery(
            make_embedder(settings.embedding_policy),
            settings.discovery_weights,
            threshold=settings.vector_similarity_threshold,
            limit=settings.vector_search_limit,
            named=settings.agents_model,
        ),
        events=Feed(PublishedEvents(database, None if bus is None else bus.listening)),
        bus=bus,
        keys=Keys(_documents(settings)),
        rates=make_rates(settings.rates, redis=settings.redis, ca=settings.redis_tls_ca, shared=buckets),
        identity=identity,
        providers=settings.providers,
        memories=Memories(settings.memory_distiller_batch_limit) if settings.memory_distiller_enabled else None,
    )


def _documents(settings: Settings) -> DidWeb | None:
    if not settings.did_web_enabled:
        return None
    return DidWeb(
        may_connect=is_public_or_private if settings.did_web_allow_private else is_public,
        domains=() if settings.did_web_allowlist is None else settings.did_web_allowlist.split(","),
        ca_file=settings.did_web_ca_file,
    )
