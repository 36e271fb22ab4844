"""
A real Redis, started by the tests.

It is the `redis-server` of this machine; where there is none, Debian's packages are unpacked into a cache, which needs
neither root nor an installation. Where that can't be done, the tests that need one are skipped, and say so.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

from support.debian import unpacked
from support.serving import a_free_port, wait_until

_PACKAGES = ("redis-server", "redis-tools", "liblzf1", "libjemalloc2", "libatomic1")


@dataclass
class RedisServer:
    """A Redis on a port of its own, which it keeps over its restarts."""

    program: str
    environment: Mapping[str, str]
    folder: Path
    options: tuple[str, ...] = ()
    tls: bool = False
    port: int = field(default_factory=a_free_port)
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """Where it is, for whoever needs no password."""
        return self.url_for("")

    def url_for(self, user: str) -> str:
        """Where it is for *user*, written `name:password@`."""
        return f"redis{'s' if self.tls else ''}://{user}127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it listens."""
        where = ("--port", "0", "--tls-port", str(self.port)) if self.tls else ("--port", str(self.port))
        log = self.folder / "redis.log"
        fixed = ("--bind", "127.0.0.1", "--save", "", "--dir", str(self.folder), "--logfile", str(log))
        said = log.stat().st_size if log.exists() else 0
        process = subprocess.Popen([self.program, *where, *fixed, *self.options], env=dict(self.environment))
        self._process = process

        def up() -> bool:
            assert process.poll() is None, f"it ended with {process.returncode}: {log.exists() and log.read_text()}"
            return log.exists() and "Ready to accept connections" in log.read_text()[said:]

        wait_until(up)

    def kill(self) -> None:
        """Kill it, as a machine that loses its power does."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Let it accept connections and say nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)


@contextmanager
def a_redis(
    *options: str, tls: bool = False, folder: Path | None = None, running: bool = True
) -> Iterator[RedisServer]:
    """A Redis with these *options*; the test is skipped where there is none."""
    found = _program()
    if found is None:
        pytest.skip("NO REDIS: rate limits in Redis are NOT TESTED; install redis-server")
    program, environment = found
    with tempfile.TemporaryDirectory(prefix="ainp-test-redis-") as own:
        server = RedisServer(program, environment, folder or Path(own), options, tls)
        try:
            if running:
                server.start()
            yield server
        finally:
            server.kill()


@cache
def _program() -> tuple[str, dict[str, str]] | None:
    environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    installed = shutil.which("redis-server")
    if installed is not None:
        return installed, environment
    place = unpacked("redis", *_PACKAGES)
    if place is None:
        return None
    libraries = {str(library.parent) for library in place.glob("usr/lib/*/*.so*")}
    return str(place / "usr" / "bin" / "redis-server"), {
        **environment,
        "LD_LIBRARY_PATH": ":".join(sorted(libraries)),
    }
