"""A database that is spoken to by TLS: as DATABASE_URL says it, and never less carefully."""

import json
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
import trustme

from ainp.cli.postgres import NoDatabase, connected
from support.api import a_configuration
from support.postgres import IN_URL, PASSWORD, Postgres, a_postgres
from support.serving import a_data_dir, run_ainp, run_serve, serving, status_of, wait_until

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with a_postgres() as server:
        yield server


@pytest.fixture
def another_ca(tmp_path: Path) -> Path:
    path = tmp_path / "another.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    return path


async def encrypted(url: str) -> bool:
    """Whether a broker's connection to *url* is."""
    async with connected(a_configuration(database_url=url), size=1) as database:
        return bool(await database.fetchval("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"))


@pytest.mark.parametrize("mode", ["verify-full", "verify-ca", "require", "prefer", None])
async def test_every_mode_that_may_is_encrypted(postgres: Postgres, mode: str | None) -> None:
    said = {"verify-full": f"&sslrootcert={postgres.ca}", "verify-ca": f"&sslrootcert={postgres.ca}"}

    assert await encrypted(postgres.url("" if mode is None else f"sslmode={mode}{said.get(mode, '')}"))


async def test_a_host_that_the_certificate_does_not_name_is_taken_only_where_the_name_does_not_count(
    postgres: Postgres,
) -> None:
    assert await encrypted(postgres.url(f"sslmode=verify-ca&sslrootcert={postgres.ca}", host="localhost"))
    with pytest.raises(NoDatabase, match="Hostname mismatch"):
        await encrypted(postgres.url(f"sslmode=verify-full&sslrootcert={postgres.ca}", host="localhost"))


async def test_a_client_may_show_a_certificate_instead_of_a_password(postgres: Postgres, tmp_path: Path) -> None:
    shown = postgres.client_certificate(tmp_path)
    connection = await asyncpg.connect(postgres.url("sslmode=require"))
    await connection.execute("CREATE ROLE certified LOGIN")
    await connection.close()
    url = postgres.url(f"sslmode=verify-full&sslrootcert={postgres.ca}&{shown}", user="certified")

    assert await encrypted(url)
    with pytest.raises(NoDatabase, match="certificate"):
        await encrypted(postgres.url("sslmode=require", user="certified"))


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("sslmode=verify-full&sslrootcert={other}", "certificate verify failed"),
        ("sslmode=verify-ca&sslrootcert={other}", "certificate verify failed"),
        ("sslmode=verify-full&sslrootcert=/nowhere.pem", "No such file"),
        ("sslmode=disable", "no pg_hba.conf entry .* no encryption"),
        ("sslmode=very-careful", "`sslmode` parameter must be one of"),
    ],
)
async def test_what_is_not_as_the_url_asks_is_refused(
    postgres: Postgres, another_ca: Path, query: str, reason: str
) -> None:
    with pytest.raises(NoDatabase, match=reason) as refused:
        await encrypted(postgres.url(query.format(other=another_ca)))

    assert f"DATABASE_URL (127.0.0.1:{postgres.port}/postgres) can't be used" in str(refused.value)
    assert_nothing_told(str(refused.value))
    assert "\n" not in str(refused.value)


async def test_a_wrong_password_is_refused_and_not_repeated(postgres: Postgres) -> None:
    with pytest.raises(NoDatabase, match="password authentication failed") as refused:
        await encrypted(postgres.url("sslmode=require", user="ainp:Distinctive-wrong"))

    assert_nothing_told(str(refused.value))


def test_every_command_says_in_one_line_that_the_server_is_not_the_right_one(
    postgres: Postgres, another_ca: Path, tmp_path: Path
) -> None:
    url = postgres.url(f"sslmode=verify-full&sslrootcert={another_ca}")

    served = run_serve(tmp_path, DATABASE_URL=url)
    (line,) = served.stdout.splitlines()
    assert served.returncode == 1
    assert "certificate verify failed" in json.loads(line)["error"]
    assert_nothing_told(served.stdout + served.stderr)
    for command in (["migrate", "status"], ["fsck"]):
        ended = run_ainp(tmp_path, *command, DATABASE_URL=url)
        assert (ended.returncode, ended.stderr.count("\n")) == (2, 1), ended.stderr
        assert "certificate verify failed" in ended.stderr
        assert_nothing_told(ended.stdout + ended.stderr)


def test_a_broker_works_encrypted_with_all_its_connections_and_comes_back_to_it(postgres: Postgres) -> None:
    url = postgres.url(f"sslmode=verify-full&sslrootcert={postgres.ca}")
    with a_data_dir() as data_dir, serving(data_dir, "--workers", "2", "--migrate", DATABASE_URL=url) as broker:
        assert status_of(broker) == 200
        postgres.stop()
        wait_until(lambda: status_of(broker) == 503)
        told = broker.get("/health").text + broker.get("/health/ready").text
        postgres.start()
        wait_until(lambda: {status_of(broker) for _ in range(10)} == {200})
        assert broker.end() == 0
        assert_nothing_told(told + broker.log.read_text())


def assert_nothing_told(said: str) -> None:
    assert PASSWORD not in said
    assert IN_URL not in said
    assert "Distinctive" not in said
