"""The case file beside a rule becomes raw records that the rule must match, or must not.

Raw, so that each case also exercises normalization, which the caller does: here is no event. A case
names a recorded base record and says how it differs, so that a reader sees what matters: paths and
values where the record is JSON (``NAME.json``), old and new text where it is lines (``NAME.txt``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import orjson

from detectors.json_path import Json, PathError, parse_path, remove_at, set_at
from detectors.sigma.compiler import CASES_SUFFIXES, read_document
from detectors.sigma.errors import InvalidRulesError, Problems, RefusedError, shown
from detectors.sigma.fields import suggestion
from detectors.sigma.strict_yaml import Entry, Mapping, Node, Scalar, Sequence, plain

if TYPE_CHECKING:
    from pathlib import Path

SECTIONS: Final = ("match", "no_match")
KEYS: Final = ("name", "base", "set", "remove", "replace", "evasion")


@dataclass(frozen=True, slots=True)
class Case:
    """One record and whether the rule must match it."""

    name: str
    expected: bool
    evasion: int | None
    """Number in the list of known evasions, if the case is one of them."""
    raw: bytes
    """The record: JSON on one line, or lines of text."""


@dataclass(frozen=True, slots=True)
class Cases:
    """The cases of one rule, in the order of the file; some match and some do not."""

    rule: Path
    cases: tuple[Case, ...]


def cases_file(rule: Path) -> Path:
    """Return where the cases of ``rule`` are, or have to be."""
    files = [rule.with_name(rule.stem + suffix) for suffix in CASES_SUFFIXES]
    return next((file for file in files if file.exists()), files[0])


def load_cases(rule: Path, bases: Path) -> Cases:
    """Return the cases of the rule in the file ``rule``, made of the records in ``bases``.

    ``remove`` is applied before ``set``. Raises ``InvalidRulesError`` with all problems of the case
    file; the test suite shows them.
    """
    problems = Problems(cases_file(rule))
    cases = problems.attempt([], _cases, bases, problems)
    if problems.errors:
        raise InvalidRulesError(tuple(problems.in_order()))
    return Cases(rule, tuple(cases))


def _cases(bases: Path, problems: Problems) -> list[Case]:
    document = read_document(problems.file)
    if not isinstance(document, Mapping):
        raise RefusedError(document.place, "a case file must be a mapping")
    _refuse_unknown(document, SECTIONS, problems)
    cases: list[Case] = []
    names: set[str] = set()
    for section in SECTIONS:
        node = document.get(section)
        items = node.items if isinstance(node, Sequence) else ()
        if not items:
            wrong = f"{section!r} must be a list of at least one case"
            problems.add(RefusedError((node or document).place, wrong))
        for item in items:
            case = problems.attempt(None, _case, item, section == "match", bases, problems)
            if case and case.name in names:
                problems.add(RefusedError(item.place, f"case {shown(case.name)} is there twice"))
            if case:
                names.add(case.name)
                cases.append(case)
    return cases


def _case(node: Node, expected: bool, bases: Path, problems: Problems) -> Case:
    if not isinstance(node, Mapping):
        raise RefusedError(node.place, "a case must be a mapping")
    _refuse_unknown(node, KEYS, problems)
    base = _text(node, "base")
    if not base.text.replace("-", "").replace("_", "").isalnum():
        raise RefusedError(
            base.place, f"'base' must be a name without dots, not {shown(base.text)}"
        )
    of_text = (bases / f"{base.text}.txt").is_file()
    raw = (_changed_text if of_text else _changed_json)(node, base, bases, problems)
    return Case(_text(node, "name").text, expected, _evasion(node), raw)


def _changed_json(case: Mapping, base: Scalar, bases: Path, problems: Problems) -> bytes:
    _refuse(case, ("replace",), "is for bases of text: this one takes 'set' and 'remove'")
    record = _base(base, bases)
    for path in _removals(case):
        problems.attempt(None, _remove, record, path)
    for entry in _changes(case, "set", "paths to values"):
        problems.attempt(None, _set, record, entry)
    return orjson.dumps(record)


def _changed_text(case: Mapping, base: Scalar, bases: Path, problems: Problems) -> bytes:
    _refuse(case, ("set", "remove"), "is for bases of JSON: this one takes 'replace'")
    text = (bases / f"{base.text}.txt").read_bytes().decode().removesuffix("\n")
    for entry in _changes(case, "replace", "old text to new"):
        text = problems.attempt(text, _replaced, text, entry)
    return text.encode()


def _replaced(text: str, entry: Entry) -> str:
    old, new = entry.key.text, plain(entry.value)
    if not isinstance(new, str):
        raise RefusedError(entry.value.place, "'replace' must be a mapping of old text to new")
    if not old or old not in text:
        raise RefusedError(entry.key.place, f"there is no {shown(old)} in the base")
    return text.replace(old, new)


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


def _set(record: Json, entry: Entry) -> None:
    try:
        set_at(record, parse_path(entry.key.text), plain(entry.value))
    except PathError as error:
        wrong = f"cannot set {shown(entry.key.text)}: {error.message}"
        raise RefusedError(entry.key.at(error.offset), wrong) from error


def _remove(record: Json, path: Scalar) -> None:
    try:
        remove_at(record, parse_path(path.text))
    except PathError as error:
        wrong = f"cannot remove {shown(path.text)}: {error.message}"
        raise RefusedError(path.at(error.offset), wrong) from error


def _evasion(case: Mapping) -> int | None:
    node = case.get("evasion")
    if node is None:
        return None
    number = node.value if isinstance(node, Scalar) else None
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise RefusedError(node.place, "'evasion' must be a number from the list, 1 or more")
    return number


def _text(case: Mapping, key: str) -> Scalar:
    node = case.get(key)
    if not isinstance(node, Scalar) or not isinstance(node.value, str) or not node.value.strip():
        raise RefusedError((node or case).place, f"a case needs a text {key!r}")
    return node


def _refuse_unknown(mapping: Mapping, known: tuple[str, ...], problems: Problems) -> None:
    for key, entry in mapping.entries.items():
        if key not in known:
            wrong = f"unknown key {shown(key)}{suggestion(key, known)}"
            problems.add(RefusedError(entry.key.place, wrong))
