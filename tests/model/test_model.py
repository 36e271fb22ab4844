"""Whatever is done in whatever order, and wherever it dies: the books agree with the rules."""

from functools import partial

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from model.machine import BrokerMachine
from support.database import Databases

SHORT = settings(
    max_examples=8,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink],
)
LONG = settings(SHORT, max_examples=150, stateful_step_count=60)


def play(databases: Databases, template: str, how: settings) -> None:
    # A callable is taken as well as a class.
    machine = partial(BrokerMachine, partial(databases.fresh, template=template))
    run_state_machine_as_test(machine, settings=how)  # type: ignore[arg-type]


def test_the_books_agree_with_the_rules(databases: Databases, migrated_template: str) -> None:
    play(databases, migrated_template, SHORT)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_the_books_agree_with_the_rules_for_long(databases: Databases, migrated_template: str) -> None:
    play(databases, migrated_template, LONG)
