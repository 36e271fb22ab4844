"""
Stakes: credits an agent locks as a bond, so that a seat costs something and a lie can be paid for.

What is staked counts for committees until its agent wants it back. Then it counts no more, but stays locked a while,
so that what was done with it can still be punished; a slash takes what counts first, then what is on its way out.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from ainp.core.errors import InsufficientStake, InvalidRequest, NoWithdrawal
from ainp.core.limits import MAX_STAKE, MAX_TEXT_LENGTH, MAX_URI_LENGTH


@dataclass(frozen=True, slots=True)
class Stake:
    """What an agent has staked; *withdrawing* is the part of *locked* that is paid out at *locked_until*."""

    locked: int = 0
    withdrawing: int = 0
    locked_until: datetime | None = None
    withdrawal: UUID | None = None
    slashed: int = 0

    @property
    def active(self) -> int:
        """What counts for committees."""
        return self.locked - self.withdrawing

    def add(self, amount: int) -> "Stake":
        """Lock more."""
        return replace(self, locked=self.locked + check_amount(amount))

    def withdraw(self, amount: int, *, now: datetime, delay: timedelta, withdrawal: UUID) -> "Stake":
        """
        Ask for *amount* back, at once out of what counts, after *delay* paid.

        There is one withdrawal at a time: what is asked for while one is under way joins it, and all of it waits anew.
        """
        if self.active < check_amount(amount):
            raise InsufficientStake(needed=amount, have=self.active)
        return replace(
            self,
            withdrawing=self.withdrawing + amount,
            locked_until=now + delay,
            withdrawal=self.withdrawal or withdrawal,
        )

    def cancel(self) -> "Stake":
        """Leave staked what was on its way out."""
        if not self.withdrawing:
            raise NoWithdrawal("nothing is being withdrawn, expected a withdrawal that is not paid yet")
        return _stayed(self, 0)

    def pay_out(self) -> "Stake":
        """Let go what was withdrawn."""
        return _stayed(replace(self, locked=self.active), 0)

    def slash(self, amount: int) -> "Stake":
        """Take *amount*, or all there is, what counts first."""
        taken = min(check_amount(amount), self.locked)
        left = replace(self, locked=self.locked - taken, slashed=self.slashed + taken)
        return _stayed(left, min(self.withdrawing, left.locked))


def check_amount(amount: int) -> int:
    """Refuse an amount that nobody can mean."""
    if not 1 <= amount <= MAX_STAKE:
        raise InvalidRequest(
            f"amount_atomic: found {amount}, expected 1 to {MAX_STAKE} atomic units", field="amount_atomic"
        )
    return amount


def check_grounds(reason: str, evidence_ref: str | None) -> None:
    """Refuse a slash that does not say why."""
    if not 1 <= len(reason.strip()) <= MAX_TEXT_LENGTH:
        raise InvalidRequest(
            f"reason: found {len(reason.strip())} characters, expected 1 to {MAX_TEXT_LENGTH}", field="reason"
        )
    if evidence_ref is not None and not 1 <= len(evidence_ref) <= MAX_URI_LENGTH:
        raise InvalidRequest(
            f"evidence_ref: found {len(evidence_ref)} characters, expected a URI of 1 to {MAX_URI_LENGTH}",
            field="evidence_ref",
        )


def _stayed(stake: Stake, withdrawing: int) -> Stake:
    if withdrawing:
        return replace(stake, withdrawing=withdrawing)
    return replace(stake, withdrawing=0, locked_until=None, withdrawal=None)
