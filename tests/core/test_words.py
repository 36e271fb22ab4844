"""Numbers in sentences: one of something is not several."""

import pytest

from ainp.core.words import counted


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 receipts"), (1, "1 receipt"), (2, "2 receipts"), (-1, "-1 receipts")]
)
def test_only_one_is_one(number: int, said: str) -> None:
    assert counted(number, "receipt") == said
