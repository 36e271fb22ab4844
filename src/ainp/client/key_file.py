"""The file that an agent's key stands in: one JSON object, for its owner's eyes alone."""

import os
import stat
from pathlib import Path

import msgspec
from msgspec import Struct

from ainp.client.errors import BadKey

_OWNER_ONLY = 0o600
_MAX_BYTES = 10_000  # such a file has 300


class Written(Struct, omit_defaults=True):
    """A key as it is written down: the DID, the public key in hex, the 32 secret bytes in base64."""

    did: str
    public_key: str
    private_key: str
    key_id: str | None = None


def write(path: Path, written: Written) -> None:
    """Make the file; one that is there is left as it is."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
    except FileExistsError as error:
        raise BadKey(f"{path} exists, and a key is never overwritten") from error
    except OSError as error:
        raise BadKey(f"{path} can't be written: {error.strerror}") from error
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, _OWNER_ONLY)  # whatever the umask
        file.write(msgspec.json.format(msgspec.json.encode(written)) + b"\n")
        file.flush()
        os.fsync(descriptor)


def read(path: Path) -> Written:
    """Read such a file, or raise BadKey; nothing of its content is repeated."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
                raise BadKey(f"{path} can be read by others: chmod 600 {path}")
            said = file.read(_MAX_BYTES)
    except OSError as error:
        raise BadKey(f"{path} can't be read: {error.strerror}") from error
    try:
        return msgspec.json.decode(said, type=Written)
    except msgspec.MsgspecError as error:
        raise BadKey(f"{path} is no key file as `ainp keys new --out` writes them") from error
