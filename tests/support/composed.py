"""Runs what compose.yaml runs, without containers: the same commands, environments and checks."""

import os
import signal
import stat
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.debian import unpacked
from support.deployed import DEPLOY, compose, filled, image_check, image_environment
from support.nats import PROGRAM
from support.redis import RedisServer, a_redis
from support.serving import AINP, a_free_port, wait_until

_HOSTS = {"redis:6379": "redis", "nats:4222": "nats"}


@dataclass
class Running:
    """A service as a process."""

    process: "subprocess.Popen[bytes]"
    log: Path
    port: int
    environment: dict[str, str]
    check: list[str]

    def healthy(self) -> bool:
        """What its health check says."""
        assert self.process.poll() is None, self.log.read_text()
        done = subprocess.run(self.check, env=self.environment, capture_output=True, check=False)
        return done.returncode == 0

    def stop(self, patience_s: float) -> int:
        """Stop it as an engine does, and tell its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(patience_s)


class Project:
    """The services of compose.yaml with the secrets of *environment*, at *database*; files go to *folder*."""

    def __init__(self, folder: Path, environment: dict[str, str], database: str) -> None:
        self.folder = folder
        self.environment = environment
        self.services: dict[str, Any] = compose()["services"]
        self.ports = {name: a_free_port() for name in ("redis", "nats", "nats-http")}
        self._database = database

    def variables(self, service: str) -> dict[str, str]:
        """The environment of a service of ours, with the image's, and addresses as they are here."""
        given = {name: filled(value, self.environment) for name, value in self.services[service]["environment"].items()}
        given["DATABASE_URL"] = self._database
        for name in ("REDIS_URL", "NATS_URL"):
            for host, server in _HOSTS.items():
                given[name] = given[name].replace(host, f"127.0.0.1:{self.ports[server]}")
        return {"PATH": f"{AINP.parent}:{os.environ['PATH']}", **image_environment(), **given}

    def run(self, service: str) -> str:
        """Run a service that ends, and tell what it said."""
        done = subprocess.run(
            self.services[service]["command"],
            env=self.variables(service),
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def up(self, service: str) -> Iterator[Running]:
        """Run a service of ours until the end of the block."""
        variables, port = self.variables(service), a_free_port()
        check = self.services[service].get("healthcheck", {}).get("test", ["CMD", *image_check()])[1:]
        if "METRICS_PORT" in variables:
            check = [part.replace(f":{variables['METRICS_PORT']}/", f":{port}/") for part in check]
            variables["METRICS_PORT"] = str(port)
        else:
            variables["PORT"] = str(port)
        with self._started(service, self.services[service]["command"], variables) as (process, log):
            yield Running(process, log, port, variables, check)

    @contextmanager
    def redis(self) -> Iterator[Running]:
        """Redis by its own command; `redis-server` and `redis-cli` use a port of ours."""
        service = self.services["redis"]
        with a_redis(running=False) as found:
            programs = self._wrapped(found)
            variables = {
                **found.environment,
                "PATH": f"{programs}:{os.environ['PATH']}",
                **{name: filled(value, self.environment) for name, value in service["environment"].items()},
            }
            command = [filled(part, {}).replace("/tmp/", f"{self.folder}/") for part in service["command"]]  # noqa: S108
            check = ["sh", "-c", service["healthcheck"]["test"][1]]
            with self._started("redis", command, variables) as (process, log):
                running = Running(process, log, self.ports["redis"], variables, check)
                wait_until(running.healthy)
                yield running

    @contextmanager
    def nats(self) -> Iterator[None]:
        """NATS by its own configuration, on ports of ours."""
        text = (DEPLOY / "nats" / "nats.conf").read_text()
        for known, ours in (
            ("4222", str(self.ports["nats"])),
            ("8222", str(self.ports["nats-http"])),
            ("/data", str(self.folder / "nats")),
        ):
            assert known in text
            text = text.replace(known, ours)
        configuration = self.folder / "nats.conf"
        configuration.write_text(text)
        given = self.services["nats"]["environment"]
        variables = {name: filled(value, self.environment) for name, value in given.items()}
        command = [str(PROGRAM), "--config", str(configuration)]
        with self._started("nats", command, variables) as (process, log):
            wait_until(lambda: process.poll() is not None or "Server is ready" in log.read_text())
            assert process.poll() is None, log.read_text()
            yield

    @contextmanager
    def proxy(self, port: int, brokers: Iterable[Running]) -> Iterator[bool]:
        """Caddy by its own configuration, in front of *brokers*; False where there is none."""
        place = unpacked("caddy", "caddy")
        if place is None:
            yield False
            return
        text = (DEPLOY / "caddy" / "Caddyfile").read_text()
        for number, broker in enumerate(brokers, 1):
            text = text.replace(f"broker-{number}:8080", f"127.0.0.1:{broker.port}")
        configuration = self.folder / "Caddyfile"
        configuration.write_text("{\n\tadmin off\n}\n" + text)
        command = [str(place / "usr/bin/caddy"), "run", "--adapter", "caddyfile", "--config", str(configuration)]
        variables = {"SITE": f"http://localhost:{port}", "HOME": str(self.folder)}
        with self._started("caddy", command, variables) as (process, log):
            wait_until(lambda: process.poll() is not None or "serving initial configuration" in log.read_text())
            assert process.poll() is None, log.read_text()
            yield True

    def _wrapped(self, found: RedisServer) -> Path:
        folder = self.folder / "programs"
        folder.mkdir()
        port = self.ports["redis"]
        commands = {
            "redis-server": f'{found.program} "$@" --port {port} --bind 127.0.0.1 --dir {self.folder}',
            "redis-cli": f'{Path(found.program).with_name("redis-cli")} -p {port} "$@"',
        }
        for name, command in commands.items():
            wrapper = folder / name
            wrapper.write_text(f"#!/bin/sh\nexec {command}\n")
            wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)
        return folder

    @contextmanager
    def _started(
        self, name: str, command: list[str], variables: dict[str, str]
    ) -> Iterator[tuple["subprocess.Popen[bytes]", Path]]:
        log = self.folder / f"{name}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(command, env=variables, cwd=self.folder, stdout=out, stderr=out)
        try:
            yield process, log
        finally:
            process.kill()
            process.wait()
