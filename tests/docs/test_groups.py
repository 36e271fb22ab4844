"""The program on the page of groups runs as it stands there, and the page names what there is."""

import re
import subprocess
import sys
from pathlib import Path

from ainp.core.group import Choice, GroupState, Mechanism
from ainp.http.group_routes import GROUP_ROUTES
from ainp.telemetry.metrics import GROUPS
from support.reader import ROOT, blocks
from support.serving import a_data_dir, serving

PAGE = (ROOT / "docs" / "groups.md").read_text()


def test_the_program_runs_as_it_is_written(tmp_path: Path) -> None:
    [program] = blocks(PAGE, "python")
    with a_data_dir() as data_dir, serving(data_dir, AUTH_MODE="strict") as broker:
        program = program.replace("http://localhost:8080", broker.url)
        run = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert broker.end() == 0

    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.splitlines() == ["2 14", "agreed 3"]


def test_the_page_names_what_there_is() -> None:
    words = set(re.findall(r"[A-Za-z_]+", PAGE))

    assert {*Mechanism, *Choice, *GroupState, *GROUPS.labels["event"], "ABORT", "COUNTER", "OFFER", "TIMEOUT"} <= words
    for route in GROUP_ROUTES:
        assert f"{route.method} {route.path}" in PAGE or route.path in PAGE
