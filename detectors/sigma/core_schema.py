"""The text of an unquoted YAML scalar becomes null, a flag, a number or a string.

Separate from the parser, because this is the part where YAML readers disagree. It follows the core
schema of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema), narrower where a reader would be
surprised: ``0123``, ``1_000``, ``1:30``, ``2026-01-01``, ``.inf`` and ``.nan`` stay strings.
"""

from __future__ import annotations

import math
from typing import Final, TypeAlias

Value: TypeAlias = bool | int | float | str | None

AMBIGUOUS: Final = frozenset({"yes", "no", "on", "off"})
"""Flags in YAML 1.1, strings in 1.2: readers disagree, so a file must quote them."""

_CONSTANTS: Final[dict[str, bool | None]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_DIGITS: Final = {
    "0o": (8, frozenset("01234567")),
    "0x": (16, frozenset("0123456789abcdefABCDEF")),
}
_MAX_DIGITS: Final = 40  # no column holds more, and CPython's int() is quadratic in them


def resolve(text: str) -> Value:
    """Return the value that the unquoted scalar ``text`` stands for."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if len(text) > _MAX_DIGITS or not text.isascii():
        return text
    whole = _integer(text)
    if whole is not None:
        return whole
    broken = _decimal(text)
    return text if broken is None else broken


def _integer(text: str) -> int | None:
    base, digits = _DIGITS.get(text[:2], (10, frozenset()))
    if digits:
        return int(text[2:], base) if text[2:] and digits.issuperset(text[2:]) else None
    return int(text) if _is_plain_number(text.removeprefix(_sign(text))) else None


def _decimal(text: str) -> float | None:
    mantissa, _, exponent = text.removeprefix(_sign(text)).lower().partition("e")
    whole, dot, fraction = mantissa.partition(".")
    if "e" in text.lower() and not exponent.removeprefix(_sign(exponent)).isdigit():
        return None
    if not dot and not exponent:
        return None
    if not (whole or fraction) or not all(part.isdigit() for part in (whole, fraction) if part):
        return None
    if whole and not _is_plain_number(whole):
        return None
    number = float(text)
    return number if math.isfinite(number) else None


def _sign(text: str) -> str:
    return text[0] if text[:1] in {"-", "+"} else ""


def _is_plain_number(digits: str) -> bool:
    """Digits without a leading zero: ``0123`` is octal to some readers and decimal to others."""
    return digits.isdigit() and (digits == "0" or not digits.startswith("0"))
