"""The SDK as an agent installs it: a wheel, without extras, in an environment that has nothing else."""

import asyncio
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest

from support.listening import a_telling_broker
from support.reader import ROOT

PROGRAM = """
import sys
from ainp.client import Client, Identity
with Client(sys.argv[1], Identity.new()) as agent:
    agent.register("translates")
    print(agent.balance().available)
"""
SERVER = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["server"]


def run(*command: object) -> str:
    return subprocess.run([*map(str, command)], check=True, capture_output=True, text=True).stdout


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_the_wheel_alone_asks_a_broker_in_strict_mode(database_url: str, tmp_path: Path) -> None:
    def install() -> list[str]:
        run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", tmp_path, ROOT)
        venv.create(tmp_path / "venv", with_pip=True)
        run(tmp_path / "venv/bin/pip", "install", "-q", *tmp_path.glob("*.whl"))
        return run(tmp_path / "venv/bin/pip", "list", "--format", "freeze").lower().splitlines()

    installed = {line.partition("==")[0] for line in await asyncio.to_thread(install)}
    async with a_telling_broker(database_url, auth_mode="strict", initial_credits=1000) as telling:
        url = f"http://127.0.0.1:{telling.port}"
        said = await asyncio.to_thread(run, tmp_path / "venv/bin/python", "-I", "-c", PROGRAM, url)

    assert said == "1000\n"
    assert installed & {requirement.partition(">")[0].lower() for requirement in SERVER} == set()
