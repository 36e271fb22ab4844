"""Whatever agents do, in any order: their queue, their mailbox and what they were told are a model's."""

import asyncio
import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ainp.core.contact import Consent
from ainp.core.did import AgentDid
from ainp.core.envelope import open_envelope
from ainp.core.message import AgentOffline, Blocked, NotQueued
from ainp.core.message_limits import MAX_RELEASED_PER_SECOND, MAX_RELEASES
from ainp.operations import contacts, mailbox, messages
from ainp.operations.messages import MessagePolicy
from ainp.operations.presence import Presence
from ainp.store.contacts import Change
from ainp.store.db import Database
from support.mail import a_payload, an_intent
from support.signing import identity

ALICE = identity("alice")
URGENCIES = (0.0, 0.5, 1.0)
LABELS = ("", "work")
STEP = st.one_of(
    st.tuples(st.just("send"), st.sampled_from(URGENCIES), st.booleans()),
    *(st.tuples(st.just(name)) for name in ("connect", "disconnect", "take", "age", "expire")),
    st.tuples(st.just("release"), st.booleans()),
    st.tuples(st.just("mail"), st.sampled_from(LABELS)),
    *(st.tuples(st.just(name)) for name in ("mark", "cancel", "block", "admit")),
)
NUMBERS = itertools.count()


@dataclass
class Waits:
    """A message in the model's queue."""

    id: str
    urgency: float
    place: int
    tries: int = 0
    told: bool = False
    long_ago: bool = False


@dataclass
class Mailed:
    """A mail in the model's mailbox."""

    id: str
    label: str
    read: bool = False


@dataclass
class Model:
    """A hundred lines that say what a queue and a mailbox are."""

    sockets: int = 0
    queue: list[Waits] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    taken: int = 0
    sent: int = 0
    ids: list[str] = field(default_factory=list)
    blocks: bool = False
    mails: list[Mailed] = field(default_factory=list)

    def send(self, id_: str, urgency: float, *, waits: bool) -> bool:
        """Whether it is taken in."""
        if self.blocks or not (self.sockets or waits):
            return False
        self._hand_over(id_, urgency, waits=waits)
        return True

    def mail(self, id_: str, label: str) -> bool:
        """Whether it is taken in: it is in the mailbox, whoever is there."""
        if self.blocks:
            return False
        self._hand_over(id_, 0.5, waits=True)
        self.mails.append(Mailed(id_, label))
        return True

    def mark(self) -> str | None:
        """The oldest that was not read is read."""
        unread = next((one for one in self.mails if not one.read), None)
        if unread is None:
            return None
        unread.read = True
        return unread.id

    def cancel(self) -> tuple[str, bool] | None:
        """Whether what was sent last can be taken back: if it waits and nobody was told; mail stays in the mailbox."""
        if not self.ids:
            return None
        id_ = self.ids[-1]
        waits = [one for one in self.queue if one.id == id_ and not one.told]
        self.queue = [one for one in self.queue if one not in waits]
        return id_, bool(waits)

    def _hand_over(self, id_: str, urgency: float, *, waits: bool) -> None:
        self.sent += 1
        self.ids.append(id_)
        here = self.sockets > 0
        if here:
            self.told.append(id_)
        if waits:
            self.queue.append(Waits(id_, urgency, self.sent, int(here), here))

    def order(self) -> list[Waits]:
        """What is next first."""
        return sorted(self.queue, key=lambda one: (-one.urgency, one.place))

    def release(self, *, again: bool) -> None:
        """Tell who has come."""
        next_ = [one for one in self.order() if not one.told or (again and one.long_ago and one.tries < MAX_RELEASES)][
            :MAX_RELEASED_PER_SECOND
        ]
        for one in next_:
            one.told, one.long_ago, one.tries = True, False, one.tries + 1
            self.told.append(one.id)

    def take(self) -> str | None:
        """A socket takes the next of what was told."""
        if self.taken == len(self.told):
            return None
        id_ = self.told[self.taken]
        self.taken += 1
        self.queue = [one for one in self.queue if one.id != id_]
        return id_

    def age(self) -> None:
        """Time passes."""
        for one in self.queue:
            one.long_ago = one.told

    def expire(self) -> str | None:
        """The time of the one that is next is over."""
        if not self.queue:
            return None
        first = self.order()[0]
        self.queue.remove(first)
        return first.id


class Ours:
    """The same with what the broker has."""

    def __init__(self, db: Database, did: AgentDid) -> None:
        self.db, self.did, self.presence = db, did, Presence()

    async def step(self, model: Model, name: str, *said: Any) -> None:  # noqa: ANN401 - of each step its own
        """Do one thing to both."""
        await getattr(self, f"_{name}")(model, *said)

    async def _connect(self, model: Model) -> None:
        await self.presence.enter(self.db, self.did, fresh=True)
        model.sockets += 1

    async def _disconnect(self, model: Model) -> None:
        if model.sockets:
            self.presence.leave(self.did)
            await self.presence.write(self.db)
            model.sockets -= 1

    async def _release(self, model: Model, again: bool) -> None:  # noqa: FBT001 - a drawn value
        await messages.release(self.db, self.did, again=again)
        model.release(again=again)

    async def _take(self, model: Model) -> None:
        if (id_ := model.take()) is not None:
            found = await self.db.fetchval("SELECT id FROM messages WHERE envelope_id = $1", id_)
            self.presence.handed_over(str(found), self.did)
            await self.presence.write(self.db)

    async def _age(self, model: Model) -> None:
        earlier = "UPDATE message_queue SET released_at = released_at - interval '90 s' WHERE to_did = $1"
        await self.db.execute(earlier, self.did)
        model.age()

    async def _expire(self, model: Model) -> None:
        if (id_ := model.expire()) is not None:
            await self.db.execute(
                "UPDATE message_queue q SET expires_at = now() - interval '1 second' FROM messages m"
                " WHERE m.id = q.message_id AND m.envelope_id = $1",
                id_,
            )

    async def _send(self, model: Model, urgency: float, waits: bool) -> None:  # noqa: FBT001 - a drawn value
        id_ = f"envelope {next(NUMBERS)}"
        metadata = {} if waits else {"metadata": {"no_queue": True}}
        raw = an_intent(ALICE, self.did, id=id_, qos={"urgency": urgency}, **metadata)
        await self._take_in(model, raw, expected=model.send(id_, urgency, waits=waits))

    async def _mail(self, model: Model, label: str) -> None:
        id_ = f"envelope {next(NUMBERS)}"
        raw = an_intent(ALICE, self.did, id=id_, payload=a_payload(id_, labels=[label] if label else []))
        await self._take_in(model, raw, expected=model.mail(id_, label))

    async def _take_in(self, model: Model, raw: bytes, *, expected: bool) -> None:
        envelope = open_envelope(raw, now=datetime.now(UTC))
        try:
            sent = await messages.send(self.db, envelope, policy=MessagePolicy())
        except (AgentOffline, Blocked):
            assert not expected
        else:
            assert expected
            assert sent.queued == (not model.sockets)

    async def _mark(self, model: Model) -> None:
        if (id_ := model.mark()) is not None:
            found = await self.db.fetchval("SELECT id FROM messages WHERE envelope_id = $1", id_)
            await mailbox.mark(self.db, self.did, found, read=True)

    async def _cancel(self, model: Model) -> None:
        if (asked := model.cancel()) is not None:
            id_, expected = asked
            try:
                taken = await messages.cancel(self.db, ALICE.did, id_)
            except NotQueued:
                assert not expected
            else:
                assert (taken, expected) == ([self.did], True)

    async def _block(self, model: Model) -> None:
        await contacts.put(self.db, self.did, ALICE.did, Change(Consent.BLOCKED))
        model.blocks = True

    async def _admit(self, model: Model) -> None:
        await contacts.put(self.db, self.did, ALICE.did, Change(Consent.UNKNOWN))
        model.blocks = False

    async def waiting(self) -> list[str]:
        """What waits, in order."""
        found = await messages.peek(self.db, self.did, of_others=False, limit=200)
        return [one.envelope_id for one in found]

    async def mails(self, **asked: Any) -> set[str]:  # noqa: ANN401 - what the inbox takes
        """What is in the mailbox."""
        wanted = {"label": None, "unread": False, **asked}
        found = await mailbox.inbox(self.db, self.did, before=mailbox.NEWEST, limit=200, **wanted)
        assert len(found) == len({one.envelope_id for one in found})
        return {one.envelope_id for one in found}

    async def told(self) -> list[str]:
        """What was told, in order."""
        rows = await self.db.fetch(
            "SELECT body ->> 'envelope_id' AS id FROM outbox WHERE recipients = ARRAY[$1] ORDER BY outbox.id", self.did
        )
        return [row["id"] for row in rows]


async def compare(url: str, steps: list[tuple[Any, ...]]) -> None:
    """Do the steps, and look after each."""
    database = Database(url, size=2)
    await database.open()
    try:
        ours, model = Ours(database, identity(f"receiver {next(NUMBERS)}").did), Model()
        for name, *said in steps:
            await ours.step(model, name, *said)

            assert await ours.waiting() == [one.id for one in model.order()], name
            assert await ours.told() == model.told, name
            assert await ours.mails() == {one.id for one in model.mails}, name
            assert await ours.mails(unread=True) == {one.id for one in model.mails if not one.read}, name
            assert await ours.mails(label="work") == {one.id for one in model.mails if one.label}, name
    finally:
        await database.close()


def test_queue_and_model_agree(database_url: str) -> None:
    few(database_url)


@pytest.mark.long
def test_queue_and_model_agree_for_long(database_url: str) -> None:
    many(database_url)


def _property(examples: int, steps: int) -> Any:  # noqa: ANN401 - hypothesis has no type for it
    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(steps=st.lists(STEP, min_size=5, max_size=steps))
    def check(url: str, steps: list[tuple[Any, ...]]) -> None:
        asyncio.run(compare(url, steps))

    return check


few, many = _property(25, 20), _property(1000, 80)
