"""Refusals: one stable code each, and the facts beside the message."""

from collections.abc import Iterator

from ainp.core.errors import BrokerError, InsufficientCredits


def family(refusal: type[BrokerError]) -> Iterator[type[BrokerError]]:
    yield refusal
    for child in refusal.__subclasses__():
        yield from family(child)


def test_no_two_refusals_share_a_code() -> None:
    codes = [refusal.code for refusal in family(BrokerError) if refusal.__module__ == BrokerError.__module__]

    assert len(set(codes)) == len(codes)


def test_missing_credits_are_told_as_decimal_strings() -> None:
    refusal = InsufficientCredits(needed=10**15, have=1)

    assert refusal.message == "Insufficient balance: need 1000000000000000, have 1"
    assert refusal.facts == {"needed": "1000000000000000", "have": "1"}
