"""
The file of a backup: a ZIP with a `<table>.copy` for each table, in the text form of PostgreSQL's COPY, and a manifest.

`manifest.json` comes last and has the digest of every other member, so half a file is none. It says which migrations
made the tables. Whoever has no broker any more reads a table with `unzip -p FILE agents.copy` and psql's `\\copy`.
"""

import hashlib
import os
import secrets
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Self

import msgspec

FORMAT = 1
_MANIFEST = "manifest.json"
_CHUNK = 1 << 20
_LEVEL = 3  # a third of the time of the default, for a tenth more bytes


class BackupError(Exception):
    """A backup can't be made, read or restored; the message says what was found and what to do."""


class Applied(msgspec.Struct, frozen=True):
    """A migration that made the tables."""

    number: int
    name: str
    checksum: str


class Table(msgspec.Struct, frozen=True):
    """What one member of the file holds."""

    name: str
    columns: list[str]
    rows: int
    bytes: int
    sha256: str


class Counter(msgspec.Struct, frozen=True):
    """How far the numbers of a sequence were given out."""

    name: str
    last: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup is of."""

    format: int = FORMAT
    broker: str
    taken_at: str
    migrations: list[Applied]
    tables: list[Table]
    counters: list[Counter]

    @property
    def rows(self) -> int:
        """How many rows there are in all."""
        return sum(table.rows for table in self.tables)


class Member:
    """One table on its way into the file."""

    def __init__(self, out: IO[bytes], told: Callable[[int], None]) -> None:
        self._out, self._told = out, told
        self._digest = hashlib.sha256()
        self.rows = self.bytes = 0

    async def write(self, data: bytes) -> None:
        """Take what COPY gives; a row is a line."""
        self._out.write(data)
        self._digest.update(data)
        rows = data.count(b"\n")
        self.rows += rows
        self.bytes += len(data)
        self._told(rows)

    @property
    def sha256(self) -> str:
        """The digest of all that was written."""
        return self._digest.hexdigest()


class Writer:
    """Writes members, then the manifest."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    @contextmanager
    def table(self, name: str, told: Callable[[int], None]) -> Iterator[Member]:
        """The member of one table."""
        with self._archive.open(_member(name), "w", force_zip64=True) as out:
            yield Member(out, told)

    def finish(self, manifest: Manifest) -> None:
        """Say what was written."""
        self._archive.writestr(_MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=1))


@contextmanager
def written(path: Path, *, replace: bool = False) -> Iterator[Writer]:
    """
    Write a backup to *path*, for its owner alone.

    It is there whole or not at all: it is written beside, and renamed when it is on the disk.
    """
    if path.is_dir():
        raise BackupError(f"{path} is a folder; expected the name of a file in it")
    if not replace and path.exists():
        raise BackupError(f"{path} is there already; expected a new name, or --force to replace it")
    if not path.parent.is_dir():
        raise BackupError(f"{path} can't be written: {path.parent} is no folder; make it, or name another")
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        file = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise BackupError(f"{path} can't be written in {path.parent}: {error.strerror}; name another place") from error
    try:
        with os.fdopen(file, "w+b") as out:
            with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
                yield Writer(archive)
            out.flush()
            os.fsync(out.fileno())
        part.replace(path)
        _sync(path.parent)
    finally:
        part.unlink(missing_ok=True)


class Reader:
    """A backup that is there; raises BackupError where it is none, or of a later form."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._archive = zipfile.ZipFile(path)
            self.manifest = msgspec.json.decode(self._archive.read(_MANIFEST), type=Manifest)
        except (zipfile.BadZipFile, KeyError, msgspec.DecodeError) as error:
            raise BackupError(f"{path} is no backup, or not all of one: {error}") from error
        if self.manifest.format != FORMAT:
            raise BackupError(
                f"{path} has the form {self.manifest.format}, made by ainp {self.manifest.broker}; this release reads"
                f" form {FORMAT}: restore it with that release"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._archive.close()

    def verify(self, told: Callable[[int], None]) -> None:
        """Read all of it and compare it with its digests; raises BackupError at the first that differs."""
        for table in self.manifest.tables:
            digest, found = hashlib.sha256(), 0
            for data in self.read(table.name):
                digest.update(data)
                found += data.count(b"\n")
                told(data.count(b"\n"))
            if digest.hexdigest() != table.sha256 or found != table.rows:
                raise BackupError(
                    f"{self._path} is damaged: {table.name} has {found} rows with SHA-256 {digest.hexdigest()}, its"
                    f" manifest says {table.rows} with {table.sha256}"
                )

    def read(self, name: str) -> Iterator[bytes]:
        """A table's rows, in pieces."""
        try:
            with self._archive.open(_member(name)) as member:
                while data := member.read(_CHUNK):
                    yield data
        except (zipfile.BadZipFile, KeyError, EOFError, zlib.error) as error:
            raise BackupError(f"{self._path} is damaged in {name}: {error}") from error


def digest_of(path: Path) -> str:
    """The SHA-256 of a whole file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _member(name: str) -> str:
    return f"{name}.copy"


def _sync(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
