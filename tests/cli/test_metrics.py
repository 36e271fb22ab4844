"""Scrapes of real processes: several are shown as one, and `ainp work` shows itself where it is told to."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from support.scraped import Scrape, read
from support.serving import Served, a_data_dir, run_ainp, runs, serving, status_of, wait_until, working

REQUESTS, HEALTH = "ainp_http_requests_total", {"route": "/health", "status": "200"}


def scrape(broker: Served) -> Scrape:
    return read(broker.get("/metrics").text)


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    yield
    os.kill(pid, signal.SIGCONT)


def test_whoever_answers_shows_what_all_processes_have_counted() -> None:
    with a_data_dir() as data_dir:
        temporary = data_dir.parent / "temporary"
        temporary.mkdir(mode=0o1777)
        temporary.chmod(0o1777)
        with serving(data_dir, "--workers", "2", TMPDIR=str(temporary)) as broker:
            broker.wait_for("AINP Broker started")  # all are up, in whichever order
            broker.wait_for("Event publisher leads")
            pids = broker.children
            for quiet in ("serve-1", "serve-2"):
                with stopped(pids[quiet]):
                    assert [status_of(broker) for _ in range(3)] == [200] * 3
            for quiet in ("serve-1", "serve-2"):
                with stopped(pids[quiet]):
                    found = scrape(broker)
                    assert found.of(REQUESTS, **HEALTH) == 6
                    assert found.values_of("process") == {"serve-1", "serve-2", "work"}
                    assert found.of("ainp_database_pool_size") == 20 + 20 + 16

            with stopped(pids["serve-2"]):
                assert status_of(broker) == 200  # so serve-1 is not waiting for a connection that is somebody's
            os.kill(pids["serve-1"], signal.SIGKILL)
            wait_until(lambda: not runs(pids["serve-1"]))
            assert scrape(broker).of(REQUESTS, **HEALTH) == 7
            wait_until(lambda: broker.children.get("serve-1", pids["serve-1"]) != pids["serve-1"])
            with stopped(pids["serve-2"]):
                assert status_of(broker) == 200
                found = scrape(broker)
                assert found.of(REQUESTS, **HEALTH) == 8
                assert found.of("ainp_http_requests_in_flight") == 1
            assert broker.end() == 0
        assert list(temporary.glob("ainp-metrics-*")) == []


def test_a_worker_shows_its_own_on_a_port_of_its_own(tmp_path: Path, database_url: str) -> None:
    settings = {"DATABASE_URL": database_url, "METRICS_PORT": "0", "METRICS_TOKEN": "s3cret"}
    with working(tmp_path / "data", **settings) as worker:
        worker.wait_for("Event publisher leads")
        worker.wait_for("Metrics are shown")
        url = next(line["url"] for line in worker.lines if line["message"] == "Metrics are shown")
        said = httpx.get(url, headers={"authorization": "Bearer s3cret"})
        found = read(said.text)

        assert said.status_code == 200
        assert httpx.get(url).status_code == 401
        assert found.values_of("process") == {"work"}
        assert found.of("ainp_database_up") == 1
        failed = frozenset({("name", "pou-finalizer"), ("outcome", "failed")})
        assert found.samples["ainp_job_runs_total", failed] == 0
        assert httpx.get(url.replace("/metrics", "/health")).status_code == 200
        for path in ("/docs", "/api/receipts", "/ws?did=did:key:x"):
            assert httpx.get(url.replace("/metrics", path), headers={"host": "localhost"}).status_code == 404
        assert worker.end() == 0
        assert "Traceback" not in worker.log.read_text()

        port = url.split(":")[2].split("/")[0]
        with working(tmp_path / "data", "again", **{**settings, "METRICS_PORT": port}) as again:
            again.wait_for("Metrics are shown")
            refused = run_ainp(tmp_path, "work", **{**settings, "METRICS_PORT": port})
            assert refused.returncode == 2
            assert refused.stderr == f"ainp: can't listen on 127.0.0.1 port {port}: Address already in use\n"
            assert again.end(signal.SIGINT) == 0
