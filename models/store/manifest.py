"""What a model says of itself, as JSON: bytes in, a typed manifest out, or a refusal.

Separate from the files because these bytes are what is signed. Nothing in it is of a wall clock:
the same training on the same events writes the same bytes.
"""

from __future__ import annotations

import json
from datetime import datetime
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from math import isfinite
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from models.store.limits import COLUMNS, DEPTH, FEATURES, FILES, NAME_LENGTH, TEXT_LENGTH
from models.store.refusal import ModelRefusedError, Reason

SCHEMA_VERSION: Final = 1
"""Raised by one whenever the manifest or the form of the tables changes."""

SUFFIX: Final = ".arrow"
_NAME: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_.")
_HEX: Final = frozenset("0123456789abcdef")
_SHA256_DIGITS: Final = 64

Count = Annotated[int, Meta(ge=0, le=2**53)]
Text = Annotated[str, Meta(min_length=1, max_length=TEXT_LENGTH)]
AwareTime = Annotated[datetime, Meta(tz=True)]


class ColumnType(StrEnum):
    """What a column may hold. A closed list: plain numbers and text, nothing nested."""

    INT8 = "int8"
    INT16 = "int16"
    INT32 = "int32"
    INT64 = "int64"
    UINT8 = "uint8"
    UINT16 = "uint16"
    UINT32 = "uint32"
    UINT64 = "uint64"
    FLOAT32 = "float32"
    FLOAT64 = "float64"
    BOOL = "bool"
    TEXT = "text"


class ColumnShape(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One column of a table."""

    name: Text
    type: ColumnType


class FileEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One file: its bytes and what they hold."""

    sha256: str
    size_bytes: Count
    rows: Count
    columns: Annotated[tuple[ColumnShape, ...], Meta(min_length=1, max_length=COLUMNS)]


class Window(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Event time that a model was made from, the end excluded."""

    start: AwareTime
    end: AwareTime


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a model is. ``files`` is filled in when it is saved.

    ``version`` is the caller's, distinct for each model of a name. ``libraries`` are those that
    trained it: for people to read, what loads a model runs none of them.
    """

    schema: int = SCHEMA_VERSION
    kind: str
    name: str
    version: str
    window: Window
    features: Annotated[tuple[Text, ...], Meta(max_length=FEATURES)]
    libraries: dict[Text, Text]
    seed: Count
    metrics: dict[Text, float] = {}
    files: Annotated[dict[str, FileEntry], Meta(max_length=FILES)] = {}


def library_versions(*names: str) -> dict[str, str]:
    """Return the installed versions of distributions; what is not installed is left out."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def encode(manifest: Manifest) -> bytes:
    """Return the bytes that are signed; the same manifest gives the same bytes."""
    return msgspec.json.format(msgspec.json.encode(manifest, order="deterministic")) + b"\n"


def decode(data: bytes) -> Manifest:
    """Read a manifest.

    Raises
        ModelRefusedError: it is no JSON, says something twice, or is no manifest of this schema.
    """
    document = _parsed(data)
    if _depth(document) > DEPTH:
        raise ModelRefusedError(Reason.TOO_DEEP, f"manifest.json nests deeper than {DEPTH}")
    found = document.get("schema") if isinstance(document, dict) else SCHEMA_VERSION
    if found != SCHEMA_VERSION:
        detail = f"schema {str(found)[:20]}; this program reads {SCHEMA_VERSION}"
        raise ModelRefusedError(Reason.OTHER_SCHEMA, detail)
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ModelRefusedError(Reason.BAD_MANIFEST, f"manifest.json: {error}"[:300]) from error
    check(manifest)
    return manifest


def check(manifest: Manifest) -> None:
    """Refuse what types alone do not tell."""
    for what in ("kind", "name", "version"):
        if not is_name(getattr(manifest, what)):
            _refuse(f"{what} {getattr(manifest, what)[:TEXT_LENGTH]!r} is no plain name")
    if manifest.window.start >= manifest.window.end:
        _refuse("the window ends before it begins")
    if len(set(manifest.features)) < len(manifest.features):
        _refuse("a feature stands there twice")
    for name, value in manifest.metrics.items():
        if not isfinite(value):
            _refuse(f"metric {name!r} is not finite")
    for name, entry in manifest.files.items():
        _check_file(name, entry)


def is_name(text: str) -> bool:
    """Whether a text may name a folder or a file: no path, nothing hidden."""
    return 0 < len(text) <= NAME_LENGTH and set(text) <= _NAME and text[0].isalnum()


def _check_file(name: str, entry: FileEntry) -> None:
    if not name.endswith(SUFFIX) or not is_name(name):
        _refuse(f"file {name[:TEXT_LENGTH]!r} is no plain name with {SUFFIX}")
    if len(entry.sha256) != _SHA256_DIGITS or set(entry.sha256) - _HEX:
        _refuse(f"{name}: sha256 is not 64 hex digits")
    names = [column.name for column in entry.columns]
    if len(set(names)) < len(names):
        _refuse(f"{name}: a column stands there twice")


def _refuse(detail: str) -> None:
    raise ModelRefusedError(Reason.BAD_MANIFEST, detail)


def _parsed(data: bytes) -> Any:
    """Parse JSON as strictly as the standard says; msgspec takes the last of two equal keys."""
    try:
        return json.loads(data.decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
    except RecursionError as error:
        raise ModelRefusedError(Reason.TOO_DEEP, "manifest.json nests without end") from error
    except ValueError as error:
        detail = f"manifest.json is no JSON: {type(error).__name__}"
        raise ModelRefusedError(Reason.NOT_JSON, detail) from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ModelRefusedError(
            Reason.DUPLICATE_KEY, f"manifest.json says {twice[:TEXT_LENGTH]!r} twice"
        )
    return found


def _no_constant(text: str) -> None:
    raise ValueError(text)


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level:
        inner: list[Any] = []
        for one in level:
            inner.extend(one.values() if isinstance(one, dict) else one)
        level = [one for one in inner if isinstance(one, dict | list)]
        depth += 1
    return depth
