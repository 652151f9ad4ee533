"""A rule file's detection becomes words: the same tree as the compiled one, for people to read.

Separate from the compiler, which keeps nothing of how a test was written: it works on what the
values mean, while a reader wants the selection's name, the field, the modifiers and the values.
Parts have the shape that `detectors.sigma.detection` gives the compiled tree, leaf for leaf.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import polars as pl

from detectors.sigma.condition import Parser
from detectors.sigma.modifiers import parse_key
from detectors.sigma.strict_yaml import Mapping, Node, Scalar, Sequence
from detectors.sigma.tree import And, Leaf, Not, Tree
from detectors.sigma.wording import phrase

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detectors.sigma.strict_yaml import Entry


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """One test of one field."""

    words: str
    line: int
    """In the file, from 1."""


@dataclass(frozen=True, slots=True, eq=False)
class SaidGroup:
    """Parts that must all hold, or of which one must."""

    parts: tuple[SaidTree, ...]
    needs_all: bool


@dataclass(frozen=True, slots=True, eq=False)
class SaidNot:
    """A part that must not hold."""

    part: SaidTree


@dataclass(frozen=True, slots=True, eq=False)
class SaidSelection:
    """A part with a name."""

    name: str
    part: SaidTree


SaidTree: TypeAlias = Said | SaidGroup | SaidNot | SaidSelection


def say(document: Mapping) -> SaidTree | None:
    """Return the detection of a rule that compiles; None where the document has none."""
    detection = document.get("detection")
    if not isinstance(detection, Mapping):
        return None
    names = {
        name: _said_selection(name, entry.value)
        for name, entry in detection.entries.items()
        if name != "condition"
    }
    marks: dict[str, Tree] = {name: _mark(name) for name in names}
    node = detection.get("condition")
    written = node.items if isinstance(node, Sequence) else (node,)
    trees = [
        _from_condition(Parser(one, marks).parse(), names)
        for one in written
        if isinstance(one, Scalar)
    ]
    return trees[0] if len(trees) == 1 else SaidGroup(tuple(trees), needs_all=False)


def tests(tree: SaidTree) -> Iterator[Said]:
    """Yield the tests of a tree in the order of the compiled one's leaves."""
    if isinstance(tree, Said):
        yield tree
    elif isinstance(tree, SaidGroup):
        for part in tree.parts:
            yield from tests(part)
    else:
        yield from tests(tree.part)


def lines(tree: SaidTree, indent: str = "") -> Iterator[str]:
    """Yield a tree as indented lines."""
    if isinstance(tree, Said):
        yield f"{indent}{tree.words}"
    elif isinstance(tree, SaidNot):
        yield f"{indent}not"
        yield from lines(tree.part, f"{indent}  ")
    elif isinstance(tree, SaidSelection):
        yield from _named_lines(tree, indent)
    else:
        yield f"{indent}{'all of' if tree.needs_all else 'one of'}"
        for part in tree.parts:
            yield from lines(part, f"{indent}  ")


def _named_lines(selection: SaidSelection, indent: str) -> Iterator[str]:
    part = selection.part
    if isinstance(part, SaidGroup):
        joined = "all of" if part.needs_all else "one of"
        yield f"{indent}{selection.name}: {joined}"
        for below in part.parts:
            yield from lines(below, f"{indent}  ")
    else:
        yield f"{indent}{selection.name}:"
        yield from lines(part, f"{indent}  ")


def _mark(name: str) -> Leaf:
    """Return a leaf that stands for a selection while the condition is read."""
    nothing = pl.lit(value=False)
    return Leaf(name, name, frozenset(), nothing, nothing)


def _from_condition(tree: Tree, names: dict[str, SaidSelection]) -> SaidTree:
    if isinstance(tree, Leaf):
        return names[tree.key]
    if isinstance(tree, Not):
        return SaidNot(_from_condition(tree.part, names))
    parts = tuple(_from_condition(part, names) for part in tree.parts)
    return SaidGroup(parts, needs_all=isinstance(tree, And))


def _said_selection(name: str, node: Node) -> SaidSelection:
    return SaidSelection(name, _said(node))


def _said(node: Node) -> SaidTree:
    if isinstance(node, Mapping):
        parts: tuple[SaidTree, ...] = tuple(_test(entry) for entry in node.entries.values())
        return parts[0] if len(parts) == 1 else SaidGroup(parts, needs_all=True)
    items = node.items if isinstance(node, Sequence) else ()
    alternatives = tuple(_said(item) for item in items)
    return alternatives[0] if len(alternatives) == 1 else SaidGroup(alternatives, needs_all=False)


def _test(entry: Entry) -> Said:
    field, modifiers = parse_key(entry.key)
    node = entry.value
    items = node.items if isinstance(node, Sequence) else (node,)
    values = tuple(item for item in items if isinstance(item, Scalar))
    words = phrase(field, modifiers, values)
    return Said(f"not ({words})" if modifiers.neq else words, entry.key.place.line)


def names_of(tree: Tree, said: SaidTree) -> dict[int, str]:
    """Return how the parts of a rule's tree are called, by ``id``: selection, test and line.

    ``tree`` is the rule's, its first part being the log source; ``said`` is what its file says.
    """
    parts = tree.parts[1:] if isinstance(tree, And) else (tree,)
    found: dict[int, str] = {}
    _name(parts[0] if len(parts) == 1 else And(parts), said, "", found)
    return found


def _name(tree: Tree, said: SaidTree, selection: str, found: dict[int, str]) -> None:
    if isinstance(said, SaidSelection):
        found[id(tree)] = said.name
        _name(tree, said.part, f"{said.name}: ", found)
    elif isinstance(said, Said):
        leaf = tree.part if isinstance(tree, Not) else tree
        found[id(leaf)] = f"{selection}{said.words} (line {said.line})"
    elif isinstance(said, SaidNot):
        _name(tree.part if isinstance(tree, Not) else tree, said.part, selection, found)
    elif not isinstance(tree, Leaf | Not):
        for part, below in zip(tree.parts, said.parts, strict=True):
            _name(part, below, selection, found)
