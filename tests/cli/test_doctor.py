"""`ainp doctor` on real brokers: green where all is well, and every provoked failure told with what to do."""

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from ainp.cli import app
from ainp.cli.doctor.canary import STEPS
from ainp.core.audit import Finding
from ainp.core.checkup import Part
from ainp.operations import cohorts, fsck
from ainp.operations.committees import Epochs
from ainp.store.db import Database
from support.api import a_configuration
from support.builders import agents
from support.certificates import a_certificate
from support.database import Databases
from support.migrating import connected
from support.reader import ROOT, blocks
from support.serving import AINP, PATIENCE_S, a_free_port, an_environment, serving, wait_until
from support.trading import Answered, trading

TOKEN = {"ADMIN_TOKEN": "2b7e151628aed2a6abf7158809cf4f3c", "METRICS_TOKEN": "603deb1015ca71be2b73aef0857d7781"}
SKIP = ("--skip-canary",)


@dataclass(frozen=True)
class Deployed:
    """A broker that runs, and the settings that it and its doctor read."""

    folder: Path
    environment: Mapping[str, str]

    @property
    def url(self) -> str:
        return self.environment["DATABASE_URL"]

    def doctor(self, *options: str, **changed: str) -> Result:
        """Run the doctor here."""
        given = an_environment(**{**self.environment, **changed})
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            return CliRunner().invoke(app, ["doctor", *options], env={"COLUMNS": "200", **given})

    def lines(self, *options: str, **changed: str) -> dict[str, Any]:
        """What it finds, by name; a summary among it."""
        result = self.doctor("--json", *options, **changed)
        assert all(line.startswith("{") for line in result.stdout.splitlines()), result.output
        *lines, summary = [json.loads(line) for line in result.stdout.splitlines()]
        assert (result.exit_code == 0) is summary["healthy"], result.output
        return {line["name"]: line for line in lines} | {"summary": summary}

    def sql(self, *statements: str) -> None:
        """Change something behind everybody's back."""
        asyncio.run(self._sql(statements))

    async def _sql(self, statements: Sequence[str]) -> None:
        async with connected(self.url) as db:
            for statement in statements:
                await db.execute(statement)

    def wrong(self) -> list[str]:
        """What `ainp fsck` finds."""

        async def look() -> list[str]:
            database = Database(self.url, size=1)
            await database.open()
            try:
                async with aclosing(fsck.run(database)) as events:
                    return [str(event) async for event in events if isinstance(event, Finding | fsck.Skipped)]
            finally:
                await database.close()

        return asyncio.run(look())


@contextmanager
def deployed(
    databases: Databases, template: str, folder: Path, *, name: str = "data", **environment: str
) -> Iterator[Deployed]:
    with databases.fresh(template=template) as url:
        given = {"DATABASE_URL": url, "AINP_DATA_DIR": str(folder / name), **environment}
        with serving(folder / name, user=None, **given) as broker:
            yield Deployed(folder, {**given, "PORT": str(broker.port)})


@pytest.fixture(scope="module")
def compat(
    databases: Databases, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployed]:
    with deployed(databases, migrated_template, tmp_path_factory.mktemp("compat")) as found:
        yield found


def failing(lines: Mapping[str, Any]) -> dict[str, str]:
    """What fails, with the fix."""
    return {name: line["fix"] for name, line in lines.items() if line.get("result") == "fail"}


def test_a_broker_that_works_is_green_and_left_as_it_was(compat: Deployed) -> None:
    first, again = compat.lines(), compat.lines()

    for lines in (first, again):
        assert failing(lines) == {}
        assert {lines[step.name]["result"] for step in STEPS} == {"pass"}
        assert lines["receipts"]["why"].startswith("0 receipts, 0 settlements")  # a canary is not counted
    assert {line["part"] for name, line in first.items() if name != "summary"} == set(Part)
    assert compat.wrong() == []


def test_a_strict_broker_with_tls_and_tokens_is_green(
    databases: Databases, migrated_template: str, tmp_path: Path
) -> None:
    ca, certificate, key = a_certificate(tmp_path)
    given = {"AUTH_MODE": "strict", "AINP_TLS_CERT": str(certificate), "AINP_TLS_KEY": str(key)}
    with deployed(databases, migrated_template, tmp_path, **given, **TOKEN) as strict:
        lines, unknown = strict.lines("--ca", str(ca)), strict.lines(*SKIP)

        assert failing(lines) == {}
        assert {lines[step.name]["result"] for step in STEPS} == {"pass"}
        for name in ("authentication", "websockets", "rate-limits", "admin", "deposits", "tls", "certificate"):
            assert lines[name]["result"] == "pass", lines[name]
        assert strict.wrong() == []
        assert "certificate verify failed" in unknown["health"]["why"]


def test_from_within_its_machine_it_signs_for_what_agents_call_the_broker(
    databases: Databases, migrated_template: str, tmp_path: Path
) -> None:
    given = {"AUTH_MODE": "strict", "PUBLIC_BASE_URL": "https://broker.example/ainp"}
    with deployed(databases, migrated_template, tmp_path, **given) as inside:
        lines = inside.lines("--url", f"http://127.0.0.1:{inside.environment['PORT']}")

        assert failing(lines) == {}
        assert {lines[step.name]["result"] for step in STEPS} == {"pass"}
        assert "https://broker.example/ainp" in lines["tls"]["why"]


@pytest.mark.long
def test_a_broker_behind_a_proxy_is_asked_as_the_proxy_does(
    databases: Databases, migrated_template: str, tmp_path: Path
) -> None:
    given = {"AUTH_MODE": "compat", "HOST": "0.0.0.0", "AINP_PROXY_SECRET": "8f14e45fceea167a5a36dedd4bea2543"}
    with deployed(databases, migrated_template, tmp_path, **given) as proxied:
        lines = proxied.lines()

        assert set(failing(lines)) == {"tls"}  # agents reach it by plain HTTP, as far as anybody knows
        assert {lines[step.name]["result"] for step in STEPS} == {"pass"}


def test_it_reads_for_eyes_and_fills_in_the_deployment_log(compat: Deployed) -> None:
    log = compat.folder / "deployment.log"

    shown = compat.doctor("--record", str(log), AINP_ENV="staging", COMMIT_SHA="1234abc").stdout

    assert "The canary: a whole task" in shown
    assert "pass Attestation submission works (POST attestation → 201)" in shown
    assert "everything that has to hold holds" in shown
    said = log.read_text()
    assert "Environment: staging\nCommit SHA: 1234abc\n" in said
    assert said.count("\n[x] ") == 11
    assert said.count("\n[-] ") == 2  # what `make check` tells
    assert "[ ]" not in said


def test_the_page_s_commands_work(compat: Deployed) -> None:
    [block] = blocks((ROOT / "docs" / "doctor.md").read_text(), "sh")

    for command in block.splitlines():
        ainp, doctor, *options = command.split()
        assert (ainp, doctor) == ("ainp", "doctor")
        assert compat.doctor(*options).exit_code == 0, command
    assert (compat.folder / "deployment.log").exists()


def test_only_what_is_asked_for_is_looked_at(compat: Deployed) -> None:
    assert set(compat.lines("--only", "security", *SKIP)) > {"tls", "redis"}
    assert set(compat.lines("--only", "health", "--only", "tls")) == {"health", "tls", "summary"}
    assert not {step.name for step in STEPS} & set(compat.lines(*SKIP))
    unknown = compat.doctor("--only", "nonsense")
    assert (unknown.exit_code, "no line is called nonsense" in unknown.stderr) == (2, True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--url", "nonsense"], "--url: found 'nonsense', expected a broker's address"),
        (["--ca", "nowhere.pem"], "--ca: nowhere.pem has no certificates that could be read"),
        (["--record", "nowhere/deployment.log"], "nowhere/deployment.log can't be written"),
    ],
    ids=["address", "certificates", "log"],
)
def test_what_cannot_be_done_is_one_line_before_anything_is_tried(
    tmp_path: Path, options: list[str], said: str
) -> None:
    found = Deployed(tmp_path, {"AINP_DATA_DIR": str(tmp_path / "data")}).doctor(*options)

    assert (found.exit_code, found.stdout) == (2, "")
    assert found.stderr.startswith(f"ainp doctor: {said}")
    assert found.stderr.count("\n") == 1


def test_a_log_of_before_stays_if_there_is_no_other(compat: Deployed) -> None:
    log = compat.folder / "kept.log"
    log.write_text("of yesterday")

    assert compat.doctor("--record", str(log), "--url", "nonsense").exit_code == 2
    assert log.read_text() == "of yesterday"


def test_settings_that_no_broker_starts_with_are_a_failing_line(compat: Deployed) -> None:
    sample = compat.lines(AINP_ENV="production", ADMIN_TOKEN="change-me", AUTH_MODE="strict")
    impossible = compat.lines(POU_K="9", POU_M="5")

    assert "ADMIN_TOKEN is a sample value" in sample["settings"]["why"]
    assert "POU_K" in impossible["settings"]["why"]
    assert set(failing(sample)) == set(failing(impossible)) == {"settings"}


def test_a_sample_secret_is_told_outside_of_production_too(compat: Deployed) -> None:
    found = compat.lines(*SKIP, ADMIN_TOKEN="change-me")["sample-secrets"]

    assert (found["result"], "docs/tls.md" in found["fix"]) == ("warn", True)


def test_a_finalizer_that_is_switched_off_fails(compat: Deployed) -> None:
    found = failing(compat.lines(*SKIP, POU_FINALIZER_ENABLED="false"))

    assert set(found) == {"settings", "finalizer"}
    assert "POU_FINALIZER_ENABLED" in found["settings"]


def test_other_settings_than_the_brokers_are_seen_by_the_canary_and_its_money_comes_back(compat: Deployed) -> None:
    found = compat.lines("--only", "canary", POU_K="2", POU_M="5")

    assert set(failing(found)) == {"receipt"}
    assert found["committee"]["result"] == "skip"
    assert found["returned"]["result"] == "pass"
    assert compat.wrong() == []


def test_a_broker_or_a_database_that_is_away_fails(compat: Deployed) -> None:
    nobody = f"http://127.0.0.1:{a_free_port()}"
    broker = compat.lines("--url", nobody)
    database = compat.lines(DATABASE_URL="postgresql://nobody:7f3e9a1c@127.0.0.1:1/nothing")

    assert set(failing(broker)) >= {"health", "AinpDown"}
    assert nobody in broker["health"]["why"]
    assert broker["negotiation"]["result"] == "skip"
    assert set(failing(database)) == {"database", "AinpDatabaseDown"}
    assert "7f3e9a1c" not in json.dumps(database)


def test_money_that_was_made_by_hand_fails(compat: Deployed) -> None:
    compat.sql("UPDATE accounts SET balance = balance - 1 WHERE account = 'mint'")
    try:
        found = compat.lines("--only", "alerts")
    finally:
        compat.sql("UPDATE accounts SET balance = balance + 1 WHERE account = 'mint'")

    assert set(failing(found)) == {"AinpLedgerUnbalanced"}
    assert "ainp fsck" in failing(found)["AinpLedgerUnbalanced"]


def test_a_job_that_fails_fails(compat: Deployed) -> None:
    compat.sql(
        "INSERT INTO job_runs (job, tick, finished_at, error) VALUES ('usefulness-aggregation', now(), now(), 'boom')"
        " ON CONFLICT (job) DO UPDATE SET error = 'boom'"
    )
    found = compat.lines(*SKIP)
    compat.sql("DELETE FROM job_runs WHERE error IS NOT NULL")

    assert set(failing(found)) == {"aggregator", "cron"}
    assert found["AinpJobFailing"]["result"] == "warn"
    assert "boom" in found["aggregator"]["why"]
    assert "its log says" in failing(found)["aggregator"]


@pytest.mark.long
def test_jobs_that_do_not_run_fail(databases: Databases, migrated_template: str, tmp_path: Path) -> None:
    with deployed(databases, migrated_template, tmp_path, JOBS_ENABLED="false") as silent:
        early = silent.lines(*SKIP)
        wait_until(lambda: failing(silent.lines("--only", "finalizer")))
        found = silent.lines()

        assert early["finalizer"]["result"] == "warn"
        assert set(failing(found)) == {"finalizer", "aggregator", "notices"}
        assert all("ainp work" in fix for fix in failing(found).values())
        assert silent.wrong() == []


def test_a_migration_that_was_rolled_back_by_hand_fails(
    databases: Databases, migrated_template: str, tmp_path: Path
) -> None:
    with deployed(databases, migrated_template, tmp_path, JOBS_ENABLED="false") as broken:
        broken.sql("DROP TABLE agent_stakes")
        found = broken.lines()

        assert "021_add_agent_stakes is rolled_back" in found["migrations"]["why"]
        assert set(failing(found)) >= {"migrations", "ready", "AinpMigrationsMissing"}
        assert failing(found)["migrations"] == "run `ainp migrate up`"
        assert found["negotiation"]["why"] == "migrations are missing"


def test_what_the_database_refuses_unforeseen_is_a_failing_line_and_all_others_are_shown(compat: Deployed) -> None:
    role = f"nearly_nobody_{os.getpid()}"
    compat.sql(f"CREATE ROLE {role}", f"GRANT SELECT ON schema_migrations TO {role}")
    try:
        found = compat.lines(DATABASE_URL=f"{compat.url}{'&' if '?' in compat.url else '?'}role={role}")
    finally:
        compat.sql(f"DROP OWNED BY {role}", f"DROP ROLE {role}")

    assert set(failing(found)) == {"receipts", "negotiation"}
    assert "permission denied for table job_runs" in found["receipts"]["why"]
    assert found["negotiation"]["why"] == "no canary can be made: permission denied for table cohorts"
    assert {found[step.name]["result"] for step in STEPS[1:]} == {"skip"}
    assert {line["part"] for name, line in found.items() if name != "summary"} == set(Part)


def test_a_canary_that_can_t_be_closed_says_why(compat: Deployed) -> None:
    compat.sql("ALTER TABLE cohorts ADD CONSTRAINT never_closed CHECK (closed_at IS NULL) NOT VALID")
    try:
        found = compat.lines("--only", "canary")
    finally:
        compat.sql("ALTER TABLE cohorts DROP CONSTRAINT never_closed")

    assert set(failing(found)) == {"returned"}
    assert "never_closed" in found["returned"]["why"]


@pytest.mark.long
def test_doctors_beside_each_other_and_beside_trade_disturb_nobody(
    databases: Databases, migrated_template: str, tmp_path: Path
) -> None:
    with deployed(databases, migrated_template, tmp_path) as busy:
        answered = asyncio.run(_trade_beside_doctors(busy))
        mixed, kept = asyncio.run(_mixed_and_kept(busy.url))

        assert answered.refused == []
        assert len(answered.settled) > 3
        assert (mixed, kept) == (0, 6)
        assert busy.wrong() == []


async def _trade_beside_doctors(busy: Deployed) -> Answered:
    answered = Answered()
    async with trading(f"http://127.0.0.1:{busy.environment['PORT']}", answered, agents(12), flows=4):
        for _ in range(3):
            found = await asyncio.gather(*(_doctor(busy) for _ in range(2)))
            assert [failing(lines) for lines in found] == [{}, {}]
    return answered


async def _mixed_and_kept(url: str) -> tuple[int, int]:
    """How many seats are of another cohort than their task, and how many cohorts gave all back."""
    async with connected(url) as db:
        mixed = await db.fetchval(
            "SELECT count(*) FROM task_receipts r, jsonb_array_elements_text(r.committee) seat (did)"
            " JOIN agents a USING (did) WHERE a.cohort IS DISTINCT FROM (CASE WHEN r.epoch_id < 0 THEN r.epoch_id END)"
        )
        return mixed, await db.fetchval("SELECT count(*) FROM cohorts WHERE returned_atomic = lent_atomic")


async def _doctor(deployed: Deployed) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        AINP,
        "doctor",
        "--json",
        cwd=deployed.folder,
        env=an_environment(**deployed.environment),
        stdout=subprocess.PIPE,
    )
    said, _ = await process.communicate()
    *lines, _ = [json.loads(line) for line in said.splitlines()]
    return {line["name"]: line for line in lines}


@pytest.mark.long
def test_a_doctor_that_is_killed_in_the_middle_leaves_nothing_behind(
    databases: Databases, migrated_template: str, tmp_path: Path
) -> None:
    with deployed(databases, migrated_template, tmp_path, POU_M="100", POU_K="60") as large:
        for voices in (0, 1, 20):
            assert _stop_once_it_has(large, voices, signal.SIGKILL) == -signal.SIGKILL
            large.sql("UPDATE cohorts SET ends_at = now() - interval '1 second'")
        assert _stop_once_it_has(large, 0, signal.SIGINT) == 130  # it closes its own
        assert large.wrong() == []

        lines = large.lines()

        assert failing(lines) == {}
        assert large.wrong() == []
        settings = a_configuration(pou_m=100, pou_k=60)
        assert (
            asyncio.run(_overdue(large.url, settings.judging, Epochs(settings.eligibility, committee_size=100))) == []
        )


async def _overdue(url: str, policy: Any, epochs: Epochs) -> list[int]:  # noqa: ANN401 - a JudgingPolicy
    database = Database(url, size=1)
    await database.open()
    try:
        return await cohorts.close_overdue(database, policy=policy, epochs=epochs)
    finally:
        await database.close()


def _stop_once_it_has(large: Deployed, voices: int, how: signal.Signals) -> int:
    """Stop a doctor in the middle; one that was done before it could be, on a busy machine, is followed by another."""
    ends = (_stop_one_once_it_has(large, voices, how) for _ in range(5))
    return next((code for code in ends if code != 0), 0)


def _stop_one_once_it_has(large: Deployed, voices: int, how: signal.Signals) -> int:
    async def reached() -> bool:
        async with connected(large.url) as db:
            open_now = await db.fetchval("SELECT count(*) FROM cohorts WHERE closed_at IS NULL AND ends_at > now()")
            said = await db.fetchval(
                "SELECT count(*) FROM task_attestations a JOIN task_receipts r ON r.id = a.task_id"
                " JOIN cohorts c ON c.id = r.epoch_id WHERE c.closed_at IS NULL AND c.ends_at > now()"
            )
            return bool(open_now and said >= voices)

    command = [str(AINP), "doctor", "--only", "canary"]
    process = subprocess.Popen(  # what a shell runs in the background ignores SIGINT, and so do its children
        command,
        cwd=large.folder,
        env=an_environment(**large.environment),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - this process has one thread
    )
    wait_until(lambda: asyncio.run(reached()))
    process.send_signal(how)
    return process.wait(PATIENCE_S)
