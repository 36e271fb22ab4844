"""What a conversation adds up to."""

from uuid import UUID

from ainp.core.mailbox import Kept, Summary, Thread
from support.builders import NOW
from support.signing import identity

ALICE, BOB = identity("alice").did, identity("bob").did


def a_mail(number: int, *, received: bool, subject: str | None) -> Kept:
    sender, to = (BOB, ALICE) if received else (ALICE, BOB)
    return Kept(
        id=UUID(int=number),
        envelope_id=str(number),
        conversation_id="c",
        sender=sender,
        recipients=[to],
        received=received,
        subject=subject,
        body="text",
        mime="text/plain",
        hash="sha256:",
        headers={},
        attachments=[],
        labels=[],
        created_at=NOW,
        received_at=NOW,
        read_at=None,
        intent_type="MESSAGE",
    )


def a_thread(*messages: Kept) -> Thread:
    return Thread("c", Summary(len(messages), 0, NOW, NOW, []), messages)


def test_everybody_is_named_once_with_what_they_were() -> None:
    thread = a_thread(
        a_mail(1, received=True, subject=None),
        a_mail(2, received=True, subject="First"),
        a_mail(3, received=False, subject="Second"),
    )

    assert thread.participants == {BOB: ["sender", "recipient"], ALICE: ["recipient", "sender"]}
    assert thread.subject == "First"


def test_a_thread_may_have_no_subject() -> None:
    assert a_thread(a_mail(1, received=True, subject=None)).subject is None
