"""Values as they go over the wire: times, and texts with limits."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from ainp.core.limits import MAX_DID_LENGTH, MAX_INTENT_ID_LENGTH, MAX_TEXT_LENGTH
from ainp.core.moments import iso_ms

Text = Annotated[str, Meta(max_length=MAX_TEXT_LENGTH)]
Did = Annotated[str, Meta(max_length=MAX_DID_LENGTH, description="a DID: did:key:… or did:web:…")]
IntentId = Annotated[str, Meta(min_length=1, max_length=MAX_INTENT_ID_LENGTH)]
Proposal = Annotated[
    dict[str, object],
    Meta(
        description="price (credits, at most three decimals), delivery_time (ms), quality_sla (0..1), incentive_split,"
        " validator_did, custom_terms; other members are kept and hashed"
    ),
]


iso = iso_ms  # how times are shown


def iso_or_none(at: datetime | None) -> str | None:
    """The same, where there may be no time."""
    return None if at is None else iso(at)


def part(millionths: int) -> float:
    """Whole millionths as a number from 0 to 1."""
    return millionths / 1_000_000
