"""Contacts: whom an agent knows, and what it wants of them."""

from datetime import UTC, datetime

from ainp.core.contact import Consent, Contact, TooManyContacts
from ainp.core.did import AgentDid
from ainp.core.errors import InvalidRequest, NotFound
from ainp.core.message_limits import MAX_CONTACTS
from ainp.store import contacts
from ainp.store.contacts import Change
from ainp.store.db import Session

LATEST = (datetime(9999, 1, 1, tzinfo=UTC), "")


async def get(db: Session, owner: AgentDid, peer: AgentDid) -> Contact:
    """A peer as its owner has it."""
    found = await contacts.get(db, owner, peer)
    if found is None:
        raise NotFound(f"Contact not found: {owner} has nothing about {peer}")
    return found


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
    return await contacts.page(db, owner, after=after, limit=limit, consent=consent, allowlist=allowlist)


async def put(db: Session, owner: AgentDid, peer: AgentDid, change: Change) -> Contact:
    """Write down what an owner thinks of a peer; what is not said stays as it is."""
    if owner == peer:
        raise InvalidRequest("an agent is no contact of its own", field="peer_did")
    crowded = await contacts.is_crowded(db, owner, most=MAX_CONTACTS)
    found = await contacts.put(db, owner, peer, change, only_known=crowded)
    if found is None:
        raise TooManyContacts(f"{owner} has written down {MAX_CONTACTS} contacts, the most", limit=MAX_CONTACTS)
    return found
