"""The commands of the page on usefulness, run as they stand there against a real broker."""

import json
import shlex
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ainp.cli import app
from ainp.core.discovery import lower_usefulness
from ainp.core.usefulness import METRICS
from support.reader import CURLRC, ROOT, Reader, blocks, steps
from support.serving import a_data_dir, serving

PAGE = (ROOT / "docs" / "usefulness.md").read_text()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed, so the page is not tested here")
def test_the_commands_of_the_page_do_what_they_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".curlrc").write_text(CURLRC)
    with a_data_dir() as data_dir, serving(data_dir) as broker:
        reader = Reader(broker, tmp_path)
        for command, expected in steps(PAGE):
            reader.follow(command, expected)
        monkeypatch.setenv("AINP_DATA_DIR", str(data_dir))
        monkeypatch.delenv("DATABASE_URL", raising=False)
        said = {}
        for line in "".join(blocks(PAGE, "sh")).splitlines():
            result = CliRunner().invoke(app, shlex.split(line)[1:], env={"COLUMNS": "200"})
            assert result.exit_code == 0, (line, result.output)
            said[line] = result.stdout
        assert broker.end() == 0

    assert "is not paid yet: 0 of 10000000 atomic units" in said["ainp rewards preview"]
    assert "nothing will be paid" in said["ainp rewards preview"]
    assert json.loads(said["ainp rewards preview --json"])["available"] == "10000000"
    assert "hour 2026-01-31T12+00:00" in said["ainp rewards preview --hour 2026-01-31T12:00:00"]


def test_the_page_has_the_metrics_and_bounds_that_there_are() -> None:
    rows = [f"| `{kind}` | `{metric.name}` |" for kind, metric in METRICS.items()]

    assert [row for row in rows if row not in PAGE] == []
    assert [metric for metric in METRICS.values() if f" {metric.most:,} |" not in PAGE] == []
    assert "Ten proofs of 100 count 85, a thousand of 90 count 88" in PAGE
    assert (lower_usefulness(10_000, 10), lower_usefulness(9_000, 1_000)) == (8_492, 8_842)
