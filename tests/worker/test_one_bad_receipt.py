"""A receipt that can't be concluded is reported and put off; the others go on."""

import pytest

from ainp.worker import finalizer
from support.api import Api, an_api

_DUE = "UPDATE task_receipts SET window_ends_at = now() - interval '1 second'"
# The pool's remainder of a receipt is booked under this key; taken before, it can't be booked.
_TAKEN = """
    INSERT INTO ledger_entries (key, from_account, to_account, amount, reason)
    VALUES ('reward:' || $1 || ':pool', 'mint', 'pool', 1, 'deposit')"""


async def passed(api: Api, client: str, agent: str) -> str:
    settled = await api.settled(client, agent)
    for member in settled["receipt"]["committee"][:3]:
        await api.attest(settled["task_id"], member, "AUDIT_PASS")
    return str(settled["task_id"])


async def test_one_bad_receipt_does_not_hold_up_the_others(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with an_api(database_url) as api:
        client, agent, *_ = await api.register(8)
        bad, *good = [await passed(api, client, agent) for _ in range(3)]
        db = api.broker.database
        await db.execute(_TAKEN, bad)
        await db.execute(_DUE)

        await finalizer.run(api.broker)
        await finalizer.run(api.broker)

        judged = {str(row["id"]) for row in await db.fetch("SELECT id FROM task_receipts WHERE judged_at IS NOT NULL")}
        assert judged == set(good)
        shown = capsys.readouterr().out
        assert "[PoU Finalizer] Job error" in shown
        assert shown.count("[PoU Finalizer] Job error") == 1  # put off, not tried at every run
        assert bad in shown
