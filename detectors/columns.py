"""A frame that lacks columns becomes one that has them: what is not there is null.

Separate because whoever keeps events, or asks about some, meets frames of fewer columns: a replay
reads only what it needs, and an older state knew fewer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def nulls_of(names: Iterable[str], dtypes: Mapping[str, pl.DataType]) -> list[pl.Expr]:
    """Return columns of nothing, each of its type."""
    return [pl.lit(None, dtype=dtypes[name]).alias(name) for name in names]


def whole(rows: pl.DataFrame, dtypes: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Return rows with exactly the columns of ``dtypes``, in their order."""
    if rows.columns == list(dtypes):
        return rows
    held = frozenset(rows.columns)
    nothing = nulls_of((name for name in dtypes if name not in held), dtypes)
    return (rows.with_columns(nothing) if nothing else rows).select(list(dtypes))
