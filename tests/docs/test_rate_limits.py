"""The page of rate limits is the table, and names settings and metrics that there are."""

import re

from ainp.settings import Settings, variable_of
from ainp.telemetry.metrics import TABLE
from support.rates import DOCUMENT, document


def test_the_page_is_what_the_table_says() -> None:
    assert DOCUMENT.read_text() == document(), "run `make docs`"


def test_the_page_names_settings_and_metrics_that_there_are() -> None:
    page = document()
    named = set(re.findall(r"\b(?:RATE_LIMIT|REDIS|AINP)_[A-Z_]+\b", page)) - {"RATE_LIMIT_EXCEEDED"}

    assert named <= {variable_of(name) for name in Settings.model_fields}
    assert set(re.findall(r"`(ainp_\w+)`", page)) <= {metric.name for metric in TABLE}
