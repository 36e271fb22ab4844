"""Bodies of the stake routes; amounts are atomic units, as whole numbers or decimal strings in, as strings out."""

from typing import Annotated

from msgspec import Meta, Struct

from ainp.core.limits import MAX_URI_LENGTH
from ainp.wire.values import Did, Text

Atomic = Annotated[str, Meta(pattern=r"^[0-9]{1,18}$(?!\n)")] | int


class StakeBody(Struct):
    """How much to lock, or to ask back."""

    amount_atomic: Annotated[Atomic, Meta(description="atomic units, 1000 to a credit")]
    agent_did: Did | None = None


class CancelUnstakeBody(Struct):
    """Whose withdrawal is not wanted any more."""

    agent_did: Did | None = None


class StakeReply(Struct):
    """What an agent has staked: `active` counts for committees, `withdrawing` is paid at `locked_until`."""

    agent_did: str
    locked_atomic: str
    active_atomic: str
    withdrawing_atomic: str
    locked_until: str | None
    slashed_total_atomic: str
    min_stake_atomic: str
    eligible: bool


class SlashBody(Struct):
    """What an administrator takes, and why."""

    agent_did: Did
    amount_atomic: Annotated[Atomic, Meta(description="atomic units; at most what is staked is taken")]
    reason: Text
    evidence_ref: Annotated[str, Meta(max_length=MAX_URI_LENGTH)] | None = None


class SlashReply(Struct):
    """What was taken, and what is left."""

    ok: bool
    slash_id: str
    agent_did: str
    taken_atomic: str
    locked_atomic: str
    slashed_total_atomic: str
