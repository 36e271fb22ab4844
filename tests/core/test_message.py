"""What the broker reads of a message."""

import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainp.core.envelope import Envelope, open_envelope
from ainp.core.errors import InvalidEnvelope
from ainp.core.message import (
    MsgType,
    check_routable,
    conversation_of,
    is_email,
    is_mail,
    may_wait,
    payload_type,
    read_labels,
    read_mail,
)
from ainp.core.qos import Qos
from support.mail import a_mail, an_intent
from support.signing import identity

ALICE, BOB = identity("alice"), identity("bob")
DIDS = st.lists(st.text("abc", min_size=1), min_size=1, max_size=5)


def opened(raw: bytes) -> Envelope:
    return open_envelope(raw, now=datetime.now(UTC))


def read(**semantics: Any) -> Any:  # noqa: ANN401 - a mail
    return read_mail(opened(a_mail(ALICE, BOB.did, **semantics)), conversation="conv")


def test_a_mail_is_read_as_the_sdks_write_it() -> None:
    attachment = {"filename": "a.txt", "mime_type": "text/plain", "size_bytes": 3, "content_hash": "sha256:1"}
    mail = read(
        text="Dear Bob",
        conversation_id="c1",
        content_type="text/markdown",
        labels=["work", "work", "later"],
        attachments=[attachment],
        headers={"X-Mood": "good", "Bcc": "carol"},
    )

    assert (mail.conversation_id, mail.subject, mail.body, mail.mime) == ("c1", "About it", "Dear Bob", "text/markdown")
    assert mail.labels == ("work", "later")
    assert mail.attachments == [attachment]
    assert mail.headers == {"X-Mood": "good"}
    assert mail.hash == "sha256:" + hashlib.sha256(b"Dear Bob").hexdigest()


def test_what_a_mail_does_not_say_is_a_default() -> None:
    mail = read(subject=..., content=..., body="in the body")

    assert (mail.conversation_id, mail.subject, mail.body, mail.mime) == ("conv", None, "in the body", "text/plain")
    assert (mail.labels, mail.attachments, mail.headers) == ((), [], {})
    assert read(content=7).body == ""


def test_a_preview_is_the_beginning() -> None:
    assert read(text="x" * 300).preview == "x" * 100


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("subject", 1),
        ("subject", "x" * 999),
        ("conversation_id", ["c"]),
        ("conversation_id", "c" * 201),
        ("content_type", {}),
        ("headers", []),
        ("labels", "work"),
        ("labels", [1]),
        ("labels", [""]),
        ("labels", ["x" * 101]),
        ("labels", [str(number) for number in range(51)]),
        ("attachments", {}),
        ("attachments", [{}] * 51),
        ("attachments", [{"filename": "a.pdf", "data": "A" * 4096}]),
    ],
)
def test_a_mail_that_can_not_be_kept_is_refused(field: str, value: object) -> None:
    with pytest.raises(InvalidEnvelope, match=field):
        read(**{field: value})


@pytest.mark.parametrize(
    ("kind", "semantics", "mail", "email"),
    [
        ("MESSAGE", {}, True, False),
        ("EMAIL_MESSAGE", {}, True, True),
        ("CHAT_MESSAGE", {}, True, False),
        ("NOTIFICATION", {}, True, False),
        ("MyEmailThing", {}, False, True),
        ("MESSAGE", {"email": True}, True, True),
        ("MESSAGE", {"email": "yes"}, True, False),
        ("RequestMeeting", {}, False, False),
    ],
)
def test_what_is_mail_and_what_is_guarded_as_email(
    kind: str, semantics: dict[str, Any], *, mail: bool, email: bool
) -> None:
    envelope = opened(a_mail(ALICE, BOB.did, kind=kind, **semantics))

    assert (is_mail(envelope), is_email(envelope)) == (mail, email)
    assert payload_type(envelope) == kind


def test_only_intents_are_mail() -> None:
    result = opened(an_intent(ALICE, BOB.did, msg_type=MsgType.RESULT, payload={"@type": "EMAIL_MESSAGE"}))

    assert not is_mail(result)
    assert not is_email(result)


@pytest.mark.parametrize("payload", [{}, {"@type": 1}, {"@type": None}, {"semantics": "x"}], ids=str)
def test_a_payload_may_be_anything(payload: dict[str, object]) -> None:
    envelope = opened(an_intent(ALICE, BOB.did, payload=payload))

    assert not is_mail(envelope)
    assert not is_email(envelope)
    assert payload_type(envelope) is None


@pytest.mark.parametrize(
    ("changes", "urgency", "waits"),
    [
        ({}, 1.0, True),
        ({"ttl": 4_999}, 0.81, False),
        ({"ttl": 4_999}, 0.8, True),
        ({"ttl": 5_000}, 1.0, True),
        ({"metadata": {"no_queue": True}}, 0.5, False),
        ({"metadata": {"no_queue": "true"}}, 0.5, True),
        ({"metadata": []}, 0.5, True),
    ],
)
def test_what_is_urgent_and_short_lived_does_not_wait(
    changes: dict[str, object], urgency: float, *, waits: bool
) -> None:
    assert may_wait(opened(an_intent(ALICE, BOB.did, **changes)), Qos(urgency=urgency)) == waits


@pytest.mark.parametrize("name", ["@type", "type", "event", "number", "error", "status"])
def test_an_envelope_can_not_look_like_a_word_of_the_brokers(name: str) -> None:
    with pytest.raises(InvalidEnvelope, match=f"found the member '{name}'"):
        check_routable(opened(an_intent(ALICE, BOB.did, **{name: "events_missed"})))


def test_a_known_conversation() -> None:
    assert conversation_of(["did:key:b", "did:key:a"]) == conversation_of(["did:key:a", "did:key:b", "did:key:a"])
    assert conversation_of(["did:key:a", "did:key:b"]).startswith("conv_")
    assert len(conversation_of(["x"])) == 5 + 32


@given(dids=DIDS, others=DIDS)
def test_other_agents_have_another_conversation(dids: list[str], others: list[str]) -> None:
    assert (conversation_of(dids) == conversation_of(others)) == (set(dids) == set(others))


@given(labels=st.lists(st.text(min_size=1, max_size=100), max_size=50))
def test_labels_are_kept_once_and_in_order(labels: list[str]) -> None:
    read_once = read_labels(labels, field="add")

    assert list(read_once) == list(dict.fromkeys(labels))
