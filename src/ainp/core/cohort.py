"""
A cohort: agents that are apart from all others for as long as somebody tries the broker out with them.

They are drawn for each other's tasks and for nobody else's, and nobody else is drawn for theirs; no search finds them.
What they are lent comes from the mint and goes back there, whoever of them has it then, with what their settlements
have paid to fees and pool.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from ainp.core.committee import Epoch
from ainp.core.credits import Credits
from ainp.core.did import AgentDid
from ainp.core.ledger import FEES, MINT, POOL, Account, Entry, Reason, available

LIFETIME = timedelta(minutes=5)  # trying out takes seconds; who has not closed it by then has died


def is_of_cohort(epoch_id: int | None) -> bool:
    """Whether a receipt that was drawn from this epoch is a cohort's."""
    return epoch_id is not None and epoch_id < 0


def list_of(members: Sequence[AgentDid], now: datetime) -> Epoch:
    """The candidates of a cohort, all alike."""
    listed = tuple(sorted(set(members)))
    return Epoch(listed, (1,) * len(listed), (now,) * len(listed), len(listed))


def lend(number: int, to: AgentDid, amount: int) -> Entry:
    """What a cohort begins with, in the hands of one of its agents."""
    return Entry(f"cohort:{number}", MINT, available(to), Credits(amount), Reason.DEPOSIT, str(number))


def give_back(number: int, held: Mapping[str, int], paid: Mapping[str, int], *, pool: int) -> tuple[Entry, ...]:
    """
    All of a cohort's money back to the mint: what its agents have *held*, and what it has *paid* to fees and pool.

    What the *pool* has not got any more, it has paid out as rewards in the place of the mint.
    """
    shares = {**held, FEES: paid.get(FEES, 0), POOL: min(paid.get(POOL, 0), max(0, pool))}
    return tuple(
        Entry(f"cohort:{number}:{source}", Account(source), MINT, Credits(amount), Reason.COHORT_RETURN, str(number))
        for source, amount in sorted(shares.items())
        if amount
    )
