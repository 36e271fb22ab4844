"""What everybody knows is no secret; what was drawn by chance is one."""

import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainp.core.samples import is_published_seed, is_sample

KNOWN = [
    *("change-me", "changeme", "CHANGE_ME!", "change-me-1234567890", "secret", "secretsecretsecret", "password"),
    *("P@ssw0rd", "passw0rd123", "admin", "admin:admin", "test", "test-token-test-token", "<ADMIN_TOKEN>", "s3cr3t"),
    *("aaaaaaaaaaaaaaaaaaaaaaaa", "abababababababababab", "1234567890123456", "0123456789", "", "----", "xyz"),
    *("your-secret-token", "postgres", "hunter2", "…", "replace-me", "keep-this-to-yourself"),
]
UNKNOWN = ["correct horse battery staple", "8374629105738201", "let me see the tokens", "tästing-ünïcode-ßecret"]


@pytest.mark.parametrize("secret", KNOWN)
def test_what_samples_show_is_known(secret: str) -> None:
    assert is_sample(secret)


@pytest.mark.parametrize("secret", UNKNOWN)
def test_what_nobody_would_try_is_not(secret: str) -> None:
    assert not is_sample(secret)


def test_what_is_drawn_by_chance_is_not() -> None:
    assert not is_sample(secrets.token_hex(16))
    assert not is_sample(secrets.token_urlsafe(24))


@given(st.text(max_size=100))
def test_any_text_is_one_or_the_other(secret: str) -> None:
    assert is_sample(secret) in (True, False)


@pytest.mark.parametrize(
    "seed",
    [
        bytes(32),
        b"\xff" * 32,
        bytes(range(32)),
        bytes(range(32, 64)),
        bytes(range(31, -1, -1)),
        bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"),
    ],
    ids=["zeros", "ones", "counting", "counting on", "counting down", "RFC 8032"],
)
def test_published_keys_are_known(seed: bytes) -> None:
    assert is_published_seed(seed)


def test_a_key_of_one_s_own_is_not() -> None:
    assert not is_published_seed(secrets.token_bytes(32))
