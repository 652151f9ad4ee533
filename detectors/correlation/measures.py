"""Signals with numbers become the sum, average or percentile of each one's window.

Separate from the counts because numbers, not rows, are joined here. Numbers are whole, so that a
sum is the same however the rows were cut.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from detectors.correlation.windows import placed_on_a_line, with_count, with_sum
from detectors.sigma.correlation import CorrelationType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detectors.sigma.correlation import Correlation


def measured(rows: pl.DataFrame, by_unit: Mapping[int, Correlation]) -> pl.DataFrame:
    """Return ``rows`` with ``group``, ``end``, ``count`` and ``measure``.

    Parameters
    ----------
    rows
        Columns of SIGNALS, ``number`` without nulls, and ``timespan``; sorted by unit, key, time.
    by_unit
        The correlation of each unit among the rows.

    Returns
    -------
    pl.DataFrame
        ``measure``: the sum, average or percentile (linear between neighbours, as NumPy's default)
        of the numbers in the window that ends at the row.
    """
    placed = placed_on_a_line(rows)
    placed = placed.hstack([placed["expiry"].alias("end")])
    summed = with_sum(with_count(placed))
    average = pl.col("sum") / pl.col("count")
    averages = [u for u, c in by_unit.items() if c.type is CorrelationType.VALUE_AVG]
    of_sums = pl.when(pl.col("unit").is_in(averages)).then(average).otherwise("sum")
    summed = summed.with_columns(of_sums.cast(pl.Float64).alias("measure"))
    percentiles = {u: c for u, c in by_unit.items() if c.type is CorrelationType.VALUE_PERCENTILE}
    return _with_percentiles(summed, percentiles) if percentiles else summed


def _with_percentiles(rows: pl.DataFrame, by_unit: Mapping[int, Correlation]) -> pl.DataFrame:
    """Replace ``measure`` in the rows of some units; quadratic in the rows of one window."""
    parts = [rows.filter(~pl.col("unit").is_in(list(by_unit)))]
    for unit, correlation in by_unit.items():
        own = rows.filter(pl.col("unit") == unit)
        first = own["row"].min()
        windows = own.select(
            "row",
            pl.int_ranges(pl.col("row"), pl.col("end")).alias("counts_at"),
            "number",
        )
        quantile = (correlation.percentile or 0.0) / 100
        at = (
            windows.explode("counts_at")
            .group_by("counts_at")
            .agg(pl.col("number").quantile(quantile, "linear").alias("measure"))
        )
        if first is not None:
            own = own.drop("measure").join(at, left_on="row", right_on="counts_at", how="left")
        parts.append(own.select(rows.columns))
    return pl.concat(parts).sort("row")
