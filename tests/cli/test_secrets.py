"""No secret is told: by a broker that works or fails, to whoever asks, in its log or in the list of processes."""

import base64
import io
import json
import logging
import traceback
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
from typer.main import get_command
from typer.testing import CliRunner

from ainp import setting_secrets
from ainp.cli import app
from ainp.settings import Settings, load_settings
from ainp.telemetry import configure_logging, logger
from support.fixtures import module_database_url
from support.said import the_log_as_it_was
from support.serving import Served, a_data_dir, a_free_port, commands_on, serving

__all__ = ["module_database_url"]
_SEED = sha256(b"distinctive").digest()
SECRETS = {
    "ADMIN_TOKEN": "Distinctive-admin-0001",
    "METRICS_TOKEN": "Distinctive-metrics-0002",
    "AINP_PROXY_SECRET": "Distinctive-proxy-0003",
    "BROKER_PRIVATE_KEY": base64.b64encode(_SEED).decode(),
}
IN_URLS = {
    "DATABASE_URL": "postgresql://ainp:Distinctive-database-0004@127.0.0.1:{port}/ainp",
    "REDIS_URL": "redis://:Distinctive-redis-0005@127.0.0.1:{port}/0",
    "NATS_URL": "nats://bus:Distinctive-bus-0006@127.0.0.1:{port}",
}
REDIS_AWAY = "[RateLimit] Redis unavailable"
CHILDREN = {"serve-1", "serve-2", "work"}


def assert_nothing_told(said: str) -> None:
    """Neither as it was given, nor in another spelling of the key."""
    spellings = (SECRETS["BROKER_PRIVATE_KEY"], SECRETS["BROKER_PRIVATE_KEY"].rstrip("="), _SEED.hex(), repr(_SEED))
    for each in ("Distinctive", *spellings):
        assert each not in said


def all_of_them() -> dict[str, str]:
    port = a_free_port()
    return {**SECRETS, **{name: url.format(port=port) for name, url in IN_URLS.items()}}


def test_these_are_all_secrets_there_are() -> None:
    settings = load_settings(_env_file=None, **{name.lower(): value for name, value in all_of_them().items()})

    assert settings.secrets.keys() == all_of_them().keys()
    assert_nothing_told(
        repr(settings)
        + str(settings)
        + " ".join([*settings.warnings, *setting_secrets.warnings(settings.secrets, production=False)])
    )


@pytest.fixture(scope="module")
def broker(module_database_url: str) -> Iterator[Served]:
    """Two processes that answer and one that works; their Redis is away."""
    url = module_database_url.replace("://ainp@", "://ainp:Distinctive-database-0004@")
    assert "Distinctive" in url
    given = {**all_of_them(), "DATABASE_URL": url, "RATE_LIMIT_ENABLED": "true", "LOG_LEVEL": "DEBUG"}
    with a_data_dir() as data_dir, serving(data_dir, "--workers", "2", **given) as broker:  # type: ignore[arg-type]  # none is a user
        broker.wait_for("AINP Broker started")
        broker.wait_for(REDIS_AWAY)
        yield broker


ASKED: list[tuple[str, str, bytes | None, dict[str, str]]] = [
    ("GET", "/", None, {}),
    ("GET", "/health", None, {}),
    ("GET", "/health/detailed", None, {}),
    ("GET", "/api/broker", None, {}),
    ("GET", "/openapi.json", None, {}),
    ("GET", "/docs", None, {}),
    ("GET", "/metrics", None, {}),
    ("GET", "/metrics", None, {"Authorization": "Bearer wrong"}),
    ("GET", "/metrics", None, {"Authorization": f"Bearer {SECRETS['METRICS_TOKEN']}"}),
    ("GET", "/api/admin/audit", None, {"Authorization": "Bearer wrong"}),
    ("GET", "/api/admin/audit", None, {"Authorization": f"Bearer {SECRETS['ADMIN_TOKEN']}"}),
    ("GET", "/api/admin/audit?limit=x", None, {"Authorization": f"Bearer {SECRETS['ADMIN_TOKEN']}"}),
    ("POST", "/api/admin/slash", b"{", {"Authorization": f"Bearer {SECRETS['ADMIN_TOKEN']}"}),
    ("POST", "/api/agents/register", b"nothing", {}),
    ("POST", "/api/agents/register", b"{}", {"X-AINP-DID": "nobody"}),
    ("DELETE", "/api/receipts", None, {}),
    ("GET", "/api/receipts?status=x", None, {"X-AINP-Proxy-Secret": "wrong"}),
    ("GET", "/ws", None, {"Upgrade": "websocket", "Connection": "upgrade"}),
]


def test_no_answer_has_one(broker: Served) -> None:
    shown = {"X-AINP-Proxy-Secret": SECRETS["AINP_PROXY_SECRET"]}
    statuses = set()
    for method, path, body, headers in ASKED:
        answer = httpx.request(method, broker.url + path, content=body, headers={**shown, **headers}, timeout=30)
        statuses.add(answer.status_code)
        assert_nothing_told(answer.text + str(answer.headers))

    assert statuses >= {200, 400, 401, 403, 404, 405}


def test_neither_has_the_log_nor_the_list_of_processes(broker: Served) -> None:
    assert broker.children.keys() == CHILDREN
    commands = [Path(f"/proc/{pid}/cmdline").read_text() for pid in (broker.process.pid, *broker.children.values())]

    assert_nothing_told(" ".join([*commands, *commands_on(broker.data_dir)]))
    assert_nothing_told(broker.log.read_text())
    away = next(line for line in broker.lines if line["message"].startswith(REDIS_AWAY))
    assert away["redis"].startswith("127.0.0.1:")


COMMANDS = [
    ["serve"],
    ["work"],
    ["migrate", "status"],
    ["fsck"],
    ["audit"],
    ["stakes"],
    ["process", "serve", "--name", "serve-1", "--parent", "0", "--metrics", "/nowhere"],
]
WRONG = {
    "another setting": {"POU_K": "Nine"},
    "the key": {"BROKER_PRIVATE_KEY": "Distinctive-key"},
    "the key's DID": {"BROKER_DID": "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"},
    "the database's URL": {"DATABASE_URL": "postgresql://ainp:Distinctive/4@127.0.0.1/ainp"},
    "Redis' URL": {"REDIS_URL": "http://:Distinctive-redis@127.0.0.1"},
    "the proxy's secret": {"AINP_PROXY_SECRET": "Distinctive"},
    "a sample in production": {"AINP_ENV": "production", "AUTH_MODE": "compat", "ADMIN_TOKEN": "Distinctive-1"},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_no_command_that_is_refused_repeats_one(tmp_path: Path, wrong: dict[str, str]) -> None:
    given = {**all_of_them(), "AINP_DATA_DIR": str(tmp_path / "data"), **wrong}
    for command in COMMANDS:
        ended = CliRunner().invoke(app, command, env=given)

        assert ended.exit_code != 0, command
        told = "" if ended.exception is None else "".join(traceback.format_exception(ended.exception))
        assert_nothing_told(ended.output + told)


def test_a_database_that_is_away_is_told_of_without_its_password(tmp_path: Path) -> None:
    given = {**all_of_them(), "AINP_DATA_DIR": str(tmp_path / "data"), "PORT": "0"}
    for command in COMMANDS[2:6]:
        ended = CliRunner().invoke(app, command, env=given)

        assert ended.exit_code == 2
        assert ended.output.count("\n") == 1
        assert_nothing_told(ended.output)


def test_help_shows_no_value() -> None:
    for name in ("", *get_command(app).commands):  # type: ignore[attr-defined]  # a group
        ended = CliRunner().invoke(app, [*([name] if name else []), "--help"], env=all_of_them())

        assert ended.exit_code == 0
        assert_nothing_told(ended.output)


@pytest.mark.parametrize("terminal", [False, True], ids=["machine", "terminal"])
def test_a_traceback_in_the_log_shows_lines_and_no_values(monkeypatch: pytest.MonkeyPatch, *, terminal: bool) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: terminal)
    with the_log_as_it_was():
        configure_logging("DEBUG", stream=stream)
        try:
            fail(load_settings(_env_file=None, **{name.lower(): value for name, value in all_of_them().items()}))
        except RuntimeError:
            logger().exception("It failed")
            logging.getLogger("a library").exception("It failed, too")

    assert stream.getvalue().count("RuntimeError: expected") == 2
    assert_nothing_told(stream.getvalue())


def fail(settings: Settings) -> None:
    plain = [secret.get_secret_value() for secret in settings.secrets.values()]
    assert json.dumps(plain)
    raise RuntimeError("expected")
