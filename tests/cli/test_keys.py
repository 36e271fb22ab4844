"""`ainp keys`: what it prints is an identity that signs."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from nacl.signing import SigningKey
from typer.testing import CliRunner

from ainp.cli import app
from ainp.cli.keys import written
from ainp.client import Identity
from ainp.core.did import did_of_key, key_of_did
from ainp.core.signature import verify
from support.builders import an_attestation, vectors


def keys(command: str, *options: str, **environment: str) -> str:
    result = CliRunner().invoke(app, ["keys", command, *options], env=environment)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def keys_new(*options: str) -> str:
    return keys("new", *options)


def test_a_new_key_is_the_did_that_it_signs_for() -> None:
    made = json.loads(keys_new("--json"))
    key = SigningKey(base64.b64decode(made["private_key"]))
    said = an_attestation(by=made["did"], score=0.9)

    signature = base64.b64encode(key.sign(said.statement).signature).decode()
    verify(said.statement, signature=signature, key=key_of_did(made["did"]))
    assert made["did"] == did_of_key(bytes(key.verify_key))
    assert key_of_did(made["did"]).hex() == made["public_key"]


@pytest.mark.parametrize("name", sorted(vectors()["keys"]))
def test_a_known_key_is_written_as_its_known_did(name: str) -> None:
    known = vectors()["keys"][name]
    made = written(Identity(SigningKey(bytes.fromhex(known["seed_hex"]))))

    assert (made["did"], made["public_key"]) == (known["did"], known["public_key_hex"])
    assert base64.b64decode(made["private_key"]).hex() == known["seed_hex"]


@pytest.mark.parametrize("said", vectors()["attestations"], ids=lambda said: said["name"])
def test_a_known_key_as_it_is_written_makes_the_known_signature(said: dict[str, Any]) -> None:
    made = written(Identity(SigningKey(bytes.fromhex(vectors()["keys"][said["signer"]]["seed_hex"]))))
    key = SigningKey(base64.b64decode(made["private_key"]))

    assert base64.b64encode(key.sign(said["canonical"].encode()).signature).decode() == said["sig"]


def test_people_read_one_name_and_value_a_line() -> None:
    lines = dict(line.split() for line in keys_new().splitlines())

    assert list(lines) == ["did", "public_key", "private_key"]
    assert lines["did"].startswith("did:key:z6Mk")


def test_no_two_keys_are_alike() -> None:
    assert keys_new() != keys_new()


def test_a_key_in_a_file_is_shown_without_its_secret(tmp_path: Path) -> None:
    path = tmp_path / "agent.key"
    made = json.loads(keys_new("--out", str(path), "--json"))
    shown = json.loads(keys("show", str(path), "--json"))
    whole = json.loads(keys("show", "--private", "--json", AINP_KEY_FILE=str(path)))

    assert list(made) == ["did", "public_key"]
    assert made == shown
    assert path.stat().st_mode & 0o777 == 0o600
    assert whole == made | {"private_key": Identity.load(path).private_key}


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        (["new", "--out", "{there}"], "ainp keys new: {there} exists, and a key is never overwritten"),
        (["new", "--out", "{there}/x"], "ainp keys new: {there}/x can't be written: Not a directory"),
        (["show", "{there}"], "ainp keys show: {there} is no key file as `ainp keys new --out` writes them"),
        (["show", "{there}x"], "ainp keys show: {there}x can't be read: No such file or directory"),
        (["show"], "ainp keys show: neither AINP_KEY_FILE nor AINP_PRIVATE_KEY is set; `ainp keys new` makes a key"),
    ],
)
def test_what_can_not_be_done_is_said_in_one_line(tmp_path: Path, command: list[str], complaint: str) -> None:
    there = tmp_path / "there"
    there.write_text("something")
    there.chmod(0o600)
    done = CliRunner().invoke(app, ["keys", *(part.format(there=there) for part in command)])

    assert (done.exit_code, done.stdout, done.stderr) == (2, "", complaint.format(there=there) + "\n")
    assert there.read_text() == "something"
