"""What compose and Kubernetes start really starts, with their commands and probes, and stops as they stop it."""

import json
import os
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.composed import Project, Running
from support.deployed import DEPLOY, base, container_of, named, pod_of
from support.scraped import read
from support.serving import AINP, PATIENCE_S, a_free_port, wait_until

BROKERS = ("broker-1", "broker-2")
MEMORY = 120_000_000  # of each process when nobody asks it anything


@pytest.fixture
def project(tmp_path: Path, empty_database_url: str) -> Project:
    script = ["sh", str(DEPLOY / "env.sh"), f"http://localhost:{a_free_port()}"]
    made = subprocess.run(script, capture_output=True, text=True, check=True).stdout
    return Project(tmp_path, dict(line.split("=", 1) for line in made.splitlines()), empty_database_url)


@pytest.mark.long  # seven programs at once
def test_two_brokers_and_a_worker_come_up_are_probed_and_drain(project: Project) -> None:
    with ExitStack() as running:
        redis = running.enter_context(project.redis())
        running.enter_context(project.nats())
        early = running.enter_context(project.up("broker-1"))
        wait_until(lambda: answers(early, "/api/broker"))
        assert not probed(early, "ainp-broker", "readinessProbe")  # before the migrations
        assert probed(early, "ainp-broker", "livenessProbe")
        assert "001" in project.run("migrate")
        others = {name: running.enter_context(project.up(name)) for name in ("broker-2", "worker")}
        up = {"broker-1": early, **others}

        for each in up.values():
            wait_until(each.healthy)
        wait_until(lambda: all(probed(each, workload_of(name), "readinessProbe") for name, each in up.items()))
        wait_until(lambda: all(connected(up[name]) for name in BROKERS))
        assert refuses_strangers(redis)
        proxied = reached_through_the_proxy(project, [up[name] for name in BROKERS])
        assert failures_that_a_doctor_finds(early) == ["tls"]  # here it is plain HTTP
        for each in up.values():
            scraped_by_token_alone(each, project.environment["METRICS_TOKEN"])
        for name, each in up.items():
            assert each.stop(PATIENCE_S) == 0, name
            assert "stopped" in each.log.read_text().splitlines()[-1]
            assert "Permissions Violation" not in each.log.read_text()
    if not proxied:
        pytest.skip("NO CADDY: the way through the proxy is NOT TESTED, all else is")


def workload_of(service: str) -> str:
    return "ainp-worker" if service == "worker" else "ainp-broker"


def answers(running: Running, path: str, **headers: str) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{running.port}{path}", headers=headers, timeout=10).status_code == 200
    except httpx.TransportError:
        assert running.process.poll() is None, running.log.read_text()
        return False


def probed(running: Running, workload: str, kind: str) -> bool:
    """What Kubernetes' probe of that kind finds."""
    probe: dict[str, Any] = container_of(named(base(), "Deployment", workload))[kind]
    return answers(running, probe["httpGet"]["path"])


def connected(running: Running) -> bool:
    said = httpx.get(f"http://127.0.0.1:{running.port}/health", timeout=10).json()
    assert said["modes"]["redis"] != "in-process"
    return bool(said["connections"] == {"db": True, "redis": True, "nats": True})


def refuses_strangers(redis: Running) -> bool:
    said = subprocess.run(
        ["redis-cli", "ping"],
        env={**redis.environment, "REDISCLI_AUTH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    return "NOAUTH" in said.stdout


def scraped_by_token_alone(running: Running, token: str) -> None:
    assert not answers(running, "/metrics")
    url = f"http://127.0.0.1:{running.port}/metrics"
    found = read(httpx.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=10).text)

    for (name, _), value in found.samples.items():
        if name == "ainp_process_resident_memory_bytes":
            assert 0 < value < MEMORY


def reached_through_the_proxy(project: Project, brokers: list[Running]) -> bool:
    """Signed requests count there, and what is for operators is not shown."""
    url, key = project.environment["PUBLIC_BASE_URL"], str(project.folder / "agent.key")
    with project.proxy(int(url.rpartition(":")[2]), brokers) as there:
        if not there:
            return False
        wait_until(lambda: httpx.get(f"{url}/health", timeout=10).status_code == 200)
        assert httpx.get(f"{url}/metrics", timeout=10).status_code == 404
        assert httpx.get(f"{url}/api/admin/audit", timeout=10).status_code == 404
        made = json.loads(ainp("keys", "new", "--out", key, "--json"))
        body = json.dumps({"did": made["did"], "capabilities": ["translates"]})
        said = ainp("call", "POST", "/api/agents/register", "-d", body, AINP_BASE_URL=url, AINP_KEY_FILE=key)
        assert made["did"] in said
    return True


def failures_that_a_doctor_finds(running: Running) -> list[str]:
    """Asked within the container, as the page says."""
    command = ["ainp", "doctor", "--json", "--url", f"http://localhost:{running.port}"]
    said = subprocess.run(command, env=running.environment, capture_output=True, text=True, check=False).stdout
    lines = [json.loads(line) for line in said.splitlines()]
    assert lines, said
    return [line["name"] for line in lines if line.get("result") == "fail"]


def ainp(*arguments: str, **variables: str) -> str:
    environment = {"PATH": os.environ["PATH"], "NO_PROXY": "*", **variables}
    done = subprocess.run([AINP, *arguments], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_pods_and_services_get_the_time_that_draining_takes(project: Project) -> None:
    assert int(project.services["broker-1"]["stop_grace_period"].removesuffix("s")) > 10
    assert pod_of(named(base(), "Deployment", "ainp-broker"))["terminationGracePeriodSeconds"] > 10 + 5
    for kind, name, command in (
        ("Deployment", "ainp-broker", project.services["broker-1"]["command"]),
        ("Deployment", "ainp-worker", project.services["worker"]["command"]),
        ("Job", "ainp-migrate", project.services["migrate"]["command"]),
    ):
        assert container_of(named(base(), kind, name))["command"] == command
