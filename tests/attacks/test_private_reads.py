"""What is somebody's own is read by nobody else; and administrators are those who show the token."""

import re
from io import StringIO

import pytest

from ainp.http.routes import ROUTES
from support.signing import ADMIN_TOKEN
from support.target import ALICE, BOB, CAROL, Target, signed

PRIVATE = {
    f"/api/credits/{BOB.did}": BOB,
    f"/api/credits/{BOB.did}/transactions": BOB,
    f"/api/negotiations?agent_did={BOB.did}": BOB,
    "/api/negotiations/{id}": BOB,
}


@pytest.mark.parametrize("path", [route.path for route in ROUTES if route.private])
async def test_nothing_private_is_told_to_nobody(target: Target, path: str) -> None:
    known = {"did": BOB.did, "id": target.opened["id"], "task_id": target.task_id}
    path = re.sub(r"{(\w+)}", lambda name: known.get(name[1], "x"), path)
    for query in ("", f"?agent_did={BOB.did}"):
        unsigned = target.read(path + query).put("Signature", None).put("Signature-Input", None)
        await target.refuses(unsigned, 401, "UNAUTHORIZED")
        await target.refuses(unsigned.put("X-AINP-DID", BOB.did), 401, "UNAUTHORIZED")


@pytest.mark.parametrize("path", PRIVATE)
async def test_only_its_owner_reads_it(target: Target, path: str) -> None:
    path = path.replace("{id}", target.opened["id"])
    mine = target.read(path)
    unsigned = mine.put("Signature", None).put("Signature-Input", None)

    assert (await target.send(mine)).status == 200
    assert (await target.send(mine.but(method="HEAD"))).status == 401  # another method than was signed
    await target.refuses(unsigned, 401, "UNAUTHORIZED")
    await target.refuses(unsigned.put("X-AINP-DID", BOB.did), 401, "UNAUTHORIZED")
    await target.refuses(target.read(path, CAROL), 403, "FORBIDDEN")
    await target.refuses(target.read(path, CAROL).put("X-AINP-DID", BOB.did), 403, "FORBIDDEN")
    await target.refuses(signed(CAROL, "GET", target.base + path, key_id=BOB.did), 401, "INVALID_SIGNATURE")


async def test_another_spelling_of_the_path_opens_nothing(target: Target) -> None:
    for path in (
        f"/api/credits/{BOB.did}/",
        f"/API/credits/{BOB.did}",
        f"/api/credits/{BOB.did.replace(':', '%3A')}",
        f"/api/%63redits/{BOB.did}",
    ):
        await target.refuses(target.read(path, CAROL), 403, "FORBIDDEN")
    for path, status in (
        (f"/api//credits/{BOB.did}", 404),
        (f"/api/credits/{CAROL.did}/../{BOB.did}", 404),
        (f"/api/credits/{CAROL.did}%2F..%2F{BOB.did}", 404),
        (f"/health/../api/credits/{BOB.did}", 404),
        (f"/health/%2e%2e/api/credits/{BOB.did}", 404),
    ):
        await target.refuses(target.read(path, CAROL), status, "NOT_FOUND")


async def test_two_owners_in_the_query_are_one_or_none(target: Target) -> None:
    path = f"/api/negotiations?agent_did={BOB.did}&agent_did={CAROL.did}"
    answer = await target.send(target.read(path, CAROL))

    assert answer.status == 403 or {n["responder_did"] for n in answer.json} <= {CAROL.did}, answer.body
    first = await target.send(target.read(f"/api/negotiations?agent_did={CAROL.did}&agent_did={BOB.did}", CAROL))
    assert first.status == 403 or first.json == []


@pytest.mark.parametrize(
    "shown",
    [
        "",
        ADMIN_TOKEN,
        f"bearer {ADMIN_TOKEN}",
        "Bearer ",
        "Bearer",
        f"Bearer {ADMIN_TOKEN[:-1]}",
        f"Bearer {ADMIN_TOKEN} x",
        f"Bearer {ADMIN_TOKEN.upper()}",
        f"Basic {ADMIN_TOKEN}",
        "Bearer null",
        "Bearer \u00e9",
    ],
)
async def test_what_is_not_the_token_opens_nothing(target: Target, shown: str) -> None:
    deposit = b'{"agent_did":"%s","amount":1}' % CAROL.did.encode()
    for method, path, body in (
        ("POST", "/api/credits/deposit", deposit),
        ("POST", "/api/admin/slash", b'{"agent_did":"%s","amount_atomic":"1","reason":"x"}' % BOB.did.encode()),
        ("GET", "/api/admin/audit", b""),
    ):
        writes = "used_nonces" if method == "POST" else ""
        by_agent = signed(CAROL, method, target.base + path, body).put("Authorization", shown)
        await target.refuses(by_agent, 403, "FORBIDDEN", writes=writes)
        unsigned = by_agent.put("Signature", None).put("Signature-Input", None)
        await target.refuses(unsigned, 403, "FORBIDDEN")


async def test_a_second_token_behind_the_first_is_no_try_more(target: Target) -> None:
    sent = target.read("/api/admin/audit", CAROL).add("Authorization", "Bearer x")

    await target.refuses(sent.add("Authorization", f"Bearer {ADMIN_TOKEN}"), 400, "MALFORMED_HTTP")


async def test_a_token_is_told_to_nobody(target: Target, log: StringIO) -> None:
    sent = target.read("/api/admin/audit", CAROL)
    answers = [await target.send(sent.put("Authorization", f"Bearer {ADMIN_TOKEN}{more}")) for more in ("", "x")]

    assert [answer.status for answer in answers] == [200, 403]
    assert f"{ADMIN_TOKEN}x".encode() not in answers[1].body
    assert ADMIN_TOKEN not in log.getvalue()


async def test_an_administrator_is_no_agent(target: Target) -> None:
    """The token opens what is an administrator's; it signs for nobody."""
    token = ("Authorization", f"Bearer {ADMIN_TOKEN}")
    unsigned = target.accept().put("Signature", None).put("Signature-Input", None).put(*token)
    await target.refuses(unsigned, 401, "UNAUTHORIZED")
    await target.refuses(target.accept(ALICE).put(*token), 403, "FORBIDDEN", writes="used_nonces")
