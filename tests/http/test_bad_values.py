"""Values of the right type that still can't be: out of range, too long, not agreed; and their codes."""

import hashlib
import json
import random
from collections.abc import Mapping

import pytest

from ainp.http.routes import ROUTES
from support import wrong
from support.world import Sent, World

BAD = (400, "INVALID_REQUEST")
BAD_TERMS = (400, "INVALID_PROPOSAL")
NEGOTIATE, ATTEST, REGISTER = "/api/negotiations", "/api/receipts/{task_id}/attestations", "/api/agents/register"
ACCEPT, PROPOSE = "/api/negotiations/{id}/accept", "/api/negotiations/{id}/propose"
DELIVER, DEPOSIT = "/api/negotiations/{id}/deliver", "/api/credits/deposit"
CAPABILITY: wrong.Path = ("address", "capabilities", 0)
UNUSUAL = "".join(chr(random.Random(7).randrange(0x10000, 0x1FFFF)) for _ in range(2000))  # can't be compressed


def text(length: int) -> bytes:
    return b'"' + b"x" * length + b'"'


RANGES: Mapping[str, tuple[str, wrong.Path, bytes, tuple[int, str]]] = {
    "a score above one": (ATTEST, ("score",), b"1.0000001", BAD),
    "a score below zero": (ATTEST, ("score",), b"-1e-300", BAD),
    "a confidence above one": (ATTEST, ("confidence",), b"2", BAD),
    "a confidence of 2**70": (ATTEST, ("confidence",), str(2**70).encode(), BAD),
    "a type in small letters": (ATTEST, ("type",), b'"audit_pass"', BAD),
    "a type of one letter": (ATTEST, ("type",), b'"A"', BAD),
    "a type with a line after it": (ATTEST, ("type",), rb'"ACCEPTED\n"', BAD),
    "a type in other capitals": (ATTEST, ("type",), '"АUDIT"'.encode(), BAD),  # noqa: RUF001 - Cyrillic
    "a type that is too long": (ATTEST, ("type",), text(65), BAD),
    "no evidence": (ATTEST, ("evidence_ref",), b'""', BAD),
    "too much evidence": (ATTEST, ("evidence_ref",), text(2049), BAD),
    "a signature that is too long": (ATTEST, ("signature",), text(257), BAD),
    "a signature that is none": (ATTEST, ("signature",), text(88), (401, "INVALID_SIGNATURE")),
    "another receipt": (ATTEST, ("task_id",), b'"00000000-0000-4000-8000-000000000000"', BAD),
    "a pass that scores like a fail": (ATTEST, ("type",), b'"AUDIT_FAIL"', BAD),
    "a price below zero": (NEGOTIATE, ("initial_proposal", "price"), b"-1", BAD_TERMS),
    "a price just below zero": (NEGOTIATE, ("initial_proposal", "price"), b"-0.001", BAD_TERMS),
    "a price with four decimals": (NEGOTIATE, ("initial_proposal", "price"), b"1.0005", BAD_TERMS),
    "a price that vanishes": (NEGOTIATE, ("initial_proposal", "price"), b"1e-320", BAD_TERMS),
    "a price above all": (NEGOTIATE, ("initial_proposal", "price"), b"1000000000000.001", BAD_TERMS),
    "a price of 2**70": (NEGOTIATE, ("initial_proposal", "price"), str(2**70).encode(), BAD_TERMS),
    "a price that is text": (NEGOTIATE, ("initial_proposal", "price"), b'"0.9"', BAD_TERMS),
    "a price that is true": (NEGOTIATE, ("initial_proposal", "price"), b"true", BAD_TERMS),
    "a price that is a list": (NEGOTIATE, ("initial_proposal", "price"), b"[100]", BAD_TERMS),
    "no delivery time": (NEGOTIATE, ("initial_proposal", "delivery_time"), b"0", BAD_TERMS),
    "a delivery time with a fraction": (NEGOTIATE, ("initial_proposal", "delivery_time"), b"1.5", BAD_TERMS),
    "a delivery time of a month": (NEGOTIATE, ("initial_proposal", "delivery_time"), b"2592000001", BAD_TERMS),
    "a delivery time that is text": (NEGOTIATE, ("initial_proposal", "delivery_time"), b'"1"', BAD_TERMS),
    "a quality above one": (NEGOTIATE, ("initial_proposal", "quality_sla"), b"1.1", BAD_TERMS),
    "a quality that is true": (NEGOTIATE, ("initial_proposal", "quality_sla"), b"true", BAD_TERMS),
    "custom terms that are text": (NEGOTIATE, ("initial_proposal", "custom_terms"), b'"x"', BAD_TERMS),
    "a split of one": (NEGOTIATE, ("initial_proposal", "incentive_split"), b'{"agent":1}', BAD_TERMS),
    "a split below zero": (
        NEGOTIATE,
        ("initial_proposal", "incentive_split"),
        b'{"agent":5,"broker":-4.1,"pool":0.1}',
        BAD_TERMS,
    ),
    "a split that is no object": (NEGOTIATE, ("initial_proposal", "incentive_split"), b"[1]", BAD_TERMS),
    "a split of an unknown name": (NEGOTIATE, ("initial_proposal", "incentive_split"), b'{"me":10000}', BAD_TERMS),
    "a split of true": (
        NEGOTIATE,
        ("initial_proposal", "incentive_split"),
        b'{"agent":0.9,"pool":0.1,"broker":false}',
        BAD_TERMS,
    ),
    "a validator that is none": (NEGOTIATE, ("initial_proposal", "validator_did"), b'"me"', BAD_TERMS),
    "a validator that is a number": (NEGOTIATE, ("initial_proposal", "validator_did"), b"5", BAD_TERMS),
    "terms of 17 KiB": (NEGOTIATE, ("initial_proposal", "custom_terms"), b'{"a":%s}' % text(17_000), BAD_TERMS),
    "a number that no double holds": (NEGOTIATE, ("initial_proposal", "x"), str(2**53 + 1).encode(), BAD_TERMS),
    "no intent": (NEGOTIATE, ("intent_id",), b'""', BAD),
    "an intent that is too long": (NEGOTIATE, ("intent_id",), text(201), BAD),
    "no rounds": (NEGOTIATE, ("max_rounds",), b"0", BAD),
    "21 rounds": (NEGOTIATE, ("max_rounds",), b"21", BAD),
    "rounds below zero": (NEGOTIATE, ("max_rounds",), b"-1", BAD),
    "no time": (NEGOTIATE, ("ttl_minutes",), b"0", BAD),
    "minus no time": (NEGOTIATE, ("ttl_minutes",), b"-0", BAD),
    "time that vanishes": (NEGOTIATE, ("ttl_minutes",), b"1e-300", BAD),
    "more than a week": (NEGOTIATE, ("ttl_minutes",), b"10080.001", BAD),
    "time without end": (NEGOTIATE, ("ttl_minutes",), b"1e308", BAD),
    "a proposal below zero": (PROPOSE, ("proposal", "price"), b"-1", BAD_TERMS),
    "a reason that is too long": ("/api/negotiations/{id}/reject", ("reason",), text(2001), BAD),
    "another hash": (ACCEPT, ("terms_hash",), text(64), (409, "PROPOSAL_CHANGED")),
    "a hash that is too long": (ACCEPT, ("terms_hash",), text(65), BAD),
    "another round": (ACCEPT, ("round_number",), b"2", (409, "PROPOSAL_CHANGED")),
    "an output that is too long": (DELIVER, ("outputs_ref",), text(2049), BAD),
    "metrics of 17 KiB": (DELIVER, ("metrics", "a"), text(17_000), BAD),
    "a metric that no double holds": (DELIVER, ("metrics", "a"), str(2**60).encode(), BAD),
    "time to live of nothing": (REGISTER, ("ttl",), b"0", BAD),
    "time to live below zero": (REGISTER, ("ttl",), b"-1", BAD),
    "no description": (REGISTER, (*CAPABILITY, "description"), b'""', BAD),
    "a description that is too long": (REGISTER, (*CAPABILITY, "description"), text(2001), BAD),
    "a description of too many bytes": (REGISTER, (*CAPABILITY, "description"), f'"{UNUSUAL}"'.encode(), BAD),
    "a version of two numbers": (REGISTER, (*CAPABILITY, "version"), b'"1.0"', BAD),
    "a version with a line after it": (REGISTER, (*CAPABILITY, "version"), rb'"1.0.0\n"', BAD),
    "a version in other digits": (REGISTER, (*CAPABILITY, "version"), '"\u0661.\u0660.\u0660"'.encode(), BAD),
    "an empty tag": (REGISTER, (*CAPABILITY, "tags"), b'[""]', BAD),
    "a tag that is too long": (REGISTER, (*CAPABILITY, "tags"), b"[%s]" % text(101), BAD),
    "too many tags": (REGISTER, (*CAPABILITY, "tags"), b'["x"' + b',"x"' * 50 + b"]", BAD),
    "evidence that is too long": (REGISTER, (*CAPABILITY, "evidence"), text(8193), BAD),
    "no amount": (DEPOSIT, ("amount",), b"0", BAD),
    "an amount below zero": (DEPOSIT, ("amount",), b"-1", BAD),
    "an amount above all": (DEPOSIT, ("amount",), str(10**15 + 1).encode(), BAD),
    "an amount with a fraction of nothing": (DEPOSIT, ("amount",), b"1000.0", BAD),
}


@pytest.mark.parametrize(("path", "field", "literal", "expected"), RANGES.values(), ids=RANGES)
async def test_a_value_out_of_range_is_refused(
    world: World, path: str, field: wrong.Path, literal: bytes, expected: tuple[int, str]
) -> None:
    sent = right(world, path)
    async with world.nothing_written():
        response = await world.send("POST", sent.path, wrong.with_literal(sent.body, field, literal), sent.headers)

        assert (response.status_code, response.json()["error"]) == expected, response.text
        assert len(response.json()["message"]) < 500


async def test_two_capabilities_of_one_description_are_refused(world: World) -> None:
    twice = [{"description": "translates"}] * 2
    async with world.nothing_written():
        for body in (
            {"address": {"did": world.client, "capabilities": twice}},
            {"did": world.client, "capabilities": ["translates", "translates"]},
            {"did": world.client, "semantic_address": {"capabilities": ["translates", "translates"]}},
            {"did": world.client, "capabilities": [str(n) for n in range(101)]},
        ):
            await world.api.call("POST", REGISTER, body, status=400)


@pytest.mark.parametrize("score", ["0", "-0", "-0.0", "1", "0.123456789012345", "1e-7", "0.99999999"])
async def test_a_score_is_kept_as_it_was_said(world: World, score: str) -> None:
    kind = f"SCORE_{abs(hash(score)) % 10**9}"
    attest = f"/api/receipts/{world.task_id}/attestations"
    content = b'{"type":"%s","score":%s}' % (kind.encode(), score.encode())

    response = await world.send("POST", attest, content, {"x-ainp-did": world.others[0]})

    assert response.status_code == 201
    said = (await world.api.get(f"{attest}?limit=200"))["attestations"]
    kept = next(a for a in said if a["type"] == kind)
    assert kept["score"] == round(float(score), 6)  # as it counts
    assert json.loads(kept["statement"])["score"] == float(score)
    assert hashlib.sha256(kept["statement"].encode()).hexdigest() == kept["statement_hash"]


async def test_numbers_in_terms_come_back_as_they_were_sent(world: World) -> None:
    terms = {"a": 1e22, "b": 1e16, "c": 5e-324, "d": 1.7976931348623157e308, "e": 0.1, "f": 1e5, "g": 2**53 - 1}

    opened = await world.api.initiate(world.client, world.agent, custom_terms=terms)
    accept = f"/api/negotiations/{opened['id']}/accept"
    accepted = await world.api.call("POST", accept, {"acceptor_did": world.agent, "terms_hash": opened["terms_hash"]})
    await world.api.call("POST", f"/api/negotiations/{opened['id']}/deliver", {"metrics": terms}, by=world.agent)
    settled = await world.api.call("POST", f"/api/negotiations/{opened['id']}/settle", {}, by=world.client)

    assert accepted["final_proposal"]["custom_terms"] == terms
    assert settled["receipt"]["metrics"]["reported"] == terms


@pytest.mark.parametrize("price", ["-0", "-0.0", "0", "0.0", "0e10", "null"])
async def test_nothing_costs_nothing_in_any_spelling(world: World, price: str) -> None:
    sent = right(world, NEGOTIATE)
    content = wrong.with_literal(sent.body, ("initial_proposal", "price"), price.encode())

    response = await world.send("POST", sent.path, content)

    assert response.status_code == 201, response.text


def right(world: World, path: str) -> Sent:
    return world.right(next(route for route in ROUTES if (route.method, route.path) == ("POST", path)))
