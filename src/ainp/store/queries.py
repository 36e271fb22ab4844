"""
SQL is code and stands in files: `sql/<table>.sql`, each statement under a line `-- name: <name>`.

Parameters are asyncpg's `$n`; the comment lines below the name say what the statement is for.
"""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


@cache
def load(table: str) -> Mapping[str, str]:
    """Read the statements of `sql/<table>.sql` by name."""
    text = (files("ainp.store") / "sql" / f"{table}.sql").read_text()
    parts = _NAME.split(text)[1:]
    statements = dict(zip(parts[::2], (body.strip() for body in parts[1::2]), strict=True))
    assert len(statements) * 2 == len(parts), f"a name stands twice in {table}.sql"
    return statements
