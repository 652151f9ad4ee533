"""A line of logfmt, as Go's logrus writes it, becomes its pairs.

Separate from the programs that write it because a quoted value may hold anything, quotes and equals
signs included, and only whoever follows the quotes cannot be told a pair that is none.
Source: sirupsen/logrus, text_formatter.go: values are bare, or quoted as Go's ``%q`` quotes.
"""

from __future__ import annotations

from typing import Final

MAX_PAIRS: Final = 64
"""Pairs looked at; the authenticator writes a dozen."""

_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_HEX_DIGITS: Final = {"x": 2, "u": 4, "U": 8}
_CODE_POINTS: Final = 0x110000
_SURROGATES: Final = range(0xD800, 0xE000)


def pairs(line: str) -> dict[str, str]:
    """Return the pairs of a line; of those with one key, the first. Never raises. Linear."""
    found: dict[str, str] = {}
    place = 0
    for _ in range(MAX_PAIRS):
        equals = line.find("=", place)
        if equals < 0:
            break
        start = equals + 1
        key = line[place:equals].rpartition(" ")[2]
        if line.startswith('"', start):
            place = closing_quote(line, start)
            found.setdefault(key, unquoted(line[start + 1 : place]))
            place += 1
        else:
            place = line.find(" ", start)
            if place < 0:
                place = len(line)
            found.setdefault(key, line[start:place])
    return found


def closing_quote(line: str, start: int) -> int:
    """Return the place of the quote that ends what begins at ``start``; the line's end for none."""
    place = line.find('"', start + 1)
    while place > 0:
        before = place
        while line[before - 1] == "\\":
            before -= 1
        if (place - before) % 2 == 0:
            return place
        place = line.find('"', place + 1)
    return len(line)


def unquoted(text: str) -> str:
    r"""Undo Go's ``%q``: ``\"``, ``\\``, ``\n``, ``\x1b``, ``\u202e``; what is no escape stays."""
    if "\\" not in text:
        return text
    head, *rest = text.split("\\")
    found = [head]
    is_literal = False
    for piece in rest:
        if is_literal:
            found.append(piece)
            is_literal = False
        elif not piece:  # two backslashes: what follows is no escape
            found.append("\\")
            is_literal = True
        else:
            found.append(_unescaped(piece))
    return "".join(found)


def _unescaped(piece: str) -> str:
    """Return what a backslash and ``piece`` stand for."""
    kind = piece[0]
    digits = _HEX_DIGITS.get(kind)
    if digits is None:
        return _ESCAPES.get(kind, kind) + piece[1:]
    code = piece[1 : digits + 1]
    try:
        number = int(code, 16) if len(code) == digits and code.isalnum() else -1
    except ValueError:
        number = -1
    if not 0 <= number < _CODE_POINTS or number in _SURROGATES:
        return "\\" + piece
    return chr(number) + piece[digits + 1 :]
