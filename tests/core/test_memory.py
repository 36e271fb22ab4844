"""What is remembered of a mail: its own sentences, and why."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainp.core.memory import CONTENT_KEPT, CONTENT_SEARCHED, Why, distill

MAIL = """Hi Bob,

thanks for the call. The translation of the contract has to be here by 2026-03-05 at 12:00. The weather is nice.
We pay 120 credits for the translation, as agreed. Could you send the glossary before the translation starts?

> You wrote that the old quote was 90 credits.

Kind regards\n-- \nAlice, 555-0100, written on 2026-01-01
"""


def test_what_matters_is_kept_with_its_reason() -> None:
    memory = distill("The contract", MAIL, "text/plain")

    assert memory is not None
    assert [one.text for one in memory.kept] == [
        "The translation of the contract has to be here by 2026-03-05 at 12:00.",
        "We pay 120 credits for the translation, as agreed.",
        "Could you send the glossary before the translation starts?",
    ]
    assert [one.why for one in memory.kept] == [
        (Why.WHEN, Why.RECURS),
        (Why.HOW_MUCH, Why.RECURS),
        (Why.ASKS, Why.RECURS),
    ]
    assert memory.content.startswith("The contract\n\nHi Bob")
    assert "90 credits" not in memory.content  # what somebody else had said
    assert "555-0100" not in memory.content


def test_tags_of_html_are_no_words() -> None:
    memory = distill(None, "<style>p {color: red}</style><p>The <b>meeting</b> is at 14:30.</p>", "text/html")

    assert memory is not None
    assert memory.summary == "The meeting is at 14:30."


@pytest.mark.parametrize(
    ("body", "mime"),
    [("", "text/plain"), ("ok", "text/plain"), ("> all of it quoted", "text/plain"), (MAIL, "image/png")],
)
def test_what_says_nothing_is_not_remembered(body: str, mime: str) -> None:
    assert distill("Subject", body, mime) is None


def test_where_nothing_stands_out_something_is_kept() -> None:
    memory = distill(None, "Come as you are.", "text/plain")

    assert memory is not None
    assert [(one.text, one.why) for one in memory.kept] == [("Come as you are.", (Why.PLACE,))]


@given(subject=st.none() | st.text(max_size=50), body=st.text(max_size=400))
def test_whatever_a_mail_says_its_memory_is_its_own_words(subject: str | None, body: str) -> None:
    memory = distill(subject, body, "text/plain")

    assert memory == distill(subject, body, "text/plain")
    if memory is not None:
        assert 1 <= len(memory.kept) <= 3
        assert all(one.why and set(one.text.split()) <= set(body.split()) for one in memory.kept)


@given(body=st.text(alphabet="<>/ab script\n", max_size=400))
def test_whatever_html_is_read(body: str) -> None:
    assert distill(None, body, "text/html") == distill(None, body, "text/html")


def test_much_is_cut() -> None:
    memory = distill("s" * 900, "A long story. " * 10_000, "text/plain")

    assert memory is not None
    assert len(memory.content) == CONTENT_KEPT
    assert len(memory.searched) <= CONTENT_SEARCHED + 1


@pytest.mark.parametrize("of", ["<script", "1", "\n", "\n ", ">", " ", "< ", "a. ", "1,"])
def test_a_mail_that_is_made_to_take_long_does_not(of: str) -> None:
    """Seconds, if a search went back and forth; here it would time out."""
    for mime in ("text/plain", "text/html"):
        for _ in range(2):
            distill(None, of * 20_000, mime)
