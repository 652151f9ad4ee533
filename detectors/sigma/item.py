"""One ``field|modifiers: values`` of a selection becomes a leaf of the condition.

Here meet what a column holds, what the modifiers ask for and what the values are; what cannot be
true of any event is refused, because a rule that never fires looks like one that works.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import polars as pl

from detectors.sigma.errors import Place, RefusedError, shown
from detectors.sigma.expansion import MAX_VALUES, Expanded, expanded, naming_list
from detectors.sigma.fieldref import fieldref_leaf
from detectors.sigma.fields import column_named, is_list
from detectors.sigma.modifiers import Modifiers, parse_key
from detectors.sigma.pattern import parse
from detectors.sigma.predicates import Predicate, any_of, balanced, has_value, nothing
from detectors.sigma.strict_yaml import Mapping, Scalar, Sequence
from detectors.sigma.tree import Leaf, Not, Tree, found_where, nothing_found
from detectors.sigma.values import predicate_of

if TYPE_CHECKING:
    from collections.abc import Mapping as Lists

    from detectors.sigma.strict_yaml import Entry, Node
    from ingest.column import Column


@dataclass(frozen=True, slots=True)
class Item:
    """What one key of a selection says, before it is compiled."""

    column: Column
    modifiers: Modifiers
    found: Expanded
    place: Place

    @property
    def values(self) -> tuple[Scalar, ...]:
        """The values, those of lists included."""
        return self.found.values


def compile_item(entry: Entry, lists: Lists[str, tuple[str, ...]]) -> Tree:
    """Return the condition of one key and its values.

    ``lists`` are what the modifier ``expand`` puts in for placeholders. Raises ``RefusedError`` at
    the key, the modifier or the value that is refused.
    """
    item = _read(entry, lists)
    leaf = _leaf(item)
    return Not(leaf) if item.modifiers.neq else leaf


def _key(item: Item) -> str:
    """Return a text, because texts remember their hash and the engine asks for it often."""
    values = [(type(value.value).__name__, value.text) for value in item.values]
    said = replace(item.modifiers, neq=False, expand=item.found.lacking)
    return repr((item.column.name, said, values))


def _read(entry: Entry, lists: Lists[str, tuple[str, ...]]) -> Item:
    name, modifiers = parse_key(entry.key)
    column = column_named(name, entry.key.place)
    values = scalars(entry.value)
    if modifiers.all and len(values) == 1 and not modifiers.expand:
        raise RefusedError(entry.key.place, "modifier 'all' needs a list of two or more values")
    if modifiers.expand:
        found = expanded(values, modifiers, lists, entry.key.place)
    else:
        found = Expanded(values, ("",) * len(values))
    return Item(column, modifiers, found, entry.key.place)


def scalars(node: Node) -> tuple[Scalar, ...]:
    """Return the values of a key: one, or a list of them."""
    if isinstance(node, Scalar):
        return (node,)
    if isinstance(node, Mapping):
        raise RefusedError(node.place, "expected a value or a list of values, not a mapping")
    if not node.items:
        raise RefusedError(node.place, "the list of values is empty")
    if len(node.items) > MAX_VALUES:
        raise RefusedError(node.place, f"more than {MAX_VALUES} values")
    return tuple(_scalar(item) for item in node.items)


def _scalar(node: Node) -> Scalar:
    if isinstance(node, Scalar):
        return node
    kind = "list" if isinstance(node, Sequence) else "mapping"
    raise RefusedError(node.place, f"expected a value, not a {kind}")


def _leaf(item: Item) -> Leaf:
    if item.modifiers.exists:
        return _existence(item, present=_flag(item))
    if item.modifiers.fieldref:
        return fieldref_leaf(_key(item), item.column, item.modifiers, item.values)
    absent = any(value.value is None for value in item.values)
    if absent and item.modifiers not in (Modifiers(), Modifiers(neq=True)):
        raise RefusedError(item.place, "null goes with no modifier but 'neq'")
    values = tuple(value for value in item.values if value.value is not None)
    if absent and not values:
        return _existence(item, present=False)
    leaf = _value_leaf(item, _predicates(item, values))
    return _or_absent(leaf, item) if absent else leaf


def _flag(item: Item) -> bool:
    value = item.values[0]
    if len(item.values) > 1 or not isinstance(value.value, bool):
        raise RefusedError(value.place, f"'exists' takes true or false, not {shown(value.text)}")
    return value.value


def _predicates(item: Item, values: tuple[Scalar, ...]) -> list[Predicate]:
    """Return predicates that must all hold: one for any value, or one for each with ``all``.

    Of a list without values none is met: not any one, and not all.
    """
    one_each = [(value,) for value in values]
    if item.modifiers.all:
        _refuse_contradiction(item, values)
    groups = one_each if item.modifiers.all else [values] if values else []
    try:
        tests = [_predicate(item, group) for group in groups]
    except RefusedError as error:
        raise naming_list(item.found, error, lambda one: _predicate(item, (one,))) from error
    lacking = not tests or (item.modifiers.all and item.found.lacking)
    return [nothing()] if lacking else tests


def _predicate(item: Item, values: tuple[Scalar, ...]) -> Predicate:
    return predicate_of(item.column, item.modifiers, values, item.place)


def _refuse_contradiction(item: Item, values: tuple[Scalar, ...]) -> None:
    """With ``all``, one value would have to equal two."""
    if is_list(item.column) or not item.modifiers.tests_equality:
        return
    first: Scalar | None = None
    for value in values:
        if parse(value.text).literal is None:
            continue
        first = first or value
        same = value.text == first.text or not item.modifiers.cased
        if not same or value.text.lower() != first.text.lower():
            both = f"{shown(first.text)} and {shown(value.text)}"
            never = f"can never match: {item.column.name} has one value, not {both}"
            raise RefusedError(value.place, never)


def _value_leaf(item: Item, predicates: list[Predicate]) -> Leaf:
    name = item.column.name
    subject = pl.col(name)
    elements: tuple[pl.Expr, ...] = ()
    if is_list(item.column):
        elements = tuple(predicate(subject) for predicate in predicates)
        tests = [subject.list.eval(p(pl.element())).list.contains(item=True) for p in predicates]
        element = pl.element().filter(any_of(predicates)(pl.element()))
        texts = subject.list.eval(element.cast(pl.String))
    else:
        tests = [predicate(subject) for predicate in predicates]
        texts = pl.concat_list(subject.cast(pl.String))
    test = balanced(tests, pl.Expr.and_)
    regexes = sum(predicate.regexes for predicate in predicates)
    found = found_where(test, texts)
    leaf = Leaf(_key(item), name, frozenset({name}), test, found, regexes=regexes)
    return replace(leaf, elements=elements)


def _existence(item: Item, *, present: bool) -> Leaf:
    """Null or an empty list is absent: a facet that does not apply is written either way."""
    name = item.column.name
    exists = pl.col(name).is_not_null()
    if is_list(item.column):
        exists = (pl.col(name).list.len() > 0).fill_null(value=False)
    if present:
        return replace(_value_leaf(item, [has_value()]), test=exists, elements=())
    found = nothing_found(name)
    return Leaf(_key(item), name, frozenset({name}), ~exists, found, needs_value=False)


def _or_absent(leaf: Leaf, item: Item) -> Leaf:
    absent = _existence(item, present=False)
    return replace(leaf, test=leaf.test | absent.test, needs_value=False, elements=())
