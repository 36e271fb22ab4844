"""Names in the environment that look like settings and are none: what they were probably meant to be."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from difflib import get_close_matches

# What begins so is meant for a broker, whoever else uses the environment.
_OURS = (
    *("POU_", "USEFULNESS_", "AINP_", "DISCOVERY_", "NEGOTIATION_", "EMAIL_", "RATE_LIMIT_", "REPUTATION_"),
    *("DID_WEB_", "COINBASE_COMMERCE_", "LIGHTNING_", "PAYMENTS_", "VECTOR_", "QOS_", "SETTLE_", "UNSTAKE_"),
    *("CREDITS_", "INITIAL_CREDITS", "EMBEDDINGS"),
)
# Read by the tests, by clients, or written by Kubernetes for a service of this name.
_OF_OTHERS = re.compile(
    r"AINP_(TEST_DATABASE_URL|BASE_URL|DID|PRIVATE_KEY|TIMEOUT_MS|WALLET_ADDRESS|COINBASE_API_KEY|VERSION|KEY)"
    r"|.*_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP)(_\w+)?)?)"
)
_LIKE = 0.6  # of difflib; a name in which a word is missing or misspelt is above it
_SAME = 0.85  # and one that differs by a letter or two is above this

# Settings of other brokers of this protocol, and what this one does instead.
_ELSEWHERE = {
    "CREDIT_LEDGER_ENABLED": "the ledger is always on",
    "NEGOTIATION_ENABLED": "negotiation is always on",
    "MULTI_ROUND_NEGOTIATION_ENABLED": "negotiations always have rounds",
    "REPLAY_PROTECTION_ENABLED": "a signed request always counts once",
    "WEB4_POU_DISCOVERY_ENABLED": "DISCOVERY_USEFULNESS_WEIGHT says how much usefulness counts",
    "DISCOVERY_CACHE_TTL": "searches are not cached",
    "ENABLE_MONITORING": "/metrics is always there",
    "METRICS_ENABLED": "/metrics is always there",
    "ENABLE_TRACING": "there is no tracing",
    "QDRANT_URL": "PostgreSQL keeps the vectors",
    "CORS_ORIGINS": "browsers of other origins are refused",
    "JWT_SECRET": "there are no such tokens: agents sign",
    "POOL_DID": "the pool is an account of the broker",
    "USEFULNESS_REQUIRE_RECEIPT": "did you mean USEFULNESS_REWARDS_REQUIRE_RECEIPT?",
    "USEFULNESS_REWARD_SOURCE": "rewards come from the pool first, then from the mint",
    "POU_REQUIRE_SIGNATURE": "did you mean POU_REQUIRE_ATTESTATION_SIGNATURE?",
}


@dataclass(frozen=True, slots=True)
class Stranger:
    """A name that nothing reads, and what may be done about it."""

    name: str
    hint: str

    def __str__(self) -> str:
        return f"{self.name} is not read: {self.hint}"


def strangers(known: Collection[str], *, environment: Iterable[str], file: Iterable[str] = ()) -> list[Stranger]:
    """
    Name what is set in the *environment* or the *file* `.env` as if it were one of the *known* settings.

    The file is the broker's own, so what is nearly a setting there is taken for one; the environment is everybody's.
    """
    found = {name: _hint(name, known) for name in _upper(environment, known) if _meant_for_us(name)}
    for name in _upper(file, known):
        if _meant_for_us(name) or get_close_matches(name, known, n=1, cutoff=_SAME):
            found[name] = _hint(name, known)
    return [Stranger(name, found[name]) for name in sorted(found)]


def _upper(names: Iterable[str], known: Collection[str]) -> list[str]:
    return [upper for name in names if (upper := name.upper()) not in known]


def _meant_for_us(name: str) -> bool:
    return name in _ELSEWHERE or (name.startswith(_OURS) and not _OF_OTHERS.fullmatch(name))


def _hint(name: str, known: Collection[str]) -> str:
    if name in _ELSEWHERE:
        return _ELSEWHERE[name]
    nearest = get_close_matches(name, sorted(known), n=1, cutoff=_LIKE)
    return f"did you mean {nearest[0]}?" if nearest else "docs/configuration.md names what is"
