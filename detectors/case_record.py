"""A base record and how a case differs from it become the bytes of a raw record.

Separate from the case file, because a sequence makes many records of one base. Paths and values
change a record that is JSON (``NAME.json``), old and new text one that is lines (``NAME.txt``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import orjson

from detectors.json_path import Json, PathError, parse_path, remove_at, set_at
from detectors.record_time import TimeError, at, put_in_json, put_in_text
from detectors.sigma.errors import RefusedError, shown
from detectors.sigma.strict_yaml import Entry, Mapping, Scalar, Sequence, plain

if TYPE_CHECKING:
    from pathlib import Path

    from detectors.json_path import Steps
    from detectors.sigma.errors import Problems

CHANGES: Final = ("base", "set", "remove", "replace")
NUMBER: Final = "{n}"
"""Stands in a text of a sequence for how often its item came before."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When a record of a sequence happens, and the how manieth it is."""

    time_us: int
    """After the sequence's start."""
    of_sequence: int
    of_item: int
    paths: tuple[Steps, ...] = ()
    """Where the record has its times; empty: where its kind usually has them."""


def read_record(case: Mapping, bases: Path, moment: Moment | None, problems: Problems) -> bytes:
    """Return the record that ``case`` describes; what is wrong is noted in ``problems``.

    ``remove`` is applied before ``set``, both after the time of ``moment``, so that a case may say
    otherwise. Without a moment the record keeps its own time.
    """
    base = text_of(case, "base")
    if not base.text.replace("-", "").replace("_", "").isalnum():
        wrong = f"'base' must be a name without dots, not {shown(base.text)}"
        raise RefusedError(base.place, wrong)
    of_text = (bases / f"{base.text}.txt").is_file()
    return (_changed_text if of_text else _changed_json)(case, base, bases, moment, problems)


def text_of(case: Mapping, key: str) -> Scalar:
    """Return the text under ``key``, which a case must have."""
    node = case.get(key)
    if not isinstance(node, Scalar) or not isinstance(node.value, str) or not node.value.strip():
        raise RefusedError((node or case).place, f"a case needs a text {key!r}")
    return node


def _changed_json(
    case: Mapping, base: Scalar, bases: Path, moment: Moment | None, problems: Problems
) -> bytes:
    _refuse(case, ("replace",), "is for bases of text: this one takes 'set' and 'remove'")
    record = _base(base, bases)
    if moment:
        try:
            put_in_json(record, at(moment.time_us), moment.of_sequence, moment.paths)
        except TimeError as error:
            raise RefusedError(base.place, f"base {shown(base.text)}: {error}") from error
    for path in _removals(case):
        problems.attempt(None, _remove, record, path)
    for entry in _changes(case, "set", "paths to values"):
        problems.attempt(None, _set, record, entry, moment)
    return orjson.dumps(record)


def _changed_text(
    case: Mapping, base: Scalar, bases: Path, moment: Moment | None, problems: Problems
) -> bytes:
    _refuse(case, ("set", "remove", "time_at"), "is for bases of JSON: this one takes 'replace'")
    text = (bases / f"{base.text}.txt").read_bytes().decode().removesuffix("\n")
    if moment:
        try:
            text = put_in_text(text, at(moment.time_us), moment.of_sequence)
        except TimeError as error:
            raise RefusedError(base.place, f"base {shown(base.text)}: {error}") from error
    for entry in _changes(case, "replace", "old text to new"):
        text = problems.attempt(text, _replaced, text, entry, moment)
    return text.encode()


def _replaced(text: str, entry: Entry, moment: Moment | None) -> str:
    old, new = entry.key.text, plain(entry.value)
    if not isinstance(new, str):
        raise RefusedError(entry.value.place, "'replace' must be a mapping of old text to new")
    if not old or old not in text:
        raise RefusedError(entry.key.place, f"there is no {shown(old)} in the base")
    return text.replace(old, str(_numbered(new, moment)))


def _refuse(case: Mapping, keys: tuple[str, ...], why: str) -> None:
    for key in keys:
        if key in case.entries:
            raise RefusedError(case.entries[key].key.place, f"{key!r} {why}")


def _base(base: Scalar, bases: Path) -> Json:
    try:
        record: Json = orjson.loads((bases / f"{base.text}.json").read_bytes())
    except OSError as error:
        raise RefusedError(base.place, f"no base record {shown(base.text)} in {bases}") from error
    except orjson.JSONDecodeError as error:
        raise RefusedError(base.place, f"base {shown(base.text)} is no JSON: {error}") from error
    if not isinstance(record, dict):
        raise RefusedError(base.place, f"base {shown(base.text)} is no JSON object")
    return record


def _removals(case: Mapping) -> tuple[Scalar, ...]:
    node = case.get("remove")
    if node is None:
        return ()
    items = node.items if isinstance(node, Sequence) else ()
    paths = tuple(item for item in items if isinstance(item, Scalar))
    if not paths or len(paths) < len(items):
        raise RefusedError(node.place, "'remove' must be a list of paths")
    return paths


def _changes(case: Mapping, key: str, what: str) -> tuple[Entry, ...]:
    node = case.get(key)
    if node is None:
        return ()
    if not isinstance(node, Mapping):
        raise RefusedError(node.place, f"{key!r} must be a mapping of {what}")
    return tuple(node.entries.values())


def _set(record: Json, entry: Entry, moment: Moment | None) -> None:
    try:
        set_at(record, parse_path(entry.key.text), _numbered(plain(entry.value), moment))
    except PathError as error:
        wrong = f"cannot set {shown(entry.key.text)}: {error.message}"
        raise RefusedError(entry.key.at(error.offset), wrong) from error


def _numbered(value: Json, moment: Moment | None) -> Json:
    """Return ``value`` with the number of the record for each `NUMBER` in its texts."""
    if moment is None:
        return value
    if isinstance(value, str):
        return value.replace(NUMBER, str(moment.of_item))
    if isinstance(value, list):
        return [_numbered(one, moment) for one in value]
    if isinstance(value, dict):
        return {key: _numbered(one, moment) for key, one in value.items()}
    return value


def _remove(record: Json, path: Scalar) -> None:
    try:
        remove_at(record, parse_path(path.text))
    except PathError as error:
        wrong = f"cannot remove {shown(path.text)}: {error.message}"
        raise RefusedError(path.at(error.offset), wrong) from error
