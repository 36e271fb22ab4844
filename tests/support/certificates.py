"""A certificate of the tests' own, and who certifies it."""

from pathlib import Path

import trustme


def a_certificate(folder: Path) -> tuple[Path, Path, Path]:
    """Who certifies, a certificate for 127.0.0.1, and its key."""
    ca, certificate, key = folder / "ca.pem", folder / "certificate.pem", folder / "key.pem"
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(str(ca))
    issued.private_key_pem.write_to_path(str(key))
    for part in issued.cert_chain_pems:
        part.write_to_path(str(certificate), append=True)
    return ca, certificate, key
