"""Settlement: a reservation becomes entries that add up to it exactly."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from ainp.core import ledger
from ainp.core.credits import split
from ainp.core.did import AgentDid
from ainp.core.ids import TaskId
from ainp.core.negotiation import Negotiation

UNPAID_VALIDATOR = (
    "the validator's share goes to the receipt's reward account: a validator is paid only if the accepted terms name"
    " it, it is registered and it is not a party"
)


@dataclass(frozen=True, slots=True)
class SettlementPolicy:
    """How long a client may stay silent after a delivery, and who gets the broker's share (None: the fees account)."""

    grace: timedelta = timedelta(minutes=60)
    broker: AgentDid | None = None


@dataclass(frozen=True, slots=True)
class Settlement:
    """
    What is paid to whom.

    *distribution* names every part of the total (agent, broker, validator, pool, reward) in atomic units, as decimal
    strings: so it stands in the receipt's statement and goes over the wire.
    """

    entries: tuple[ledger.Entry, ...]
    distribution: Mapping[str, str]
    validator: AgentDid | None


def validator_of(negotiation: Negotiation, *, registered: bool) -> AgentDid | None:
    """Who is paid for validating, if anyone may be; *registered* says whether the named one is."""
    named = negotiation.terms.validator
    parties = (negotiation.initiator, negotiation.responder)
    return named if named is not None and registered and named not in parties else None


def pay(
    negotiation: Negotiation, *, task_id: TaskId, broker: AgentDid | None, validator: AgentDid | None
) -> Settlement:
    """Pay out a reservation by the split of the accepted proposal; without a *broker* its share goes to fees."""
    shares = negotiation.terms.split.as_mapping()
    targets = {
        "agent": ledger.available(negotiation.responder),
        "broker": ledger.FEES if broker is None else ledger.available(broker),
        "validator": ledger.reward(task_id) if validator is None else ledger.available(validator),
        "pool": ledger.POOL,
    }
    entries = ledger.payout(
        negotiation.reserved, shares, targets, client=negotiation.initiator, negotiation=negotiation.id
    )
    parts = split(negotiation.reserved, shares)
    paid = {**parts, "reward": 0} if validator is not None else {**parts, "validator": 0, "reward": parts["validator"]}
    return Settlement(entries, {name: str(part) for name, part in paid.items()}, validator)
