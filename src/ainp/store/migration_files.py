"""
Reads the migration files and refuses a set that could not be run in order and taken back.

What the comment lines at the head of an up file mean stands in `migrate`.
"""

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import pairwise

_FILE = re.compile(r"(?P<number>[0-9]{3})_[a-z0-9_]+\.sql")
_FACT = re.compile(r"--\s*(?P<word>provides|removes):\s*(?P<what>.*?)\s*")
_OBJECT = re.compile(
    r"(table|index|view|sequence|type|function|extension) [a-z_][a-z0-9_]*"
    r"|(column|trigger|constraint) [a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*"
)
# plpgsql's BEGIN has no semicolon; a COMMIT in a file would end the runner's transaction half-way
_TRANSACTION = re.compile(r"(?im)^\s*(BEGIN|START TRANSACTION|COMMIT|ROLLBACK|END TRANSACTION)\s*;")


class MigrationError(Exception):
    """A migration cannot be read, applied or taken back; the message says what was found and expected."""


@dataclass(frozen=True, slots=True)
class Migration:
    number: int
    name: str  # with the number: 017_add_task_receipts
    purpose: str
    up: str
    down: str
    provides: tuple[str, ...]
    checksum: str  # SHA-256 of the up file
    removes: tuple[str, ...] = ()


@cache
def packaged() -> tuple[Migration, ...]:
    """Return the migrations of this release, in order."""
    return load(files("ainp.store") / "migrations")


def load(folder: Traversable) -> tuple[Migration, ...]:
    """Read the migrations of *folder*, in order."""
    texts = {
        entry.name: entry.read_text("utf-8")
        for entry in (folder.iterdir() if folder.is_dir() else ())
        if entry.name.endswith(".sql")
    }
    ups = sorted(name for name in texts if not name.endswith(".down.sql"))
    if not ups:
        raise MigrationError(f"found no migration in {folder}; expected NNN_name.sql files")
    orphans = sorted(texts.keys() - ups - {_down_name(name) for name in ups})
    if orphans:
        raise MigrationError(f"found {orphans[0]} without the up file that it takes back")
    migrations = tuple(_read(name, texts) for name in ups)
    for one, other in pairwise(migrations):
        if one.number == other.number:
            raise MigrationError(f"found {one.name} and {other.name}; expected one file per number")
    return migrations


def _down_name(up_name: str) -> str:
    return up_name.removesuffix(".sql") + ".down.sql"


def _read(up_name: str, texts: dict[str, str]) -> Migration:
    matched = _FILE.fullmatch(up_name)
    if matched is None or int(matched["number"]) == 0:
        raise MigrationError(f"found a migration called {up_name}; expected NNN_name.sql, from 001 on")
    up, down = texts[up_name], texts.get(_down_name(up_name))
    if down is None:
        raise MigrationError(f"found {up_name} without {_down_name(up_name)}; expected both")
    for name, text in ((up_name, up), (_down_name(up_name), down)):
        if _TRANSACTION.search(text):
            raise MigrationError(f"{name} controls its transaction; expected to leave that to the runner")
    purpose, provides, removes = _header(up_name, up)
    return Migration(
        number=int(matched["number"]),
        name=up_name.removesuffix(".sql"),
        purpose=purpose,
        up=up,
        down=down,
        provides=provides,
        removes=removes,
        checksum=hashlib.sha256(up.encode()).hexdigest(),
    )


def _header(up_name: str, up: str) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    purpose = ""
    facts: dict[str, list[str]] = {"provides": [], "removes": []}
    for line in up.splitlines():
        if line.strip() and not line.startswith("--"):
            break
        fact = _FACT.fullmatch(line)
        if fact is None:
            purpose = purpose or line.removeprefix("--").strip()
        elif _OBJECT.fullmatch(fact["what"]) is None:
            raise MigrationError(
                f"{up_name} {fact['word']} '{fact['what']}'; expected a kind and a name, such as "
                "'table agents', 'column agents.did', 'function ledger_post' or 'trigger agents.touch'"
            )
        else:
            facts[fact["word"]].append(fact["what"])
    if not purpose:
        raise MigrationError(f"{up_name} does not begin with its purpose; expected a comment line")
    return purpose, tuple(facts["provides"]), tuple(facts["removes"])
