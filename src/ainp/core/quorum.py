"""The quorum: how many distinct voices of a receipt's own committee have passed or failed it."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from ainp.core.attestation import Verdict
from ainp.core.did import AgentDid


class QuorumMode(StrEnum):
    """Whose passing voice counts."""

    COMMITTEE_ONLY = "committee_only"
    COMMITTEE_PLUS_CLIENT = "committee_plus_client"


@dataclass(frozen=True, slots=True)
class Tally:
    """Who passed, who failed, and whether that decides; *needed* is k."""

    passed: frozenset[AgentDid]
    failed: frozenset[AgentDid]
    silent: frozenset[AgentDid]
    needed: int
    client: AgentDid | None = None

    @property
    def have(self) -> int:
        """How many voices count towards the quorum."""
        return len(self.passed)

    @property
    def reached(self) -> bool:
        """Whether enough passed; the client alone is no audit, also where its voice counts."""
        return len(self.passed) >= self.needed and bool(self.passed - {self.client})

    @property
    def lost(self) -> bool:
        """Whether enough failed, or so many that the quorum can't be reached any more."""
        if not self.failed:
            return False
        return len(self.failed) >= self.needed or len(self.passed) + len(self.silent) < self.needed

    @property
    def decided(self) -> bool:
        """Whether no further voice is needed."""
        return self.reached or self.lost


def tally(
    verdicts: Iterable[Verdict],
    *,
    committee: Collection[AgentDid],
    client: AgentDid | None,
    needed: int,
    mode: QuorumMode,
) -> Tally:
    """
    Count each eligible voice once.

    The client's acceptance is no committee voice; in the mode COMMITTEE_PLUS_CLIENT it counts once towards passing.
    """
    heard = tuple(verdicts)
    members = frozenset(committee)
    passed = frozenset(v.by for v in heard if v.passes and v.by in members)
    failed = frozenset(v.by for v in heard if not v.passes and v.by in members)
    silent = members - passed - failed
    if mode is QuorumMode.COMMITTEE_PLUS_CLIENT and client is not None and client not in members:
        passed |= {v.by for v in heard if v.passes and v.by == client}
        if client not in {v.by for v in heard}:
            silent |= {client}
    return Tally(passed, failed, silent, needed, client)
