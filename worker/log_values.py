"""A value somebody wants to log goes in, one that JSON can say and that holds no secret comes out.

Separate from the configuration of logs because these are the rules of what may stand in a line,
and the tests attack them directly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

TEXT_LIMIT: Final = 2_000
"""Characters of one value; the rest is cut off and said to be."""

ITEMS_LIMIT: Final = 50
DEPTH_LIMIT: Final = 4

MASK: Final = "***"
SECRET_KEYS: Final = (
    "password",
    "passwd",
    "secret",
    "token",
    "authorization",
    "api_key",
    "apikey",
    "credential",
    "cookie",
)
"""A key that contains one of these has its value masked, whatever it is."""

SCHEMES: Final = ("bearer", "basic", "apikey")
"""What stands before a credential in an Authorization header."""

Plain = str | int | float | bool | list[Any] | dict[str, Any] | None


def plain_members(value: Mapping[Any, Any], depth: int = 0) -> dict[str, Any]:
    """Return the members of a mapping, plain and masked; at most `ITEMS_LIMIT` of them."""
    members = list(value.items())[:ITEMS_LIMIT]
    return {
        plain_text(str(key)): MASK if _is_secret(str(key), member) else _plain(member, depth + 1)
        for key, member in members
    }


def _plain(value: Any, depth: int) -> Plain:
    if isinstance(value, str):
        return plain_text(value)
    if depth < DEPTH_LIMIT and isinstance(value, Mapping):
        return plain_members(value, depth)
    if depth < DEPTH_LIMIT and isinstance(value, list | tuple | set | frozenset):
        return [_plain(item, depth + 1) for item in list(value)[:ITEMS_LIMIT]]
    return _scalar(value)


def _scalar(value: Any) -> Plain:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return f"{len(value)} bytes"  # bytes are records or keys: neither belongs here
    if isinstance(value, datetime | date):
        return value.isoformat()
    try:
        return plain_text(str(value))
    except Exception:  # noqa: BLE001 - whatever a value's own code does, the line is written
        return f"<{type(value).__qualname__}>"


def _is_secret(key: str, value: Any) -> bool:
    """Say whether to mask; counts and flags are no secrets: `tokens_refused=3` may be read."""
    lowered = key.lower().replace("-", "_")
    return not isinstance(value, bool | int | float | None) and any(
        name in lowered for name in SECRET_KEYS
    )


def plain_text(text: str) -> str:
    """Return ``text`` bounded and without credentials of a known shape."""
    cut = text if len(text) <= TEXT_LIMIT else f"{text[:TEXT_LIMIT]}... ({len(text)} characters)"
    return _without_authorization(_without_userinfo(cut))


def _without_userinfo(text: str) -> str:
    """Turn ``https://user:password@host`` into ``https://***@host``, wherever it stands."""
    first, *rest = text.split("://")
    return "://".join([first, *(_after_scheme(part) for part in rest)])


def _after_scheme(part: str) -> str:
    authority = part.split("/", 1)[0].split(" ", 1)[0]
    return part if "@" not in authority else MASK + part[authority.rindex("@") :]


def _without_authorization(text: str) -> str:
    """Turn ``Bearer abc`` into ``Bearer ***``."""
    lowered = text.lower()
    if not any(scheme in lowered for scheme in SCHEMES):
        return text
    words = text.split(" ")
    for place, word in enumerate(words[:-1]):
        scheme = word.lower().strip("\"':=,[({")
        # "basic authentication failed" is a sentence; a credential has more than small letters.
        ordinary = words[place + 1].isalpha() and words[place + 1].islower()
        if scheme.endswith(SCHEMES) and not (ordinary and not scheme.endswith("bearer")):
            words[place + 1] = MASK
    return " ".join(words)
