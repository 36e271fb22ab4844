"""Bodies of the usefulness routes; scores are numbers from 0 to 100."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated

from msgspec import Meta, Struct

from ainp.core.errors import InvalidProof, InvalidWorkType
from ainp.core.ids import TaskId, parse_id
from ainp.core.limits import MAX_METRICS, MAX_PROOF_ATTESTATIONS, MAX_TRACE_LENGTH
from ainp.core.moments import UNIX_EPOCH
from ainp.core.usefulness import Submission, Usefulness, WorkType
from ainp.wire.values import IntentId, Text, iso, iso_or_none

_REQUIRED = ("work_type", "metrics", "trace_id", "timestamp")
_LATEST_MS = 253_402_300_799_000  # the year 9999
_Metrics = Annotated[
    dict[str, object],
    Meta(
        max_length=MAX_METRICS,
        description="compute_ms, memory_bytes, routing_hops, validation_checks or learning_samples, as the kind of work"
        " says; others are kept",
    ),
]


class ProofBody(Struct):
    """What an agent says of work it did; the first four members are required."""

    work_type: Annotated[Text | None, Meta(description="compute, memory, routing, validation or learning")] = None
    metrics: _Metrics | None = None
    trace_id: (
        Annotated[str, Meta(min_length=1, max_length=MAX_TRACE_LENGTH, description="once for each agent")] | None
    ) = None
    timestamp: Annotated[float | None, Meta(description="milliseconds since 1970; now, within five minutes")] = None
    intent_id: IntentId | None = None
    receipt_id: Annotated[Text | None, Meta(description="the receipt of the work; one proof each")] = None
    attestations: Annotated[list[Text], Meta(max_length=MAX_PROOF_ATTESTATIONS)] | None = None
    agent_did: Text | None = None

    def submission(self) -> Submission:
        """The proof, or what is missing."""
        if None in (self.work_type, self.metrics, self.trace_id, self.timestamp):
            raise InvalidProof(f"Missing required fields: {', '.join(_REQUIRED)}")
        assert self.work_type is not None and self.metrics is not None  # noqa: PT018
        assert self.trace_id is not None and self.timestamp is not None  # noqa: PT018
        return Submission(
            work_type=_work_type(self.work_type),
            metrics=self.metrics,
            trace_id=self.trace_id,
            said_at=_moment(self.timestamp),
            intent_id=self.intent_id,
            attestations=self.attestations,
            receipt=None if self.receipt_id is None else TaskId(parse_id(self.receipt_id, what="Receipt")),
        )


class ProofReply(Struct):
    """A proof that was kept."""

    id: str
    usefulness_score: float
    created_at: str


class UsefulnessReply(Struct):
    """An agent's usefulness: the mean of its last thirty days, as it was last added up."""

    agent_did: str
    usefulness_score: float
    total_proofs: int
    work_type_breakdown: Mapping[str, float]
    last_proof_at: str | None


class AggregatedReply(Struct):
    """How many agents' scores were brought up to date, and how long that took."""

    updated: int
    duration_ms: int


def usefulness_reply(found: Usefulness) -> UsefulnessReply:
    """An agent's usefulness as it is shown."""
    breakdown = {kind.value: float(found.breakdown.get(kind.value, 0)) for kind in WorkType}
    return UsefulnessReply(found.agent, found.score, found.proofs, breakdown, iso_or_none(found.last_at))


def proof_reply(id: str, score: int, at: datetime) -> ProofReply:  # noqa: A002 - the wire's word
    """A proof that was kept; *score* in hundredths."""
    return ProofReply(id, score / 100, iso(at))


def _work_type(value: str) -> WorkType:
    try:
        return WorkType(value)
    except ValueError:
        raise InvalidWorkType(f"work_type must be one of: {', '.join(WorkType)}") from None


def _moment(milliseconds: float) -> datetime:
    if not 0 <= milliseconds <= _LATEST_MS:
        raise InvalidProof(f"timestamp: found {milliseconds!r}, expected milliseconds since 1970", field="timestamp")
    return UNIX_EPOCH + timedelta(milliseconds=milliseconds)
