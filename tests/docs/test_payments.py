"""The commands of the page on payments, run as they stand there; the provider is a stand-in."""

import shutil
from pathlib import Path

import pytest

from support.providers import a_coinbase_beside
from support.reader import CURLRC, ROOT, Reader, steps
from support.serving import a_data_dir, serving

PAGE = (ROOT / "docs" / "payments.md").read_text()
SECRET = "shared with Coinbase"


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("openssl")), reason="curl or openssl is not installed")
def test_the_commands_of_the_page_do_what_they_say(tmp_path: Path) -> None:
    (tmp_path / ".curlrc").write_text(CURLRC)
    with a_data_dir() as data_dir, a_coinbase_beside() as coinbase:
        settings = {name.upper(): str(value) for name, value in coinbase.settings().items()}
        settings["COINBASE_COMMERCE_WEBHOOK_SECRET"] = SECRET
        with serving(data_dir, user=None, **settings) as broker:
            reader = Reader(broker, tmp_path)
            for command, expected in steps(PAGE):
                for name, value in reader.known.items():
                    expected = expected.replace(f"{{{name}}}", value)  # noqa: PLW2901 - what earlier answers said
                reader.follow(command, expected)
            assert broker.end() == 0

    assert SECRET in PAGE
