"""What an agent's proofs add up to is what they are, in whatever order they were kept."""

from datetime import datetime
from uuid import uuid4

from ainp.core.usefulness import WorkType
from ainp.store import usefulness
from ainp.store.db import Database, Session
from ainp.store.usefulness import Proof
from support.builders import agents
from support.useful import register, wrong_money

(AGENT,) = agents(1)


async def keep(db: Session) -> datetime:
    proof = Proof(
        id=uuid4(),
        agent=AGENT,
        work_type=WorkType.COMPUTE,
        metrics={"compute_ms": 1},
        attestations=None,
        trace_id=str(uuid4()),
        intent_id=None,
        receipt=None,
        score=1,
    )
    return await usefulness.insert(db, proof)


async def test_a_proof_that_waited_for_a_later_one_is_not_the_last(database_url: str) -> None:
    """Its time is the transaction's beginning: a proof that came after it may be kept before it."""
    database = Database(database_url, size=2)
    await database.open()
    try:
        await register(database, [AGENT])
        async with database.transaction() as waits:
            await waits.fetchval("SELECT now()")
            later = await keep(database)
            assert await keep(waits) < later

        found = await usefulness.of_agent(database, AGENT)

        assert found is not None
        assert (found.proofs, found.last_at) == (2, later)
        assert await wrong_money(database) == []
    finally:
        await database.close()
