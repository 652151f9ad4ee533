"""Times of events and of clusters become who is late, and whose turn it is.

Separate from the fold because it is asked of each batch before anything is folded.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from detectors.correlation.rows import repeated


def out_of_order(events: pl.DataFrame, late: pl.Series | None) -> pl.Series | None:
    """Return which events have no place in the order of time; None if all have one."""
    if late is None and not events["@timestamp"].null_count():
        return None
    timeless = events["@timestamp"].is_null()
    out = timeless if late is None else late.fill_null(value=True) | timeless
    return out if out.any() else None


def latest_of(clusters: pl.Series, times: pl.Series) -> list[tuple[Any, Any]]:
    """Return the latest time of each cluster."""
    if clusters.n_unique() == 1:
        return [(clusters[0], times.max())]
    both = pl.DataFrame({"cluster": clusters, "time": times})
    return both.group_by("cluster").agg(pl.col("time").max()).rows()


def is_ripe(signals: pl.DataFrame, times: list[int] | None) -> pl.Series:
    """Return whether the time of each signal's cluster has passed it; None: it has, of all."""
    if times is None:
        return repeated(value=True, height=signals.height, name="ripe")
    return signals["time"] < pl.Series(times, dtype=pl.Int64)[signals["cluster"]]
