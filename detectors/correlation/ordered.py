"""Signals in order of group and time become the rows at which a sequence of rules is complete.

Of all chains first, second ... last that end at a row, the one that began latest decides: if any
fits into the timespan, it does. Separate from the counts because order is another arithmetic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

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
    rows = rows.with_columns(
        pl.int_range(pl.len(), dtype=pl.Int64).alias("row"),
        pl.struct("unit", "key").rle_id().alias("group"),
    )
    steps = max(rows["last_base"].to_list(), default=0) + 1
    rows = rows.with_columns(
        pl.when(pl.col("base") == 0).then(pl.col("time")).alias("start"),
    )
    for step in range(steps):
        if step:
            before = pl.col(f"from_{step - 1}").shift(1).over("group")
            fits = (pl.col("base") == step) & (pl.col("time") - before < pl.col("timespan"))
            rows = rows.with_columns(
                pl.when(fits).then(before).otherwise(pl.col("start")).alias("start")
            )
        ends = (pl.col("base") == step) & pl.col("start").is_not_null()
        rows = rows.with_columns(
            pl.when(ends).then("start").forward_fill().over("group").alias(f"from_{step}"),
            pl.when(ends).then("row").forward_fill().over("group").alias(f"to_{step}"),
        )
    match = (pl.col("base") == pl.col("last_base")) & pl.col("start").is_not_null()
    return rows.with_columns(match.alias("match"))


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
    last = chains.group_by("group", maintain_order=True).last()
    needed: list[pl.Series] = []
    for length in range(len(steps) - 1):
        needed += _walked_back(chains, last[f"to_{length}"].drop_nulls(), length)
    if not needed:
        return pl.repeat(value=False, n=chains.height, dtype=pl.Boolean, eager=True)
    return chains["row"].is_in(pl.concat(needed).unique().implode())


def _walked_back(chains: pl.DataFrame, ends: pl.Series, length: int) -> Sequence[pl.Series]:
    found = [ends]
    for step in range(length - 1, -1, -1):
        ends = chains[f"to_{step}"].gather(ends - 1)
        found.append(ends)
    return found
