"""
What is worth remembering of a mail: a few of its own sentences, each with the reason why; no model writes anything.

A sentence counts by the words that come again in the mail, and more if it says when, how much, or asks something. The
best are kept in the order in which they stand. The same mail gives the same memory, on every machine.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

CONTENT_KEPT = 10_000  # characters kept of a mail
CONTENT_SEARCHED = 2_000  # of these what a search compares with
_MOST_KEPT = 3
_LONGEST = 400  # characters of a sentence; it is cut there
_SHORTEST = 12  # a mail that says less than this is not remembered
_MOST_SENTENCES = 200
_WORD = re.compile(r"[^\W\d_]{4,}")  # shorter ones hold sentences together in most languages
_END = re.compile(r"(?<=[.!?…])\s+|\n[ \t]{0,9}\n|\n(?=[ \t]{0,9}[-*•])")
_TAG = re.compile(r"<[^<>]*>")
_UNSEEN = ("<script", "<style")
_QUOTED = re.compile(r"^[ \t]*>.*$", re.MULTILINE)
_SIGNED_OFF = "\n-- \n"
_WHEN = re.compile(r"\b\d{4}-\d{2}-\d{2}\b|\b\d{1,2}:\d{2}\b|\b\d{1,2}[./]\d{1,2}[./]\d{2,4}\b")
_HOW_MUCH = re.compile(r"\d[\d.,]{0,15}\s{0,3}(?:%|€|\$|£|credits?\b|EUR\b|USD\b)|[€$£]\s*\d", re.IGNORECASE)


class Why(StrEnum):
    """Why a sentence is kept."""

    WHEN = "says when"
    HOW_MUCH = "says how much"
    ASKS = "asks"
    RECURS = "says what the mail keeps coming back to"
    PLACE = "nothing else says more"


@dataclass(frozen=True, slots=True)
class Kept:
    """A sentence of the mail, and why it was kept."""

    text: str
    why: tuple[Why, ...]


@dataclass(frozen=True, slots=True)
class Memory:
    """What is remembered of one mail."""

    content: str
    kept: tuple[Kept, ...]

    @property
    def summary(self) -> str:
        """The kept sentences."""
        return " ".join(one.text for one in self.kept)

    @property
    def searched(self) -> str:
        """What a search compares with: the beginning, where the subject is, and what was kept."""
        return f"{self.content[: CONTENT_SEARCHED // 2]}\n{self.summary[: CONTENT_SEARCHED // 2]}"


@dataclass(frozen=True, slots=True)
class Remembered:
    """A memory as it is kept; *cosine* is to what was searched."""

    id: UUID
    conversation_id: str | None
    content: str
    summary: str | None
    kept: Sequence[Kept]
    tags: Sequence[str]
    created_at: datetime
    cosine: float | None = None


def distill(subject: str | None, body: str, mime: str) -> Memory | None:
    """Choose what to remember of a mail; None if it is no text, or says too little."""
    if not mime.lower().startswith("text/"):
        return None
    text = _seen(body[: 2 * CONTENT_KEPT]) if "html" in mime.lower() else body[:CONTENT_KEPT]
    text = _QUOTED.sub("", text.partition(_SIGNED_OFF)[0]).strip()
    if len(text) < _SHORTEST:
        return None
    content = f"{subject}\n\n{text}" if subject else text
    return Memory(content[:CONTENT_KEPT], _best(_sentences(text), subject or ""))


def _seen(html: str) -> str:
    """The text between tags, but for what is no text to be read."""
    parts, ended, unseen = [], 0, False
    for tag in _TAG.finditer(html):
        if not unseen:
            parts.append(html[ended : tag.start()])
        ended, unseen = tag.end(), tag.group().lower().startswith(_UNSEEN)
    return " ".join(parts if unseen else [*parts, html[ended:]])


def _sentences(text: str) -> list[str]:
    parts = (" ".join(part.split()) for part in _END.split(text)[:_MOST_SENTENCES])
    return [part for part in parts if part]


def _best(sentences: Sequence[str], subject: str) -> tuple[Kept, ...]:
    words = Counter(word for text in (*sentences, subject) for word in set(_words(text)))
    scored = [(_score(text, words), -place) for place, text in enumerate(sentences)]
    places = sorted(-place for _, place in sorted(scored, reverse=True)[:_MOST_KEPT])
    return tuple(Kept(sentences[place][:_LONGEST], _why(sentences[place], words)) for place in places)


def _score(text: str, words: "Counter[str]") -> float:
    found = set(_words(text))
    recurring = sum(words[word] - 1 for word in found) / math.sqrt(1 + len(found))
    return recurring + 2 * sum(1 for why in (_WHEN, _HOW_MUCH) if why.search(text)) + ("?" in text)


def _why(text: str, words: "Counter[str]") -> tuple[Why, ...]:
    found = (
        (Why.WHEN, _WHEN.search(text) is not None),
        (Why.HOW_MUCH, _HOW_MUCH.search(text) is not None),
        (Why.ASKS, "?" in text),
        (Why.RECURS, any(words[word] > 1 for word in _words(text))),
    )
    return tuple(why for why, holds in found if holds) or (Why.PLACE,)


def _words(text: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(text)]
