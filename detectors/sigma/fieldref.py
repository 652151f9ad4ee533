"""``field|fieldref: other`` becomes a leaf that compares two columns of the same event.

Separate, because it is the one test that reads two columns: either may be a list, and one that is
null satisfies nothing. Source: Sigma modifiers appendix 2.1, "fieldref".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from detectors.sigma.errors import RefusedError
from detectors.sigma.fields import Kind, column_named, is_list, kind_of
from detectors.sigma.predicates import balanced
from detectors.sigma.tree import Leaf, found_where

if TYPE_CHECKING:
    from detectors.sigma.modifiers import Modifiers
    from detectors.sigma.strict_yaml import Scalar
    from ingest.column import Column


def fieldref_leaf(
    key: str, column: Column, modifiers: Modifiers, values: tuple[Scalar, ...]
) -> Leaf:
    """Return the leaf that compares ``column`` with the columns named by ``values``.

    Raises ``RefusedError`` at a name that is no column, or one that cannot be compared.
    """
    others = [_other(column, modifiers, value) for value in values]
    tests = [_test(column, other, modifiers) for other in others]
    test = balanced(tests, pl.Expr.and_ if modifiers.all else pl.Expr.or_)
    if is_list(column):
        texts = pl.concat_list(_shared(column, other, modifiers) for other in others)
    else:
        texts = pl.concat_list(pl.col(column.name).cast(pl.String))
    columns = frozenset({column.name, *(other.name for other in others)})
    found = found_where(test, texts.cast(pl.List(pl.String)))
    return Leaf(key, column.name, columns, test, found)


def _other(column: Column, modifiers: Modifiers, value: Scalar) -> Column:
    other = column_named(value.text, value.place)
    if kind_of(other) is not kind_of(column):
        reason = f"{column.name} holds {kind_of(column)} and {other.name} holds {kind_of(other)}"
        raise RefusedError(value.place, f"can never match: {reason}")
    if modifiers.around and (is_list(other) or is_list(column)):
        raise RefusedError(value.place, f"{modifiers.around!r} does not compare with a list")
    if modifiers.around and kind_of(column) is not Kind.TEXT:
        raise RefusedError(value.place, f"{modifiers.around!r} compares text only")
    return other


def _test(column: Column, other: Column, modifiers: Modifiers) -> pl.Expr:
    if is_list(column) or is_list(other):
        return _shared(column, other, modifiers).list.len() > 0
    left, right = (_comparable(one, modifiers) for one in (column, other))
    if modifiers.around == "contains":
        return left.str.contains(right, literal=True)
    if modifiers.around == "startswith":
        return left.str.starts_with(right)
    if modifiers.around == "endswith":
        return left.str.ends_with(right)
    return left == right


def _shared(column: Column, other: Column, modifiers: Modifiers) -> pl.Expr:
    """Return the values that both columns have, as a list."""
    left, right = (
        _comparable(one, modifiers) if is_list(one) else pl.concat_list(_comparable(one, modifiers))
        for one in (column, other)
    )
    return left.list.set_intersection(right).list.drop_nulls()


def _comparable(column: Column, modifiers: Modifiers) -> pl.Expr:
    """Return the column in lower case where case is not to count."""
    subject = pl.col(column.name)
    if modifiers.cased or kind_of(column) is not Kind.TEXT:
        return subject
    if is_list(column):
        return subject.list.eval(pl.element().str.to_lowercase())
    return subject.str.to_lowercase()
