"""Copies, strangers and postage."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainp.core.contact import Consent, Standing
from ainp.core.did import AgentDid
from ainp.core.envelope import open_envelope
from ainp.core.errors import BrokerError, InsufficientCredits
from ainp.core.ledger import POOL
from ainp.core.mail_guard import DuplicateEmail, Greylisted, GuardPolicy, Seen, admit, content_key, first_try_again
from ainp.core.message import Blocked, Message, read_mail
from ainp.core.message_limits import GREYLIST_TIME
from support.builders import NOW
from support.mail import an_email
from support.signing import identity

ALICE, BOB = identity("alice"), identity("bob")
DELAY = timedelta(minutes=5)
EVERYTHING = GuardPolicy(dedupe=timedelta(days=1), greylist=DELAY, postage=1000)
STANDINGS = st.builds(Standing, st.sampled_from(Consent), st.booleans(), st.integers(0, 3))
SEEN = st.builds(
    Seen,
    STANDINGS,
    st.booleans(),
    st.none() | st.timedeltas(timedelta(0), timedelta(days=50)).map(lambda ago: NOW - ago),
    st.integers(0, 2000),
)
POLICIES = st.builds(
    GuardPolicy,
    st.none() | st.just(timedelta(days=1)),
    st.none() | st.just(DELAY),
    st.none() | st.integers(0, 2000),
)


def an_incoming(text: str = "Hello", subject: str = "About it") -> Message:
    envelope = open_envelope(an_email(ALICE, BOB.did, text, subject=subject), now=datetime.now(UTC))
    return Message(
        id=UUID(int=7),
        envelope=envelope,
        recipients=(BOB.did,),
        priority=0.5,
        waits=True,
        mail=read_mail(envelope, conversation="c"),
    )


MAIL = an_incoming()


def outcome(seen: Seen, policy: GuardPolicy = EVERYTHING, to: AgentDid | None = BOB.did) -> type[BrokerError] | int:
    """What it costs, or the refusal."""
    try:
        return sum(entry.amount for entry in admit(MAIL, to, seen, policy=policy, now=NOW))
    except BrokerError as error:
        return type(error)


def seen(
    standing: Standing | None = None, *, before: bool = False, tried: timedelta | None = None, available: int = 5000
) -> Seen:
    return Seen(standing or Standing(), before, None if tried is None else NOW - tried, available)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (seen(), Greylisted),
        (seen(tried=DELAY - timedelta(seconds=1)), Greylisted),
        (seen(tried=DELAY), 1000),
        (seen(tried=timedelta(days=34)), 1000),
        (seen(tried=GREYLIST_TIME), Greylisted),
        (seen(tried=DELAY, available=999), InsufficientCredits),
        (seen(tried=DELAY, before=True), DuplicateEmail),
        (seen(Standing(messages=1)), 0),
        (seen(Standing(messages=1), before=True), DuplicateEmail),
        (seen(Standing(Consent.CONSENTED)), 0),
        (seen(Standing(Consent.TRUSTED)), 0),
        (seen(Standing(allowlist=True)), 0),
        (seen(Standing(Consent.CONSENTED), before=True), DuplicateEmail),
        (seen(Standing(Consent.BLOCKED, allowlist=True, messages=9)), Blocked),
    ],
)
def test_what_becomes_of_a_mail(found: Seen, expected: object) -> None:
    assert outcome(found) == expected


def test_a_stranger_is_told_how_long_to_wait() -> None:
    with pytest.raises(Greylisted, match=r"Retry after 300s\.") as refused:
        admit(MAIL, BOB.did, seen(), policy=EVERYTHING, now=NOW)
    assert refused.value.retry_after_ms == 300_000

    with pytest.raises(Greylisted, match=r"Retry after 1s\."):
        admit(MAIL, BOB.did, seen(tried=DELAY - timedelta(milliseconds=1)), policy=EVERYTHING, now=NOW)


def test_postage_goes_to_the_pool() -> None:
    (entry,) = admit(MAIL, BOB.did, seen(tried=DELAY), policy=EVERYTHING, now=NOW)

    assert (entry.source, entry.target, entry.amount) == (f"available:{ALICE.did}", POOL, 1000)
    assert entry.key == f"postage:{MAIL.id}"


@given(found=SEEN, policy=POLICIES)
def test_the_blocked_never_pass_and_the_welcome_are_only_asked_for_something_new(
    found: Seen, policy: GuardPolicy
) -> None:
    result = outcome(found, policy)

    if found.standing.blocked:
        assert result is Blocked
    elif found.standing.welcome:
        assert result in (0, DuplicateEmail)


@given(found=SEEN)
def test_without_a_policy_everybody_but_the_blocked_passes_for_nothing(found: Seen) -> None:
    assert outcome(found, GuardPolicy()) == (Blocked if found.standing.blocked else 0)


@given(found=SEEN, policy=POLICIES)
def test_what_goes_to_whom_a_query_finds_is_compared_with_copies_alone(found: Seen, policy: GuardPolicy) -> None:
    result = outcome(found, policy, to=None)

    assert result in (0, DuplicateEmail, Blocked)


@given(found=SEEN, policy=POLICIES)
def test_nobody_pays_more_than_they_have(found: Seen, policy: GuardPolicy) -> None:
    result = outcome(found, policy)

    assert not isinstance(result, int) or result <= found.available


@given(tried=st.timedeltas(timedelta(0), timedelta(days=100)))
def test_a_stranger_who_comes_back_in_time_passes(tried: timedelta) -> None:
    """DEF-61: not only before the delay is over, and not greylisted for ever after it."""
    passes = outcome(seen(tried=tried)) == 1000

    assert passes == (DELAY <= tried < GREYLIST_TIME)
    assert first_try_again(NOW - tried, NOW) == (tried >= GREYLIST_TIME)


TEXTS = st.text(st.characters(codec="utf-8", min_codepoint=1), max_size=5)


@given(one=st.tuples(TEXTS, TEXTS), other=st.tuples(TEXTS, TEXTS))
def test_other_contents_have_another_key(one: tuple[str, str], other: tuple[str, str]) -> None:
    key, another = (content_key(an_incoming(text, subject).envelope) for text, subject in (one, other))

    assert (key == another) == (one == other)
