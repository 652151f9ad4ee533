"""A pattern becomes the patterns of its encoded forms: UTF-16, base64 and Windows dashes.

Separate, because these modifiers change a value before it is compared, and may turn one value into
several. Source: Sigma modifiers appendix 2.1, "Encoding" and "windash".
"""

from __future__ import annotations

from base64 import b64encode
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Final

from detectors.sigma.pattern import Part, Pattern, Wild, joined, verbatim

if TYPE_CHECKING:
    from collections.abc import Callable

DASHES: Final = ("-", "/", "\u2013", "\u2014", "\u2015")
MAX_FORMS: Final = 1_000
"""Windash makes 5 forms of each dash that begins a word; no command line to look for has five."""

_BOM: Final = b"\xff\xfe".decode(errors="surrogateescape")
"""The bytes of UTF-16's mark, as no text of a rule can hold them, until it is known what for."""


def encode(pattern: Pattern, encodings: tuple[str, ...]) -> tuple[Pattern, ...]:
    """Return the forms of ``pattern`` after the modifiers ``encodings``, applied in that order.

    Raises ``ValueError`` with the reason if one does not apply to this pattern.
    """
    forms: tuple[Pattern, ...] = (pattern,)
    for name in encodings:
        forms = tuple(form for one in forms for form in ENCODINGS[name](one))
    return tuple(_readable(form) for form in forms) if "utf16" in encodings else forms


def _readable(pattern: Pattern) -> Pattern:
    """Return the pattern with a mark that was not encoded further as the character it is."""
    parts = (p.replace(_BOM, "\ufeff") if isinstance(p, str) else p for p in pattern.parts)
    return Pattern(tuple(parts))


def _utf16le(pattern: Pattern) -> tuple[Pattern, ...]:
    return (_each_literal(pattern, "utf-16-le"),)


def _utf16be(pattern: Pattern) -> tuple[Pattern, ...]:
    return (_each_literal(pattern, "utf-16-be"),)


def _utf16(pattern: Pattern) -> tuple[Pattern, ...]:
    return (_each_literal(pattern, "utf-16-le").between((_BOM,), ()),)


def _each_literal(pattern: Pattern, codec: str) -> Pattern:
    """Put a NUL beside each character. Beyond ASCII the bytes would not be text any more."""
    parts: list[Part] = []
    for part in pattern.parts:
        if isinstance(part, str) and not part.isascii():
            raise ValueError("only ASCII text can be written as UTF-16 inside a text column")
        parts.append(part.encode(codec).decode("ascii") if isinstance(part, str) else part)
    return joined(tuple(parts))


def _base64(pattern: Pattern) -> tuple[Pattern, ...]:
    return (verbatim(b64encode(_bytes(pattern)).decode("ascii")),)


def _base64_at_each_offset(pattern: Pattern) -> tuple[Pattern, ...]:
    """Encode behind 0, 1 and 2 unknown bytes and keep the characters those do not touch.

    A base64 character holds 6 bits: i bytes before touch the first (0, 2, 3) characters, and an
    incomplete last group makes its last (0, 3, 2) characters depend on what follows.
    """
    data = _bytes(pattern)
    forms = []
    for offset in range(3):
        text = b64encode(bytes(offset) + data).decode("ascii")
        end = len(text) - (0, 3, 2)[(len(data) + offset) % 3]
        forms.append(verbatim(text[(0, 2, 3)[offset] : end]))
    return tuple(forms)


def _bytes(pattern: Pattern) -> bytes:
    if pattern.literal is None:
        raise ValueError("a value with wildcards cannot be encoded as base64: escape them with \\")
    if not pattern.literal:
        raise ValueError("an empty value cannot be encoded as base64")
    return pattern.literal.encode(errors="surrogateescape")


def _windash(pattern: Pattern) -> tuple[Pattern, ...]:
    """Return all spellings of the dashes that begin a word, as in ``-flag`` but not ``a-b``."""
    atoms = [c for p in pattern.parts for c in (p if isinstance(p, str) else (p,))]
    choices = [
        DASHES if _begins_word(atoms, index) else (atom,) for index, atom in enumerate(atoms)
    ]
    if prod(len(choice) for choice in choices) > MAX_FORMS:
        raise ValueError(f"windash would make more than {MAX_FORMS} forms of one value")
    return tuple(joined(form) for form in product(*choices))


def _begins_word(atoms: list[Part], index: int) -> bool:
    before = atoms[index - 1] if index else Wild.ANY
    after = atoms[index + 1] if index + 1 < len(atoms) else Wild.ANY
    return atoms[index] in DASHES and not _is_word(before) and _is_word(after)


def _is_word(atom: Part) -> bool:
    return isinstance(atom, str) and (atom.isalnum() or atom == "_")


ENCODINGS: Final[dict[str, Callable[[Pattern], tuple[Pattern, ...]]]] = {
    "wide": _utf16le,
    "utf16le": _utf16le,
    "utf16be": _utf16be,
    "utf16": _utf16,
    "base64": _base64,
    "base64offset": _base64_at_each_offset,
    "windash": _windash,
}
