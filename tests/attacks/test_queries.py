"""What stands behind the question mark, and the keys of administrators' requests."""

from dataclasses import replace

import pytest

from ainp.http.routes import ROUTES, Route
from support.signing import ADMIN_TOKEN
from support.target import ALICE, BOB, NONCES, Sent, Target, signed

TOKEN = f"Bearer {ADMIN_TOKEN}"
HOSTILE = (
    *("%00", "a%00b", "%FF", "%ED%A0%80", "%F0%9F%98%80", "%0D%0AX:%20y", "%D9%A1", "'", "%22", "%5C", "%25", "a:*|b"),
    *("-1", "%2B1", "1e5", "1e400", "nan", "9" * 20, "9" * 400, "A" * 3000, "*" * 500, "did:web:%00"),
    *("0001-01-01T00:00:00%2B23:59", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00%2B23:59%7Cdid:key:z1"),
)
ASKED = [
    pytest.param(route, id=f"{route.path}?{'&'.join(query.name for query in route.query)}")
    for route in ROUTES
    if route.method == "GET" and route.query
]


@pytest.mark.parametrize("route", ASKED)
async def test_whatever_a_query_says_it_is_answered_or_refused(target: Target, route: Route) -> None:
    path = route.path.replace("{did}", BOB.did).replace("{task_id}", target.task_id).replace("{id}", target.task_id)
    others = "".join(f"&{query.name}={BOB.did}" for query in route.query if query.required)
    for query in route.query:
        for value in HOSTILE:
            asked = signed(BOB, "GET", f"{target.base}{path}?{query.name}={value}{others}")
            answer = await target.send(asked.put("Authorization", TOKEN) if route.admin else asked)
            assert answer.status < 500, f"{asked.path[:200]}: {answer.body!r}"


def deposit(target: Target, key: str, *, token: str | None) -> Sent:
    body = b'{"agent_did":"%s","amount":5}' % ALICE.did.encode()
    sent = signed(BOB, "POST", f"{target.base}/api/credits/deposit", body).put("Idempotency-Key", key)
    unsigned = sent.put("Signature", None).put("Signature-Input", None).put("Content-Digest", None)
    return unsigned.put("Authorization", token)


async def test_who_has_no_token_does_not_use_up_an_administrator_s_key(target: Target) -> None:
    for token in (None, "Bearer guessed"):
        await target.refuses(deposit(target, "deposit-1", token=token), 403, "FORBIDDEN")

    answer = await target.send(deposit(target, "deposit-1", token=TOKEN))

    assert (answer.status, answer.headers.get("idempotency-replayed")) == (200, None), answer.body


async def test_who_has_no_token_is_not_given_an_administrator_s_answer(target: Target) -> None:
    first = await target.send(deposit(target, "deposit-2", token=TOKEN))
    assert first.status == 200

    await target.refuses(deposit(target, "deposit-2", token=None), 403, "FORBIDDEN")
    other = replace(deposit(target, "deposit-2", token=None), body=b'{"agent_did":"%s","amount":6}' % BOB.did.encode())
    await target.refuses(other, 403, "FORBIDDEN")  # nor told that the key was used

    again = await target.send(deposit(target, "deposit-2", token=TOKEN))
    assert (again.body, again.headers.get("idempotency-replayed")) == (first.body, "true")


async def test_what_a_search_of_one_s_mail_finds_is_kept_under_no_key(target: Target) -> None:
    """Else it would stay for a day when all is forgotten, and a hundred searches a minute would fill the disk."""
    path, body = f"{target.base}/api/memories/search", b'{"query":"lunch","limit":100}'
    for admin in (False, True):
        given = body[:-1] + b',"agent_did":"%s"}' % BOB.did.encode()
        sent = signed(BOB, "POST", path.replace("/api/", "/api/admin/") if admin else path, given)
        keyed = sent.put("Idempotency-Key", "search").put("Authorization", TOKEN if admin else None)

        async with target.untouched(but=NONCES):
            assert (await target.send(keyed)).status == 200
