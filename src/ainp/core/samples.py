"""
Secrets that are none: what samples, tutorials and tests show, and what anybody would try first.

Published keys are known by their hash: so nobody takes one from here, either.
"""

import re
from hashlib import sha256
from itertools import pairwise

_WORDS = frozenset(
    re.findall(
        r"\w+",
        """
        abcdef admin admintoken ainp broker changeit changeme changethis default demo example guest hunter insert
        keepthistoyourself letmein metricstoken mysecret none null pass passwd password placeholder postgres proxy
        proxysecret qwerty replaceme root sample secret secretkey supersecret test testing token yourpassword
        yoursecret yourtoken
        """,
    )
)
_DIFFERENT = 5  # characters: fewer are a pattern, not chance
_DIGITS = "0123456789012345678901234567890"
_LEET = str.maketrans("3410@$", "eaioas")

# Of RFC 8032 (7.1, one of them in this protocol's vectors, too) and RFC 9421 (B.1.4).
_PUBLISHED = frozenset(
    {
        "644d50ab64864c20a12b3c4656d46b4a48f69ef7c47ecdc8415cd28316b22ef5",
        "3d2d9682cdba529682a152f678e25c6c29847bf2588ca4e1b3023c1579f9958d",
        "d8eca0cca720d33bf6d9a3e8057053ff6a4d19a62a9874fa7f7004ea662fb2f9",
        "28024a74943422cca068bb8189df16977c0cd8b322fcdf9c782f59ab6c0aa7e9",
        "918a483206abfc9207f58443b4403c208a687265175377ea43db32a0def92492",
        "afeb8935663e61e5731e2a35bd29cbb5eee3345fc7c69f702c465127ed43d338",
    }
)


def is_sample(secret: str) -> bool:
    """Whether a secret is a word of samples, also twice, with digits behind it or between brackets; or a pattern."""
    if len(set(secret)) < _DIFFERENT:
        return True
    plain = re.sub(r"[^a-z0-9@$]", "", secret.casefold())
    if not plain or plain in _DIGITS:
        return True
    texts = (plain, plain.rstrip("0123456789"))
    return any(_is_word(text) or _is_word(text.translate(_LEET)) for text in texts)


def is_published_seed(seed: bytes) -> bool:
    """Whether 32 bytes of a private key are published, or count on or repeat as nothing drawn by chance does."""
    steps = {(after - before) % 256 for before, after in pairwise(seed)}
    return len(steps) <= 1 or sha256(seed).hexdigest() in _PUBLISHED


def _is_word(text: str) -> bool:
    """Whether *text* is one of the words, or several of them."""
    if not text:
        return False
    reached = {0}
    for end in range(1, len(text) + 1):
        if any(text[start:end] in _WORDS for start in reached):
            reached.add(end)
    return len(text) in reached
