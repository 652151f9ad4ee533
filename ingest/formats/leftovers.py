"""What a record says and no column holds becomes ``trailwarden.tool.fields``: short JSON text.

Separate because several formats keep such members, and none may let a record fill a store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_CHARACTERS: Final = 4_096
"""Of the whole text; a list of Windows permissions has some 2,000."""

_LEFT_OUT: Final = "..."
_EACH: Final = 256
"""Characters of a member that stays where all together are too long."""


def leftovers(kept: Mapping[str, Any]) -> str | None:
    """Write members as JSON; the long ones only by name where they are too long together."""
    if not kept:
        return None
    text = _written(kept)
    if text is not None and len(text) <= MOST_CHARACTERS:
        return text
    names = list(kept)[: MOST_CHARACTERS // _EACH // 2]
    return _written({name[:_EACH]: _short(kept[name]) for name in names})


def _short(value: object) -> object:
    text = _written(value)
    return _LEFT_OUT if text is None or len(text) > _EACH else value


def _written(value: object) -> str | None:
    """Write JSON; None for what is nested too deeply (254 levels)."""
    try:
        return orjson.dumps(value).decode()
    except (orjson.JSONEncodeError, RecursionError):
        return None
