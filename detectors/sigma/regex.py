"""Regular expressions, written for Polars: checked, joined and spared needless work.

Separate, because this is all that is known here of the engine behind them, Rust's regex crate: it
is linear in the text, has no look-around and no back-references, and compiling is what costs.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import polars as pl

MAX_CHARACTERS: Final = 200_000
"""Compiling this much takes up to 0.4 s (measured 2026-11-21), and more is refused later anyway."""

_CASELESS_ESCAPES: Final = frozenset("sSdDnrtfv")


@lru_cache(maxsize=4096)
def fault(pattern: str) -> str | None:
    """Return why Polars refuses ``pattern``, or None: it is compiled here, once, at load.

    What would compile to more than 10 MB is refused (https://docs.rs/regex, "Untrusted input"), so
    no pattern can be slow later.
    """
    if len(pattern) > MAX_CHARACTERS:
        return f"more than {MAX_CHARACTERS} characters"
    try:
        pl.Series([""]).str.contains(pattern)
    except pl.exceptions.ComputeError as error:
        reason = str(error).partition("\n\n")[0].splitlines()[-1]
        return reason.removeprefix("error: ").removeprefix("regex error: ")
    return None


def joined(patterns: list[str]) -> list[str]:
    """Return one expression that is found where one of ``patterns`` is.

    If they cannot be joined, e.g. because one ends in a comment, they are returned as they are.
    Each must be without fault.
    """
    together = "|".join(f"(?:{pattern})" for pattern in patterns)
    return patterns if len(patterns) == 1 or fault(together) is not None else [together]


def ignoring_case(pattern: str) -> str:
    r"""Return ``pattern`` with the flag ``i``, spared where it changes nothing.

    Folding the case of a class such as ``[^\n]``, which holds nearly all of Unicode, takes 1 to 4
    ms each time it is compiled, and a class without letters is the same unfolded: one set of rules
    compiled in 115 ms before and in 16 so (measured 2026-11-21).
    """
    spared = "".join(f"(?-i:{part})" if _is_caseless(part) else part for part in _parts(pattern))
    # Where brackets are no class, as in a comment, the result does not compile: leave it.
    return f"(?i){pattern}" if fault(f"(?i){spared}") else f"(?i){spared}"


def _parts(pattern: str) -> list[str]:
    """Split a pattern into escapes, classes in brackets, and single other characters."""
    parts: list[str] = []
    offset = 0
    while offset < len(pattern):
        length = _length(pattern, offset)
        parts.append(pattern[offset : offset + length])
        offset += length
    return parts


def _length(pattern: str, offset: int) -> int:
    if pattern[offset] == "\\":
        return 2
    if pattern[offset] != "[":
        return 1
    end = offset + 1
    end += pattern.startswith("^", end)
    end += pattern.startswith("]", end)  # first in a class, it is a member
    depth = 1
    while depth and end < len(pattern):
        depth += {"[": 1, "]": -1}.get(pattern[end], 0)
        end += 2 if pattern[end] == "\\" else 1
    return end - offset


def _is_caseless(part: str) -> bool:
    """Return whether ``part`` is a class without letters; a range may hide some."""
    if part == r"\S":
        return True
    if not (part.startswith("[") and part.isascii()):
        return False
    members = part[1:-1].removeprefix("^").replace("0-9", "")
    for letter in _CASELESS_ESCAPES:
        members = members.replace(f"\\{letter}", "")
    return "-" not in members.strip("-") and not any(member.isalpha() for member in members)
