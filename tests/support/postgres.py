"""
A PostgreSQL of somebody else, as operators have them: over TCP, with TLS and passwords.

The embedded one has neither, so this is the server of this machine; where there is none, Debian's packages are unpacked
into a cache, which needs neither root nor an installation. Where that can't be done, the tests that need one are
skipped, and say so.
"""

import os
import pwd
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest
import trustme

from support.debian import unpacked
from support.serving import a_free_port, wait_until

PASSWORD = "Distinctive/pass word@1"
IN_URL = "Distinctive%2Fpass%20word%401"  # the same, as it stands in a URL
_PACKAGES = ("postgresql-15", "libpq5", "libicu72", "libldap-2.5-0", "libsasl2-2", "libxml2", "libxslt1.1")
_WHO_MAY = """\
hostssl all certified 127.0.0.1/32 cert
hostssl all all 127.0.0.1/32 scram-sha-256
"""


@dataclass
class Postgres:
    """A server on a port of its own, which it keeps over its restarts."""

    binaries: Path
    environment: Mapping[str, str]
    folder: Path
    port: int = field(default_factory=a_free_port)
    authority: trustme.CA = field(default_factory=trustme.CA)
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def ca(self) -> Path:
        """Who certifies it."""
        return self.folder / "ca.pem"

    def url(self, query: str = "", *, host: str = "127.0.0.1", user: str = f"ainp:{IN_URL}") -> str:
        """Where it is, with *query* for how it is spoken to."""
        return f"postgresql://{user}@{host}:{self.port}/postgres?{query}"

    def make(self) -> None:
        """Make a cluster, with a certificate for 127.0.0.1 alone."""
        issued = self.authority.issue_cert("127.0.0.1")
        issued.private_key_pem.write_to_path(str(self.folder / "server.key"))
        issued.cert_chain_pems[0].write_to_path(str(self.folder / "server.crt"))
        self.authority.cert_pem.write_to_path(str(self.ca))
        (self.folder / "password").write_text(PASSWORD)
        (self.folder / "server.key").chmod(0o600)
        for each in (self.folder, *self.folder.iterdir()):
            _give(each)
        data = str(self.folder / "data")
        how = ("--username", "ainp", "--auth", "scram-sha-256", "--pwfile", str(self.folder / "password"))
        self._run(["initdb", "--no-sync", "--pgdata", data, *how]).wait()
        (self.folder / "data" / "pg_hba.conf").write_text(_WHO_MAY)

    def start(self) -> None:
        """Start it, and wait until it listens."""
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
            "ssl": "on",
            "ssl_cert_file": self.folder / "server.crt",
            "ssl_key_file": self.folder / "server.key",
            "ssl_ca_file": self.ca,
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self._process = self._run(["postgres", "-D", str(self.folder / "data"), *options])
        wait_until(lambda: b"ready to accept connections" in self._said().split(b"starting PostgreSQL")[-1])

    def stop(self) -> None:
        """Stop it, whoever is connected."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait()
            self._process = None

    def client_certificate(self, folder: Path) -> str:
        """A certificate for the user `certified`, as the query of a URL."""
        issued = self.authority.issue_cert("certified@example.com", common_name="certified")
        certificate, key = folder / "client.crt", folder / "client.key"
        issued.cert_chain_pems[0].write_to_path(str(certificate))
        issued.private_key_pem.write_to_path(str(key))
        return f"sslcert={certificate}&sslkey={key}"

    def _run(self, command: Sequence[str]) -> "subprocess.Popen[bytes]":
        user = _user()
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [self.binaries / command[0], *command[1:]],
                cwd="/",
                env=dict(self.environment),
                stdout=log,
                stderr=subprocess.STDOUT,
                user=None if user is None else user.pw_uid,
                group=None if user is None else user.pw_gid,
                extra_groups=None if user is None else [],
            )

    def _said(self) -> bytes:
        assert self._process is not None
        said = (self.folder / "log").read_bytes()
        assert self._process.poll() is None, said.decode(errors="replace")
        return said


@contextmanager
def a_postgres() -> Iterator[Postgres]:
    """A server that takes nobody without TLS; the test is skipped where there is none."""
    found = _installed() or _unpacked()
    if found is None:
        pytest.skip("NO POSTGRESQL WITH TLS: connections with sslmode are NOT TESTED; install postgresql-15")
    with tempfile.TemporaryDirectory(prefix="ainp-test-postgres-") as folder:
        server = Postgres(found, _environment(found), Path(folder).resolve())
        server.make()
        try:
            server.start()
            yield server
        finally:
            server.stop()


def _user() -> pwd.struct_passwd | None:
    """PostgreSQL refuses to run as root."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def _give(path: Path) -> None:
    user = _user()
    if user is not None:
        os.chown(path, user.pw_uid, user.pw_gid)


def _environment(binaries: Path) -> dict[str, str]:
    libraries = {str(library.parent) for library in binaries.parents[3].parent.glob("usr/lib/*-linux-*/*.so*")}
    known = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TZ": "UTC"}
    return known if binaries.is_relative_to("/usr") else {**known, "LD_LIBRARY_PATH": ":".join(sorted(libraries))}


def _installed() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


@cache
def _unpacked() -> Path | None:
    place = unpacked("postgresql", *_PACKAGES)
    found = None if place is None else place / "usr" / "lib" / "postgresql" / "15" / "bin"
    return found if found is not None and found.exists() else None
