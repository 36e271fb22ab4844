"""`ainp settings`: what is set, to what, and by whom."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Annotated

import msgspec
import typer
from pydantic import SecretStr
from pydantic_settings import DotEnvSettingsSource, EnvSettingsSource

from ainp import setting_secrets
from ainp.cli.columns import aligned
from ainp.cli.connection import in_one_line
from ainp.cli.names import unread_names
from ainp.core.trail import printable
from ainp.settings import Settings, load_settings, variable_of

_HIDDEN = "(hidden)"
_VALUE_LENGTH = 200


class Source(StrEnum):
    """Where a value comes from."""

    ENVIRONMENT = "environment"
    FILE = ".env"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Row:
    """One setting; a secret is named and not shown."""

    name: str
    value: str
    source: Source
    default: str


def settings(
    changed: Annotated[bool, typer.Option("--changed", help="Only what is not left at its default.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """
    Show every setting with its value, where that comes from, and the default; secrets stay hidden.

    Names that look like settings and are none are listed with the nearest that there is.
    """
    with in_one_line("settings"):
        found = load_settings()
    rows = [row for row in rows_of(found) if not changed or row.source is not Source.DEFAULT]
    unknown = unread_names()
    weak = setting_secrets.warnings(found.secrets, production=found.production)
    warnings = [*weak, *found.warnings]
    if as_json:
        shown = {"settings": [asdict(row) for row in rows], "unread": unknown, "warnings": warnings}
        typer.echo(msgspec.json.encode(shown).decode())
        return
    for line in aligned([("setting", "value", "from", "default"), *map(_cells, rows)]):
        typer.echo(line)
    for warning in [*map(str, unknown), *warnings]:
        typer.echo(f"warning: {warning}")


def rows_of(found: Settings) -> Iterator[Row]:
    """Every setting, by name."""
    environment = {name.upper() for name in EnvSettingsSource(Settings)()}
    file = {name.upper() for name in DotEnvSettingsSource(Settings)()}
    in_force = _in_force(found)
    for variable, name in sorted((variable_of(name), name) for name in Settings.model_fields):
        source = Source.DEFAULT
        if variable in environment:
            source = Source.ENVIRONMENT
        elif variable in file:
            source = Source.FILE
        value = getattr(found, name)
        yield Row(
            variable,
            _shown(in_force.get(variable) if value is None else value),
            source,
            _shown(Settings.model_fields[name].default),
        )


def _in_force(found: Settings) -> dict[str, object]:
    """What holds where nothing is set, of settings whose default depends on others."""
    rates, rewards = found.rates, found.reward_policy
    return {
        "AUTH_MODE": found.mode,
        "INITIAL_CREDITS": found.welcome_credits,
        "RATE_LIMIT_ENABLED": rates is not None,
        "RATE_LIMIT_BURST": None if rates is None else rates.messages_burst,
        "POU_COMMITTEE_MIN_AGE_MINUTES": found.eligibility.min_age.total_seconds() / 60,
        "POU_REQUIRE_ATTESTATION_SIGNATURE": found.judging.signed,
        "USEFULNESS_AGGREGATOR_ENABLED": found.aggregates,
        "USEFULNESS_AGGREGATOR_CRON": found.aggregator_cron,
        "USEFULNESS_REWARD_POOL_HOURLY": rewards.hourly,
    }


def _cells(row: Row) -> tuple[str, ...]:
    return row.name, row.value or "-", row.source.value, row.default or "-"


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, SecretStr):
        return _HIDDEN
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    text = value.value if isinstance(value, StrEnum) else str(value)
    return printable(text, _VALUE_LENGTH)
