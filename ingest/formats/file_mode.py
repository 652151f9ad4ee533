"""Permission bits as tools write them become ``file.mode``: octal, four digits.

Separate because three formats write them, each in its own way, and a rule compares one text.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

_OCTAL: Final = frozenset("01234567")
_MOST_DIGITS: Final = 7
"""``0100644``: a file's type stands before the bits in what stat(2) gives."""

_BITS: Final = 0o7777
_LETTERS: Final = 9
_LONGEST: Final = 32
"""Characters of what is remembered: a text of megabytes is no mode, and must not stay."""

_PLACES: Final = ("rwx", 0o400, 0o4000), ("rwx", 0o040, 0o2000), ("rwx", 0o004, 0o1000)


def file_mode(text: str) -> str | None:
    """Return ``0644`` of ``644``, ``0100644``, ``rw-r--r--`` or ``-rw-r--r--``; None of others."""
    return _mode(text) if len(text) <= _LONGEST else None


@lru_cache(1_024)
def _mode(text: str) -> str | None:
    text = text.strip()
    if text and len(text) <= _MOST_DIGITS and _OCTAL.issuperset(text):
        return f"{int(text, 8) & _BITS:04o}"
    if len(text) in (_LETTERS, _LETTERS + 1):
        return _of_letters(text[-_LETTERS:])
    return None


def with_special(mode: str, *, setuid: bool, setgid: bool) -> str:
    """Return a mode with the bits that a tool tells apart from it."""
    return f"{int(mode, 8) | setuid << 11 | setgid << 10:04o}"


def _of_letters(text: str) -> str | None:
    """Read ls(1)'s letters; ``s`` and ``t`` stand in the place of ``x``, upper case without it."""
    bits = 0
    for start, (letters, highest, special) in zip((0, 3, 6), _PLACES, strict=True):
        for place, letter in enumerate(letters):
            found = text[start + place]
            if found == letter or (letter == "x" and found in "st"):
                bits |= highest >> place
            elif found != "-" and not (letter == "x" and found in "ST"):
                return None
            if found in "stST":
                bits |= special
    return f"{bits:04o}"
