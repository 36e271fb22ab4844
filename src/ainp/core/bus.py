"""What goes to a message bus: an event as one letter for each of its receivers, and where it is put there."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote

from ainp.core.events import Told, carried, frame, frames_of

BUS = "nats"  # what it is called where its progress is kept
WAKES = "ainp.published"  # the brokers tell each other here how far publication is; kept nowhere


class Stream(StrEnum):
    """Where the bus keeps letters; each stream has the subjects of one word."""

    INTENTS = "AINP_INTENTS"
    NEGOTIATIONS = "AINP_NEGOTIATIONS"
    RESULTS = "AINP_RESULTS"
    EVENTS = "AINP_EVENTS"

    @property
    def subjects(self) -> str:
        """All of its subjects; the last token is the receiver."""
        return f"ainp.{_WORDS[self]}.*"

    def subject(self, did: str) -> str:
        """Where a receiver's letters are."""
        return f"ainp.{_WORDS[self]}.{token(did)}"


_WORDS = {
    Stream.INTENTS: "intents",
    Stream.NEGOTIATIONS: "negotiate",
    Stream.RESULTS: "results",
    Stream.EVENTS: "events",
}
_OF_MESSAGES = {"NEGOTIATE": Stream.NEGOTIATIONS, "RESULT": Stream.RESULTS}


@dataclass(frozen=True, slots=True)
class Letter:
    """One event for one receiver; *id* is what makes a second copy of it fall out."""

    did: str
    number: int
    event: str
    subject: str
    payload: bytes

    @property
    def id(self) -> str:
        """The same for the same event of the same receiver, for ever."""
        return f"{self.did}#{self.number}"


def token(did: str) -> str:
    """A DID as one token of a subject: a dot would make it several, and a star or an arrow would be a pattern."""
    return quote(did, safe=":").replace(".", "%2E")


def letters(event: str, told: Told) -> Iterator[Letter]:
    """
    An event as its receivers get it.

    A message is its envelope, byte for byte as it was signed; everything else is the frame that a socket gets.
    """
    stream = _stream(event, told.body)
    is_message = carried(told.body) is not None
    for did, number in zip(told.recipients, told.numbers, strict=True):
        text = frame(told.body, number)
        payload = (frames_of(text)[0] if is_message else text).encode()
        yield Letter(did, number, event, stream.subject(did), payload)


def _stream(event: str, body: str) -> Stream:
    if carried(body) is not None:
        notice = json.loads(frames_of(frame(body, 0))[-1])
        return _OF_MESSAGES.get(notice.get("msg_type"), Stream.INTENTS)
    return Stream.NEGOTIATIONS if event.startswith("negotiation.") else Stream.EVENTS
