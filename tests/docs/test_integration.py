"""The programs of the integration guide make a market, each a process, on a broker that believes nothing unsigned."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from support.reader import ROOT, blocks
from support.serving import AINP, a_data_dir, serving, wait_until

PAGE = (ROOT / "docs" / "integration.md").read_text()
START, KEYS, _ = blocks(PAGE, "sh")
MISSING = [tool for tool in ("jq", "bash") if shutil.which(tool) is None]


@contextmanager
def running(folder: Path, program: str, key: str, environment: Mapping[str, str]) -> Iterator[Path]:
    """One of the page's programs with one of its keys; where its output goes."""
    out = folder / f"{key}.out"
    with out.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, folder / program],
            cwd=folder,
            env={**environment, "AINP_KEY_FILE": f"{key}.key"},
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
        try:
            yield out
        finally:
            process.kill()
            process.wait()


@pytest.mark.long
@pytest.mark.skipif(bool(MISSING), reason=f"{MISSING} not installed, so the guide is not tested here")
def test_the_guide_s_programs_make_a_market(tmp_path: Path) -> None:
    settings = dict(re.findall(r"([A-Z_]+)=(\S+)", START))
    for text in blocks(PAGE, "python"):
        (tmp_path / text.splitlines()[0].removeprefix("# ")).write_text(text)
    with a_data_dir() as data_dir, serving(data_dir, user=None, **settings) as broker:
        path = f"{AINP.parent}{os.pathsep}{os.environ['PATH']}"
        environment = {"PATH": path, "AINP_BASE_URL": broker.url, "NO_PROXY": "*", "LANG": "C.UTF-8"}
        shell(KEYS, tmp_path, environment)
        auditors = [running(tmp_path, "auditor.py", f"auditor-{n}", environment) for n in range(1, 6)]
        with ExitStack() as others:
            for auditor in auditors:
                others.enter_context(auditor)
            worker = others.enter_context(running(tmp_path, "worker.py", "worker", environment))
            wait_until(lambda: broker.messages.count("Agent registered") == 6)
            bought = shell("AINP_KEY_FILE=client.key python client.py", tmp_path, environment)
            wait_until(lambda: "paid" in worker.read_text())
            paid = worker.read_text()
        [by_hand] = blocks(PAGE, "bash")
        shown = shell(by_hand, tmp_path, environment)
        assert broker.end() == 0

    assert bought == "final, wrong with it: []\n"
    assert paid == "paid, now has 1035000\n"
    assert f"`{paid.strip()}`" in PAGE
    assert shown.split() == ["registered", "settled", paid.split()[-1]]


def shell(script: str, folder: Path, environment: Mapping[str, str]) -> str:
    run = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout
