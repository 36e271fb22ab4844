"""Every text and every list that somebody can send has an end, and what has none of its own is checked elsewhere."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from msgspec import inspect

from ainp.http.routes import ROUTES

BODIES = list(dict.fromkeys(route.body for route in ROUTES if route.body is not None))
CHECKED = {
    "InitiateBody.initial_proposal": "MAX_PROPOSAL_BYTES, as canonical JSON",
    "ProposeBody.proposal": "MAX_PROPOSAL_BYTES, as canonical JSON",
    "OpenGroupBody.proposal": "MAX_PROPOSAL_BYTES, as canonical JSON",
    "VoteBody.proposal": "MAX_PROPOSAL_BYTES, as canonical JSON",
    "DeliverBody.metrics": "MAX_PROPOSAL_BYTES, as canonical JSON",
    "EnvelopeBody.payload": "MAX_BODY_BYTES, with the rest of it",
    "IntentBody.payload": "MAX_BODY_BYTES, with the rest of it",
    "IntentBody.qos": "MAX_BODY_BYTES, with the rest of it",
    "IntentBody.to_query": "MAX_BODY_BYTES, with the rest of it",
    "IntentBody.version": "it is one of those that are spoken",
    "EnvelopeBody.version": "it is one of those that are spoken",
    "AttestBody.evidence_ref": "MAX_URI_LENGTH, by core/attestation",
}


def without_limit(kind: inspect.Type, where: str) -> Iterator[str]:
    """Where in *kind* a text, a list or an object may be as long as it likes."""
    if _endless(kind):
        yield where
    for inner, name in _inside(kind, where):
        yield from without_limit(inner, name)


def _endless(kind: inspect.Type) -> bool:
    if isinstance(kind, inspect.StrType):
        return kind.max_length is None and kind.pattern is None
    if isinstance(kind, inspect.BytesType | inspect.DictType | inspect.ListType):
        return kind.max_length is None
    return isinstance(kind, inspect.AnyType | inspect.RawType | inspect.CustomType)


def _inside(kind: inspect.Type, where: str) -> list[tuple[inspect.Type, str]]:
    if isinstance(kind, inspect.Metadata):
        return [(kind.type, where)]
    if isinstance(kind, inspect.UnionType):
        return [(choice, where) for choice in kind.types]
    if isinstance(kind, inspect.StructType):
        return [(field.type, f"{kind.cls.__name__}.{field.name}") for field in kind.fields]
    return [(kind.item_type, where)] if isinstance(kind, inspect.ListType) else []


@pytest.mark.parametrize("body", [pytest.param(body, id=body.__name__) for body in BODIES])
def test_every_member_of_a_body_has_an_end(body: Any) -> None:  # noqa: ANN401 - a type
    assert sorted(set(without_limit(inspect.type_info(body), body.__name__)) - set(CHECKED)) == []


@pytest.mark.parametrize("body", [pytest.param(body, id=body.__name__) for body in BODIES])
@pytest.mark.parametrize(
    "number", [b"1e400", b"-1e400", b"9" * 400, b"9" * 5000, b"-" + b"9" * 20, b"0." + b"3" * 5000]
)
def test_no_number_is_too_long_to_be_refused(body: Any, number: bytes) -> None:  # noqa: ANN401 - a type
    for field in msgspec.structs.fields(body):
        try:
            msgspec.json.decode(b'{"%s":%s}' % (field.encode_name.encode(), number), type=body)
        except (msgspec.ValidationError, msgspec.DecodeError):
            continue
