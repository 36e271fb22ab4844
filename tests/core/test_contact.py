"""How a sender stands with a receiver."""

from hypothesis import given
from hypothesis import strategies as st

from ainp.core.contact import Consent, Standing

STANDINGS = st.builds(Standing, st.sampled_from(Consent), st.booleans(), st.integers(0, 10))


def test_a_stranger_is_neither_welcome_nor_blocked() -> None:
    assert not Standing().welcome
    assert not Standing().blocked
    assert not Standing().known


@given(standing=STANDINGS)
def test_nobody_is_welcome_and_blocked(standing: Standing) -> None:
    assert not (standing.welcome and standing.blocked)
    assert standing.blocked == (standing.consent is Consent.BLOCKED)


@given(standing=STANDINGS)
def test_every_list_makes_welcome(standing: Standing) -> None:
    listed = standing.allowlist or standing.consent in (Consent.CONSENTED, Consent.TRUSTED)

    assert standing.welcome == (listed and not standing.blocked)
