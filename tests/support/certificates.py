"""A certificate of the tests' own, made by the openssl of this machine."""

import shutil
import subprocess
from pathlib import Path

import pytest


def a_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that certifies itself, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("NO OPENSSL: TLS is NOT TESTED")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subject = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost")
    kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    subprocess.run(
        ["openssl", "req", "-x509", *kind, *subject, "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    return certificate, key
