"""What each target begins with: what is right, and what was nearly right, from the vectors and the routes."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import cbor2
import msgspec

from ainp.core.cbor import NAMES, from_json
from ainp.core.did import did_of_key
from ainp.core.http_signature import draft
from fuzz.targets import KEY, METHOD, NOW, PUBLIC, TARGET

_VECTORS = Path(__file__).parents[1] / "tests" / "vectors" / "contract.json"
_BODIES = (
    b'{"type":"AUDIT_PASS","score":0.9,"confidence":0.95,"evidence_ref":null,"by_did":"did:key:z6Mk","signature":"AA=="}',
    b'{"intent_id":"i","responder_did":"did:web:a.example","initial_proposal":{"price":1.5,"custom_terms":{"a":[1]}}}',
    b'{"address":{"did":"did:key:z6Mk","capabilities":[{"description":"x","tags":["y"]}]},"ttl":60000}',
    b'{"agent_did":"did:key:z6Mk","amount_atomic":"1000n","reason":"\\u00e9\\ud83d\\ude00"}',
    b'{"proposal":{"price":1e-7,"incentive_split":{"agent":0.7}},"round_number":1,"terms_hash":"00"}',
)
_TEXTS = (
    b"[0,-0,1e21,1e-7,0.1,123456789012345680000,5e-324,1.7976931348623157e308,9007199254740991,4.35,100]",
    '{"\\ue000":1,"\U0001f600":2,"\\u0000":3,"":4,"a":{"b":[null,true,false]}}'.encode(),
    b'"\\u2028\\u007f\\"\\\\/\\b\\f\\n\\r\\t"',
)


def seeds() -> Mapping[str, list[bytes]]:
    """For each target its first inputs."""
    vectors = msgspec.json.decode(_VECTORS.read_bytes())
    envelopes = [each["wire_json"].encode() for each in vectors["envelopes"]]
    wrapped = [b'{"envelope":' + raw + b',"query":{"limit":1}}' for raw in envelopes[:2]]
    return {
        "envelope": [*envelopes, *wrapped, *_TEXTS[1:2]],
        "signature": list(_signatures()),
        "body": [*_BODIES, *envelopes[:2]],
        "cbor": [*map(from_json, (*_BODIES, *envelopes[:2])), *map(_numbered, envelopes[:2])],
        "text": [*_TEXTS, *_BODIES],
    }


def _numbered(envelope: bytes) -> bytes:
    """An envelope with numbers for names, in an encoding that tells no lengths."""
    members = msgspec.json.decode(envelope)
    numbered = {NAMES.index(name) + 1: value for name, value in members.items()}
    return cbor2.dumps(numbered, indefinite_containers=True)


def _signatures() -> Iterator[bytes]:
    for content in (b"", b'{"a":1}'):
        made = draft(METHOD, TARGET, content or None, key_id=did_of_key(PUBLIC), nonce="n", now=NOW)
        given = made.parameters
        for parameters in (
            given,
            given.replace('("@method" ', '("@method" "@path" '),
            given.replace(";nonce", ';alg="ed25519";nonce'),
            given.replace(";tag", "; tag"),
            f'{given}, other=("@path");tag="x"',
        ):
            fields = made.fields(KEY.sign(made.base).signature)
            lines = (f"ainp={parameters}", fields["Signature"], fields.get("Content-Digest", ""))
            yield "\n".join(lines).encode() + b"\n" + content
