"""Reputations, the observations that moved them, and the auditors' own record."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ainp.core.did import AgentDid
from ainp.core.ids import TaskId
from ainp.core.ledger import Entry
from ainp.core.reputation import Change, Dimension, Reputation, Standing
from ainp.store.db import Row, Session
from ainp.store.posting import entry_rows
from ainp.store.queries import load

_SQL = load("reputation")
_NEUTRAL = Reputation()  # of whoever has no record, which are most of those who are found


@dataclass(frozen=True, slots=True)
class AuditorRecord:
    """How often an agent judged with the outcome, against it, or not at all."""

    agreed: int
    disagreed: int
    silent: int


@dataclass(frozen=True, slots=True)
class Profile:
    """An agent's reputation as a worker and its record as an auditor, at *now*."""

    agent_id: UUID
    did: AgentDid
    reputation: Reputation
    auditor: AuditorRecord
    now: datetime


@dataclass(frozen=True, slots=True)
class Explained:
    """A change as it is kept."""

    id: int
    task_id: TaskId
    change: Change
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgementRows:
    """What a batch of judgements writes."""

    reputations: Sequence[tuple[UUID, Reputation]]
    changes: Sequence[tuple[UUID, TaskId, Change]]
    clients: Sequence[tuple[UUID, AgentDid]]
    auditors: Sequence[tuple[AgentDid, AuditorRecord]]
    entries: Sequence[Entry]


async def get(db: Session, did: AgentDid) -> Profile | None:
    """What is known of an agent."""
    row = await db.fetchrow(_SQL["get"], did)
    if row is None:
        return None
    auditor = AuditorRecord(row["agreed"], row["disagreed"], row["silent"])
    return Profile(row["agent_id"], row["did"], reputation_of(row), auditor, row["now"])


async def history(db: Session, agent_id: UUID, *, before: int, limit: int) -> list[Explained]:
    """What changed an agent's reputation, newest first, older than the change *before*."""
    return [
        Explained(
            row["id"],
            row["task_id"],
            Change(Dimension(row["dimension"]), row["observed"], row["before"], row["after"], row["reason"]),
            row["created_at"],
        )
        for row in await db.fetch(_SQL["history"], agent_id, before, limit)
    ]


async def lock(db: Session, dids: Collection[AgentDid]) -> dict[AgentDid, tuple[UUID, Reputation]]:
    """Take the reputations of registered agents for this transaction, neutral ones where there were none."""
    await db.execute(_SQL["begin"], sorted(dids))
    return {row["did"]: (row["agent_id"], reputation_of(row)) for row in await db.fetch(_SQL["lock"], sorted(dids))}


async def judge(db: Session, rows: JudgementRows) -> None:
    """Write what judgements changed; the reputations must be locked."""
    await db.execute(
        _SQL["judge"],
        [{"agent_id": agent_id, **reputation_columns(reputation)} for agent_id, reputation in rows.reputations],
        [
            {
                "agent_id": agent_id,
                "task_id": task_id,
                "dimension": change.dimension,
                "observed": change.observed,
                "before": change.before,
                "after": change.after,
                "reason": change.reason,
            }
            for agent_id, task_id, change in rows.changes
        ],
        [agent_id for agent_id, _ in rows.clients],
        [client for _, client in rows.clients],
        [{"did": did, "agreed": r.agreed, "disagreed": r.disagreed, "silent": r.silent} for did, r in rows.auditors],
        entry_rows(rows.entries),
    )


def reputation_of(row: Row) -> Reputation:
    """Read the reputation columns of a joined row; neutral where the join found none."""
    if row["reputation_of"] is None:
        return _NEUTRAL
    return Reputation(
        standings={
            dimension: Standing(row[dimension.value], seen, at)
            for dimension, seen, at in zip(Dimension, row["observations"], row["observed_at"], strict=True)
        },
        clients=row["clients"],
        version=row["reputation_version"],
        updated_at=row["reputation_updated_at"],
    )


def reputation_columns(reputation: Reputation) -> dict[str, object]:
    """Values in millionths, numbers of observations and times, each in the order of `Dimension`."""
    standings = [reputation.standings[dimension] for dimension in Dimension]
    return {
        "value": [s.value for s in standings],
        "observations": [s.observations for s in standings],
        "observed_at": [s.observed_at for s in standings],
        "updated_at": reputation.updated_at,
    }
