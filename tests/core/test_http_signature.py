"""HTTP Message Signatures: what is taken, what is refused, and that the library agrees."""

import base64
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from ainp.core import http_signature_forms as forms
from ainp.core.did import did_of_key
from ainp.core.errors import InvalidSignature
from ainp.core.http_signature import LONGEST, SKEW, USUAL, HttpSignature, Message, draft, read, verify

KEY = SigningKey(bytes(range(32)))
PUBLIC = bytes(KEY.verify_key)
DID = did_of_key(PUBLIC)
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
URL = "https://broker.example/api/negotiations?x=1"
BODY = b'{"a":1}'


def signed(body: bytes = BODY, *, at: datetime = NOW, key_id: str = DID, nonce: str = "n") -> Message:
    made = draft("POST", URL, body or None, key_id=key_id, nonce=nonce, now=at)
    fields = made.fields(KEY.sign(made.base).signature)
    return Message(method="POST", targets=[URL], fields={n.lower(): [v] for n, v in fields.items()}, body=body)


def changed(message: Message, **values: str | None) -> Message:
    """The same with other header fields."""
    new = {name.replace("_", "-"): value for name, value in values.items()}
    kept = {name: lines for name, lines in message.fields.items() if name not in new}
    return message._replace(fields=kept | {name: [value] for name, value in new.items() if value is not None})


def resigned(message: Message, change: Callable[[str], str]) -> Message:
    """The same, with other parameters that were signed as they stand."""
    parameters = change(message.fields["signature-input"][0].partition("=")[2])
    values = {
        "@method": message.method,
        "@target-uri": URL,
        "content-digest": message.fields.get("content-digest", [""])[0],
    }
    base = [f'"{name}": {values[name]}' for name in re.findall(r'"([^"]+)"', parameters.partition(")")[0])]
    raw = KEY.sign("\n".join([*base, f'"@signature-params": {parameters}']).encode()).signature
    proof = "ainp=:" + base64.b64encode(raw).decode() + ":"
    return changed(message, signature_input=f"ainp={parameters}", signature=proof)


def proven(message: Message, *, now: datetime = NOW, key: bytes = PUBLIC) -> HttpSignature:
    found = read(message, now=now)
    verify(message, found, key=key)
    return found


def test_a_signed_request_says_who_sent_it_and_until_when_it_counts() -> None:
    found = proven(signed())

    assert (found.signer, found.nonce, found.plain is not None) == (DID, "n", True)
    assert found.void_from == NOW + USUAL + 2 * SKEW


def test_a_request_without_a_body_needs_no_digest() -> None:
    assert proven(signed(b"")).signer == DID


@given(body=st.binary(max_size=200), nonce=st.text(st.characters(min_codepoint=0x23, max_codepoint=0x5B), min_size=1))
def test_what_our_reader_takes_the_library_takes(body: bytes, nonce: str) -> None:
    message = signed(body, nonce=nonce[:100])

    assert proven(message).plain is not None
    forms.verify("POST", URL, message.fields, key=PUBLIC, tag="ainp")


@given(place=st.integers(0, 10_000), to=st.characters(min_codepoint=0x20, max_codepoint=0x7E))
def test_no_byte_of_the_fields_can_be_another(place: int, to: str) -> None:
    message = signed()
    places = [(name, at) for name, lines in message.fields.items() for at in range(len(lines[0]))]
    name, at = places[place % len(places)]
    text = message.fields[name][0]
    other = text[:at] + to + text[at + 1 :]
    if other == text:
        return
    changed_message = changed(message, **{name.replace("-", "_"): other})

    try:
        found = proven(changed_message)
    except InvalidSignature:
        return
    # White space and the label are not a part of what is signed; nothing that counts is different.
    assert (found.signer, found.nonce, found.created) == (DID, "n", int(NOW.timestamp()))
    forms.verify("POST", URL, changed_message.fields, key=PUBLIC, tag="ainp")


WRONG: Mapping[str, tuple[Callable[[Message], Message], str]] = {
    "another body": (lambda m: m._replace(body=b'{"a":2}'), "not that of the body"),
    "another method": (lambda m: m._replace(method="DELETE"), "over DELETE"),
    "another address": (lambda m: m._replace(targets=[URL + "0"]), "over POST https://broker.example"),
    "no digest": (lambda m: changed(m, content_digest=None), "content-digest is missing"),
    "no signature": (lambda m: changed(m, signature=None), "signature is missing"),
    "no input": (lambda m: changed(m, signature_input=None), "signature-input is missing"),
    "another's digest": (lambda m: changed(m, content_digest="sha-256=:" + "A" * 43 + "=:"), "not that of the body"),
    "a digest nobody knows": (lambda m: changed(m, content_digest="md5=:AAAA:"), "Unsupported content digest"),
    "an input that is no dictionary": (lambda m: changed(m, signature_input='ainp=("@method'), "not a dictionary"),
    "an input beyond measure": (lambda m: changed(m, signature_input="a" * 5000), "expected at most 4096"),
    "a body that is not covered": (
        lambda m: resigned(m, lambda p: p.replace(' "content-digest"', "")),
        "does not cover",
    ),
    "no method": (lambda m: resigned(m, lambda p: p.replace('"@method" ', "")), "does not cover @method"),
    "no target": (lambda m: resigned(m, lambda p: p.replace('"@target-uri" ', "")), "does not cover @target-uri"),
    "another tag": (lambda m: resigned(m, lambda p: p.replace('tag="ainp"', 'tag="other"')), "found the tag 'other'"),
    "no tag": (lambda m: resigned(m, lambda p: p.replace(';tag="ainp"', "")), "found the tag 'none'"),
    "another algorithm": (lambda m: resigned(m, lambda p: p + ';alg="hmac-sha256"'), "expected ed25519"),
    "a parameter nobody knows": (lambda m: resigned(m, lambda p: p + ';admin="yes"'), "'admin', which is not known"),
    "a parameter twice": (lambda m: resigned(m, lambda p: p + ';nonce="m"'), "nonce stands twice"),
    "no nonce": (lambda m: resigned(m, lambda p: p.replace('nonce="n";', "")), "expected a nonce"),
    "an empty nonce": (lambda m: resigned(m, lambda p: p.replace('nonce="n"', 'nonce=""')), "expected a nonce"),
    "no time": (
        lambda m: resigned(m, lambda p: p.replace(f"created={int(NOW.timestamp())};", "")),
        "created and expires",
    ),
    "a time in words": (lambda m: resigned(m, lambda p: p.replace("created=", 'created="1";x=')), "not known here"),
    "nobody": (lambda m: resigned(m, lambda p: p.replace(f'keyid="{DID}";', "")), "keyid: the signer's DID"),
    "no DID": (lambda m: resigned(m, lambda p: p.replace(DID, "bob")), "keyid: Invalid DID format"),
    "another key of a did:key": (
        lambda m: resigned(m, lambda p: p.replace(DID, DID + "#z6Mk")),
        "the only key of a did:key",
    ),
    "two signatures of ours": (
        lambda m: changed(
            m, signature_input=f"{m.fields['signature-input'][0]}, b={m.fields['signature-input'][0][5:]}"
        ),
        "found 2 signatures",
    ),
}


@pytest.mark.parametrize(("change", "reason"), WRONG.values(), ids=WRONG)
def test_a_request_is_refused(change: Callable[[Message], Message], reason: str) -> None:
    with pytest.raises(InvalidSignature, match=reason):
        proven(change(signed()))


def test_another_key_does_not_verify() -> None:
    with pytest.raises(InvalidSignature, match="is not"):
        proven(signed(), key=bytes(SigningKey.generate().verify_key))


@pytest.mark.parametrize(
    ("later", "reason"),
    [
        (-SKEW, None),
        (-SKEW - timedelta(seconds=1), "from now"),
        (USUAL + SKEW, None),
        (USUAL + SKEW + timedelta(seconds=1), "expired 61 s ago"),
    ],
)
def test_clocks_may_differ_by_a_minute(later: timedelta, reason: str | None) -> None:
    if reason is None:
        assert proven(signed(), now=NOW + later).signer == DID
        return
    with pytest.raises(InvalidSignature, match=reason):
        proven(signed(), now=NOW + later)


@pytest.mark.parametrize(("lasts", "taken"), [(0, False), (1, True), (300, True), (301, False), (-1, False)])
def test_a_signature_lasts_five_minutes_at_most(*, lasts: int, taken: bool) -> None:
    usual = f"expires={int((NOW + USUAL).timestamp())}"
    message = resigned(signed(), lambda p: p.replace(usual, f"expires={int(NOW.timestamp()) + lasts}"))

    if taken:
        assert proven(message).expires - int(NOW.timestamp()) <= LONGEST.total_seconds()
    else:
        with pytest.raises(InvalidSignature):
            proven(message)


OTHER_FORMS: Mapping[str, Callable[[Message], Message]] = {
    "parameters in another order": lambda m: resigned(
        m, lambda p: p.partition(")")[0] + ");" + ";".join(reversed(p.partition(");")[2].split(";")))
    ),
    "the algorithm named": lambda m: resigned(m, lambda p: p + ';alg="ed25519"'),
    "components in another order": lambda m: resigned(
        m, lambda p: p.replace('"@method" "@target-uri"', '"@target-uri" "@method"')
    ),
    "a fragment that names the key again": lambda m: resigned(m, lambda p: p.replace(DID, f"{DID}#{DID[8:]}")),
    "another's signature beside": lambda m: changed(
        m,
        signature_input=m.fields["signature-input"][0] + ', proxy=("@method");created=1;keyid="p"',
        signature=m.fields["signature"][0] + ", proxy=:AAAA:",
    ),
    "white space between members": lambda m: changed(
        m, signature_input=m.fields["signature-input"][0].replace(";", "; ")
    ),
}


@pytest.mark.parametrize("change", OTHER_FORMS.values(), ids=OTHER_FORMS)
def test_other_forms_of_the_same_are_taken(change: Callable[[Message], Message]) -> None:
    assert proven(change(signed())).signer == DID


def test_more_may_be_covered() -> None:
    url = URL
    fields = {"content-type": ["application/json"], "content-digest": signed().fields["content-digest"]}
    given_input = signed().fields["signature-input"][0].partition("=")[2].replace(")", ' "content-type" "@authority")')
    base = "\n".join(
        [
            '"@method": POST',
            f'"@target-uri": {url}',
            f'"content-digest": {fields["content-digest"][0]}',
            '"content-type": application/json',
            '"@authority": broker.example',
            f'"@signature-params": {given_input}',
        ]
    )
    proof = base64.b64encode(KEY.sign(base.encode()).signature).decode()
    lines = fields | {"signature-input": [f"sig1={given_input}"], "signature": [f"sig1=:{proof}:"]}

    found = proven(Message(method="POST", targets=[url], fields=lines, body=BODY))

    assert found.plain is None
    with pytest.raises(InvalidSignature):
        proven(Message(method="POST", targets=[url], fields=lines | {"content-type": ["text/plain"]}, body=BODY))
