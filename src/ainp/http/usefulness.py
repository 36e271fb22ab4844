"""Usefulness: proofs are submitted, added up, shown."""

from time import perf_counter

from ainp.core.errors import FeatureDisabled
from ainp.http.auth import require_admin
from ainp.http.call import Call, Reply
from ainp.operations import usefulness
from ainp.telemetry import Line
from ainp.telemetry.metrics import PROOFS
from ainp.wire.usefulness import AggregatedReply, ProofBody, proof_reply, usefulness_reply


async def get(call: Call) -> Reply:
    """How useful an agent has been, and in which kinds of work."""
    return Reply(usefulness_reply(await usefulness.of_agent(call.db, call.did())))


async def submit(call: Call) -> Reply:
    """Say what work was done; it is scored at once, and counts from the next aggregation on."""
    submission = call.body(ProofBody).submission()
    settings = call.broker.settings
    if not settings.aggregates:
        raise FeatureDisabled("Usefulness aggregation is disabled")
    kept = await usefulness.submit(call.db, submission, by=call.by, most_per_hour=settings.max_proofs_per_hour)
    facts = {"agent_did": call.by, "work_type": submission.work_type, "score": kept.score / 100}
    line = Line("Usefulness proof recorded", facts, counts=((PROOFS.of(submission.work_type), 1),))
    return Reply(proof_reply(str(kept.id), kept.score, kept.at), 201, (line,))


async def aggregate(call: Call) -> Reply:
    """Add proofs up now instead of at the next hour; an administrator's right in strict mode."""
    if call.broker.settings.strict:
        require_admin(call)
    began = perf_counter()
    updated = await usefulness.aggregate(call.db)
    took = round((perf_counter() - began) * 1000)
    return Reply(AggregatedReply(updated, took), lines=(Line("Usefulness scores updated", {"updated": updated}),))
