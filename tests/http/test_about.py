"""What a broker says of itself, and which key it has by which settings."""

from pathlib import Path

import pytest
from nacl.signing import VerifyKey

from ainp import __version__
from ainp.adapters.broker_key import UnusableKey, identity_of
from ainp.cli.identity import broker_identity
from ainp.client import Identity
from support.api import a_configuration, an_api


async def test_a_broker_says_who_it_is(database_url: str) -> None:
    key = Identity.new()
    async with an_api(database_url, public_base_url="https://broker.example") as api:
        assert (await api.get("/api/broker"))["public_key"] is None

        api.broker.identity = identity_of(key.private_key)

        assert await api.get("/api/broker") == {
            "did": key.did,
            "public_key": key.public_key,
            "version": __version__,
            "auth_mode": "compat",
            "base_url": "https://broker.example",
        }


def test_with_its_own_database_a_broker_has_a_key_from_the_first_start_on(tmp_path: Path) -> None:
    settings = a_configuration(data_dir=tmp_path)

    assert broker_identity(settings) is None
    made = broker_identity(settings, make=True)
    assert made is not None
    assert broker_identity(settings).did == made.did  # type: ignore[union-attr]
    VerifyKey(bytes.fromhex(made.public_key)).verify(b"said", made.sign(b"said"))


def test_the_key_alone_does_not_decide_who_gets_the_broker_s_share(tmp_path: Path) -> None:
    settings = a_configuration(data_dir=tmp_path)

    assert broker_identity(settings, make=True) is not None
    assert settings.settlement.broker is None


def test_a_did_whose_key_nobody_has_said_signs_nothing(tmp_path: Path) -> None:
    settings = a_configuration(data_dir=tmp_path, broker_did="did:web:broker.example")

    assert broker_identity(settings, make=True) is None
    assert list(tmp_path.iterdir()) == []


def test_the_key_that_was_made_goes_on_to_sign_when_its_did_gets_the_share(tmp_path: Path) -> None:
    made = broker_identity(a_configuration(data_dir=tmp_path), make=True)
    assert made is not None

    for did, found in ((made.did, made.did), (Identity.new().did, None), ("did:web:broker.example", None)):
        identity = broker_identity(a_configuration(data_dir=tmp_path, broker_did=did), make=True)
        assert (None if identity is None else identity.did) == found


def test_with_another_s_database_a_key_is_given_or_there_is_none(tmp_path: Path) -> None:
    given: dict[str, object] = {"data_dir": tmp_path, "database_url": "postgresql://db.example/ainp"}
    key = Identity.new()

    assert broker_identity(a_configuration(**given), make=True) is None
    assert list(tmp_path.iterdir()) == []
    assert broker_identity(a_configuration(**given, broker_private_key=key.private_key)).did == key.did  # type: ignore[union-attr]


def test_a_key_file_of_one_s_own_is_made_used_and_held_against_the_did(tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "key.json"
    settings = a_configuration(broker_key_file=path)

    with pytest.raises(UnusableKey, match=r"key\.json is not there"):
        broker_identity(settings)
    made = broker_identity(settings, make=True)
    assert made is not None
    web = a_configuration(broker_key_file=path, broker_did="did:web:broker.example")
    assert broker_identity(web).did == "did:web:broker.example"  # type: ignore[union-attr]
    with pytest.raises(UnusableKey, match=f"is that of {made.did}, not of BROKER_DID="):
        broker_identity(a_configuration(broker_key_file=path, broker_did=Identity.new().did))


def test_a_key_that_ainp_keys_new_has_written_is_taken(tmp_path: Path) -> None:
    key = Identity.new()
    key.save(tmp_path / "key.json")

    assert broker_identity(a_configuration(broker_key_file=tmp_path / "key.json")).did == key.did  # type: ignore[union-attr]
