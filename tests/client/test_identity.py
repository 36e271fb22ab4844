"""Keys: where they are kept, and what is refused as one."""

import os
import stat
from pathlib import Path

import pytest
from nacl.signing import SigningKey

from ainp.cli.keys import written
from ainp.client import BadKey, BadSetting, Client, Identity, NoIdentity
from ainp.core.errors import InvalidProposal

KEY = Identity.new()
WEB = "did:web:agent.example"


def test_an_identity_is_the_key_that_was_printed() -> None:
    printed = written(Identity(SigningKey(bytes(32))))

    assert Identity.of(printed["private_key"]).did == printed["did"]
    assert Identity.new().did != Identity.new().did


def test_a_key_is_kept_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "agent.key"
    were = os.umask(0)
    try:
        KEY.save(path)
    finally:
        os.umask(were)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Identity.load(path).private_key == KEY.private_key


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    KEY.save(tmp_path / "agent.key")

    with pytest.raises(BadKey, match="exists, and a key is never overwritten"):
        Identity.new().save(tmp_path / "agent.key")
    assert Identity.load(tmp_path / "agent.key").did == KEY.did


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    KEY.save(tmp_path / "agent.key")
    (tmp_path / "agent.key").chmod(0o640)

    with pytest.raises(BadKey, match="can be read by others: chmod 600"):
        Identity.load(tmp_path / "agent.key")


@pytest.mark.parametrize("content", ["", "{}", "secret", '{"did": "did:key:z", "private_key": 1, "public_key": ""}'])
def test_what_is_no_key_file_is_said_so_without_what_stands_in_it(tmp_path: Path, content: str) -> None:
    path = tmp_path / "agent.key"
    path.write_text(content)
    path.chmod(0o600)

    with pytest.raises(BadKey, match="is no key file") as refused:
        Identity.load(path)
    assert "secret" not in str(refused.value)


def test_a_did_web_keeps_which_of_its_keys_it_is(tmp_path: Path) -> None:
    agent = Identity.of(KEY.private_key, did=WEB, key_id=f"{WEB}#key-1")
    agent.save(tmp_path / "agent.key")
    loaded = Identity.load(tmp_path / "agent.key")

    assert (loaded.did, loaded.key_id) == (WEB, f"{WEB}#key-1")
    assert KEY.private_key not in repr(loaded)


@pytest.mark.parametrize("text", ["", "secret", "AAAA", "é" * 44])
def test_what_is_no_private_key_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(BadKey, match="not 32 bytes in base64") as refused:
        Identity.of(text)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("did", "message"),
    [(Identity.new().did, "is that of did:key"), ("me", "Invalid DID format")],
    ids=["another key's", "none"],
)
def test_a_key_speaks_for_no_other(did: str, message: str) -> None:
    with pytest.raises(BadKey, match=message):
        Identity.of(KEY.private_key, did=did)


def test_the_environment_says_who_and_where(tmp_path: Path) -> None:
    KEY.save(tmp_path / "agent.key")
    by_key = {"AINP_PRIVATE_KEY": KEY.private_key, "AINP_DID": KEY.did, "AINP_BASE_URL": "https://broker.example/a/"}

    with Client.from_env(by_key) as client, Client.from_env({"AINP_TIMEOUT_MS": "5"}) as nobody:
        assert repr(client) == f"Client('https://broker.example/a', Identity({KEY.did}))"
        assert repr(nobody) == "Client('http://localhost:8080', None)"
    assert Identity.from_env({"AINP_KEY_FILE": str(tmp_path / "agent.key")}).did == KEY.did
    with pytest.raises(BadKey, match="neither AINP_KEY_FILE nor AINP_PRIVATE_KEY is set"):
        Identity.from_env({})
    with pytest.raises(BadSetting, match="AINP_TIMEOUT_MS: found 'soon'"):
        Client.from_env({"AINP_TIMEOUT_MS": "soon"})


@pytest.mark.parametrize(
    "url", ["broker.example", "ftp://broker.example", "http://", "http://a:b", "http://a/?b", "http://u@a"]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(BadSetting, match="expected a broker's address"):
        Client(url)


def test_nobody_has_nothing_of_their_own() -> None:
    with Client("http://127.0.0.1:1") as nobody, pytest.raises(NoIdentity):
        nobody.balance()


def test_terms_that_read_as_an_envelope_are_not_signed() -> None:
    alice = Identity.new()
    envelope = {"from_did": alice.did, "msg_type": "INTENT", "price": 1}

    with pytest.raises(InvalidProposal, match="members of an envelope"):
        alice.sign_terms(envelope)
