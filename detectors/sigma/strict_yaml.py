"""YAML bytes become nodes that know their line and column; what YAML can hide is refused.

Refused are aliases and anchors, tags, merge keys, duplicate keys, keys that are no strings, bare
yes/no/on/off, several documents where one is expected, more than ``MAX_BYTES`` and more than
``MAX_DEPTH`` levels: a rule must mean the same to a reviewer and to every YAML reader, and loading
one must cost little.

It reads libyaml's events, not its nodes: events still tell anchors, tags and quotes apart, and
reading stops at the first level too many, before anything is built.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

import yaml

from detectors.sigma.core_schema import AMBIGUOUS, Value, resolve
from detectors.sigma.errors import START, Place, RefusedError, shown

MAX_BYTES: Final = 1_000_000
MAX_DEPTH: Final = 64

_Events: TypeAlias = Iterator[yaml.Event]


class _Mark(Protocol):
    """What libyaml's marks and PyYAML's own have in common; both count from 0."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value: what it stands for, as it was written, and where."""

    value: Value
    text: str
    place: Place
    indent: int | None = 0
    """Characters between ``place`` and the first of ``text``; None if they do not line up."""

    def at(self, offset: int) -> Place:
        """Return the place of the character ``offset`` of the text."""
        if self.indent is None:
            return self.place
        return Place(self.place.line, self.place.column + self.indent + offset)


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list of nodes."""

    items: tuple[Node, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a mapping and its value."""

    key: Scalar
    value: Node


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys, which are strings and unique, in the order of the file."""

    entries: dict[str, Entry]
    place: Place

    def get(self, key: str) -> Node | None:
        """Return the value under ``key``, or None without one."""
        entry = self.entries.get(key)
        return entry.value if entry else None


Node: TypeAlias = Scalar | Sequence | Mapping
Plain: TypeAlias = Value | list["Plain"] | dict[str, "Plain"]


def parse(data: bytes) -> Node:
    """Return the one document in ``data``, which is UTF-8.

    Raises ``RefusedError`` at the first thing that is refused. Linear in the size of ``data``.
    """
    return _parse(data, several=False)[0]


def parse_all(data: bytes) -> list[Node]:
    """Return the documents in ``data``, at least one; else as `parse`."""
    return _parse(data, several=True)


def _parse(data: bytes, *, several: bool) -> list[Node]:
    if len(data) > MAX_BYTES:
        raise RefusedError(START, f"the file is larger than {MAX_BYTES} bytes")
    try:
        return _documents(yaml.parse(data.decode("utf-8"), Loader=yaml.CLoader), several)
    except UnicodeDecodeError as error:
        raise RefusedError(_place_of_byte(data, error.start), "not UTF-8") from error
    except yaml.reader.ReaderError as error:
        place = _place_of_byte(data, error.position)
        raise RefusedError(place, f"not YAML: {error.reason}") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise RefusedError(_place(mark), f"not YAML: {error.problem or error.context}") from error


def plain(node: Node) -> Plain:
    """Return ``node`` as plain values, lists and dicts, without its places."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return {key: plain(entry.value) for key, entry in node.entries.items()}


def _documents(events: _Events, several: bool) -> list[Node]:
    nodes: list[Node] = []
    for event in events:
        if not isinstance(event, yaml.DocumentStartEvent):
            continue
        if nodes and not several:
            raise RefusedError(_place(event.start_mark), "more than one document in the file")
        nodes.append(_node(events, next(events), 1))
    if not nodes:
        raise RefusedError(START, "the file is empty")
    return nodes


def _node(events: _Events, event: yaml.Event, depth: int) -> Node:
    place = _place(event.start_mark)
    _refuse_hidden(event, place)
    if isinstance(event, yaml.ScalarEvent):
        return _scalar(event, place)
    if depth > MAX_DEPTH:
        raise RefusedError(place, f"nested more than {MAX_DEPTH} levels deep")
    if isinstance(event, yaml.SequenceStartEvent):
        return Sequence(tuple(_items(events, depth)), place)
    return Mapping(_entries(events, depth), place)


def _items(events: _Events, depth: int) -> Iterator[Node]:
    while not isinstance(event := next(events), yaml.SequenceEndEvent):
        yield _node(events, event, depth + 1)


def _entries(events: _Events, depth: int) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    while not isinstance(event := next(events), yaml.MappingEndEvent):
        key = _node(events, event, depth + 1)
        if not isinstance(key, Scalar) or not isinstance(key.value, str):
            text = shown(key.text) if isinstance(key, Scalar) else "a list or a mapping"
            raise RefusedError(key.place, f"a key must be a string, not {text}: quote it")
        if key.value == "<<" and key.indent == 0:
            raise RefusedError(key.place, "merge key '<<' is not allowed")
        if key.value in entries:
            first = entries[key.value].key.place.line
            raise RefusedError(key.place, f"key {shown(key.value)} is already on line {first}")
        entries[key.value] = Entry(key, _node(events, next(events), depth + 1))
    return entries


def _scalar(event: yaml.ScalarEvent, place: Place) -> Scalar:
    text = event.value
    end = _place(event.end_mark)
    one_line = place.line == end.line
    if event.style in {"'", '"'}:
        straight = end.column - place.column == len(text) + 2  # no escapes in between
        return Scalar(text, text, place, 1 if one_line and straight else None)
    if event.style in {"|", ">"}:
        return Scalar(text, text, place, None)
    if text.lower() in AMBIGUOUS:
        raise RefusedError(place, f"bare {shown(text)} is a flag to some YAML readers: quote it")
    return Scalar(resolve(text), text, place, 0 if one_line else None)


def _refuse_hidden(event: yaml.Event, place: Place) -> None:
    if isinstance(event, yaml.AliasEvent):
        raise RefusedError(place, f"alias {shown(f'*{event.anchor}')} is not allowed")
    if isinstance(event, yaml.NodeEvent) and event.anchor is not None:
        raise RefusedError(place, f"anchor {shown(f'&{event.anchor}')} is not allowed")
    if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag is not None:
        raise RefusedError(place, f"tag {shown(event.tag)} is not allowed")


def _place(mark: _Mark | None) -> Place:
    return Place(mark.line + 1, mark.column + 1) if mark else START


def _place_of_byte(data: bytes, position: int) -> Place:
    before = data[:position]
    return Place(before.count(b"\n") + 1, position - before.rfind(b"\n"))
