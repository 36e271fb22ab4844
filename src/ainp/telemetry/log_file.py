"""
A copy of the log in a file that somebody else rotates.

Every process of a broker opens it for itself and appends whole lines, each with one write, so that lines of several
never mix. It is opened again as soon as it was renamed or removed; one that is copied and cut short needs nothing.
"""

import os
import stat
import sys
from contextlib import suppress
from pathlib import Path

_MODE = 0o640  # there are names in it, and no secrets


class LogFile:
    """Appends to *path*; raises OSError if that can't be opened at first. Later it drops lines rather than work."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None
        self._torn = False  # the last write ended within a line
        self._told = False
        path.parent.mkdir(parents=True, exist_ok=True)
        self._open()

    def write(self, lines: str) -> None:
        """Append *lines*, each with its end; a file that can't be written is told of once, on standard error."""
        data = lines.encode(errors="replace")
        try:
            file = self._current()
            data = b"\n" + data if self._torn else data
            self._torn = os.write(file, data) < len(data)
        except OSError as error:
            if not self._told:
                self._told = True
                with suppress(OSError, ValueError):  # its end of a pipe may be gone, or its disk full, too
                    print(f"ainp: LOG_FILE={self._path} can't be written: {error.strerror}", file=sys.stderr)  # noqa: T201
        else:
            self._told = False

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            with suppress(OSError):
                os.close(self._file)
            self._file = None

    def _current(self) -> int:
        """The file of that name, as it is now."""
        if self._file is not None:
            with suppress(FileNotFoundError):
                there, ours = self._path.stat(), os.fstat(self._file)
                if (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino):
                    return self._file
            self.close()
        return self._open()

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
        file = os.open(self._path, flags, _MODE)
        if not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            raise OSError(0, "it is no ordinary file")
        self._file = file
        return file
