"""A compiled condition: leaves that test one field, joined by and, or and not.

What goes in are leaves, what comes out is one Polars expression. Null is decided here: a leaf over
a missing value is false, so that ``not`` works as in two-valued logic. The tree is kept beside the
expression, because the engine learns from it for which rows the rule is out of the question.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import polars as pl

from detectors.sigma.predicates import balanced

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True, eq=False)
class Leaf:
    """One test of one column."""

    key: str
    """Equal for leaves that test the same, whichever rule they are from."""
    column: str
    columns: frozenset[str]
    """All columns read: ``column``, and those it is compared with."""
    test: pl.Expr
    """Boolean, one per row; null only where a column has no value, and means false."""
    found: pl.Expr
    """List of strings, one per row: the texts of the values of ``column`` that satisfy the test,
    empty where it is false."""
    needs_value: bool = True
    """Whether the test is false wherever ``column`` is null."""
    regexes: int = 0
    """How many regular expressions have to be compiled for the test."""
    elements: tuple[pl.Expr, ...] = ()
    """For some tests of a list column the same in another form: each of these must hold for one
    element, with the column standing for the element."""


@dataclass(frozen=True, slots=True, eq=False)
class And:
    """True where all parts are."""

    parts: tuple[Tree, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Or:
    """True where one part is."""

    parts: tuple[Tree, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Not:
    """True where the part is false, and where its column has no value."""

    part: Tree


Tree: TypeAlias = Leaf | And | Or | Not


def found_where(test: pl.Expr, texts: pl.Expr) -> pl.Expr:
    """Return ``texts``, lists of strings, where ``test`` holds and an empty list elsewhere."""
    return pl.when(test).then(texts).otherwise(pl.lit([], dtype=pl.List(pl.String)))


def nothing_found(column: str) -> pl.Expr:
    """Return an empty list for every row; a literal alone would be one row."""
    return pl.concat_list(pl.col(column).is_null().cast(pl.String)).list.head(0)


def size(tree: Tree, known: dict[int, int] | None = None) -> int:
    """Return the number of leaves; a selection that is named often is counted, not walked, so."""
    known = {} if known is None else known
    if isinstance(tree, Leaf):
        return 1
    if id(tree) not in known:
        parts = (tree.part,) if isinstance(tree, Not) else tree.parts
        known[id(tree)] = sum(size(part, known) for part in parts)
    return known[id(tree)]


def leaves(tree: Tree, *, positive: bool = True) -> Iterator[tuple[Leaf, bool]]:
    """Yield each leaf, and whether it stands under an even number of nots."""
    if isinstance(tree, Leaf):
        yield tree, positive
    elif isinstance(tree, Not):
        yield from leaves(tree.part, positive=not positive)
    else:
        for part in tree.parts:
            yield from leaves(part, positive=positive)


def expression(tree: Tree) -> pl.Expr:
    """Return the condition as a Boolean expression that is never null."""
    return _expression(tree).fill_null(value=False)


def _expression(tree: Tree) -> pl.Expr:
    """Return the condition where null still means false.

    Under and/or alone, null may stay: Kleene's logic gives null only where false for null gives
    false. A not turns that round, so null is settled below each one; this saves most of the fills.
    """
    if isinstance(tree, Leaf):
        return tree.test
    if isinstance(tree, Not):
        return ~expression(tree.part)
    if not tree.parts:
        return pl.lit(isinstance(tree, And))
    join = pl.Expr.and_ if isinstance(tree, And) else pl.Expr.or_
    return balanced([_expression(part) for part in tree.parts], join)
