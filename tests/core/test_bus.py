"""What goes to a bus: which subject, which bytes, which id."""

import json
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainp.core.bus import Stream, letters, token
from ainp.core.events import Told

ALICE, BOB = "did:key:z6MkAlice", "did:web:agents.example%3A8443:bob"
ENVELOPE = '{"msg_type":"X", "id": "e1",  "payload":{"number":1}}'


def a_message(msg_type: str) -> Told:
    notice = {"message_id": "01234567-0123-4123-8123-0123456789ab", "@type": "NOTIFICATION", "msg_type": msg_type}
    body = json.dumps(notice, separators=(",", ":"))[:-1] + ',"envelope":' + ENVELOPE + "}"
    return Told(7, [ALICE], [3], body)


@pytest.mark.parametrize(
    ("msg_type", "word"),
    [("INTENT", "intents"), ("ERROR", "intents"), ("NEGOTIATE", "negotiate"), ("RESULT", "results")],
)
def test_a_message_is_its_envelope_byte_for_byte_under_the_word_of_its_type(msg_type: str, word: str) -> None:
    (letter,) = letters("message.received", a_message(msg_type))

    assert letter.payload == ENVELOPE.encode()
    assert letter.subject == f"ainp.{word}.{ALICE}"
    assert letter.number == 3


@pytest.mark.parametrize(("event", "word"), [("negotiation.settled", "negotiate"), ("receipt.opened", "events")])
def test_an_event_is_the_frame_of_each_of_its_receivers(event: str, word: str) -> None:
    first, second = letters(event, Told(7, [ALICE, BOB], [3, 9], '{"event":"x"}'))

    assert [json.loads(each.payload)["number"] for each in (first, second)] == [3, 9]
    assert first.id == f"{ALICE}#3"
    assert second.subject == f"ainp.{word}.did:web:agents%2Eexample%253A8443:bob"


@given(st.text(max_size=50))
def test_a_did_is_one_token_and_can_be_read_back(did: str) -> None:
    assert not set(token(did)) & set(".*> \t\r\n")
    assert unquote(token(did)) == did


def test_every_stream_has_subjects_of_its_own() -> None:
    assert len({stream.subjects for stream in Stream}) == len(Stream)
    assert all(stream.subject(ALICE).startswith(stream.subjects[:-1]) for stream in Stream)
