"""What can be set is written down, and the example can be used as it is."""

import re
from pathlib import Path

import pytest

from ainp.settings import Settings, load_settings, variable_of
from support.configuration import DOCUMENT, document

ROOT = Path(__file__).parent.parent.parent
EXAMPLE = ROOT / ".env.example"
CHECKLIST = """
POU_FINALIZER_ENABLED=true          # Enable automatic finalization
POU_K=3                              # Quorum threshold (k-of-m attestations required)
POU_M=5                              # Committee size (m members)
POU_FINALIZER_CRON=*/1 * * * *      # Run every minute (adjust for production)
USEFULNESS_AGGREGATOR_ENABLED=true
USEFULNESS_AGGREGATOR_CRON=0 * * * * # Run hourly
USEFULNESS_REWARD_POOL_ENABLED=false # Enable when ready to distribute credits
USEFULNESS_REWARD_POOL_HOURLY=1000000000n # 1000 satoshis per hour
"""


@pytest.fixture(autouse=True)
def _nothing_exported(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(variable_of(name), raising=False)


def test_the_configuration_page_is_what_the_settings_say() -> None:
    assert DOCUMENT.read_text() == document(), "run `make docs`"


def test_the_example_is_the_default() -> None:
    assert load_settings(_env_file=EXAMPLE) == load_settings(_env_file=None)


def test_the_example_has_the_checklist_s_lines_as_they_stand_there() -> None:
    lines = {line.removeprefix("# ") for line in EXAMPLE.read_text().splitlines()}

    assert {line for line in CHECKLIST.splitlines() if line} <= lines


def test_the_example_sets_only_what_this_version_reads() -> None:
    read = {variable_of(name) for name in Settings.model_fields}

    assert set(re.findall(r"^([A-Z_]+)=", EXAMPLE.read_text(), re.MULTILINE)) <= read


def test_the_checklist_s_lines_can_be_used_as_they_are(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(CHECKLIST.replace("POU_K=3", "POU_K=5").replace("POU_M=5", "POU_M=9"))
    settings = load_settings(_env_file=tmp_path / ".env")

    assert (settings.pou_k, settings.pou_m, settings.pou_finalizer_cron) == (5, 9, "*/1 * * * *")
