"""`ainp settings` and LOG_FILE: what is set and by whom, and where the log goes."""

import json
import signal
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ainp.cli import app
from ainp.settings import Settings, variable_of
from support.serving import a_data_dir, run_serve, serving


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(variable_of(name), raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("POU_M=9  # seats\nPOU_K=5\nADMIN_TOKEN=a-token-that-nobody-guesses\nPOU_KK=3\n")
    monkeypatch.setenv("POU_K", "4")
    monkeypatch.setenv("USEFULNESS_REWARD_POOL_HOURLY", "1000000000n")
    monkeypatch.setenv("DATABASE_URL", "postgresql://ainp:a-password@127.0.0.1/ainp")
    monkeypatch.setenv("POU_QUORUM", "5")


def ainp_settings(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["settings", *arguments])


def test_it_shows_value_source_and_default_and_no_secret() -> None:
    result = ainp_settings()
    rows = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines() if line.strip()}

    assert result.exit_code == 0
    assert rows["POU_K"] == ["4", "environment", "3"]
    assert rows["POU_M"] == ["9", ".env", "5"]
    assert rows["POU_MAX_EXTENSIONS"] == ["2", "default", "2"]
    assert rows["USEFULNESS_REWARD_POOL_HOURLY"] == ["1000000000", "environment", "-"]
    assert rows["AUTH_MODE"] == ["compat", "default", "-"]  # what holds where nothing is set
    assert rows["USEFULNESS_AGGREGATOR_CRON"] == ["0", "*", "*", "*", "*", "default", "-"]
    assert rows["DATABASE_URL"] == ["(hidden)", "environment", "-"]
    assert rows["ADMIN_TOKEN"] == ["(hidden)", ".env", "-"]
    assert "password" not in result.stdout
    assert "nobody-guesses" not in result.stdout
    assert {variable_of(name) for name in Settings.model_fields} <= rows.keys()
    assert "warning: POU_QUORUM is not read: did you mean POU_QUORUM_MODE?" in result.stdout
    assert "warning: POU_KK is not read: did you mean POU_K?" in result.stdout


def test_only_what_is_changed_as_json() -> None:
    shown = json.loads(ainp_settings("--changed", "--json").stdout)

    assert {row["name"]: row["source"] for row in shown["settings"]} == {
        "POU_K": "environment",
        "POU_M": ".env",
        "ADMIN_TOKEN": ".env",
        "USEFULNESS_REWARD_POOL_HOURLY": "environment",
        "DATABASE_URL": "environment",
    }
    assert [one["name"] for one in shown["unread"]] == ["POU_KK", "POU_QUORUM"]
    assert any("Sybil" in warning for warning in shown["warnings"])


def test_settings_that_cannot_work_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POU_K", "10")
    result = ainp_settings()

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "ainp settings: POU_K=10 is more than POU_M=9: no committee could reach it\n"


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.long)])
def test_the_log_is_in_a_file_too_also_after_it_was_rotated_and_names_nobody_reads_are_in_it(
    database_url: str, workers: int
) -> None:
    with a_data_dir() as data_dir:
        data_dir.mkdir()
        path, given = data_dir / "logs" / "broker.log", {"DATABASE_URL": database_url, "WORKERS": str(workers)}
        with serving(data_dir, user=None, **given, LOG_FILE=str(path), POU_QUORUM="5") as broker:
            broker.wait_for("AINP Broker started")
            path.rename(path.with_suffix(".1"))
            broker.process.send_signal(signal.SIGHUP)
            assert broker.get("/health").status_code == 200
            assert broker.end() == 0
        lines = [json.loads(line) for each in (path.with_suffix(".1"), path) for line in each.read_text().splitlines()]
        shown = broker.lines

    assert len(lines) == len(shown)
    assert "POU_QUORUM is not read: did you mean POU_QUORUM_MODE?" in [line["message"] for line in lines]
    assert ("work" in {line.get("process") for line in lines}) is (workers > 1)
    assert lines[-1]["message"] == "AINP Broker stopped"


def test_a_log_file_that_cannot_be_opened_is_said_in_one_line(tmp_path: Path) -> None:
    refused = run_serve(tmp_path, LOG_FILE=str(tmp_path), POU_K="", POU_QUORUM="")

    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == f"ainp: LOG_FILE={tmp_path} can't be opened: Is a directory\n"
