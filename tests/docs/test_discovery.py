"""The commands of the page on discovery, run as they stand there against a real broker."""

import shlex
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ainp.cli import app
from support.reader import CURLRC, ROOT, Reader, blocks, steps
from support.serving import a_data_dir, serving

PAGE = (ROOT / "docs" / "discovery.md").read_text()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed, so the page is not tested here")
def test_the_commands_of_the_page_do_what_they_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".curlrc").write_text(CURLRC)
    with a_data_dir() as data_dir, serving(data_dir) as broker:
        reader = Reader(broker, tmp_path)
        for command, expected in steps(PAGE):
            reader.follow(command, expected)
        monkeypatch.setenv("AINP_DATA_DIR", str(data_dir))
        monkeypatch.delenv("DATABASE_URL", raising=False)
        said = []
        for line in "".join(blocks(PAGE, "sh")).splitlines():
            result = CliRunner().invoke(app, shlex.split(line)[1:], env={"COLUMNS": "200"})
            assert result.exit_code == 0, (line, result.output)
            said.append(result.stdout)
        assert broker.end() == 0

    assert said == ["wordllama:l2_supercat_256 (256 numbers): 2 of 2 capabilities have a vector\n", said[1]]
    assert said[1].endswith("2 of 2 capabilities have a vector; 0 of other models dropped\n")


def test_every_member_of_the_rank_is_on_the_page() -> None:
    from ainp.wire.discovery import RankReply  # noqa: PLC0415

    assert [name for name in RankReply.__struct_fields__ if f"\n| `{name}` |" not in PAGE] == []
