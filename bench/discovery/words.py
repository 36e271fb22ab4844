"""What two texts have in common: their content words, cut to crude stems."""

import re
from collections.abc import Sequence

_WORD = re.compile(r"[^\W_]+")
_STEM_LENGTH = 5  # "translate" and "translation" are one word, so are "customs" and "customer": rather too much alike
_SHORTEST = 3  # letters that an ending leaves
_STOP_WORDS = frozenset(
    _WORD.findall("""
    a about above across after again against all along already also although always am an and another any
    anybody anyone anything are around as at away back be because been before being below between both but by
    can cannot could did do does doing don done down during each either else ever every everybody everyone
    everything few five for forty four from get give gives given goes going got had has have he her here hers
    him his how i if in into is it its just keep keeps know less let ll like m made make makes many may me mean
    might more most much must my myself need needs never new next nine no nobody none nor not nothing now of off
    often on once one only or other our ours out over own per please quite rather re really s same say says she
    should since so some somebody someone something still such t take takes tell than that the their theirs them
    then there these they thing things thirty this those though three through till to together too twelve twenty
    two under until up upon us use used uses using ve very want wants was way we well were what when where
    whether which while who whom whose why will with within without would yes yet you your yours
    """)
)


def stems(text: str) -> Sequence[str]:
    """The content words of *text* in order, each cut to a stem."""
    return [_stem(word) for word in _WORD.findall(text.casefold()) if word not in _STOP_WORDS]


def _stem(word: str) -> str:
    """*word* without the commonest endings, and no longer than five letters."""
    for ending in ("ing", "ies", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST:
            word = word.removesuffix(ending)
            break
    if len(word) > _SHORTEST and word[-1] in "ey":
        word = word[:-1]
    return word[:_STEM_LENGTH]
