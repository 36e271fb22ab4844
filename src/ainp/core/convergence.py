"""How near two proposals are to each other, from 0 to 1."""

from collections.abc import Mapping

from ainp.core.terms import Proposal


def convergence(before: Proposal, after: Proposal) -> float:
    """Average the similarity of the terms that both proposals name; 0 if they share none."""
    found = [
        *_relative(before.get("price"), after.get("price")),
        *_relative(before.get("delivery_time"), after.get("delivery_time")),
        *_absolute(before.get("quality_sla"), after.get("quality_sla")),
        *_shares(before.get("incentive_split"), after.get("incentive_split")),
    ]
    return sum(found) / len(found) if found else 0.0


def _relative(p: object, q: object) -> list[float]:
    if not (isinstance(p, int | float) and isinstance(q, int | float)) or max(p, q) <= 0:
        return []
    return [1 - abs(p - q) / max(p, q)]


def _absolute(p: object, q: object) -> list[float]:
    if not (isinstance(p, int | float) and isinstance(q, int | float)):
        return []
    return [1 - abs(p - q)]


def _shares(p: object, q: object) -> list[float]:
    if not (isinstance(p, Mapping) and isinstance(q, Mapping)):
        return []
    # Basis points and parts of one describe the same shares: both are brought to parts of one.
    before, after = _parts(p), _parts(q)
    return [1 - sum(abs(before.get(name, 0.0) - after.get(name, 0.0)) for name in before | after) / 4]


def _parts(shares: Mapping[str, object]) -> dict[str, float]:
    numbers = {name: float(share) for name, share in shares.items() if isinstance(share, int | float)}
    whole = sum(numbers.values())
    return {name: share / whole for name, share in numbers.items()} if whole else {}
