"""The terms of a proposal: what the protocol reads of them, and the hash that both parties mean by them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from ainp.core.canonical import canonical, digest
from ainp.core.credits import Credits, credits_of_price
from ainp.core.did import AgentDid, parse_did
from ainp.core.errors import InvalidDid, InvalidProposal, InvalidRequest
from ainp.core.incentive import MIN_FEE_BP, IncentiveSplit, read_split
from ainp.core.limits import MAX_DELIVERY_TIME, MAX_PROPOSAL_BYTES

Proposal = Mapping[str, object]
_OF_AN_ENVELOPE = frozenset({"from_did", "msg_type"})


@dataclass(frozen=True, slots=True)
class Terms:
    """A proposal, read: price in atomic units, delivery time in milliseconds."""

    price: Credits
    delivery_time_ms: int | None
    split: IncentiveSplit
    validator: AgentDid | None
    hash: bytes


def read_terms(proposal: Proposal, *, min_fee_bp: int = MIN_FEE_BP) -> Terms:
    """
    Read and check a proposal; members the protocol does not know are kept, hashed and ignored.

    Raises InvalidProposal for a price below 0, above 10^12 or with more than three decimals, a delivery time outside
    1 ms .. 30 days, a quality_sla outside 0 .. 1, a split that is not whole, or more than 16 KiB; and for what reads as
    an envelope, since both parties sign the hash, and one scheme of envelopes takes the signature of a hash.
    """
    if proposal.keys() >= _OF_AN_ENVELOPE:
        raise InvalidProposal("proposal: found from_did and msg_type, which are members of an envelope")
    try:
        text = canonical(proposal)
    except InvalidRequest as error:
        raise InvalidProposal(f"proposal: {error.message}", field="proposal") from error
    if len(text) > MAX_PROPOSAL_BYTES:
        raise InvalidProposal(
            f"proposal: found {len(text)} bytes of canonical JSON, expected at most {MAX_PROPOSAL_BYTES}",
            field="proposal",
        )
    return _read(proposal, hash=digest(text), min_fee_bp=min_fee_bp)


def agreed_terms(proposal: Proposal, *, terms_hash: str) -> Terms:
    """Read a proposal that was checked and hashed when it was made."""
    return _read(proposal, hash=bytes.fromhex(terms_hash), min_fee_bp=0)


def _read(proposal: Proposal, *, hash: bytes, min_fee_bp: int) -> Terms:  # noqa: A002 - the protocol's word
    quality = _number(proposal, "quality_sla")
    if quality is not None and not 0 <= quality <= 1:
        raise InvalidProposal(f"quality_sla: found {quality!r}, expected 0 to 1", field="quality_sla")
    custom = proposal.get("custom_terms")
    if custom is not None and not isinstance(custom, Mapping):
        raise InvalidProposal(f"custom_terms: found {type(custom).__name__}, expected an object", field="custom_terms")
    shares = proposal.get("incentive_split")
    return Terms(
        price=credits_of_price(_number(proposal, "price") or 0),
        delivery_time_ms=_delivery_time(proposal),
        split=IncentiveSplit() if shares is None else read_split(shares, min_fee_bp=min_fee_bp),
        validator=_validator(proposal, custom or {}),
        hash=hash,
    )


def _number(proposal: Proposal, name: str) -> int | float | None:
    value = proposal.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise InvalidProposal(f"{name}: found {type(value).__name__}, expected a number", field=name)
    return value


def _delivery_time(proposal: Proposal) -> int | None:
    value = _number(proposal, "delivery_time")
    longest = MAX_DELIVERY_TIME // timedelta(milliseconds=1)
    if value is None:
        return None
    if not isinstance(value, int) or not 1 <= value <= longest:
        raise InvalidProposal(
            f"delivery_time: found {value!r}, expected whole milliseconds from 1 to {longest}",
            field="delivery_time",
        )
    return value


def _validator(proposal: Proposal, custom: Mapping[str, object]) -> AgentDid | None:
    value = proposal.get("validator_did", custom.get("validator_did"))
    if value is None:
        return None
    try:
        return parse_did(value) if isinstance(value, str) else parse_did("")
    except InvalidDid as error:
        raise InvalidProposal(f"validator_did: {error.message}", field="validator_did") from error
