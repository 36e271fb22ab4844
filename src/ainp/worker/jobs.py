"""Which jobs there are, and when they run."""

from collections.abc import Awaitable, Callable
from functools import partial

from ainp.broker import Broker
from ainp.operations.lines import PREFIX
from ainp.telemetry import Line, log
from ainp.worker import finalizer, payments, upkeep, usefulness
from ainp.worker.schedule import Job
from ainp.worker.usefulness import AGGREGATOR

DISTILLER = "[MemoryDistiller]"


def scheduled(broker: Broker) -> list[Job]:
    """The jobs of this configuration; says on the log what runs when."""
    settings = broker.settings
    jobs = [
        _job(
            broker, "negotiation-expiry", f"*/{settings.negotiation_expiration_interval_minutes} * * * *", upkeep.expire
        ),
        _job(broker, "group-rounds", "*/5 * * * * *", upkeep.end_rounds),
        _job(broker, "committee-epoch", "* * * * *", upkeep.refresh_epoch),
        _job(broker, "receipt-seats", "*/5 * * * * *", upkeep.list_seats),
        _job(broker, "ledger-roll-up", "*/10 * * * * *", upkeep.roll_up),
        _job(broker, "idempotency-keys", "17 * * * *", upkeep.forget_keys),
        _job(broker, "used-nonces", "*/5 * * * *", upkeep.forget_nonces),
        _job(broker, "messages", "* * * * *", upkeep.forget_messages),
        _job(broker, "event-retention", "37 * * * *", upkeep.forget_events),
        _job(broker, "stake-withdrawals", "* * * * *", upkeep.pay_withdrawals),
        _job(broker, "payments", "* * * * *", payments.run),
        _job(broker, "cohorts", "* * * * *", upkeep.close_cohorts),
        _job(broker, "audit-retention", "47 * * * *", upkeep.forget_records),
        _job(broker, "trust-ranks", "* * * * *", upkeep.rank_by_trust),
        _job(broker, "embeddings", "*/10 * * * * *", upkeep.embed_missing),
        _job(broker, "measurements", "* * * * *", upkeep.measure),
    ]
    if settings.aggregates:
        cron = settings.aggregator_cron
        log([Line(f"{AGGREGATOR} Cron job scheduled ({cron})", {"cron": cron})])
        failed = f"{AGGREGATOR} Aggregation job failed"
        jobs.append(Job("usefulness-aggregation", cron, partial(usefulness.run, broker), failed))
    else:
        log([Line(f"{AGGREGATOR} Aggregation disabled via feature flag", {})])
    if broker.memories is not None:
        cron = settings.memory_distiller_cron
        facts = {"cron": cron, "batch": broker.memories.batch}
        log([Line(f"{DISTILLER} Scheduled ({cron}) batch={broker.memories.batch}", facts)])
        jobs.append(Job("memory-distiller", cron, partial(upkeep.distill, broker), f"{DISTILLER} Job error"))
    else:
        log([Line(f"{DISTILLER} Disabled (set MEMORY_DISTILLER_ENABLED=true to enable)", {})])
    if settings.pou_finalizer_enabled:
        cron = settings.pou_finalizer_cron
        log([Line(f"{PREFIX} Cron job scheduled ({cron})", {"cron": cron})])
        jobs.append(Job("pou-finalizer", cron, partial(finalizer.run, broker), f"{PREFIX} Job error"))
    else:
        log([Line(f"{PREFIX} Disabled via flag POU_FINALIZER_ENABLED", {})])
    return jobs


def _job(broker: Broker, name: str, cron: str, run: Callable[[Broker], Awaitable[None]]) -> Job:
    return Job(name, cron, partial(run, broker), f"[{name}] Job error")
