"""An object with holes in, its pre-encoded JSON text out, filled for one record by joining bytes.

Separate because it is what makes a record cheap: nothing is copied or encoded again but what
differs between two records.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

_MARK: Final = "\x00"
_ENCODED: Final = b"\\u0000"
"""JSON's text of the mark: no object of Kubernetes holds a NUL."""


def hole(name: str) -> str:
    """Return what stands in an object for a part of a string that differs between records."""
    return f"{_MARK}{name}{_MARK}"


def value_hole(name: str) -> str:
    """Return what stands in an object for a whole JSON value that differs between records."""
    return f"{_MARK}{_MARK}{name}{_MARK}{_MARK}"


class Blank:
    """The JSON text of an object with holes."""

    def __init__(self, value: Any) -> None:
        """Encode the object and find its holes."""
        text = orjson.dumps(value)
        twice = _ENCODED * 2
        text = text.replace(b'"' + twice, _ENCODED).replace(twice + b'"', _ENCODED)
        self._pieces = text.split(_ENCODED)
        self._holes = [name.decode() for name in self._pieces[1::2]]

    def fill(self, **values: bytes) -> bytes:
        """Return the text with its holes filled.

        Raises
            KeyError: a hole was not given a value; a bug of the caller.
        """
        pieces = list(self._pieces)
        pieces[1::2] = [values[name] for name in self._holes]
        return b"".join(pieces)
