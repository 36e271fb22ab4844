"""The pages on signatures and the SDK: their examples verify, and what they tell to do works in strict mode."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ainp.client import AsyncClient, Client
from ainp.core import http_signature, socket_proof
from ainp.core.did import key_of_did, parse_did
from ainp.core.http_signature import Message
from ainp.core.signature import verify
from support.reader import EXPECTED, ROOT, blocks, compare
from support.serving import AINP, Served, a_data_dir, serving

PAGE = (ROOT / "docs" / "authentication.md").read_text()
SDK = (ROOT / "docs" / "sdk.md").read_text()
MISSING = [tool for tool in ("curl", "jq") if shutil.which(tool) is None]
ATTESTATION, CHALLENGE, PROOF, STATEMENT = (block.strip() for block in blocks(PAGE, "json"))


@pytest.fixture(scope="module")
def broker() -> Iterator[Served]:
    with a_data_dir() as data_dir, serving(data_dir, AUTH_MODE="strict", INITIAL_CREDITS="1000000") as broker:
        yield broker
        assert broker.end() == 0


def test_the_signed_request_is_one() -> None:
    [request] = blocks(PAGE, "http")
    head, body = request.rstrip("\n").split("\n\n")
    first, *lines = head.splitlines()
    fields = {name.lower(): [value] for name, value in (line.split(": ", 1) for line in lines)}
    target = f"https://{fields['host'][0]}{first.split()[1]}"
    message = Message(method=first.split()[0], targets=[target], fields=fields, body=body.encode())

    found = http_signature.read(message, now=datetime(2026, 1, 1, tzinfo=UTC))
    http_signature.verify(message, found, key=key_of_did(found.signer))


def test_the_text_that_was_signed_is_shown() -> None:
    [text] = blocks(PAGE, "text")
    [signature] = re.findall(r"^Signature: ainp=:(.*):$", PAGE, re.MULTILINE)
    [did] = re.findall(r'keyid="([^"]+)"', text)

    verify(text.rstrip("\n").encode(), signature=signature, key=key_of_did(did))


def test_the_attestation_is_signed() -> None:
    [signature] = re.findall(r"`signature` is base64: `(.*)`", PAGE)

    verify(ATTESTATION.encode(), signature=signature, key=key_of_did(json.loads(ATTESTATION)["by_did"]))


def test_the_proof_answers_the_challenge() -> None:
    asked, said = json.loads(CHALLENGE), json.loads(PROOF)
    did, given = parse_did(said["did"]), {"challenge": asked["challenge"], "audience": asked["audience"]}

    socket_proof.check(did, **given, signature=said["signature"], key=key_of_did(did))
    assert socket_proof.statement(did, **given).decode() == STATEMENT


@pytest.mark.skipif(bool(MISSING), reason=f"{MISSING} not installed, so the page's commands are not tested here")
def test_the_walk_from_a_shell_works_as_it_is_written(broker: Served, tmp_path: Path) -> None:
    script = "\n".join(blocks(PAGE, "bash")).replace("http://localhost:8080", broker.url)
    path = f"{AINP.parent}{os.pathsep}{os.environ['PATH']}"
    run = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        env={"PATH": path, "AINP_BASE_URL": broker.url, "NO_PROXY": "*", "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    expected = [line.removeprefix(EXPECTED) for line in script.splitlines() if line.startswith(EXPECTED)]
    answers = list(objects(run.stdout))

    assert run.returncode == 0, run.stderr
    for answer, line in zip(answers, expected, strict=True):
        compare(200, answer, line)


def objects(text: str) -> Iterator[object]:
    """The JSON objects in what was printed."""
    decoder = json.JSONDecoder()
    while (begins := text.find("{")) >= 0:
        found, length = decoder.raw_decode(text[begins:])
        yield found
        text = text[begins + length :]


def test_the_programs_of_the_sdk_s_page_run_as_they_are_written(broker: Served, tmp_path: Path) -> None:
    program = "\n".join(blocks(SDK, "python")).replace("http://localhost:8080", broker.url)
    run = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.splitlines() == ["settled []", "404 NOT_FOUND", "1 proposed", "2 delivered", "3 settled"]


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_the_sdk_s_page_names_every_method(kind: type) -> None:
    methods = {name for name in dir(kind) if not name.startswith("_")}
    besides = {"close", "exchange", "from_env", "send"}
    table = "".join(line for line in SDK.splitlines() if line.startswith("|"))

    assert methods - besides == set(re.findall(r"`([a-z_]+)`", table))
