"""Writes docs/configuration.md from the settings, so that it names what there is. Run by `make docs`."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from ainp.setting_kinds import (
    Boolean,
    Cron,
    Did,
    Domains,
    File,
    HttpUrl,
    KeyFile,
    PostgresUrl,
    PrivateKey,
    RedisUrl,
    Schemes,
    Units,
)
from ainp.settings import Settings, variable_of

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "configuration.md"

_HEAD = """\
<!-- Generated from src/ainp/settings.py by `make docs`; a test keeps it so. -->

# Configuration

Every setting is an environment variable, or a line of a file `.env` in the folder where the broker is started; a
variable wins over the file, and an empty one counts as not set. All are read once and checked together: what can't work
is said in one line, with every problem in it, and the exit code is 2. In the file a comment may follow a value
(`POU_K=3  # a quorum`), and values need no quotes. Variables that this version does not read are
ignored; of those that look like its own a warning is logged, with the nearest name that there is. `ainp settings` shows
all of this as it is read.
"""

_SECTIONS = {
    "Listening and storing": (
        "HOST",
        "PORT",
        "AINP_DATA_DIR",
        "DATABASE_URL",
        "AINP_TLS_",
        "WORKERS",
        "MAX_CONNECTIONS",
        "POOL_SIZE",
        "LOG_",
        "METRICS_PORT",
        "JOBS_ENABLED",
        "NATS_",
        "EVENTS_",
        "AUDIT_",
    ),
    "Who is believed": (
        "AUTH_MODE",
        "PUBLIC_BASE_URL",
        "AINP_ENV",
        "NODE_ENV",
        "AINP_PROXY_SECRET",
        "SIGNATURE_",
        "DID_WEB_",
        "ADMIN_TOKEN",
        "METRICS_TOKEN",
        "BROKER_PRIVATE_KEY",
        "BROKER_KEY_FILE",
        "CREDITS_DEV_",
    ),
    "How often": ("RATE_LIMIT_", "REDIS_"),
    "Money and negotiations": (
        *("INITIAL_", "UNSTAKE_", "BROKER_DID", "MIN_FEE_BPS"),
        *("SETTLE_", "MAX_OPEN_", "NEGOTIATION_"),
    ),
    "Committees, verdicts and reputation": ("POU_", "REPUTATION_"),
    "Messages": ("MESSAGING_", "MAIL_", "QOS_", "EMAIL_", "MEMORY_"),
    "Discovery": ("EMBEDDINGS", "OPENAI_", "DISCOVERY_", "VECTOR_"),
    "Usefulness and rewards": ("USEFULNESS_", "MAX_PROOFS_"),
    "Payments": ("PAYMENTS_", "ATOMIC_PER_UNIT", "COINBASE_", "LIGHTNING_", "USDC_"),
}
_NOTES = {
    "Who is believed": """
In compat mode nothing is proven, so the broker starts only where nobody else can reach it: on a loopback address,
where it refuses requests with a foreign `Host`, a foreign `Origin` or any `Forwarded`, `X-Forwarded-*` or `Via` header;
or behind a proxy that sends `X-AINP-Proxy-Secret`, whose `X-AINP-DID` is then the one who acts. In strict mode every
write and every private read is signed. What makes a good secret, and how the broker keeps its own key, is in
[secrets and TLS](tls.md).
""",
    "How often": """
What is counted together, and what a client is told, is in [rate limits](rate-limits.md).
""",
    "Money and negotiations": """
Amounts are atomic units: 1000 are a credit. Shares are in basis points: 10000 are the whole.
""",
    "Discovery": """
How agents are found and ranked, and what the local model finds and what it does not, is in [discovery](discovery.md).
""",
    "Committees, verdicts and reputation": """
What these mean together is told in [proof of usefulness](proof-of-usefulness.md).
""",
    "Payments": """
How money becomes credits, and what a provider must show before it does, is in [payments](payments.md).
""",
    "Usefulness and rewards": """
What is scored, added up and paid is told in [usefulness](usefulness.md). Where a setting has two names, both may be set
if they say the same.
""",
}
_KINDS = (
    (Boolean, "true or false"),
    (Cron, "five cron fields, UTC, or six with seconds in front"),
    (Units, "a whole number of atomic units; an `n` may follow"),
    (Did, "a DID"),
    (Schemes, "`A`, `B`, `C`, `D`, with commas"),
    (Domains, "domains, with commas"),
    (PostgresUrl, "postgresql://…, a secret"),
    (HttpUrl, "https://…"),
    (RedisUrl, "redis://… or rediss://…, a secret"),
    (PrivateKey, "32 bytes in base64, a secret"),
    (KeyFile, "a file"),
    (File, "a file"),
)


def document() -> str:
    """Tell what can be set, what it is set to, and what it means."""
    sections = {title: [_HEADING] for title in _SECTIONS}
    for name, field in Settings.model_fields.items():
        variable = variable_of(name)
        sections[_section(variable)].append(_row(variable, field))
    parts = (f"\n## {title}\n{_NOTES.get(title, '')}\n" + "\n".join(rows) + "\n" for title, rows in sections.items())
    return _HEAD + "".join(parts)


_HEADING = "| variable | default | takes | meaning |\n|---|---|---|---|"


def _section(variable: str) -> str:
    return next(title for title, names in _SECTIONS.items() if variable.startswith(names))


def _row(variable: str, field: FieldInfo) -> str:
    default = "" if field.default is None else f"`{_written(field.default)}`"
    return f"| `{variable}` | {default} | {_takes(field)} | {field.description} |"


def _written(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value.value if isinstance(value, StrEnum) else str(value)


def _takes(field: FieldInfo) -> str:
    kind = _without_none(field)
    for known, words in _KINDS:
        if get_args(known)[0] is kind and set(get_args(known)[1:]) <= {*field.metadata, *_inner(field)}:
            return words
    if get_origin(kind) is Literal:
        return _either(get_args(kind))
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return _either([choice.value for choice in kind])
    words = {int: "a whole number", float: "a number", Path: "a path", SecretStr: "a secret"}.get(kind, "text")
    return " ".join([words, *_bounds(field)])


def _without_none(field: FieldInfo) -> Any:  # noqa: ANN401 - a type
    kinds = [kind for kind in get_args(field.annotation) if kind is not type(None)]
    optional = type(None) in get_args(field.annotation)
    kind = kinds[0] if optional else field.annotation
    return getattr(kind, "__origin__", kind) if hasattr(kind, "__metadata__") else kind


def _inner(field: FieldInfo) -> tuple[Any, ...]:
    """The metadata of an optional setting stands one level deeper."""
    return tuple(note for kind in get_args(field.annotation) for note in getattr(kind, "__metadata__", ()))


def _either(choices: Any) -> str:  # noqa: ANN401 - of a Literal
    return ", ".join(f"`{choice}`" for choice in choices)


def _bounds(field: FieldInfo) -> Iterator[str]:
    limits: Mapping[type, Any] = {type(note): note for note in field.metadata}
    least, above, most = limits.get(Ge), limits.get(Gt), limits.get(Le)
    if least:
        yield f"from {least.ge}"
    if above:
        yield f"above {above.gt}"
    if most:
        yield f"{'and up to' if above else 'to'} {int(most.le)}"  # a float's bound may be a quotient


def main() -> None:
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text(document(), "utf-8")


if __name__ == "__main__":
    main()
