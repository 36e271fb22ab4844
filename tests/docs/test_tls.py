"""The page of secrets and TLS: its commands run as they stand there, and what it names is there."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from ainp.core.samples import is_sample
from ainp.settings import Settings, variable_of
from support.reader import ROOT, blocks
from support.serving import AINP, PATIENCE_S, a_free_port, an_environment

PAGE = (ROOT / "docs" / "tls.md").read_text()
_THEN = "sleep 1\nkill $!\nwait $! || true\n"


@pytest.mark.skipif(
    not (shutil.which("curl") and shutil.which("openssl")), reason="NO CURL OR OPENSSL: docs/tls.md is NOT TESTED"
)
def test_the_commands_work_as_they_are_written(tmp_path: Path, database_url: str) -> None:
    port = str(a_free_port())
    given = an_environment(
        PATH=f"{AINP.parent}:{os.environ['PATH']}", PORT=port, DATABASE_URL=database_url, NO_PROXY="*"
    )
    script = "".join([*blocks(PAGE, "sh"), _THEN]).replace("localhost:8080", f"localhost:{port}")

    ended = subprocess.run(
        ["bash", "-eu", "-o", "pipefail", "-c", script],
        cwd=tmp_path,
        env=dict(given),
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f'"base_url":"https://127.0.0.1:{port}"' in ended.stdout
    assert "The TLS certificate was read again" in ended.stdout
    assert "AINP Broker stopped" in ended.stdout


def test_the_settings_it_names_are_there() -> None:
    named = set(re.findall(r"\b(?:AINP|BROKER|DATABASE|REDIS|NATS|ADMIN|METRICS|MAX|PUBLIC)_[A-Z_]+\b", PAGE))

    assert named <= {variable_of(name) for name in Settings.model_fields}


def test_what_pages_show_as_a_secret_is_refused_in_production() -> None:
    pages = [ROOT / "README.md", ROOT / ".env.example", *(ROOT / "docs").rglob("*.md")]
    text = "\n".join(page.read_text() for page in pages)
    tokens = re.findall(r"\b(?:ADMIN_TOKEN|METRICS_TOKEN|AINP_PROXY_SECRET)=([^\s`'\"]+)", text)
    passwords = re.findall(r"\b(?:postgres(?:ql)?|rediss?|nats)://[^\s:@/]*:([^\s@/]+)@", text)

    assert passwords
    assert [shown for shown in [*tokens, *passwords] if not is_sample(shown) and not shown.startswith("$")] == []
