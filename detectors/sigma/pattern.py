"""A Sigma string becomes a pattern: literal text and wildcards, in order.

Separate, because escapes are the part of Sigma strings that is easy to get wrong, and encodings
work on the pattern before anything is compared. Source: Sigma rules specification 2, "String
Wildcard" and "Escape Character".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

import polars as pl


class Wild(Enum):
    """A wildcard: any text, which may be empty, or exactly one character."""

    ANY = "*"
    ONE = "?"


Part: TypeAlias = str | Wild

_WILDCARDS: Final = {wild.value: wild for wild in Wild}
_REGEX_META: Final = frozenset("\\.+*?()|[]{}^$#&-~")


@dataclass(frozen=True, slots=True)
class Pattern:
    """Literal text and wildcards; literals are neither empty nor next to each other."""

    parts: tuple[Part, ...]

    @property
    def literal(self) -> str | None:
        """The text, if there is no wildcard."""
        if not self.parts:
            return ""
        only = self.parts[0]
        return only if len(self.parts) == 1 and isinstance(only, str) else None

    @property
    def matches_anything(self) -> bool:
        """Whether every text matches, the empty one too."""
        return self.parts == (Wild.ANY,)

    def lowered(self) -> Pattern:
        """Return the pattern in lower case.

        By Polars, not by ``str.lower``: both sides of a comparison follow one Unicode table.
        """
        literals = [part for part in self.parts if isinstance(part, str)]
        lowered = iter(pl.Series(literals, dtype=pl.String).str.to_lowercase().to_list())
        return Pattern(tuple(p if isinstance(p, Wild) else next(lowered) for p in self.parts))

    def between(self, before: tuple[Part, ...], after: tuple[Part, ...]) -> Pattern:
        """Return the pattern with more parts before and after it."""
        return joined(before + self.parts + after)

    def regex(self) -> str:
        """Return the equal regular expression of Rust's regex crate, anchored at both ends."""
        return "(?s)\\A" + "".join(_as_regex(part) for part in self.parts) + "\\z"


def parse(text: str) -> Pattern:
    """Return the pattern that the Sigma string ``text`` stands for.

    A backslash takes the special meaning from a following ``*``, ``?`` or backslash; before
    anything else it is an ordinary character.
    """
    parts: list[Part] = []
    escaped = False
    for character in text:
        if escaped:
            special = character == "\\" or character in _WILDCARDS
            parts.append(character if special else "\\" + character)
            escaped = False
        elif character == "\\":
            escaped = True
        else:
            parts.append(_WILDCARDS.get(character, character))
    return joined((*parts, "\\") if escaped else tuple(parts))


def verbatim(text: str) -> Pattern:
    """Return the pattern that only ``text`` itself matches."""
    return joined((text,))


def joined(parts: tuple[Part, ...]) -> Pattern:
    """Return the pattern of ``parts``, with neighbouring literals and ``*`` merged."""
    merged: list[Part] = []
    for part in parts:
        last = merged[-1] if merged else None
        if isinstance(part, str) and isinstance(last, str):
            merged[-1] = last + part
        elif part and not (part is Wild.ANY and last is Wild.ANY):
            merged.append(part)
    return Pattern(tuple(merged))


def escape_regex(text: str) -> str:
    """Return a regular expression that matches exactly ``text``."""
    return "".join("\\" + c if c in _REGEX_META else c for c in text)


def _as_regex(part: Part) -> str:
    if isinstance(part, str):
        return escape_regex(part)
    return ".*" if part is Wild.ANY else "."
