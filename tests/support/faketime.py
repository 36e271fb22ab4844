"""A clock that jumps, for programs that are started with its environment: libfaketime, of Debian's packages."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.database import a_folder
from support.debian import unpacked


@dataclass(frozen=True, slots=True)
class Clock:
    """What its programs take for the time of day; how long something lasts stays true for them."""

    library: Path
    file: Path

    @property
    def environment(self) -> dict[str, str]:
        """What makes a program believe it."""
        return {
            "LD_PRELOAD": str(self.library),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_CACHE_DURATION": "1",  # seconds until it is seen to have been set
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, hours: int) -> None:
        """Let it be so many hours later than it is."""
        new = self.file.with_name("new")
        new.write_text(f"{hours:+d}h\n")
        new.chmod(0o644)
        new.rename(self.file)


@contextmanager
def a_clock() -> Iterator[Clock]:
    """A clock that goes right, until it is set; the test is skipped where there is none."""
    place = unpacked("faketime", "libfaketime")
    found = [] if place is None else sorted(place.glob("usr/lib/*/faketime/libfaketime.so.1"))
    if not found:
        pytest.skip("NO LIBFAKETIME: clocks that jump are NOT TESTED")
    with a_folder() as folder:
        clock = Clock(found[0], folder / "time")
        clock.set(0)
        yield clock
