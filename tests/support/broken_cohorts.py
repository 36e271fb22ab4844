"""Facts about cohorts that somebody changed by hand, and what that contradicts."""

from ainp.core.audit import Check
from support.broken import a_break, update

COHORT_BREAKS = tuple(
    a_break(name, update("cohorts", change, "closed_at IS NOT NULL"), Check.COHORT)
    for name, change in (
        ("what a cohort was lent", "lent_atomic = lent_atomic + 1"),
        ("what a cohort gave back", "returned_atomic = returned_atomic - 1"),
    )
)
