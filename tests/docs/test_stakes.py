"""The commands of the pages on stakes and the audit trail, run as they stand there against a real broker."""

import shlex
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ainp.cli import app
from ainp.core.trail import Trace
from support.reader import CURLRC, ROOT, Reader, blocks, steps
from support.serving import a_data_dir, serving

STAKES, AUDIT = ((ROOT / "docs" / name).read_text() for name in ("stakes.md", "audit.md"))
TOKEN = "keep-this-to-yourself"


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed, so the pages are not tested here")
def test_the_commands_of_both_pages_do_what_they_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".curlrc").write_text(CURLRC)
    with a_data_dir() as data_dir, serving(data_dir, ADMIN_TOKEN=TOKEN) as broker:
        reader = Reader(broker, tmp_path)
        for command, expected in [*steps(STAKES), *steps(AUDIT)]:
            reader.follow(command, expected)
        monkeypatch.setenv("AINP_DATA_DIR", str(data_dir))
        monkeypatch.delenv("DATABASE_URL", raising=False)
        said = {}
        for line in "".join([*blocks(STAKES, "sh"), *blocks(AUDIT, "sh")]).splitlines():
            result = CliRunner().invoke(app, shlex.split(line)[1:], env={"COLUMNS": "200"})
            assert result.exit_code == 0, (line, result.output)
            said[line] = result.stdout
        assert broker.end() == 0

    assert "1 stake, 6000 atomic units" in said["ainp stakes"]
    assert said["ainp audit --limit 20"].count("passed work it had not read") == 2


def test_every_kind_of_record_is_on_the_page() -> None:
    assert [trace for trace in Trace if f"\n| `{trace}` |" not in AUDIT] == []
