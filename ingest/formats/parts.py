"""Parts that recur from event to event are decoded once and referred to by code.

Separate from the events because it is where the speed comes from (docs/decisions/0001): `user`,
`responseStatus`, `annotations` and `sourceIPs` of 5,000 real events are some 70, 130, 200 and 45
different ones. A table lives as long as its batch, so a million distinct users cost a million
decodes and no memory beyond a batch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

import msgspec
import orjson

from ingest.formats.audit_event import (
    NO_BODY,
    NO_STATUS,
    NO_USER,
    AuthenticationMetadata,
    ResponseStatus,
    User,
)
from ingest.formats.lenient import load
from ingest.formats.tolerant import (
    coerce_annotations,
    coerce_authentication,
    coerce_status,
    coerce_texts,
    coerce_user,
)

T = TypeVar("T")
Coerce = Callable[[object, str], tuple[T, list[str]]]

_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class PartTable(Generic[T]):
    """Distinct values of one part, and for each row the code of its value.

    ``values[codes[row]]`` is the row's value; ``issues[code]`` what was wrong with a value.
    """

    __slots__ = ("_coerce", "_decode", "_index", "_missing", "_place", "codes", "issues", "values")

    def __init__(self, place: str, type_: Any, missing: T, coerce: Coerce[T]) -> None:
        self._place, self._missing, self._coerce = place, missing, coerce
        self._decode = msgspec.json.Decoder(type_).decode
        self._index: dict[bytes, int] = {}
        self.values: list[T] = []
        self.codes: list[int] = []
        self.issues: dict[int, list[str]] = {}

    def extend(self, raws: list[msgspec.Raw]) -> None:
        """Append a row per raw part."""
        if raws.count(NO_BODY) == len(raws):
            self.codes += [self._add_missing()] * len(raws)
            return
        get, add, missing = self._index.get, self._add, self._add_missing
        self.codes += [
            missing()
            if part is NO_BODY
            else add(raw)
            if (code := get(raw := bytes(part))) is None
            else code
            for part in raws
        ]

    def _add_missing(self) -> int:
        code = self._index.get(b"")
        return self._add(b"") if code is None else code

    def _add(self, raw: bytes) -> int:
        code = self._index[raw] = len(self.values)
        value, issues = self._read(raw)
        self.values.append(value)
        if issues:
            self.issues[code] = issues
        return code

    def _read(self, raw: bytes) -> tuple[T, list[str]]:
        if raw in {b"", b"null"}:
            return self._missing, []
        try:
            return self._decode(raw), []
        except _UNREADABLE:
            return self._read_tolerantly(raw)

    def _read_tolerantly(self, raw: bytes) -> tuple[T, list[str]]:
        try:
            document, mended = load(raw)
        except (orjson.JSONDecodeError, RecursionError):
            return self._missing, [f"unreadable:{self._place}"]
        value, issues = self._coerce(document, self._place)
        return value, issues if mended is None else [*issues, f"{mended}:{self._place}"]


class Parts:
    """The tables of one batch."""

    __slots__ = ("addresses", "annotations", "authentication", "impersonated", "statuses", "users")

    def __init__(self) -> None:
        self.users = PartTable[User]("user", User, NO_USER, coerce_user)
        self.impersonated = PartTable[User]("impersonatedUser", User, NO_USER, coerce_user)
        self.authentication = PartTable[AuthenticationMetadata](
            "authenticationMetadata",
            AuthenticationMetadata,
            AuthenticationMetadata(),
            coerce_authentication,
        )
        self.addresses = PartTable[list[str]]("sourceIPs", list[str], [], coerce_texts)
        self.statuses = PartTable[ResponseStatus](
            "responseStatus", ResponseStatus, NO_STATUS, coerce_status
        )
        self.annotations = PartTable[dict[str, str]](
            "annotations", dict[str, str], {}, coerce_annotations
        )

    @property
    def tables(self) -> tuple[PartTable[Any], ...]:
        """All tables."""
        return (
            self.users,
            self.impersonated,
            self.authentication,
            self.addresses,
            self.statuses,
            self.annotations,
        )
