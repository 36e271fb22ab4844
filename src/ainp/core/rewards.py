"""
Rewards: an hour's total, shared out by usefulness.

Shares are in proportion to scores, in whole atomic units, and nothing is lost. An agent gets at most what its receipts
of that hour have paid in fees, and less than that in all: whoever trades with themselves to be rewarded pays for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ainp.core.credits import Credits, split


@dataclass(frozen=True, slots=True)
class Candidate:
    """An agent that may be rewarded: its score in hundredths, and the most it can get; None: no limit."""

    agent: str
    score: int
    most: int | None = None


def share(total: int, candidates: Sequence[Candidate], *, least_score: int) -> Mapping[str, Credits]:
    """
    What each candidate gets of *total*; those whose score is below *least_score* get nothing, and share in nothing.

    What an agent's limit takes off is not given to others: the hour costs less. Parts of nothing are left out.
    """
    worthy = {c.agent: c for c in candidates if c.score >= max(1, least_score)}
    if not worthy or total <= 0:
        return {}
    parts = split(total, {agent: c.score for agent, c in worthy.items()})
    limited = {
        agent: part if (most := worthy[agent].most) is None else min(part, most) for agent, part in parts.items()
    }
    return {agent: Credits(part) for agent, part in limited.items() if part > 0}


def most_of_fees(fees: int, *, share_bp: int) -> int:
    """The most that an agent gets back of the *fees* that its receipts of the hour have paid."""
    return fees * share_bp // 10_000
