"""Contacts, and what keeps unwanted mail out."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from ainp.core.contact import Consent, Contact, Standing
from ainp.core.did import AgentDid
from ainp.core.mail_guard import Seen
from ainp.core.message_limits import GREYLIST_TIME
from ainp.store.db import Row, Session
from ainp.store.queries import load

_SQL = load("contacts")


@dataclass(frozen=True, slots=True)
class Change:
    """What an owner says anew of a peer; None leaves what there is."""

    consent: Consent | None = None
    allowlist: bool | None = None
    alias: str | None = None
    notes: str | None = None
    trust_override: float | None = None


async def guard(db: Session, sender: AgentDid, receiver: AgentDid | None, content: bytes) -> tuple[Seen, datetime]:
    """What a sender, its receiver and this content have to do with each other; and the time."""
    row = await db.fetchrow(_SQL["guard"], sender, receiver, content)
    assert row is not None
    standing = Standing()
    if row["consent_state"] is not None:
        standing = Standing(Consent(row["consent_state"]), row["allowlist"], row["message_count"])
    return Seen(standing, row["sent_before"], row["first_seen_at"], row["available"]), row["now"]


async def note_first_try(db: Session, sender: AgentDid, receiver: AgentDid) -> None:
    """Note that a stranger has tried, unless that is noted."""
    await db.execute(_SQL["first_try"], sender, receiver, GREYLIST_TIME)


async def get(db: Session, owner: AgentDid, peer: AgentDid) -> Contact | None:
    """A peer as its owner has it."""
    row = await db.fetchrow(_SQL["get"], owner, peer)
    return None if row is None else _contact(row)


async def page(
    db: Session,
    owner: AgentDid,
    *,
    after: tuple[datetime, str],
    limit: int,
    consent: Consent | None,
    allowlist: bool | None,
) -> list[Contact]:
    """An agent's contacts after a place, the latest first."""
    rows = await db.fetch(_SQL["page"], owner, *after, consent, allowlist, limit)
    return [_contact(row) for row in rows]


async def put(db: Session, owner: AgentDid, peer: AgentDid, change: Change, *, only_known: bool) -> Contact | None:
    """Write down what an owner thinks of a peer; None if that would be a new one and may not."""
    said = (change.consent, change.allowlist, change.alias, change.notes, change.trust_override)
    row = await db.fetchrow(_SQL["put"], owner, peer, *said, only_known)
    return None if row is None else _contact(row)


async def is_crowded(db: Session, owner: AgentDid, *, most: int) -> bool:
    """Whether an owner has written down as many contacts as it may."""
    crowded: bool = await db.fetchval(_SQL["crowded"], owner, most)
    return crowded


async def forget(db: Session, *, batch: int) -> int:
    """Drop a batch of what guards no mail any more; how much."""
    marks = await db.execute(_SQL["forget_marks"], batch)
    tries = await db.execute(_SQL["forget_tries"], batch, timedelta(days=1) + GREYLIST_TIME)
    return max(int(tag.rsplit(" ", 1)[-1]) for tag in (marks, tries))


def _contact(row: Row) -> Contact:
    return Contact(
        owner=row["owner_did"],
        peer=row["peer_did"],
        consent=Consent(row["consent_state"]),
        allowlist=row["allowlist"],
        alias=row["alias"],
        notes=row["notes"],
        trust_override=row["trust_override"],
        messages=row["message_count"],
        first_seen_at=row["first_seen_at"],
        last_seen_at=row["last_seen_at"],
        last_message_at=row["last_message_at"],
        updated_at=row["updated_at"],
    )
