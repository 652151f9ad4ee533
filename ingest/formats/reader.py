"""Members of a parsed document become values of the wanted types, whatever their own types are.

Separate from the decoders because a wrong type must cost a field and be named, in every format the
same way: nothing a record holds may raise, and nothing may kill an Arrow batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ingest.formats.tolerant import as_json

Document = Mapping[str, Any]
Columns = tuple[tuple[str, str], ...]
"""Member of a document -> column that its text fills."""

NOTHING: Final = frozenset({"", "<NA>", "<nil>", "null", "N/A"})
"""What tools write for nothing: Falco ``<NA>``, Go ``<nil>``."""

NOTHING_LENGTH: Final = 5
"""Characters of the longest of them: a longer text says something and needs no second look."""

_INT64: Final = 2**63
_DIGITS: Final = 20
_TRUE: Final = frozenset({"true", "1", "yes"})
_FALSE: Final = frozenset({"false", "0", "no"})


class Reader:
    """Reads documents and remembers, as ``wrong-type:<key>``, what was not as it should be."""

    __slots__ = ("issues",)

    def __init__(self) -> None:
        self.issues: list[str] = []

    def text(self, document: Document, key: str) -> str | None:
        """Return a text, None for nothing (``<NA>``, empty); numbers become digits, silently."""
        value = document.get(key)
        if value is None:
            return None
        if isinstance(value, str):
            return value if len(value) > NOTHING_LENGTH or value not in NOTHING else None
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
        self.issues.append(f"wrong-type:{key}")
        return as_json(value)

    def copy(self, document: Document, columns: Columns, fields: dict[str, Any]) -> None:
        """Put texts, by member and column, into ``fields``; what is nothing is left out."""
        for key, column in columns:
            value = document.get(key)
            if value is None:
                continue
            text = value if type(value) is str else self.text(document, key)
            if text is not None and text not in NOTHING:
                fields[column] = text

    def number(self, document: Document, key: str) -> int | None:
        """Return a whole number that fits 64 bits; digits in a text count, silently."""
        value = document.get(key)
        if value is None or value == "" or (type(value) is int and -_INT64 <= value < _INT64):
            return None if value == "" else value
        if isinstance(value, int) and not isinstance(value, bool):
            return self._bounded(value, key)
        if isinstance(value, float) and value.is_integer():
            return self._bounded(int(value), key)
        if isinstance(value, str):
            digits = value.strip().removeprefix("-")
            if digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS:
                return self._bounded(int(value), key)
            if value in NOTHING:
                return None
        self.issues.append(f"wrong-type:{key}")
        return None

    def flag(self, document: Document, key: str) -> bool | None:
        """Return a truth value; ``true``, 1 and their like in a text count, silently."""
        value = document.get(key)
        if value is None or isinstance(value, bool):
            return value
        text = str(value).lower() if isinstance(value, str | int) else ""
        if text in _TRUE or text in _FALSE:
            return text in _TRUE
        if text not in NOTHING:
            self.issues.append(f"wrong-type:{key}")
        return None

    def texts(self, document: Document, key: str) -> list[str]:
        """Return a list of texts; a lone value is a list of one, nothing an empty list."""
        value = document.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            value = [value]
        texts = [element for element in value if type(element) is str and element not in NOTHING]
        if len(texts) == len(value):
            return texts
        found = (self.text({key: element}, key) for element in value)
        return [element for element in found if element is not None]

    def mapping(self, document: Document, key: str) -> Document:
        """Return an object's members; anything else is an empty object."""
        value = document.get(key)
        if isinstance(value, dict):
            return value
        if value is not None:
            self.issues.append(f"wrong-type:{key}")
        return {}

    def mappings(self, document: Document, key: str) -> list[Document]:
        """Return the objects of a list; what is none of them is left out and named."""
        value = document.get(key)
        if value is None:
            return []
        elements = value if isinstance(value, list) else [value]
        found: list[Document] = [element for element in elements if isinstance(element, dict)]
        if len(found) < len(elements):
            self.issues.append(f"wrong-type:{key}")
        return found

    def _bounded(self, value: int, key: str) -> int | None:
        if -_INT64 <= value < _INT64:
            return value
        self.issues.append(f"out-of-range:{key}")
        return None
