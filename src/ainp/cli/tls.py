"""
TLS of the broker itself: the certificate, checked before anything is started, and read again when it was renewed.

TLS 1.2 and later, HTTP/1.1. What is read again counts for new connections; those that are open go on.
"""

import asyncio
import signal
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from ainp.settings import Settings, SettingsError
from ainp.telemetry import logger

HANDSHAKE_S = 10.0  # a client that has not finished by then holds the connection for nothing
GOODBYE_S = 2.0  # to answer the end of TLS


class Certificate:
    """What the broker shows who it is with; *context* speaks TLS with it."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._certificate = certificate
        self._key = key
        _check(certificate)
        self.context = _load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), certificate, key)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
        self.context.set_alpn_protocols(["http/1.1"])

    def read_again(self) -> None:
        """Take what the files have now, or keep what they had and say why."""
        try:
            _check(self._certificate)
            _load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), self._certificate, self._key)  # half of it may be new
            _load(self.context, self._certificate, self._key)
        except SettingsError as error:
            logger().error("The TLS certificate is not renewed", error=str(error))
        else:
            logger().info("The TLS certificate was read again", certificate=str(self._certificate))


@contextmanager
def renew_on_hangup(certificate: Certificate | None) -> Iterator[None]:
    """Read the certificate again on SIGHUP; without one that signal does what it always does."""
    if certificate is None:
        yield
        return
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, certificate.read_again)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)


def certificate_of(settings: Settings) -> Certificate | None:
    """The broker's certificate, if it speaks TLS; raises SettingsError if that can't be used."""
    if settings.ainp_tls_cert is None or settings.ainp_tls_key is None:
        return None
    return Certificate(settings.ainp_tls_cert, settings.ainp_tls_key)


def _check(certificate: Path) -> None:
    from cryptography import x509  # noqa: PLC0415 - takes memory, and is for those alone who have a certificate

    try:
        first = x509.load_pem_x509_certificates(certificate.read_bytes())[0]
    except OSError as error:
        raise SettingsError(f"AINP_TLS_CERT={certificate} can't be read: {error.strerror}") from error
    except ValueError as error:
        raise SettingsError(f"AINP_TLS_CERT={certificate} has no certificate in PEM") from error
    now = datetime.now(UTC)
    if now > first.not_valid_after_utc:
        raise SettingsError(f"AINP_TLS_CERT={certificate} has expired: {first.not_valid_after_utc:%Y-%m-%d %H:%M} UTC")
    if now < first.not_valid_before_utc:
        raise SettingsError(
            f"AINP_TLS_CERT={certificate} is not valid before {first.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
        )


def _load(context: ssl.SSLContext, certificate: Path, key: Path) -> ssl.SSLContext:
    def password() -> str:
        raise SettingsError(f"AINP_TLS_KEY={key} is encrypted, and nobody is there to be asked for its password")

    try:
        key.read_bytes()
        context.load_cert_chain(certificate, key, password=password)
    except ssl.SSLError as error:
        mismatch = error.reason == "KEY_VALUES_MISMATCH"
        found = "is not the key of AINP_TLS_CERT" if mismatch else "has no private key in PEM"
        raise SettingsError(f"AINP_TLS_KEY={key} {found}") from error
    except OSError as error:
        raise SettingsError(f"AINP_TLS_KEY={key} can't be read: {error.strerror}") from error
    return context
