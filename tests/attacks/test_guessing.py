"""Guessing: what is tried often is soon not tried any more, and a guess that is nearly right is told nothing."""

import pytest

from support.signing import ADMIN_TOKEN, a_strict_api, identity, signed_request
from support.target import CAROL

TRIES = 5
LIMITS = {
    "rate_limit_enabled": True,
    "rate_limit_max": TRIES,
    "rate_limit_burst": TRIES,
    "rate_limit_address_factor": 1,
}


async def test_a_token_is_guessed_a_few_times_and_then_nobody_listens(database_url: str) -> None:
    async with a_strict_api(database_url, **LIMITS) as api:
        paths = ["/api/admin/audit"] * (TRIES + 1)
        guesses = [
            (await api.api.client.get(path, headers={"Authorization": f"Bearer {n}"})) for n, path in enumerate(paths)
        ]
        right = await api.api.client.get("/api/admin/audit", headers={"Authorization": f"Bearer {ADMIN_TOKEN}"})

    assert [guess.status_code for guess in guesses] == [403] * TRIES + [429]
    assert guesses[-1].json()["error"] == "RATE_LIMIT_EXCEEDED"
    assert int(guesses[-1].headers["retry-after"]) > 0
    assert right.status_code == 429  # so nothing is learnt from the answer


async def test_an_invented_did_is_no_fresh_start(database_url: str) -> None:
    """A new key costs nothing, so it is the address that is counted, whoever signs."""
    async with a_strict_api(database_url, **LIMITS) as api:
        answers = []
        for n in range(4 * TRIES):
            by = identity(f"invented {n}")
            sent = signed_request(api, by, "GET", f"/api/credits/{by.did}")
            answers.append((await api.api.client.send(sent)).status_code)

    assert 429 in answers
    assert set(answers[answers.index(429) :]) == {429}


@pytest.mark.parametrize("shown", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "CF-Connecting-IP"])
async def test_an_address_that_is_only_claimed_is_no_fresh_start(database_url: str, shown: str) -> None:
    async with a_strict_api(database_url, **LIMITS) as api:
        statuses = [
            (await api.api.client.get(f"/api/credits/{CAROL.did}", headers={shown: f"203.0.113.{n}"})).status_code
            for n in range(4 * TRIES)
        ]

    assert 429 in statuses
