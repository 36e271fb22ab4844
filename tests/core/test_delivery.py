"""What becomes of a message, for each of its receivers and for its sender."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainp.core.delivery import Reached, sent
from ainp.core.envelope import open_envelope
from ainp.core.errors import BrokerError
from ainp.core.mail_guard import DuplicateEmail
from ainp.core.message import AgentOffline, Blocked, Message, QueueFull, QueueShareFull
from support.mail import an_intent
from support.signing import identity

ALICE, BOB, CAROL = (identity(name) for name in ("alice", "bob", "carol"))
ENVELOPE = open_envelope(an_intent(ALICE, BOB.did), now=datetime.now(UTC))
FLAGS = st.booleans()
REACHED = st.builds(
    lambda taken, here, queued, blocked, copy: Reached(
        did=BOB.did, taken=taken, here=here, queued=queued, blocked=blocked, copy=copy
    ),
    *[FLAGS] * 5,
)


def a_message(*, waits: bool = True) -> Message:
    return Message(id=UUID(int=1), envelope=ENVELOPE, recipients=(BOB.did,), priority=0.5, waits=waits)


@pytest.mark.parametrize(
    ("reached", "waits", "refusal"),
    [
        (Reached(did=BOB.did, taken=False, here=False), True, QueueFull),
        (Reached(did=BOB.did, taken=False, here=False, crowded=True), True, QueueShareFull),
        (Reached(did=BOB.did, taken=False, here=False), False, AgentOffline),
        (Reached(did=BOB.did, taken=False, here=True, blocked=True), True, Blocked),
        (Reached(did=BOB.did, taken=False, here=True, copy=True), True, DuplicateEmail),
    ],
)
def test_what_nobody_can_have_is_refused_with_the_reason(
    reached: Reached, *, waits: bool, refusal: type[BrokerError]
) -> None:
    with pytest.raises(refusal):
        sent(a_message(waits=waits), [reached])


def test_who_is_away_is_told_to_the_sender() -> None:
    here = Reached(did=BOB.did, taken=True, here=True, queued=True)
    away = Reached(did=CAROL.did, taken=True, here=False, queued=True)
    gone = Reached(did=ALICE.did, taken=False, here=False)

    found = sent(a_message(), [here, away, gone])

    assert found.recipients == [BOB.did, CAROL.did]
    assert found.away == [CAROL.did]
    assert found.queued
    assert found.expires_at == ENVELOPE.sent_at + ENVELOPE.ttl


def test_what_a_socket_is_about_to_take_does_not_count_as_waiting() -> None:
    assert not sent(a_message(), [Reached(did=BOB.did, taken=True, here=True, queued=True)]).queued


@given(reached=st.lists(REACHED, min_size=1, max_size=3))
def test_a_message_is_taken_in_exactly_if_somebody_can_have_it(reached: list[Reached]) -> None:
    try:
        found = sent(a_message(), reached)
    except BrokerError:
        assert not any(one.taken for one in reached)
    else:
        assert list(found.reached) == [one for one in reached if one.taken]
