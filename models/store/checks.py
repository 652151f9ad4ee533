"""Tables in, nothing out, or a refusal: what kinds of models have to ask of their tables.

Separate from the kinds because several ask the same. Frames only: a model has millions of rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from models.store.refusal import ModelRefusedError, Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.store.kind import Tables


@dataclass(frozen=True, slots=True)
class _Fault:
    """What a value must not be, and what is said of one that is."""

    where: pl.Expr
    reason: Reason
    said: str


def require_counts(tables: Tables, table: str, columns: Sequence[str]) -> None:
    """Refuse counts below zero."""
    fault = _Fault(pl.all() < 0, Reason.NEGATIVE, "is below zero")
    _refuse_where(tables, table, columns, fault)


def require_shares(tables: Tables, table: str, columns: Sequence[str]) -> None:
    """Refuse shares and probabilities outside of [0, 1]."""
    fault = _Fault((pl.all() < 0) | (pl.all() > 1), Reason.OUT_OF_RANGE, "is no share")
    _refuse_where(tables, table, columns, fault)


def require_distinct(tables: Tables, table: str, keys: Sequence[str]) -> None:
    """Refuse rows that have the same key."""
    held = tables[table]
    if held.n_unique(keys) < held.height:
        detail = f"table {table!r}: a key ({', '.join(keys)}) stands there twice"
        raise ModelRefusedError(Reason.REPEATED, detail)


def require_sorted(tables: Tables, table: str, keys: Sequence[str]) -> None:
    """Refuse rows that are not in ascending order of their keys, or have the same key."""
    require_distinct(tables, table, keys)
    held = tables[table].select(keys)
    if not held.equals(held.sort(keys)):
        detail = f"table {table!r}: not in order of {', '.join(keys)}"
        raise ModelRefusedError(Reason.OUT_OF_ORDER, detail)


def require_between(
    tables: Tables, table: str, columns: Sequence[str], bounds: tuple[float, float]
) -> None:
    """Refuse values outside of bounds, which are themselves allowed."""
    low, high = bounds
    fault = _Fault((pl.all() < low) | (pl.all() > high), Reason.OUT_OF_RANGE, "is out of range")
    _refuse_where(tables, table, columns, fault)


def refuse_rows(tables: Tables, table: str, fault: pl.Expr, said: str) -> None:
    """Refuse a table any row of which has a fault; ``said`` is what is wrong."""
    if tables[table].select(fault.fill_null(value=True).any()).item():
        raise ModelRefusedError(Reason.OUT_OF_RANGE, f"table {table!r}: {said}")


def require_at_most(tables: Tables, table: str, height: int) -> None:
    """Refuse a table with more rows than this program keeps."""
    if tables[table].height > height:
        detail = f"table {table!r}: {tables[table].height} rows, at most {height} may be"
        raise ModelRefusedError(Reason.OVERSIZED, detail)


def require_trees(tables: Tables, table: str, features: int) -> None:
    """Refuse nodes that are no binary trees over so many features.

    Columns: ``tree`` (0, 1 ... ascending), ``node`` (0, 1 ... within its tree, 0 the root),
    ``feature``, ``left``, ``right`` (each -1 in a leaf) and ``samples``. A child's number is
    greater than its parent's, as depth-first order has it, so nothing is cyclic; each node but the
    root is the child of one.
    """
    nodes = tables[table]
    if not nodes.height:
        raise ModelRefusedError(Reason.BAD_TREE, f"table {table!r}: no tree at all")
    _check_numbering(nodes, table)
    size = pl.len().over("tree")
    is_leaf = pl.col("feature") == -1
    leaves = (pl.col("left") == -1) & (pl.col("right") == -1)
    ahead = (pl.col("left") > pl.col("node")) & (pl.col("right") > pl.col("node"))
    inside = (pl.col("left") < size) & (pl.col("right") < size)
    known = pl.col("feature").is_between(0, features, closed="left")
    faults = {
        "a feature that is none": ~is_leaf & ~known,
        "a leaf with children": is_leaf & ~leaves,
        "a child that is its own ancestor, or none": ~is_leaf & ~ahead,
        "a child outside of its tree": ~is_leaf & ~inside,
        "a node without samples": pl.col("samples") < 1,
    }
    found = nodes.select(expression.any().alias(name) for name, expression in faults.items())
    for fault, is_so in found.row(0, named=True).items():
        _refuse_tree(table, fault, is_so=is_so)
    inner = nodes.filter(~is_leaf).select("tree", "left", "right")
    children = inner.unpivot(["left", "right"], index="tree", value_name="child")
    is_shared = children.n_unique(["tree", "child"]) < children.height
    _refuse_tree(table, "a node with two parents", is_so=is_shared)
    roots = nodes["tree"].n_unique()
    is_alone = children.height + roots < nodes.height
    _refuse_tree(table, "a node that no root leads to", is_so=is_alone)


def _check_numbering(nodes: pl.DataFrame, table: str) -> None:
    trees = nodes["tree"]
    steps = trees.cast(pl.Int64).diff().drop_nulls()
    is_ordered = trees[0] == 0 and steps.is_between(0, 1).all()
    numbers = pl.int_range(pl.len()).over("tree")
    numbered = nodes.select((pl.col("node") == numbers).all()).item()
    _refuse_tree(table, "nodes that are not numbered in order", is_so=not (is_ordered and numbered))


def _refuse_tree(table: str, fault: str, *, is_so: bool) -> None:
    if is_so:
        raise ModelRefusedError(Reason.BAD_TREE, f"table {table!r}: {fault}")


def _refuse_where(tables: Tables, table: str, columns: Sequence[str], fault: _Fault) -> None:
    found = tables[table].select(columns).select(fault.where.any())
    for column, is_so in found.row(0, named=True).items() if found.height else ():
        if is_so:
            raise ModelRefusedError(fault.reason, f"table {table!r}: {column} {fault.said}")
