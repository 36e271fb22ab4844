"""The log lines of the finalizer, word for word as operators look for them; made here, logged by entry points."""

from ainp.core.receipt import ReceiptStatus, TaskReceipt
from ainp.operations.judging import Concluded, Moved, SeatingPass
from ainp.telemetry import Line

PREFIX = "[PoU Finalizer]"


def checking(looked_at: int) -> Line:
    """Every run says that it ran."""
    return Line(f"{PREFIX} Checking {looked_at} pending receipts", {"pending": looked_at})


def concluded_lines(concluded: Concluded) -> tuple[Line, ...]:
    """What was decided, extended, judged."""
    return (
        *(_decided(receipt, attestations) for receipt, attestations in concluded.decided),
        *(
            Line(f"{PREFIX} Extended committee", {**_of(r), "extension": r.extensions, "committee": len(r.committee)})
            for r in concluded.extended
        ),
        *(Line(f"{PREFIX} Judged task receipt", {**_of(r), "status": r.status}) for r in concluded.judged),
        *(_moved(moved) for moved in concluded.moved),
        *(
            Line(f"{PREFIX} Job error", {"task_id": str(task_id), "error": error}, "error")
            for task_id, error in concluded.postponed
        ),
    )


def seated_lines(done: SeatingPass) -> tuple[Line, ...]:
    """Which receipts got a committee after all."""
    return tuple(Line(f"{PREFIX} Seated committee", {**_of(r), "committee": len(r.committee)}) for r in done.seated)


def _decided(receipt: TaskReceipt, attestations: int) -> Line:
    facts = {**_of(receipt), "attestations": attestations, "k": receipt.quorum, "mode": receipt.mode}
    if receipt.status is ReceiptStatus.FINALIZED:
        return Line(f"{PREFIX} Finalized task receipt", facts)
    return Line(f"{PREFIX} Failed task receipt", {**facts, "reason": receipt.failure})


def _moved(moved: Moved) -> Line:
    values = {change.dimension.value: change.after / 1_000_000 for change in moved.changes}
    return Line("Reputation updated", {"agent_did": moved.did, "task_id": str(moved.task_id), **values})


def _of(receipt: TaskReceipt) -> dict[str, object]:
    return {"task_id": str(receipt.id)}
