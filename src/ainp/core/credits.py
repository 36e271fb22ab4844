"""Credits: whole atomic units inside, 1000 to a credit."""

from collections.abc import Mapping
from decimal import Decimal
from typing import NewType

from ainp.core.errors import InvalidProposal, InvalidRequest
from ainp.core.limits import MAX_PRICE_CREDITS

Credits = NewType("Credits", int)

ATOMIC_PER_CREDIT = 1000
_EXPECTED = f"expected credits from 0 to {MAX_PRICE_CREDITS} with at most three decimals"


def credits_of_price(price: float) -> Credits:
    """
    Turn a price in credits into atomic units, exactly.

    A JSON number stands for its shortest decimal text (RFC 8785 section 3.2.2.3), so 64.1 is 64100 units and never
    64099. More than three decimals are refused, not rounded.
    """
    atomic = _exactly(price)
    if atomic is None:
        raise InvalidProposal(f"price: found {price!r}, {_EXPECTED}", field="price")
    return atomic


def credits_of_cost(cost: float) -> Credits:
    """Turn what an agent says that something costs into atomic units, as exactly as a price."""
    atomic = _exactly(cost)
    if atomic is None:
        raise InvalidRequest(f"cost: found {cost!r}, {_EXPECTED}", field="cost")
    return atomic


def at_most(cost: float) -> Credits:
    """The most atomic units that are not more than so many credits, 0 or more; none are more than a price can be."""
    return Credits(int(min(Decimal(repr(cost)), Decimal(MAX_PRICE_CREDITS)) * ATOMIC_PER_CREDIT))


def in_credits(atomic: int) -> float:
    """Atomic units as a number of credits, as agents say it: whole where it is."""
    return atomic // ATOMIC_PER_CREDIT if atomic % ATOMIC_PER_CREDIT == 0 else atomic / ATOMIC_PER_CREDIT


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


def _exactly(price: float) -> Credits | None:
    """Credits as atomic units, if they are so many and a price can be so high."""
    atomic = Decimal(repr(price)) * ATOMIC_PER_CREDIT
    most = MAX_PRICE_CREDITS * ATOMIC_PER_CREDIT
    if not atomic.is_finite() or not 0 <= atomic <= most or atomic != atomic.to_integral_value():
        return None
    return Credits(int(atomic))
