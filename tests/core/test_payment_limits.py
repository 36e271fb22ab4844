"""The limits of payments fit together."""

from datetime import timedelta

from ainp.core import payment_limits as limits
from ainp.core.limits import MAX_BODY_BYTES


def test_a_provider_answers_in_less_than_it_takes_to_pay() -> None:
    assert limits.MAX_PROVIDER_TIME < timedelta(minutes=1) < limits.MAX_PAYMENT_TIME < limits.MAX_WEBHOOK_AGE
    assert limits.MAX_PROVIDER_BYTES < MAX_BODY_BYTES


def test_an_agent_can_have_more_requests_open_than_a_process_asks_for_at_once() -> None:
    assert limits.MAX_PROVIDER_CALLS <= limits.MAX_OPEN_PAYMENTS
