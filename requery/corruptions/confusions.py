"""Characters that are taken for one another: by a reader of print, by a finger on a keyboard."""

from __future__ import annotations

LOOK_ALIKES = (
    "0 8 9 o O D",
    "1 4 7 l I",
    "2 z Z",
    "5 8",
    "6 b",
    "8 s S @ &",
    "9 g q",
    "o u",
    "r k",
    "C G",
    "O D U",
    "E B",
)
"""What nlpaug's OCR augmenter confuses (Ma 2019): the first of each group with the others, and back."""

KEY_ROWS = ("1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm")
"""Each row of an English keyboard lies half a key to the right of the one above it."""


def look_alikes() -> dict[str, str]:
    """What each character is misread as."""
    found: dict[str, set[str]] = {}
    for group in LOOK_ALIKES:
        head, *others = group.split()
        for other in others:
            found.setdefault(head, set()).add(other)
            found.setdefault(other, set()).add(head)
    return {character: "".join(sorted(others)) for character, others in found.items()}


def neighbours() -> dict[str, str]:
    """The keys that touch each key; capitals have capitals, and digits, beside them."""
    at = {key: (row, column) for row, keys in enumerate(KEY_ROWS) for column, key in enumerate(keys)}
    found = {}
    for key, (row, column) in at.items():
        touching = {(0, -1), (0, 1), (-1, 0), (-1, 1), (1, -1), (1, 0)}
        found[key] = "".join(sorted(k for k, (r, c) in at.items() if (r - row, c - column) in touching))
    capitals = {key.upper(): others.upper() for key, others in found.items() if key.isalpha()}
    return found | capitals


OCR = look_alikes()
KEYBOARD = neighbours()
