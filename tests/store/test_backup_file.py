"""The file of a backup: there whole or not at all, and its owner's alone."""

import asyncio
import stat
from contextlib import suppress
from pathlib import Path

import pytest

from ainp.store.backup_file import BackupError, Manifest, Reader, Table, Writer, written

EMPTY = Manifest(broker="0", taken_at="now", migrations=[], tables=[], counters=[])
ROWS: list[int] = []


async def fill(out: Writer, name: str, *pieces: bytes) -> Table:
    with out.table(name, ROWS.append) as member:
        for piece in pieces:
            await member.write(piece)
    return Table(name, ["a"], member.rows, member.bytes, member.sha256)


async def test_what_was_written_is_read_in_pieces_and_verified(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with written(path) as out:
        table = await fill(out, "things", b"1\n", b"2\n3", b"\n")
        out.finish(Manifest(broker="0", taken_at="now", migrations=[], tables=[table], counters=[]))
    with Reader(path) as reader:
        told: list[int] = []
        reader.verify(told.append)

        assert (table.rows, table.bytes, sum(told)) == (3, 6, 3)
        assert b"".join(reader.read("things")) == b"1\n2\n3\n"
        assert reader.manifest.tables == [table]
        with pytest.raises(BackupError, match="is damaged in others"):
            list(reader.read("others"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("replace", [False, True])
def test_what_breaks_off_leaves_what_was_there(tmp_path: Path, replace: bool) -> None:  # noqa: FBT001 - both ways
    path = tmp_path / "a.zip"
    if replace:
        path.write_text("an older one")
    with suppress(ConnectionError), written(path, replace=replace) as out:
        asyncio.run(fill(out, "things", b"1\n"))
        raise ConnectionError

    assert [each.name for each in tmp_path.iterdir()] == (["a.zip"] if replace else [])
    assert not replace or path.read_text() == "an older one"


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("nowhere/a.zip", "{0}/nowhere/a.zip can't be written: {0}/nowhere is no folder; make it, or name another"),
        ("file/a.zip", "{0}/file/a.zip can't be written: {0}/file is no folder; make it, or name another"),
        ("", "{0} is a folder; expected the name of a file in it"),
        (f"{'a' * 240}.zip", "{1} can't be written in {0}: File name too long; name another place"),
    ],
    ids=["no folder", "a file for a folder", "a folder", "refused by the system"],
)
def test_a_place_that_cannot_be_written_is_named_as_it_was_given(tmp_path: Path, place: str, said: str) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / place
    with pytest.raises(BackupError) as refused, written(path, replace=True) as out:
        out.finish(EMPTY)

    assert str(refused.value) == said.format(tmp_path, path)


def test_a_reader_that_finds_no_backup_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    for content in (b"", b"something else"):
        path.write_bytes(content)
        with pytest.raises(BackupError, match="is no backup, or not all of one"):
            Reader(path)
