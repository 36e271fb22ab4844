"""Which sets of migration files are accepted."""

from pathlib import Path

import pytest

from ainp.store import migrate
from ainp.store.migrate import MigrationError
from support.migrating import tiny

SHELF = "-- A shelf.\n-- More about it.\n-- provides: table shelf\nCREATE TABLE shelf (id int);\n"


def test_a_file_is_read_with_its_header(tmp_path: Path) -> None:
    (one,) = tiny(tmp_path, _007_shelf=SHELF + "-- provides: table not_in_the_header\n-- down\nDROP TABLE shelf;\n")

    assert (one.number, one.name, one.purpose) == (7, "007_shelf", "A shelf.")
    assert one.provides == ("table shelf",)
    assert one.down == "DROP TABLE shelf;\n"
    assert len(one.checksum) == 64


def test_line_ends_do_not_change_the_checksum(tmp_path: Path) -> None:
    (one,) = tiny(tmp_path, _001_shelf=SHELF)
    (tmp_path / "001_shelf.sql").write_bytes(SHELF.replace("\n", "\r\n").encode())
    (other,) = migrate.load(tmp_path)

    assert one.checksum == other.checksum


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        pytest.param({}, "found no migration", id="none at all"),
        pytest.param({"_1_shelf": SHELF}, r"called 1_shelf\.sql; expected NNN", id="a short number"),
        pytest.param({"_000_shelf": SHELF}, "from 001 on", id="number zero"),
        pytest.param({"_001_a": SHELF, "_001_b": SHELF}, "001_a and 001_b; expected one", id="a number twice"),
        pytest.param({"_001_a": SHELF.replace("table shelf", "shelf")}, "expected a kind", id="no kind"),
        pytest.param({"_001_a": SHELF.replace("table", "column")}, "expected a kind", id="column of what"),
        pytest.param({"_001_a": "CREATE TABLE shelf (id int);"}, "its purpose", id="no purpose"),
        pytest.param({"_001_a": SHELF + "commit;\n"}, "controls its transaction", id="a commit"),
    ],
)
def test_a_set_that_cannot_be_run_is_refused(tmp_path: Path, texts: dict[str, str], message: str) -> None:
    with pytest.raises(MigrationError, match=message):
        tiny(tmp_path, **texts)


def test_up_and_down_come_in_pairs(tmp_path: Path) -> None:
    tiny(tmp_path, _001_shelf=SHELF)
    (tmp_path / "001_shelf.down.sql").unlink()
    with pytest.raises(MigrationError, match=r"found 001_shelf\.sql without 001_shelf\.down\.sql"):
        migrate.load(tmp_path)

    tiny(tmp_path, _001_shelf=SHELF)
    (tmp_path / "001_shelf.sql").rename(tmp_path / "002_shelf.sql")
    with pytest.raises(MigrationError, match=r"found 001_shelf\.down\.sql without the up file"):
        migrate.load(tmp_path)


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(MigrationError, match="found no migration in"):
        migrate.load(tmp_path / "nowhere")
