"""JSON text in, an object that a ``flattened`` field takes out.

Separate because what such a field refuses is Elasticsearch's own business: it takes a whole object
under one mapping, but refuses the document for a NUL in a key, for more than 20 levels, for a path
of keys beyond Lucene's longest term, for a repeated key and for whatever is no object.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

import orjson

OBJECTS: Final = frozenset(
    {
        "kubernetes.audit.requestObject",
        "kubernetes.audit.user.extra",
        "kubernetes.audit.annotations",
        "trailwarden.tool.fields",
    }
)
"""Event columns that hold JSON text; each is one ``flattened`` field."""

DEPTH_MAX: Final = 20
"""Levels of objects that a flattened field takes: its own default ``depth_limit``."""

KEY_MAX: Final = 384
"""Characters of a key. A term is path, NUL, value in UTF-8 and may have 32,766 bytes: 20 keys of
384 and a value of 1,024 characters, three bytes each, make 26,172."""

IGNORE_ABOVE: Final = 1_024
"""Longer values are kept in the document, but not indexed."""

_PLAIN_BYTES: Final = 24_000
"""A text of so few bytes cannot hold a path of keys that is too long."""

_CUT: Final = f"[cut at depth {DEPTH_MAX}]"
_NUL: Final = "\x00"
_REPLACED: Final = "\ufffd"


def parsed_object(text: str) -> Any:
    r"""Parse and make it what a flattened field takes: an object, or a list of objects.

    Whatever else the text is becomes ``{"value": ...}``, and what is no JSON ``{"text": ...}``. A
    key that had to be altered ends in ``~`` and the hash of what it was, so that two never become
    one.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {"text": text}
    if not _is_plain(text):
        value = _cleaned(value, 1)
    if isinstance(value, dict) or (isinstance(value, list) and _all_objects(value)):
        return value
    return {"value": value}


def _is_plain(text: str) -> bool:
    """Whether nothing in it can need cleaning; false says nothing."""
    return (
        text.count("{") + text.count("[") < DEPTH_MAX
        and "\\u0000" not in text
        and len(text.encode()) <= _PLAIN_BYTES
    )


def _all_objects(items: list[Any]) -> bool:
    return all(isinstance(item, dict) for item in items)


def _cleaned(value: Any, depth: int) -> Any:
    """Return it with keys that can be indexed and nothing deeper than fits; lists count too."""
    if not isinstance(value, dict | list) or not value:
        return value
    if depth >= DEPTH_MAX:
        return _CUT
    if isinstance(value, list):
        return [_cleaned(item, depth + 1) for item in value]
    return {_key(key): _cleaned(member, depth + 1) for key, member in value.items()}


def _key(key: str) -> str:
    if len(key) <= KEY_MAX and _NUL not in key:
        return key
    tag = hashlib.blake2b(key.encode(), digest_size=8).hexdigest()
    return f"{key[: KEY_MAX - len(tag) - 1].replace(_NUL, _REPLACED)}~{tag}"
