"""The program on the page of memories runs as it stands there, and the page names what there is."""

import re
import subprocess
import sys
from pathlib import Path

from ainp.core.memory import Why
from ainp.core.message_limits import MAX_MEMORIES
from ainp.http.memory_routes import MEMORY_ROUTES
from support.reader import ROOT, blocks
from support.serving import a_data_dir, serving

PAGE = (ROOT / "docs" / "memories.md").read_text()


def test_the_program_runs_as_it_is_written(tmp_path: Path) -> None:
    """Without the minutes: so nothing is remembered yet, and nothing is found."""
    [program] = blocks(PAGE, "python")
    with a_data_dir() as data_dir, serving(data_dir, AUTH_MODE="strict", MEMORY_DISTILLER_ENABLED="true") as broker:
        program = program.replace("http://localhost:8080", broker.url)
        run = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert broker.end() == 0

    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.splitlines() == ["True", "[] 0", "False"]


def test_the_page_names_what_there_is() -> None:
    text = re.sub(r"\s+", " ", PAGE)

    assert all(f"`{why}`" in text for why in Why)
    assert str(MAX_MEMORIES) in text
    for route in MEMORY_ROUTES:
        assert f"`{route.method} {route.path}" in text
