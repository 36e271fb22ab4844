"""The copy of the log in a file: whole lines of several processes, also while it is rotated."""

import json
import multiprocessing
import os
import resource
import shutil
from io import StringIO
from pathlib import Path

import pytest

from ainp.telemetry import Line, configure_logging, log, logger
from ainp.telemetry.log_file import LogFile
from support.said import the_log_as_it_was


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("out", [StringIO, Terminal], ids=["redirected", "on a terminal"])
def test_every_line_is_in_the_file_as_json(tmp_path: Path, out: type[StringIO]) -> None:
    path, stream = tmp_path / "logs" / "broker.log", out()
    with the_log_as_it_was():
        configure_logging("INFO", stream=stream, file=LogFile(path), process="serve-1")
        logger().info("one", fact=1)
        log([Line("two", {"fact": 2}), Line("not wanted", {}, level="debug"), Line("three", {})])
    lines = [json.loads(line) for line in path.read_text().splitlines()]

    assert [line["message"] for line in lines] == ["one", "two", "three"]
    assert {line["process"] for line in lines} == {"serve-1"}
    assert [word for word in ("one", "two", "three") if word not in stream.getvalue()] == []
    assert ('"message":"one"' in stream.getvalue()) is (out is StringIO)
    assert path.stat().st_mode & 0o777 == 0o640


def test_after_a_rotation_the_next_line_is_in_the_new_file(tmp_path: Path) -> None:
    path = tmp_path / "broker.log"
    file = LogFile(path)
    file.write("one\n")
    path.rename(tmp_path / "broker.log.1")
    file.write("two\n")
    path.unlink()
    file.write("three\n")
    shutil.copy(path, tmp_path / "broker.log.2")
    os.truncate(path, 0)
    file.write("four\n")

    assert [each.read_text() for each in sorted(tmp_path.iterdir())] == ["four\n", "one\n", "three\n"]


def test_a_folder_that_goes_away_stops_nothing_and_is_told_of_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "logs" / "broker.log"
    file = LogFile(path)
    shutil.rmtree(path.parent)
    file.write("one\n")
    file.write("two\n")
    path.parent.mkdir()
    file.write("three\n")

    assert path.read_text() == "three\n"
    assert capsys.readouterr().err == f"ainp: LOG_FILE={path} can't be written: No such file or directory\n"


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    for path in (tmp_path, tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(OSError, match=r"Is a directory|No such device|no ordinary file"):
            LogFile(path)


def append(path: Path, letter: str) -> None:
    file = LogFile(path)
    for _ in range(300):
        file.write(letter * 5000 + "\n")


def test_lines_of_several_processes_stay_whole(tmp_path: Path) -> None:
    path = tmp_path / "broker.log"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=append, args=(path, letter)) for letter in "abc"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    lines = path.read_text().splitlines()

    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert sorted(lines) == ["a" * 5000] * 300 + ["b" * 5000] * 300 + ["c" * 5000] * 300


def fill(path: Path, most: int) -> None:
    """Write more than *most* bytes to a file that may not be larger, then what fits again."""
    file = LogFile(path)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
    for _ in range(4):
        file.write("a" * 40 + "\n")
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    file.write("b\n")


def test_a_line_that_was_cut_short_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "broker.log"
    writer = multiprocessing.get_context("spawn").Process(target=fill, args=(path, 100))
    writer.start()
    writer.join(60)

    assert writer.exitcode == 0
    assert path.read_text().splitlines() == ["a" * 40, "a" * 40, "a" * 18, "b"]
