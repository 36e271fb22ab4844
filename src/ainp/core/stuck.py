"""Why a receipt is still open, and what an operator can do about it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from ainp.core.did import AgentDid
from ainp.core.finalization import Case
from ainp.core.receipt import ReceiptStatus
from ainp.core.words import counted


class Why(StrEnum):
    """What keeps a receipt open."""

    FINALIZER_OFF = "finalizer_off"
    FINALIZER_SILENT = "finalizer_silent"
    TOO_FEW_CANDIDATES = "too_few_candidates"
    NOT_SEATED_YET = "not_seated_yet"
    OUT_OF_REACH = "out_of_reach"
    SILENT_MEMBERS = "silent_members"


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason in words, and what would end it."""

    why: Why
    found: str
    fix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What a receipt waits in: the time, who could be seated on it, and how the finalizer does."""

    now: datetime
    candidates: int
    finalizer_enabled: bool
    finalized_last_at: datetime | None  # when the job last came to an end
    finalizer_every: timedelta
    max_extensions: int

    @property
    def finalizer_silent(self) -> bool:
        """Whether the job has missed two of its times."""
        return self.finalized_last_at is None or self.now - self.finalized_last_at > 2 * self.finalizer_every


def reasons(case: Case, around: Around) -> list[Reason]:
    """Every reason there is, what keeps all receipts from moving first; none once a receipt is decided."""
    if case.receipt.status is not ReceiptStatus.PENDING:
        return []
    found = [*_of_job(around)]
    if not case.receipt.committee:
        return [*found, _unseated(case, around)]
    if case.tally.decided:
        return found  # the job will write what is decided
    if _out_of_reach(case):
        found.append(_short(case, around))
    return [*found, _silent(case, around)]


def silent_members(case: Case) -> list[AgentDid]:
    """Who has a seat and said nothing, in the order of their seats."""
    spoke = {verdict.by for verdict in case.verdicts}
    return [member for member in case.receipt.committee if member not in spoke]


def _of_job(around: Around) -> list[Reason]:
    if not around.finalizer_enabled:
        words = "POU_FINALIZER_ENABLED=false: nobody finalizes, extends or seats"
        return [Reason(Why.FINALIZER_OFF, words, "set it to true, or POST /api/receipts/{id}/finalize")]
    if around.finalizer_silent:
        last = around.finalized_last_at
        when = "has never come to an end" if last is None else f"last came to an end at {_at(last)}"
        fix = "start `ainp work`, or a broker with JOBS_ENABLED=true; its log says [PoU Finalizer]"
        return [Reason(Why.FINALIZER_SILENT, f"the finalizer {when}", fix)]
    return []


def _unseated(case: Case, around: Around) -> Reason:
    size = case.receipt.size
    if around.candidates >= size:
        words = f"no committee yet; {counted(around.candidates, 'agent')} could be drawn, {size} are needed"
        return Reason(Why.NOT_SEATED_YET, words, "the finalizer seats one at its next run")
    return Reason(
        Why.TOO_FEW_CANDIDATES,
        f"no committee: {counted(around.candidates, 'agent')} could be drawn that were registered before it,"
        f" {size} are needed",
        "have agents come back that were there before, or see POU_COMMITTEE_MIN_*; for later receipts register more"
        " agents or lower POU_M",
    )


def _out_of_reach(case: Case) -> bool:
    return len(case.tally.passed) + len(case.tally.silent) < case.receipt.quorum


def _short(case: Case, around: Around) -> Reason:
    tally, receipt = case.tally, case.receipt
    words = f"{len(tally.passed)} passed and {len(tally.silent)} are silent: {receipt.quorum} can't be reached"
    return Reason(Why.OUT_OF_REACH, words, _next(case, around))


def _silent(case: Case, around: Around) -> Reason:
    receipt, silent = case.receipt, silent_members(case)
    among = f"of {counted(len(receipt.committee), 'member')} {'is' if len(silent) == 1 else 'are'} silent"
    who = f"{len(silent)} {among}: {', '.join(silent)}" if silent else "all spoke"
    words = f"{case.tally.have} of {receipt.quorum} have passed, {len(case.tally.failed)} failed; {who}"
    return Reason(Why.SILENT_MEMBERS, words, _next(case, around))


def _next(case: Case, around: Around) -> str:
    """What happens by itself, and when."""
    receipt = case.receipt
    left = around.max_extensions - receipt.extensions
    then = "seats more members" if left > 0 else "fails it as no_verdict"
    return f"the members must attest; when the window ends at {_at(receipt.window_ends_at)}, the finalizer {then}"


def _at(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%SZ")
