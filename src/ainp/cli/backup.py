"""`ainp backup` and `ainp restore`: everything that is stored, into one file and back."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import asyncpg
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn

from ainp.cli.connection import database_url, in_one_line
from ainp.cli.fsck import prove
from ainp.settings import load_settings
from ainp.store import backup as store
from ainp.store.backup import Restored
from ainp.store.backup_file import Manifest, Reader, digest_of, written

_CONNECT_S = 10.0


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The new file, a ZIP; only its owner may read it.")],
    force: Annotated[bool, typer.Option("--force", help="Replace a file of that name.")] = False,
) -> None:
    """
    Write everything that is stored into one file, as it is at one moment; the broker may run.

    The broker's own key, `broker.key` or BROKER_PRIVATE_KEY, is not in it: keep that elsewhere.
    """
    with in_one_line("backup"), database_url(load_settings()) as url:
        manifest = asyncio.run(_back_up(url, file, force=force))
        digest, size = digest_of(file), file.stat().st_size
    typer.echo(f"{file}: {_words(manifest)}, {size} bytes")
    typer.echo(f"SHA-256 {digest}")


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `ainp backup` has written.")],
    replace: Annotated[bool, typer.Option("--replace", help="Throw away what the database has.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Only look whether the file is whole and fits.")] = False,
) -> None:
    """
    Put a backup into the configured database, which must be empty, and prove it as `ainp fsck` does.

    No broker may run meanwhile. The file is read once before anything is touched. A backup of an earlier release is
    brought up to this one's schema.
    """
    with in_one_line("restore"), Reader(file) as reader:
        store.check_release(reader.manifest)
        with _bar("checking", reader.manifest.rows) as told:
            reader.verify(told)
        typer.echo(f"{file} is whole: {_words(reader.manifest)}")
        if check:
            return
        with database_url(load_settings(), new=True) as url:
            _tell(asyncio.run(_restore(url, reader, replace=replace)))
            code = prove(url)
    typer.echo(f"restored what {file} has" if code == 0 else "restored, but see above")
    raise typer.Exit(code)


async def _back_up(url: str, file: Path, *, force: bool) -> Manifest:
    connection = await _connect(url)
    try:
        with written(file, replace=force) as out, _bar("writing", await store.estimate(connection)) as told:
            return await store.dump(connection, out, told)
    finally:
        await connection.close()


async def _restore(url: str, reader: Reader, *, replace: bool) -> Restored:
    connection = await _connect(url)
    try:
        await store.check_target(connection, replace=replace)
        with _bar("restoring", reader.manifest.rows) as told:
            return await store.restore(connection, reader, told)
    finally:
        await connection.close()


def _tell(restored: Restored) -> None:
    for name in restored.beyond:
        typer.echo(f"applied {name}")
    for name in restored.left_out:
        typer.echo(f"left out {name}: this PostgreSQL has no pgvector, or its user may not create the extension")


async def _connect(url: str) -> asyncpg.Connection:
    return await asyncpg.connect(url, timeout=_CONNECT_S, server_settings={"application_name": "ainp backup"})


@contextmanager
def _bar(words: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal's standard error; what to call with rows that are done."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(words, total=total or None)
        yield lambda rows: progress.advance(task, rows)


def _words(manifest: Manifest) -> str:
    return (
        f"{manifest.rows} rows of {len(manifest.tables)} tables as of {manifest.taken_at}, schema"
        f" {manifest.migrations[-1].name}, by ainp {manifest.broker}"
    )
