"""
Time passes in a database by moving what is stored back: `now()` stays the server's.

Who registered before which receipt stays as it was: the published lists say so, too, and never change.
"""

from datetime import timedelta

from ainp.store.db import Session

_TIMES = {
    "agents": ("last_seen_at", "expires_at", "trust_ranked_at"),
    "negotiations": ("created_at", "updated_at", "expires_at", "accepted_at", "settle_by", "delivered_at", "closed_at"),
    "task_receipts": ("updated_at", "window_ends_at", "finalized_at", "judged_at"),
    "committee_epochs": ("created_at",),
    "agent_reputation": ("updated_at",),
    "welcome_grants": ("hour",),
    "idempotency_keys": ("created_at",),
    "used_nonces": ("until",),
    "agent_stakes": ("locked_until",),
    "usefulness_proofs": ("created_at",),
    "usefulness_totals": ("last_proof_at",),
    "payment_requests": ("created_at", "updated_at", "expires_at"),
    "audit_log": ("timestamp",),
    "job_runs": ("tick", "started_at", "finished_at"),
    "events": ("created_at", "published_at"),
}


async def let_pass(db: Session, time: timedelta) -> None:
    """Make everything that is stored older by *time*; statements that never change keep their times."""
    for table, columns in _TIMES.items():
        moved = ", ".join(f"{column} = {column} - $1::interval" for column in columns)
        await db.execute(f"UPDATE {table} SET {moved}", time)  # noqa: S608 - the names above
    await db.execute(
        "UPDATE agent_reputation SET observed_at = ARRAY(SELECT at - $1::interval FROM unnest(observed_at)"
        " WITH ORDINALITY AS seen (at, place) ORDER BY place)",
        time,
    )


async def close_window(db: Session, task_id: str) -> None:
    """End the time in which a receipt's committee is heard."""
    await db.execute("UPDATE task_receipts SET window_ends_at = now() - interval '1 second' WHERE id = $1", task_id)


async def let_deadlines_come(db: Session, time: timedelta) -> None:
    """Make everything that has a term end earlier by *time*, and nothing else."""
    await db.execute(
        "UPDATE negotiations SET expires_at = expires_at - $1::interval, settle_by = settle_by - $1::interval", time
    )
    await db.execute("UPDATE task_receipts SET window_ends_at = window_ends_at - $1::interval", time)
