"""JSON that the strict parsers refuse becomes JSON that they take, where its structure is sound.

Separate because records, their parts and their bodies all need it: the API server copies the bytes
of a PATCH into the audit event as the client sent them, so that one odd byte in a field that nobody
reads must not hide what the patch does.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final

import msgspec
import orjson

if TYPE_CHECKING:
    from collections.abc import Callable

NOT_UTF8: Final = "not-utf-8"
MALFORMED: Final = "malformed-json"

_INT_DIGITS: Final = 18
"""Digits that fit into 64 bits; longer numbers are kept as text."""

_check = msgspec.json.Decoder(msgspec.Raw).decode


def well_formed(raw: bytes, issues: list[str]) -> bytes:
    """Return a document that msgspec can split, the record's own bytes wherever possible.

    ``issues`` gets ``not-utf-8`` where bytes had to be replaced, ``malformed-json`` where more.
    Raises ``msgspec.DecodeError`` or ``RecursionError`` for what is no JSON document or too deep.
    """
    try:
        raw.decode()
    except UnicodeDecodeError:
        issues.append(NOT_UTF8)
        raw = raw.decode(errors="replace").encode()
    try:
        _check(raw)
    except msgspec.DecodeError:
        mended = mend(raw)
        if mended is None:
            raise
        issues.append(MALFORMED)
        return mended
    return raw


def load(raw: bytes) -> tuple[Any, str | None]:
    """Parse a part or a body of a record.

    Returns
        the value and what had to be mended for it: None, ``not-utf-8`` or ``malformed-json``.

    Raises ``orjson.JSONDecodeError`` or ``RecursionError`` where nothing helps.
    """
    try:
        return orjson.loads(raw), None
    except orjson.JSONDecodeError:
        text = raw.decode(errors="replace").encode()
        if text != raw and (document := _parsed(text, orjson.loads)) is not None:
            return document, NOT_UTF8
        mended = mend(text)
        if mended is None:
            raise
        return orjson.loads(mended), MALFORMED


def mend(raw: bytes) -> bytes | None:
    r"""Write UTF-8 JSON anew without what only lenient parsers take, or None if it is no JSON.

    Lone surrogates (``\ud800``) become U+FFFD, NaN and Infinity null, numbers beyond 64 bits
    text; a byte order mark and raw control characters within strings are taken.
    """
    document = _parsed(raw.decode().removeprefix("\ufeff"), _lenient)
    if document is None:
        return None
    try:
        text = json.dumps(document, ensure_ascii=False)
    except RecursionError:
        return None
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def _lenient(text: str) -> Any:
    return json.loads(
        text, strict=False, parse_constant=lambda _: None, parse_int=_int, parse_float=_float
    )


def _parsed(text: Any, parse: Callable[[Any], Any]) -> Any:
    """Parse, or return None for what does not (a document that is ``null`` needs no mending)."""
    try:
        return parse(text)
    except (ValueError, RecursionError):
        return None


def _int(digits: str) -> int | str:
    return int(digits) if len(digits) <= _INT_DIGITS else digits


def _float(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text
