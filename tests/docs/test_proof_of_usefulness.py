"""The page's ways to check a receipt by hand, and the refusals it explains, tried on a real receipt."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.reader import CURLRC, ROOT, Reader, blocks, steps
from support.serving import a_data_dir, serving

PAGE = (ROOT / "docs" / "proof-of-usefulness.md").read_text()
MISSING = [tool for tool in ("curl", "jq", "sha256sum") if shutil.which(tool) is None]

pytestmark = pytest.mark.skipif(
    bool(MISSING), reason=f"{MISSING} not installed, so the page's commands are not tested here"
)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """Somebody who has followed the README until the first member has passed the work."""
    home = tmp_path_factory.mktemp("home")
    (home / ".curlrc").write_text(CURLRC)
    with a_data_dir() as data_dir, serving(data_dir) as broker:
        reader = Reader(broker, home, passes=1)
        for command, expected in steps((ROOT / "README.md").read_text()):
            reader.follow(command, expected)
            if "{committee_member_did}" in command:
                break
        yield reader
        assert broker.end() == 0


@pytest.mark.parametrize("block", blocks(PAGE, "sh"), ids=["receipt", "attestation", "epoch"])
def test_both_ways_to_a_hash_give_the_same(reader: Reader, block: str, tmp_path: Path) -> None:
    (tmp_path / ".curlrc").write_text("silent\nshow-error\nfail\n")
    reader.known["epoch"] = str(reader.broker.get(f"/api/receipts/{reader.known['task_id']}/committee").json()["epoch"])
    computed, published = reader.shell(block, home=tmp_path).splitlines()

    assert computed.split()[0] == published
    assert len(published) == 64


def test_the_draw_is_repeated_by_the_script_on_the_page(reader: Reader, tmp_path: Path) -> None:
    [script] = blocks(PAGE, "python")
    (tmp_path / "repeat_draw.py").write_text(script)
    run = subprocess.run(
        [sys.executable, tmp_path / "repeat_draw.py", reader.broker.url, reader.known["task_id"]],
        check=False,
        capture_output=True,
        text=True,
    )

    assert run.stderr == ""
    assert run.stdout.split()[-5:] == reader.committee


@pytest.mark.parametrize(("command", "expected"), list(steps(PAGE)), ids=["stranger", "worker", "too few", "twice"])
def test_a_refusal_says_what_the_page_says(reader: Reader, command: str, expected: str) -> None:
    reader.follow(command, expected)
