"""
What keeps unwanted e-mail out: copies, strangers who don't come back, and mail that costs its sender nothing.

In this order: a sender that is blocked; a content that was sent before; a stranger's first try, which is sent away to
come again (software that spams does not); postage for the first mail to somebody. Whom the receiver has listed or
agreed to skips the last two.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from ainp.core.contact import Standing
from ainp.core.did import AgentDid
from ainp.core.envelope import Envelope
from ainp.core.errors import BrokerError, Conflict, InsufficientCredits
from ainp.core.ledger import Entry, postage
from ainp.core.message import Blocked, Message, content_of
from ainp.core.message_limits import GREYLIST_TIME


class DuplicateEmail(Conflict):
    """The same content was sent to the same receiver a short while ago."""

    code = "DUPLICATE_EMAIL"


class Greylisted(BrokerError):
    """A stranger's first mail: to be sent again after a while."""

    code = "GREYLISTED"

    def __init__(self, *, wait: timedelta) -> None:
        self.retry_after_ms = max(1, wait // timedelta(milliseconds=1))
        super().__init__(
            f"First-contact greylist in effect. Retry after {-(-self.retry_after_ms // 1000)}s.",
            retry_after_ms=self.retry_after_ms,
        )


@dataclass(frozen=True, slots=True)
class GuardPolicy:
    """What is asked of e-mail; None is nothing. Postage is in atomic units."""

    dedupe: timedelta | None = None
    greylist: timedelta | None = None
    postage: int | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """What is stored about a sender, its receiver and this content."""

    standing: Standing
    sent_before: bool
    first_tried_at: datetime | None
    available: int


def content_key(envelope: Envelope) -> bytes:
    """What a copy has in common: sender, receiver, subject and text, each with its length, so none lends to another."""
    parts = (envelope.sender, envelope.recipient or "*", *content_of(envelope))
    return hashlib.sha256(b"".join(b"%d:%s" % (len(raw), raw) for raw in map(str.encode, parts))).digest()


def first_try_again(first_tried_at: datetime | None, now: datetime) -> bool:
    """Whether a stranger's try counts as its first: there was none, or it is too long ago."""
    return first_tried_at is None or now - first_tried_at >= GREYLIST_TIME


def admit(
    message: Message, to: AgentDid | None, seen: Seen, *, policy: GuardPolicy, now: datetime
) -> tuple[Entry, ...]:
    """
    Let an e-mail pass, or raise why not; what it costs its sender is returned.

    *to* is the receiver that the envelope names; what goes to whoever a query finds is compared with copies alone.
    """
    if seen.standing.blocked:
        raise Blocked(f"{to} takes no messages from {message.sender}")
    if policy.dedupe is not None and seen.sent_before:
        raise DuplicateEmail("Duplicate email content detected within dedupe window")
    if to is None or to == message.sender or seen.standing.welcome:
        return ()
    if policy.greylist is not None and not seen.standing.known:
        _check_greylist(seen.first_tried_at, delay=policy.greylist, now=now)
    if policy.postage and not seen.standing.known:
        if seen.available < policy.postage:
            raise InsufficientCredits(needed=policy.postage, have=seen.available, of=message.sender)
        return postage(message.sender, policy.postage, message.id)
    return ()


def _check_greylist(first_tried_at: datetime | None, *, delay: timedelta, now: datetime) -> None:
    first = first_try_again(first_tried_at, now)
    since = now if first or first_tried_at is None else first_tried_at
    if now < since + delay or first:
        raise Greylisted(wait=since + delay - now)
