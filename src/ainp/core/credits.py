"""Credits: whole atomic units inside, 1000 to a credit."""

from collections.abc import Mapping
from decimal import Decimal
from typing import NewType

from ainp.core.errors import InvalidProposal
from ainp.core.limits import MAX_PRICE_CREDITS

Credits = NewType("Credits", int)

ATOMIC_PER_CREDIT = 1000


def credits_of_price(price: float) -> Credits:
    """
    Turn a price in credits into atomic units, exactly.

    A JSON number stands for its shortest decimal text (RFC 8785 section 3.2.2.3), so 64.1 is 64100 units and never
    64099. More than three decimals are refused, not rounded.
    """
    atomic = Decimal(repr(price)) * ATOMIC_PER_CREDIT
    most = MAX_PRICE_CREDITS * ATOMIC_PER_CREDIT
    if not atomic.is_finite() or not 0 <= atomic <= most or atomic != atomic.to_integral_value():
        raise InvalidProposal(
            f"price: found {price!r}, expected credits from 0 to {MAX_PRICE_CREDITS} with at most three decimals",
            field="price",
        )
    return Credits(int(atomic))


def split(total: int, weights: Mapping[str, int]) -> dict[str, Credits]:
    """
    Divide *total* in proportion to *weights*, losing nothing.

    Left-over units go to the largest remainders first, ties by name, so the parts always add up to the whole
    (the largest-remainder method). The weights are not negative and not all zero.
    """
    whole = sum(weights.values())
    parts = {name: total * weight // whole for name, weight in weights.items()}
    by_remainder = sorted(weights, key=lambda name: (-(total * weights[name] % whole), name))
    for name in by_remainder[: total - sum(parts.values())]:
        parts[name] += 1
    return {name: Credits(part) for name, part in parts.items()}
