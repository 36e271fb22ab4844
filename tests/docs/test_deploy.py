"""The page on deploying: what can be run here is run as it stands there, and whatever it names is there."""

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from ainp.cli import COMMANDS
from ainp.settings import Settings, variable_of
from support.deployed import DEPLOY, compose, variables_asked_for
from support.reader import ROOT, blocks
from support.serving import AINP, PATIENCE_S, a_free_port, wait_until

PAGE = (ROOT / "docs" / "deploy.md").read_text()
SETTINGS = {variable_of(name) for name in Settings.model_fields}
UNIT = (DEPLOY / "systemd" / "ainp.service").read_text()
OTHERS = {"AINP_VERSION", "GRAFANA_PASSWORD"}  # of compose


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def run(script: str, folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        ["bash", "-eu", "-o", "pipefail", "-c", script],
        cwd=folder,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.long  # nine programs, one after the other
@pytest.mark.skipif(
    not (shutil.which("curl") and shutil.which("openssl")), reason="NO CURL OR OPENSSL: docs/deploy.md is NOT TESTED"
)
def test_one_machine_is_set_up_as_it_is_written(tmp_path: Path, empty_database_url: str) -> None:
    port, home = str(a_free_port()), tmp_path / "etc"
    given = {"PATH": f"{AINP.parent}:{os.environ['PATH']}", "DATABASE_URL": empty_database_url, "NO_PROXY": "*"}

    def here(text: str) -> str:
        known = {"/etc/ainp": str(home), "/opt/ainp/bin/": "", "PORT=8080": f"PORT={port}", ":8080": f":{port}"}
        for name, ours in known.items():
            text = text.replace(name, ours)
        return text

    said = run(here("\n".join(blocks(section("One machine"), "sh"))), tmp_path, given)
    assert "POU_K" not in said
    assert (home / "broker.env").stat().st_mode & 0o077 == 0
    environment = dict(line.split("=", 1) for line in (home / "broker.env").read_text().splitlines())
    before, start = re.findall(r"^ExecStart(?:Pre)?=(.*)$", UNIT, re.MULTILINE)
    run(here(before), tmp_path, {**given, **environment})
    with subprocess.Popen(here(start).split(), env={**given, **environment}, cwd=tmp_path) as process:
        try:
            check = here(blocks(section("Is it well?"), "sh")[0])
            ready = check.splitlines()[1]
            wait_until(lambda: subprocess.run(["sh", "-c", ready], capture_output=True, check=False).returncode == 0)

            assert '"status":"ready"' in run(check, tmp_path, {**given, **environment})
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE_S) == 0


def test_the_commands_and_settings_it_names_are_there() -> None:
    commands = re.findall(
        r"\bainp ([a-z]+)(?: |`|$)", re.sub(r"(?m)^.*(namespace|unit|docker build|exec).*$", "", PAGE), re.MULTILINE
    )
    given = set(re.findall(r"(?:-e |--set \"|--set '|--from-literal=)([A-Z_0-9]+)=", PAGE))
    named = set(re.findall(r"`([A-Z][A-Z0-9]*_[A-Z0-9_]+)(?:=[^`]*)?`", PAGE))

    assert set(commands) - {"ainp"} <= set(COMMANDS)
    assert given <= SETTINGS
    assert named <= SETTINGS | OTHERS
    assert set(variables_asked_for()) - SETTINGS == {
        f"{name}_PASSWORD" for name in ("POSTGRES", "REDIS", "NATS", "GRAFANA")
    }


def test_the_files_and_services_it_names_are_there() -> None:
    files = re.findall(r"\b(deploy(?:/[\w.-]+)+)", PAGE)
    services = re.findall(r"docker compose exec ([\w-]+)", PAGE)

    assert files
    assert [name for name in files if not (ROOT / name.rstrip(".")).exists()] == []
    assert set(services) <= set(compose()["services"])


def test_the_unit_waits_as_long_as_draining_takes_and_has_few_rights() -> None:
    assert int(re.findall(r"TimeoutStopSec=(\d+)", UNIT)[0]) > 10
    for line in ("NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet=\n", "User=ainp"):
        assert line in UNIT


def test_the_checklist_s_options_are_ours() -> None:
    for option in ("DATABASE_URL=$DATABASE_URL", "REDIS_URL=$REDIS_URL", "NATS_URL=$NATS_URL", "POU_K=3", "POU_M=5"):
        assert f"-e {option}" in section("Docker")
