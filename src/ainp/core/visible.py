"""What others wrote, on its way to a terminal: nothing in it is more than text."""

from unicodedata import category

_KEPT = "\n\t"
_ALSO_SPACE = "Zs"  # spaces of other widths


def visible(text: str) -> str:
    r"""
    Escape what a terminal, or whoever reads it there, could take for something else, as JSON does (`\u202e`).

    That is every control but newlines and tabs, what turns the direction of the text around it, what has no width,
    other line ends, and what means nothing yet. In JSON these stand in strings alone, so it says what it said.
    """
    return text if text.isprintable() else "".join(c if _plain(c) else _escaped(c) for c in text)


def _plain(character: str) -> bool:
    return character.isprintable() or character in _KEPT or category(character) == _ALSO_SPACE


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
