"""The page of limits is what the constants say, and names settings that there are."""

import pytest

from ainp.core import limits
from ainp.settings import Settings, variable_of
from support.limits import DOCUMENT, document

SETTINGS = {name: limit.setting for name, limit in limits.table().items() if limit.setting}


def test_the_page_is_what_the_constants_say() -> None:
    assert DOCUMENT.read_text() == document(), "run `make docs`"


@pytest.mark.parametrize("name", SETTINGS)
def test_a_limit_that_can_be_set_is_its_default(name: str) -> None:
    field = next(field for field in Settings.model_fields if variable_of(field) == SETTINGS[name])

    assert Settings.model_fields[field].default == getattr(limits, name)
