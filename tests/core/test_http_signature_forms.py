"""Other forms of HTTP Message Signatures, and the examples that the RFCs give."""

import base64

import pytest

from ainp.core import http_signature_forms as forms
from ainp.core.errors import InvalidSignature


def test_the_example_of_rfc_9421_appendix_b_2_6_verifies() -> None:
    # The key of B.1.4 (test-key-ed25519), the request of B.2, the signature of B.2.6.
    key = base64.b64decode("JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=")
    covered = '("date" "@method" "@path" "@authority" "content-type" "content-length")'
    proof = "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw=="
    fields = {
        "host": ["example.com"],
        "date": ["Tue, 20 Apr 2021 02:07:55 GMT"],
        "content-type": ["application/json"],
        "content-length": ["18"],
        "signature-input": [f'sig-b26={covered};created=1618884473;keyid="test-key-ed25519"'],
        "signature": [f"sig-b26=:{proof}:"],
    }

    forms.verify("POST", "https://example.com/foo?param=Value&Pet=dog", fields, key=key, tag=None)

    with pytest.raises(InvalidSignature):
        forms.verify("POST", "https://example.com/foo2?param=Value&Pet=dog", fields, key=key, tag=None)


def test_the_digests_of_rfc_9530_appendix_b_are_checked() -> None:
    body = b'{"hello": "world"}\n'
    forms.check_digest("sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:", body)

    with pytest.raises(InvalidSignature):
        forms.check_digest("sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:", body.strip())


def test_ours_is_found_among_others() -> None:
    given = 'a=("@method");created=1;keyid="p", b=("@method" "@target-uri");tag="ainp";nonce="n"'

    assert forms.read(given, tag="ainp") == ({"tag": "ainp", "nonce": "n"}, {"@method", "@target-uri"})


@pytest.mark.parametrize(
    "given",
    [
        "",
        "a",
        'a=("@method")',
        'a=1;tag="ainp"',
        'a=();tag="ainp", a=();tag="ainp"',
        'a=();tag="ainp", b=();tag="ainp"',
        ", ".join(f'a{n}=();tag="x"' for n in range(16)) + ', b=();tag="ainp"',
        "a=(" + " ".join(f'"x{n}"' for n in range(17)) + ');tag="ainp"',
        'ä=();tag="ainp"',
    ],
)
def test_what_is_not_one_signature_of_ours_is_refused(given: str) -> None:
    with pytest.raises(InvalidSignature):
        forms.read(given, tag="ainp")
