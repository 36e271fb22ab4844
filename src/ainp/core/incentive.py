"""The incentive split: who gets which share of what a client pays, in basis points."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from ainp.core.credits import split
from ainp.core.errors import InvalidProposal

WHOLE_BP = 10_000
MIN_FEE_BP = 1_000  # broker and pool together: washing trades to gain reputation costs something
_FLOAT_TOLERANCE = Decimal("1e-9")
_SHARES = ("agent", "broker", "validator", "pool")


@dataclass(frozen=True, slots=True)
class IncentiveSplit:
    """Shares in basis points; together exactly 10000."""

    agent: int = 7_000
    broker: int = 1_000
    validator: int = 1_000
    pool: int = 1_000

    def as_mapping(self) -> dict[str, int]:
        """The shares by name."""
        return {"agent": self.agent, "broker": self.broker, "validator": self.validator, "pool": self.pool}


def read_split(shares: object, *, min_fee_bp: int = MIN_FEE_BP) -> IncentiveSplit:
    """
    Read shares as clients send them: basis points that add up to 10000, or parts of one (0.7) that add up to 1.

    A share that is left out is 0. Raises InvalidProposal for an unknown name, a share that is not a number or below
    0, a wrong sum, or a broker and pool that together get less than *min_fee_bp*.
    """
    if not isinstance(shares, Mapping):
        raise _refused(f"found {type(shares).__name__}, expected an object of shares")
    if unknown := sorted(set(shares) - set(_SHARES)):
        raise _refused(f"found the shares {unknown}, expected only {list(_SHARES)}")
    numbers = {name: _number(name, shares.get(name, 0)) for name in _SHARES}
    total = sum(numbers.values(), Decimal(0))
    if total == WHOLE_BP and all(share == share.to_integral_value() for share in numbers.values()):
        points = {name: int(share) for name, share in numbers.items()}
    elif abs(total - 1) <= _FLOAT_TOLERANCE:
        points = _points_of_parts(numbers)
    else:
        raise _refused(f"the shares add up to {total}, expected 10000 basis points (or 1 as parts of one)")
    if points["broker"] + points["pool"] < min_fee_bp:
        fee = points["broker"] + points["pool"]
        raise _refused(f"broker and pool together get {fee} basis points, expected at least {min_fee_bp}")
    return IncentiveSplit(**points)


def _number(name: str, share: object) -> Decimal:
    if isinstance(share, bool) or not isinstance(share, int | float):
        raise _refused(f"{name}: found {type(share).__name__}, expected a number")
    number = Decimal(repr(share))
    if not number.is_finite() or not 0 <= number <= WHOLE_BP:
        raise _refused(f"{name}: found {share!r}, expected 0 to {WHOLE_BP}")
    return number


def _points_of_parts(parts: Mapping[str, Decimal]) -> dict[str, int]:
    scale = 10**18  # finer than a double's last digit below one
    return dict(split(WHOLE_BP, {name: int(part * scale) for name, part in parts.items()}))


def _refused(reason: str) -> InvalidProposal:
    return InvalidProposal(f"incentive_split: {reason}", field="incentive_split")
