"""Requests made from /openapi.json, right ones and wrong ones: what comes back is what the document says."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from support import signing, world
from support.socket import a_socket
from support.target import ALICE, AUDITORS, BOB, CAROL, a_target
from support.world import a_world

ST = Path(sys.executable).parent / "st"
TESTS = Path(__file__).parents[1]
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
)
Known = Mapping[str, Sequence[str]]
Mode = Callable[[str], AbstractAsyncContextManager[tuple[int, Known, Sequence[str]]]]


@asynccontextmanager
async def compat(database_url: str) -> AsyncIterator[tuple[int, Known, Sequence[str]]]:
    async with a_world(database_url) as all_, a_socket(all_.api.broker) as raw:
        known = {
            "did": [all_.client, all_.agent, *all_.others],
            "id": [all_.opened, all_.accepted, all_.settled],
            "task_id": [all_.task_id],
        }
        yield raw.port, known, []


@asynccontextmanager
async def strict(database_url: str) -> AsyncIterator[tuple[int, Known, Sequence[str]]]:
    signers = [ALICE, BOB, CAROL, *AUDITORS]
    async with a_target(database_url) as target:
        known = {
            "did": [each.did for each in signers],
            "id": [target.opened["id"], target.other["id"]],
            "task_id": [target.task_id, target.other_task_id],
        }
        yield target.raw.port, known, [each.private_key for each in signers]


async def generate(folder: Path, port: int, known: Known, signers: Sequence[str], *options: str) -> None:
    """Run the generator in *folder*, where it leaves what it remembers; fail with what it says."""
    command = ["--no-color", "run", f"http://127.0.0.1:{port}/openapi.json", "--checks", ",".join(CHECKS)]
    quiet = ["--warnings", "off", "--suppress-health-check", "all", "--no-shrink"]
    environment = {
        "SCHEMATHESIS_HOOKS": "support.generated",
        "PYTHONPATH": str(TESTS),
        "AINP_KNOWN": json.dumps(known),
        "AINP_SIGNERS": json.dumps(signers),
        "AINP_ADMIN_TOKEN": signing.ADMIN_TOKEN if signers else world.ADMIN_TOKEN,
    }
    process = await asyncio.create_subprocess_exec(
        str(ST),
        *(*command, *quiet, *options),
        cwd=folder,
        env=os.environ | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()[-20_000:]


MODES = pytest.mark.parametrize("mode", [compat, strict])


@pytest.mark.parametrize(
    ("mode", "phases"), [(compat, "fuzzing,stateful"), (strict, "examples,coverage,fuzzing,stateful")]
)
async def test_an_answer_is_one_that_the_document_promises(
    database_url: str, tmp_path: Path, mode: Mode, phases: str
) -> None:
    """A few requests of each kind; every answer's code is looked for in the document, too."""
    few = ("--max-examples", "3", "--seed", "1", "--phases", phases)
    async with mode(database_url) as (port, known, signers):
        await generate(tmp_path, port, known, signers, *few)


@pytest.mark.long
@MODES
async def test_so_it_is_with_more_of_them(database_url: str, tmp_path: Path, mode: Mode) -> None:
    async with mode(database_url) as (port, known, signers):
        await generate(tmp_path, port, known, signers, "--max-examples", "40")
