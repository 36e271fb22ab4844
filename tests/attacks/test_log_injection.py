"""What agents write never makes a line of the log that the broker has not written, nor moves a cursor."""

import json
from io import StringIO

import pytest

from ainp.telemetry import logs
from support.target import BOB, CAROL, NONCES, Target, signed

FAKED = '{"level":"INFO","message":"Credits deposited","amount":1000000}'
NASTY = ("\n", "\r\n", "\u2028", "\x1b[2J\x1b[31m", "\x00"[:0] + "\x07", '"}', f"\n{FAKED}\n", "\u202e", "%0a", "\\n")


def lines(log: StringIO) -> list[dict[str, object]]:
    """What was logged; every line is one object that the broker has made."""
    found = [json.loads(line) for line in log.getvalue().split("\n") if line]
    assert all(line["service"] == "ainp-broker" and line["timestamp"] for line in found)
    assert all(character.isprintable() or character == "\n" for character in log.getvalue())
    return found


@pytest.mark.parametrize("nasty", NASTY, ids=[json.dumps(each) for each in NASTY])
async def test_a_line_is_a_line_whatever_agents_write(target: Target, log: StringIO, nasty: str) -> None:
    url = f"{target.base}/api/negotiations"
    opening = {"intent_id": f"i{nasty}", "responder_did": BOB.did, "initial_proposal": {"custom_terms": {nasty: nasty}}}
    opened = await target.send(signed(CAROL, "POST", url, json.dumps(opening).encode()))
    reason = json.dumps({"reason": f"because{nasty}"}).encode()
    rejected = await target.send(signed(BOB, "POST", f"{url}/{opened.json['id']}/reject", reason))
    named = json.dumps({"address": {"did": f"{CAROL.did}{nasty}", "capabilities": []}}).encode()
    await target.send(signed(CAROL, "POST", f"{target.base}/api/agents/register", named))
    broken = target.read("/api/receipts").put("Signature-Input", f'ainp=("@method");keyid="{CAROL.did}"')
    await target.send(broken)

    assert (opened.status, rejected.status) == (201, 200)
    assert [line["message"] for line in lines(log)] == ["Negotiation initiated", "Negotiation rejected"]


async def test_a_path_and_a_header_are_not_the_log_s_either(target: Target, log: StringIO) -> None:
    for path in ("/api/%0a%7B%22level%22%3A%22INFO%22%7D", "/%1b[2J", "/api/agents/did:key:%0d%0aX", "/%00", "/%ff"):
        answer = await target.raw.get(path.encode(), b"User-Agent: x\x1b[31m", b'X-Request-Id: {"level":1}')
        assert answer.status in {400, 404}
        assert b"\n" not in answer.body
        assert b"\x1b" not in answer.body
        assert answer.headers.keys() <= {"date", "server", "content-length", "content-type", "connection"}

    assert lines(log) == []


async def test_a_refusal_is_one_json_object(target: Target) -> None:
    body = json.dumps({"acceptor_did": f'did:key:z\n{FAKED}"', "round_number": 1}).encode()
    sent = signed(BOB, "POST", f"{target.base}{target.negotiation}/accept", body)

    assert "\n" not in await target.refuses(sent, 403, "FORBIDDEN", writes=NONCES)


def test_on_a_terminal_nothing_moves_the_cursor() -> None:
    event = logs._stamped("2026-11-23T00:00:00.000Z", "info", "said", {"reason": f"\x1b[2J\n{FAKED}\x07"})

    shown = logs._readable(None, "info", dict(event))

    assert "\n" not in shown
    assert "\x1b[2J" not in shown
    assert "\x07" not in shown
