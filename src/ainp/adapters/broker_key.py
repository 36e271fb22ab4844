"""
The broker's own key: given, or in a file that is made on first start.

The file is for its owner's eyes alone. One that somebody else can read, write or put another in the place of is not
used, and not mended either: what was open to others has to be replaced by whoever knows for how long.
"""

import base64
import binascii
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
from msgspec import Struct
from nacl.signing import SigningKey

from ainp.core.did import AgentDid, did_of_key

_OWNER_ONLY = 0o600
_SEED_BYTES = 32
_MAX_BYTES = 10_000  # such a file has 300


class UnusableKey(Exception):
    """The broker's key can't be used; the message says why, in one line and without the key."""


class Identity:
    """Who the broker is: a DID, and the Ed25519 key that signs for it."""

    def __init__(self, key: SigningKey, *, did: AgentDid | None = None) -> None:
        own = did_of_key(bytes(key.verify_key))
        if did is not None and did.startswith("did:key:") and did != own:
            raise UnusableKey(f"the broker's private key is that of {own}, not of BROKER_DID={did}")
        self.did = own if did is None else did
        self._key = key

    def __repr__(self) -> str:
        return f"Identity({self.did})"

    @property
    def public_key(self) -> str:
        """The 32 bytes that verify, in hex."""
        return bytes(self._key.verify_key).hex()

    def sign(self, data: bytes) -> bytes:
        """The 64 bytes of the signature over *data*."""
        return self._key.sign(data).signature


class _Written(Struct, omit_defaults=True):
    """What stands in the file; `ainp keys new` writes the same members."""

    private_key: str
    did: str = ""
    public_key: str = ""


def identity_of(private_key: str, *, did: AgentDid | None = None) -> Identity:
    """Take a key that was given as base64 of its 32 bytes."""
    return Identity(key_of(private_key), did=did)


def key_of(private_key: str) -> SigningKey:
    """The key that base64 of 32 bytes stands for; what is none is not repeated."""
    try:
        return SigningKey(base64.b64decode(private_key, validate=True))
    except (binascii.Error, ValueError, TypeError):
        raise UnusableKey(f"expected {_SEED_BYTES} bytes in base64, as `ainp keys new` prints them") from None


def read(path: Path, *, did: AgentDid | None = None) -> Identity:
    """
    Read the file at *path*, or raise UnusableKey; FileNotFoundError if there is none.

    A link is followed, as orchestrators mount secrets by one: who could have placed it is checked by its folder.
    """
    with _in_one_line(path):
        _check_folder(path.parent)
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe must not stop us
        with os.fdopen(descriptor, "rb") as file:
            _check_file(path, os.fstat(descriptor))
            said = file.read(_MAX_BYTES)
    try:
        return Identity(key_of(msgspec.json.decode(said, type=_Written).private_key), did=did)
    except (msgspec.MsgspecError, UnusableKey) as error:
        if isinstance(error, UnusableKey) and did is not None and str(did) in str(error):
            raise
        raise UnusableKey(f"{path} is no key file: expected JSON with the 32 bytes of private_key in base64") from None


def read_or_make(path: Path, *, did: AgentDid | None = None) -> Identity:
    """The same, of a file that is made if there is none; processes that start together make one."""
    try:
        return read(path, did=did)
    except FileNotFoundError:
        with _in_one_line(path):
            _make(path)
        return read(path, did=did)


def _make(path: Path) -> None:
    """Write the whole file under another name, then link it to its own, which succeeds for one."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _check_folder(path.parent)
    key = SigningKey.generate()
    public = bytes(key.verify_key)
    written = _Written(base64.b64encode(bytes(key)).decode(), did_of_key(public), public.hex())
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _OWNER_ONLY)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, _OWNER_ONLY)  # whatever the umask
            file.write(msgspec.json.format(msgspec.json.encode(written)) + b"\n")
            file.flush()
            os.fsync(descriptor)
        with suppress(FileExistsError):  # another process was first
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    _flush(path.parent)


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check_file(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise UnusableKey(f"{path} is no file")
    if found.st_uid not in (0, os.geteuid()):
        raise UnusableKey(f"{path} belongs to somebody else, who could change the broker's key")
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise UnusableKey(f"{path} is open to others, so the key may be known: make a new one, or chmod 600 it")


def _check_folder(folder: Path) -> None:
    """Refuse a folder in which others can put another file in the place of the key."""
    found = folder.stat()
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o022 and not mode & stat.S_ISVTX:
        raise UnusableKey(f"others can write to {folder}, and so replace the broker's key: chmod go-w {folder}")


@contextmanager
def _in_one_line(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        if path.is_symlink():
            raise UnusableKey(f"{path} is a link to what is not there") from None
        raise
    except OSError as error:
        raise UnusableKey(f"{path} can't be used: {error.strerror}") from error
