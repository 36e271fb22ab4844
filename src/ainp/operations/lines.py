"""
The log lines of the finalizer, word for word as operators look for them, and what each counts.

They are made here; entry points log and count.
"""

from collections.abc import Iterable

from ainp.core.receipt import ReceiptStatus, TaskReceipt
from ainp.core.reputation import SHOWN, Change
from ainp.operations.judging import Concluded, Moved, SeatingPass
from ainp.telemetry import Line
from ainp.telemetry.counting import Cell
from ainp.telemetry.metrics import (
    FINALIZATION,
    RECEIPTS_EXTENDED,
    RECEIPTS_FAILED,
    RECEIPTS_FINALIZED,
    RECEIPTS_JUDGED,
    RECEIPTS_POSTPONED,
    RECEIPTS_SEATED,
    REPUTATION,
)

PREFIX = "[PoU Finalizer]"


def checking(looked_at: int) -> Line:
    """Every run says that it ran."""
    return Line(f"{PREFIX} Checking {looked_at} pending receipts", {"pending": looked_at})


def concluded_lines(concluded: Concluded) -> tuple[Line, ...]:
    """What was decided, extended, judged."""
    return (
        *(_decided(receipt, attestations) for receipt, attestations in concluded.decided),
        *(
            Line(
                f"{PREFIX} Extended committee",
                {**_of(r), "extension": r.extensions, "committee": len(r.committee)},
                counts=((RECEIPTS_EXTENDED.of(), 1),),
            )
            for r in concluded.extended
        ),
        *(
            Line(
                f"{PREFIX} Judged task receipt",
                {**_of(r), "status": r.status},
                counts=((RECEIPTS_JUDGED.of(r.status.value), 1),),
            )
            for r in concluded.judged
        ),
        *(_moved(moved) for moved in concluded.moved),
        *(
            Line(
                f"{PREFIX} Job error",
                {"task_id": str(task_id), "error": error},
                "error",
                counts=((RECEIPTS_POSTPONED.of(), 1),),
            )
            for task_id, error in concluded.postponed
        ),
    )


def seated_lines(done: SeatingPass) -> tuple[Line, ...]:
    """Which receipts got a committee after all."""
    counts = ((RECEIPTS_SEATED.of(), 1.0),)
    return tuple(
        Line(f"{PREFIX} Seated committee", {**_of(r), "committee": len(r.committee)}, counts=counts)
        for r in done.seated
    )


def observed(changes: Iterable[Change]) -> tuple[tuple[Cell, float], ...]:
    """What changes of a reputation count as."""
    return tuple((REPUTATION.of(change.dimension.name.lower()), 1) for change in changes if change.dimension in SHOWN)


def _decided(receipt: TaskReceipt, attestations: int) -> Line:
    facts = {**_of(receipt), "attestations": attestations, "k": receipt.quorum, "mode": receipt.mode}
    latency = (FINALIZATION.of(), (receipt.updated_at - receipt.created_at).total_seconds())
    if receipt.status is ReceiptStatus.FINALIZED:
        counts = ((RECEIPTS_FINALIZED.of(), 1.0), latency)
        return Line(f"{PREFIX} Finalized task receipt", facts, counts=counts)
    failed = RECEIPTS_FAILED.of(receipt.failure.value if receipt.failure else "")
    return Line(f"{PREFIX} Failed task receipt", {**facts, "reason": receipt.failure}, counts=((failed, 1), latency))


def _moved(moved: Moved) -> Line:
    values = {change.dimension.value: change.after / 1_000_000 for change in moved.changes}
    facts = {"agent_did": moved.did, "task_id": str(moved.task_id), **values}
    return Line("Reputation updated", facts, counts=observed(moved.changes))


def _of(receipt: TaskReceipt) -> dict[str, object]:
    return {"task_id": str(receipt.id)}
