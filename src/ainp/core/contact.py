"""What an agent thinks of another: whether it may write, and what the owner has noted."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ainp.core.did import AgentDid
from ainp.core.errors import Conflict


class Consent(StrEnum):
    """What the owner has said of a peer."""

    UNKNOWN = "unknown"
    CONSENTED = "consented"
    TRUSTED = "trusted"
    BLOCKED = "blocked"


class TooManyContacts(Conflict):
    """The agent has written down as many contacts as it may."""

    code = "TOO_MANY_CONTACTS"


@dataclass(frozen=True, slots=True)
class Standing:
    """How a sender stands with a receiver: what the receiver has said, and whether they have exchanged mail before."""

    consent: Consent = Consent.UNKNOWN
    allowlist: bool = False
    messages: int = 0

    @property
    def blocked(self) -> bool:
        """Whether nothing is to come from it; a block outweighs the list."""
        return self.consent is Consent.BLOCKED

    @property
    def welcome(self) -> bool:
        """Whether the receiver wants its mail: one rule for every list."""
        return not self.blocked and (self.allowlist or self.consent in (Consent.CONSENTED, Consent.TRUSTED))

    @property
    def known(self) -> bool:
        """Whether one has written to the other before."""
        return self.messages > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """A peer as its owner has it."""

    owner: AgentDid
    peer: AgentDid
    consent: Consent
    allowlist: bool
    alias: str | None
    notes: str | None
    trust_override: float | None
    messages: int
    first_seen_at: datetime
    last_seen_at: datetime
    last_message_at: datetime | None
    updated_at: datetime
