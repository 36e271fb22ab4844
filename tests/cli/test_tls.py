"""TLS of the broker itself: requests and sockets, by one process or several, with a certificate that is renewed."""

import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from websockets.sync.client import connect

from ainp.cli.tls import HANDSHAKE_S, Certificate
from ainp.client import Identity
from ainp.client.signing import SignedBy
from ainp.http.strict import bases_of
from ainp.settings import SettingsError
from support.api import a_configuration
from support.builders import agents
from support.serving import Served, a_data_dir, run_serve, serving, working

AUTHORITY = trustme.CA()


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with a_data_dir() as folder:
        yield folder


def a_certificate(
    folder: Path, *, valid: tuple[int, int] = (-1, 1), key: bytes | None = None, name: str = "localhost"
) -> dict[str, Any]:
    """Settings with a certificate that is *valid* from one day to another."""
    today = datetime.now(UTC)
    issued = AUTHORITY.issue_cert(
        "127.0.0.1",
        name,
        not_before=today + timedelta(days=valid[0]),
        not_after=today + timedelta(days=valid[1]),
    )
    certificate, private = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    private.write_bytes(key or issued.private_key_pem.bytes())
    return {"AINP_TLS_CERT": str(certificate), "AINP_TLS_KEY": str(private)}


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    return context


def shown_by(broker: Served) -> str:
    """The last name in the certificate that a new connection is shown."""
    with (
        socket.create_connection(("127.0.0.1", broker.port)) as raw,
        trusting().wrap_socket(raw, server_hostname="127.0.0.1") as encrypted,
    ):
        found = encrypted.getpeercert()
        assert found is not None
        return str(found["subjectAltName"][-1][-1])


def test_several_processes_speak_https_in_strict_mode_and_share_a_key(
    data_dir: Path, database_url: str, tmp_path: Path
) -> None:
    someone, key = Identity.new(), data_dir / "keys" / "broker.key"
    given = {"DATABASE_URL": database_url, "BROKER_KEY_FILE": str(key), **a_certificate(tmp_path)}
    with (
        serving(data_dir, "--workers", "2", AUTH_MODE="strict", **given) as broker,
        httpx.Client(base_url=f"https://127.0.0.1:{broker.port}", verify=trusting(), auth=SignedBy(someone)) as client,
    ):
        body = {"address": {"did": someone.did, "capabilities": []}}
        registered = client.post("/api/agents/register", json=body)
        told = [httpx.get(f"{client.base_url}/api/broker", verify=trusting()).json() for _ in range(8)]

        assert registered.status_code == 200, registered.text
        assert {each["base_url"] for each in told} == {f"https://127.0.0.1:{broker.port}"}
        assert {each["did"] for each in told} == {Identity.load(key).did}
        broker.process.send_signal(signal.SIGHUP)
        broker.wait_for("The TLS certificate was read again")
        assert broker.end() == 0
    line = next(line for line in broker.lines if line["message"].startswith("AINP Broker started"))
    assert line["docs"] == f"https://127.0.0.1:{line['port']}/docs"


def test_a_renewed_certificate_is_taken_without_dropping_anybody(
    data_dir: Path, database_url: str, tmp_path: Path
) -> None:
    (did,) = agents(1, "listener")
    given = {"DATABASE_URL": database_url, "BROKER_DID": did, **a_certificate(tmp_path, name="before.example")}
    with (
        serving(data_dir, **given) as broker,
        httpx.Client(base_url=f"https://127.0.0.1:{broker.port}", verify=trusting()) as client,
        connect(f"wss://127.0.0.1:{broker.port}/ws?did={quote(did, safe='')}", ssl=trusting()) as told,
    ):
        broker.wait_for("BROKER_DID is set without its key, so the broker signs nothing")
        assert client.get("/health").status_code == 200
        assert shown_by(broker) == "before.example"
        (open_before,) = client._transport._pool.connections  # type: ignore[attr-defined]  # of httpcore

        (tmp_path / "key.pem").write_text("half")
        broker.process.send_signal(signal.SIGHUP)
        broker.wait_for("The TLS certificate is not renewed")
        assert shown_by(broker) == "before.example"

        a_certificate(tmp_path, name="after.example")
        broker.process.send_signal(signal.SIGHUP)
        broker.wait_for("The TLS certificate was read again")
        assert shown_by(broker) == "after.example"

        assert client.get("/health").status_code == 200
        assert client._transport._pool.connections == [open_before]  # type: ignore[attr-defined]
        assert told.ping().wait(10)
        assert refused_by(broker, ssl.TLSVersion.TLSv1_1)
        assert plainly_asked(broker) == b""
        told.close()
        client.close()
        assert broker.end() == 0
    assert "Traceback" not in broker.log.read_text()


def test_metrics_beside_the_jobs_are_encrypted_too(data_dir: Path, database_url: str, tmp_path: Path) -> None:
    given = {"DATABASE_URL": database_url, "METRICS_PORT": "0", **a_certificate(tmp_path)}
    with working(data_dir, **given) as worker:
        worker.wait_for("Metrics are shown")
        url = next(line["url"] for line in worker.lines if "url" in line)
        worker.process.send_signal(signal.SIGHUP)
        worker.wait_for("The TLS certificate was read again")

        assert url.startswith("https://127.0.0.1:")
        assert "ainp_" in httpx.get(url, verify=trusting()).text
        assert worker.end() == 0


@pytest.mark.long
def test_a_handshake_that_nobody_finishes_comes_to_an_end(data_dir: Path, database_url: str, tmp_path: Path) -> None:
    with serving(data_dir, DATABASE_URL=database_url, **a_certificate(tmp_path)) as broker:
        with socket.create_connection(("127.0.0.1", broker.port), timeout=4 * HANDSHAKE_S) as silent:
            assert silent.recv(1) == b""
        assert broker.end() == 0
        assert "Traceback" not in broker.log.read_text()


def refused_by(broker: Served, version: ssl.TLSVersion) -> bool:
    """Whether nobody speaks with who has only this *version*."""
    context = trusting()
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = version
    try:
        with (
            socket.create_connection(("127.0.0.1", broker.port)) as raw,
            context.wrap_socket(raw, server_hostname="127.0.0.1"),
        ):
            return False
    except (ssl.SSLError, ConnectionError):
        return True


def plainly_asked(broker: Served) -> bytes:
    """What is said to somebody who asks without TLS."""
    with socket.create_connection(("127.0.0.1", broker.port), timeout=10) as raw:
        raw.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        try:
            return raw.recv(100)
        except ConnectionError:
            return b""


def of_another(given: dict[str, str]) -> None:
    Path(given["AINP_TLS_KEY"]).write_bytes(AUTHORITY.issue_cert("localhost").private_key_pem.bytes())


def encrypted(given: dict[str, str]) -> None:
    path = Path(given["AINP_TLS_KEY"])
    key = load_pem_private_key(path.read_bytes(), None)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"distinctive")))


def without_certificate(given: dict[str, str]) -> None:
    Path(given["AINP_TLS_CERT"]).write_text("-----BEGIN NOTHING-----\n")


def without_key(given: dict[str, str]) -> None:
    Path(given["AINP_TLS_KEY"]).write_text("")


def gone(given: dict[str, str]) -> None:
    Path(given["AINP_TLS_KEY"]).unlink()


def expired(given: dict[str, str]) -> None:
    a_certificate(Path(given["AINP_TLS_CERT"]).parent, valid=(-3, -2))


def of_tomorrow(given: dict[str, str]) -> None:
    a_certificate(Path(given["AINP_TLS_CERT"]).parent, valid=(1, 2))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (of_another, "is not the key of AINP_TLS_CERT"),
        (encrypted, "is encrypted"),
        (without_certificate, "has no certificate in PEM"),
        (without_key, "has no private key in PEM"),
        (gone, "can't be read: No such file"),
        (expired, "has expired: "),
        (of_tomorrow, "is not valid before "),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_what_can_t_be_used_is_said_in_one_line(
    tmp_path: Path, spoil: Callable[[dict[str, str]], None], reason: str
) -> None:
    given = a_certificate(tmp_path)
    spoil(given)

    with pytest.raises(SettingsError, match=reason) as refused:
        Certificate(Path(given["AINP_TLS_CERT"]), Path(given["AINP_TLS_KEY"]))

    assert "\n" not in str(refused.value)


def test_the_broker_does_not_start_with_it(tmp_path: Path) -> None:
    given = a_certificate(tmp_path)
    expired(given)

    ended = run_serve(tmp_path, **given)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("ainp: AINP_TLS_CERT=")
    assert ended.stderr.count("\n") == 1
    assert not (tmp_path / "data").exists()


def test_requests_are_signed_for_https_where_tls_is_spoken(tmp_path: Path) -> None:
    given = {name.lower(): value for name, value in a_certificate(tmp_path).items()}
    settings = a_configuration(host="192.0.2.1", **given)

    assert bases_of(settings, port=8443) == ("https://192.0.2.1:8443",)
    assert "plain HTTP" not in " ".join(settings.warnings)
