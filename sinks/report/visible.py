"""Any string in, text out that shows what is in it: no character is invisible or acts on others.

Separate because it is the report's only defence against values that an attacker wrote, and every
value passes through it: the template engine is told to (``finalize``), so that a template cannot
forget. Control characters, bidirectional overrides, zero-width and look-alike spaces, lone
surrogates and unassigned code points appear as U+XXXX in brackets; long values are cut, with a
note of their true length. Escaping for HTML comes on top (MarkupSafe).

The list of what hides: Unicode Technical Report 36 and "Trojan Source" (CVE-2021-42574).
"""

from __future__ import annotations

import unicodedata
from typing import Final
from urllib.parse import urlsplit

from jinja2 import Undefined
from markupsafe import Markup, escape

# Enough for a command line or an image reference; the whole value is in findings.ndjson.
VALUE_LIMIT: Final = 400
PROSE_LIMIT: Final = 2_000
URL_LIMIT: Final = 500
# Limits count what a character costs in the page, so that a value of nothing but quotes or control
# characters cannot make it ten times as large as one of letters.
_ENTITY_COST: Final = 5
_NAME_COST: Final = 16
# Printable by Python's definition, yet drawn as nothing: fillers, a blank pattern, joiners.
_BLANK: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
# Variation selectors draw nothing either; with them whole texts are smuggled inside one letter.
_SELECTORS: Final = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0), range(0x180B, 0x1810))
# More accents than this on one letter paint over the lines around it.
_MARKS_IN_A_ROW: Final = 4
_NOT_IN_ADDRESSES: Final = frozenset(' "<>\\^`{|}')
_LAYOUT: Final = dict.fromkeys(map(ord, "\t\r\n"), " ")
_ESCAPED: Final = frozenset("&<>\"'")


def shown(value: object) -> object:
    """Any value of a template expression as safe text; markup made by our own code is left alone.

    Given to the template engine as ``finalize``. It yields plain text without tags, so that it
    holds in an attribute as well. Undefined values pass through and raise when printed.
    """
    if isinstance(value, Markup | Undefined | int):
        return value
    return "".join(part for part, _ in _parts(str(value), PROSE_LIMIT))


def marked(text: str, limit: int = VALUE_LIMIT) -> Markup:
    """Text for an element, with the made-visible characters in a styled tag of their own.

    The tag tells them from a value that spells the same brackets itself.
    """
    if len(text) <= limit and text.isascii() and text.isprintable():
        return escape(text)
    return Markup("").join(
        Markup("<i>{}</i>").format(part) if special else escape(part)
        for part, special in _parts(text, limit)
    )


def prose(text: str, limit: int = PROSE_LIMIT) -> Markup:
    """Text of a rule's author: line breaks and tabs are layout there, so they become spaces."""
    return marked(text.translate(_LAYOUT), limit)


def web_link(text: str) -> str | None:
    """Return the address if it is a plain http or https one that a person may follow, else None.

    Refused: other schemes, addresses without a host, with a user part (``https://good@evil``),
    with characters that RFC 3986 has no place for, and longer than `URL_LIMIT`.
    """
    if len(text) > URL_LIMIT or not text.isascii() or not text.isprintable():
        return None
    if not _NOT_IN_ADDRESSES.isdisjoint(text):
        return None
    try:
        parts = urlsplit(text)
    except ValueError:  # an unclosed bracket in the host
        return None
    good = parts.scheme in {"http", "https"} and parts.hostname and "@" not in parts.netloc
    return text if good else None


def _parts(text: str, limit: int) -> list[tuple[str, bool]]:
    """Cut `text` to what `limit` pays for: runs of plain and of made-visible characters."""
    parts: list[tuple[str, bool]] = []
    run: list[str] = []
    room, taken, marks, special = limit, 0, 0, False
    for char in text:
        if room <= 0:
            break
        taken += 1
        marks = marks + 1 if _is_mark(char) else 0
        if special != (marks > _MARKS_IN_A_ROW or _acts_unseen(char)):
            parts.append(("".join(run), special))
            run, special = [], not special
        run.append(_name(char) if special else char)
        room -= _NAME_COST if special else _ENTITY_COST if char in _ESCAPED else 1
    parts.append(("".join(run), special))
    if taken < len(text):
        parts.append((f" … cut, {len(text):,} characters", True))
    return [part for part in parts if part[0]]


def _acts_unseen(char: str) -> bool:
    if " " <= char <= "~":
        return False
    # str.isprintable is false for the categories Cc, Cf, Cs, Co, Cn, Zl, Zp and Zs but the space.
    return (
        not char.isprintable()
        or char in _BLANK
        or any(ord(char) in selectors for selectors in _SELECTORS)
    )


def _is_mark(char: str) -> bool:
    # Combining marks are the printable characters that are not drawn by themselves; asking the
    # database of Unicode for each ASCII letter would double the time of a page.
    return char > "\u02ff" and unicodedata.combining(char) != 0


def _name(char: str) -> str:
    return f"⟨U+{ord(char):04X}⟩"
