"""Signals in order of group and time become the rows at which a sequence of rules is complete.

Of all chains first, second ... last that end at a row, the one that began latest decides: if any
fits into the timespan, it does. Separate from the counts because order is another arithmetic.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.correlation.rows import repeated, where

if TYPE_CHECKING:
    from collections.abc import Sequence

BACKWARDS: Final = ("unit", "key", "time", "event", "base")
"""Sort by these, the base descending: one event is not two steps of a chain."""


def chained(rows: pl.DataFrame) -> pl.DataFrame:
    """Return ``rows`` with ``row``, ``group``, ``start``, ``match`` and, for each step, a pointer.

    Parameters
    ----------
    rows
        Columns of SIGNALS, ``timespan`` and ``last_base`` (the last step's number), sorted by
        BACKWARDS.

    Returns
    -------
    pl.DataFrame
        ``start``: when the chain began that a row continues, null if it continues none.
        ``match``: whether the row completes one. ``to_0``, ``to_1`` ...: the newest row up to this
        one of its group that ends a chain of so many steps more than one, null without any.
    """
    rows = rows.with_columns_seq(*_PLACED).with_columns_seq(_FIRST)
    steps = int(rows["last_base"].max() or 0) + 1  # type: ignore[arg-type]  # of an integer column
    for step in range(steps):
        if step:
            rows = rows.with_columns_seq(_continued(step))
        rows = rows.with_columns_seq(_newest(step)).with_columns_seq(_start_of(step))
    return rows.with_columns_seq(_MATCH)


_BEGINS: Final = (
    (pl.col("unit") != pl.col("unit").shift(1)) | (pl.col("key") != pl.col("key").shift(1))
).fill_null(value=True)
_PLACED: Final = (
    pl.int_range(pl.len(), dtype=pl.Int64).alias("row"),
    _BEGINS.alias("begins"),
    _BEGINS.cast(pl.UInt32).cum_sum().alias("group"),
    pl.when(pl.col("base") == 0).then(pl.col("time")).alias("start"),
)
_FIRST: Final = pl.when("begins").then("row").forward_fill().alias("first")
"""The first row of the group."""
_MATCH: Final = ((pl.col("base") == pl.col("last_base")) & pl.col("start").is_not_null()).alias(
    "match"
)


@cache
def _continued(step: int) -> pl.Expr:
    before = pl.when(~pl.col("begins")).then(pl.col(f"from_{step - 1}").shift(1))
    fits = (pl.col("base") == step) & (pl.col("time") - before < pl.col("timespan"))
    return pl.when(fits).then(before).otherwise(pl.col("start")).alias("start")


@cache
def _newest(step: int) -> pl.Expr:
    """Return the newest row that ends a chain up to ``step``, if it is of the same group."""
    ends = (pl.col("base") == step) & pl.col("start").is_not_null()
    newest = pl.when(ends).then("row").forward_fill()
    return pl.when(newest >= pl.col("first")).then(newest).alias(f"to_{step}")


@cache
def _start_of(step: int) -> pl.Expr:
    return pl.col("start").gather(pl.col(f"to_{step}")).alias(f"from_{step}")


def chain_ending_at(chains: pl.DataFrame, row: int) -> list[int]:
    """Return the rows of the chain that ``row`` ends, first to last."""
    found = [row]
    for step in range(int(chains["base"][row]) - 1, -1, -1):
        found.append(int(chains[f"to_{step}"][found[-1] - 1]))
    return found[::-1]


def still_needed(chains: pl.DataFrame) -> pl.Series:
    """Return whether each row belongs to the newest chain of any length in its group.

    Later events can only continue these: an older chain of the same length began no later.
    """
    steps = [name for name in chains.columns if name.startswith("to_")]
    last = where(chains, chains.select_seq(_LAST).to_series())
    needed: list[pl.Series] = []
    for length in range(len(steps) - 1):
        needed += _walked_back(chains, last[f"to_{length}"].drop_nulls(), length)
    found = repeated(value=False, height=chains.height, name="needed")
    return found.scatter(pl.concat(needed), values=True) if needed else found


_LAST: Final = pl.col("begins").shift(-1).fill_null(value=True)
"""Whether a row is the last of its group."""


def _walked_back(chains: pl.DataFrame, ends: pl.Series, length: int) -> Sequence[pl.Series]:
    found = [ends]
    for step in range(length - 1, -1, -1):
        ends = chains[f"to_{step}"][ends - 1]
        found.append(ends)
    return found
