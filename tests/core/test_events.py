"""What is told, and to whom."""

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainp.core.did import AgentDid
from ainp.core.envelope import open_envelope
from ainp.core.events import (
    attested_event,
    carried,
    carrying,
    frame,
    frames_of,
    message_notice,
    missed_frame,
    negotiation_event,
    receipt_event,
    result_notice,
)
from ainp.core.message import Message, MsgType, read_mail
from ainp.core.receipt import ReceiptStatus
from support.builders import (
    CLIENT,
    NEGOTIATION_ID,
    NOW,
    TASK_ID,
    WORKER,
    a_negotiation,
    a_receipt,
    a_settled_negotiation,
    agents,
    an_attestation,
)
from support.mail import a_mail
from support.signing import identity

ALICE, BOB = identity("alice"), identity("bob")
NOW_MS = 1_772_366_400_000


@pytest.mark.parametrize(("by", "told"), [(CLIENT, WORKER), (WORKER, CLIENT)])
def test_a_move_is_told_to_the_other_party(by: AgentDid, told: AgentDid) -> None:
    event = negotiation_event(a_negotiation(), "proposed", by=by, now=NOW)

    assert (event.name, event.recipients) == ("negotiation.proposed", (told,))
    assert event.body["from_did"] == by
    assert (event.body["negotiation_id"], event.body["timestamp"]) == (str(NEGOTIATION_ID), NOW_MS)


def test_a_settlement_is_told_to_both_with_its_task() -> None:
    event = negotiation_event(a_settled_negotiation(), "settled", by=CLIENT, now=NOW)

    assert event.recipients == (CLIENT, WORKER)
    assert (event.body["task_id"], event.body["state"]) == (str(TASK_ID), "settled")
    assert "from_did" not in event.body


def test_an_expiry_is_nobody_s_message() -> None:
    expired = a_negotiation().expire(now=NOW + timedelta(hours=1))

    event = negotiation_event(expired, "expired", by=None, now=NOW)

    assert event.recipients == (CLIENT, WORKER)
    assert "from_did" not in event.body
    assert "task_id" not in event.body


def test_what_became_of_a_receipt_is_told_to_all_it_concerns() -> None:
    receipt = a_receipt(status=ReceiptStatus.FINALIZED)

    event = receipt_event(receipt, "finalized", now=NOW, have=3)

    assert event.recipients == (WORKER, CLIENT, *agents(5))
    assert event.body == {
        "@type": "NOTIFICATION",
        "type": "receipt_event",
        "event": "finalized",
        "task_id": str(TASK_ID),
        "negotiation_id": str(NEGOTIATION_ID),
        "status": "finalized",
        "have": 3,
        "timestamp": NOW_MS,
    }


def test_a_receipt_without_a_negotiation_names_none() -> None:
    assert receipt_event(a_receipt(negotiation_id=None), "finalized", now=NOW).body["negotiation_id"] is None


def test_a_voice_is_told_with_how_the_quorum_stands() -> None:
    event = attested_event(a_receipt(), an_attestation("AUDIT_PASS", agents(5)[0]), now=NOW, have=2)

    assert event.name == "receipt.attested"
    assert (event.body["from_did"], event.body["attestation"]) == (agents(5)[0], "AUDIT_PASS")
    assert (event.body["have"], event.body["needed"]) == (2, 3)


def test_nobody_is_told_twice() -> None:
    receipt = a_receipt(committee=[CLIENT, *agents(2)])

    assert receipt_event(receipt, "opened", now=NOW).recipients == (WORKER, CLIENT, *agents(2))


def test_a_frame_is_the_body_with_the_receiver_s_number() -> None:
    assert json.loads(frame('{"event":"opened","facts":{"a":[1]}}', 7)) == {
        "event": "opened",
        "facts": {"a": [1]},
        "number": 7,
    }


def test_what_is_kept_no_longer_is_told_with_its_numbers() -> None:
    missed = {"@type": "NOTIFICATION", "type": "events_missed", "from": 3, "to": 9}

    assert json.loads(missed_frame(3, 9)) == missed


def a_message(text: str) -> Message:
    envelope = open_envelope(a_mail(ALICE, BOB.did, text), now=datetime.now(UTC))
    mail = read_mail(envelope, conversation="c")
    return Message(id=UUID(int=7), envelope=envelope, recipients=(BOB.did,), priority=0.5, waits=True, mail=mail)


@given(
    text=st.text(st.characters(codec="utf-8", min_codepoint=1), max_size=40)
    | st.sampled_from(['","envelope":{"x":1}', ',"envelope":', '"number":1}', "\\"])
)
def test_a_message_is_told_as_it_was_signed_and_then_with_its_number(text: str) -> None:
    message = a_message(text)
    notice = msgspec.json.encode(message_notice(message)).decode()
    told = frame(f'{notice[:-1]},"envelope":{message.envelope.text.decode()}}}', 41)

    envelope, with_number = frames_of(told)

    assert envelope.encode() == message.envelope.text
    assert json.loads(with_number) == {**message_notice(message), "number": 41}
    assert carried(told) == str(message.id)


@given(st.text(), st.dictionaries(st.text(), st.text()))
def test_what_the_broker_says_comes_out_as_it_was_signed(subject: str, said: dict[str, str]) -> None:
    envelope = msgspec.json.encode(said)
    notice = result_notice(NEGOTIATION_ID, MsgType.DISCOVER_RESULT, by=subject, at=NOW)

    told = frame(carrying(notice, envelope), 7)

    first, second = frames_of(told)
    assert (first.encode(), json.loads(second)) == (envelope, {**notice, "number": 7})
    assert carried(told) == str(NEGOTIATION_ID)


def test_another_event_is_one_frame_and_carries_nothing() -> None:
    told = frame('{"@type":"NOTIFICATION","envelope":1}', 1)

    assert frames_of(told) == (told,)
    assert carried(told) is None
