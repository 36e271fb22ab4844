"""docs/doctor.md names every line that the doctor has, and no other."""

import re
from datetime import UTC, datetime

from ainp.cli.doctor.canary import STEPS
from ainp.cli.doctor.record import TEMPLATE
from ainp.core.checkup import About, Answered, Configured, Line, Part, Stored
from ainp.core.checkup_running import after, alerts, monitoring
from ainp.core.checkup_setup import before, security
from support.reader import ROOT

PAGE = (ROOT / "docs" / "doctor.md").read_text()
C, S, A = Configured(), Stored(), Answered()
LINES: list[About | Line] = [
    *before(C, S, A, now=datetime.now(UTC)),
    *after(C, S, A, version=""),
    *STEPS,
    *security(C, S, A),
    *monitoring(C, S, A),
]


def test_every_line_is_in_the_table_with_its_words() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `([\w-]+)` \| (.+) \|$", PAGE, re.MULTILINE)

    assert rows == [(line.part.value, line.name, line.says) for line in LINES]


def test_names_are_unique_over_all_parts() -> None:
    names = [line.name for line in (*LINES, *alerts(C, S, A))]

    assert len(set(names)) == len(names)
    assert not set(names) & {part.value for part in Part}


def test_the_deployment_log_is_filled_in_from_lines_that_there_are() -> None:
    filled = {name for entries in TEMPLATE.values() for names in entries.values() for name in names}

    assert filled <= {line.name for line in LINES}
