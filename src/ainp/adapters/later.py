"""A module that is imported when it is first used, as most processes never do."""

from importlib import import_module
from typing import Any


class Later:
    """
    Stands for the module *name* until then.

    For type checkers the module itself is imported:

        if TYPE_CHECKING:
            import httpx
        else:
            httpx = Later("httpx")
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:  # noqa: ANN401 - whatever the module has
        return getattr(import_module(self._name), attribute)
