"""Sessions and their distances in, the words that say what is strange about each out.

Separate because both methods give the same reasons: what an identity did more or less of than is
usual for it, as counts that a person can check in the events.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from models.session.features import COUNTED, FEATURES

MOST_REASONS: Final = 3
LEAST_DISTANCE: Final = 2.0
"""Deviations below which a feature is no reason."""


def reasons_of(sessions: pl.DataFrame, usual: pl.DataFrame, distances: pl.DataFrame) -> pl.Series:
    """Return a list of words for each session, the farthest feature first."""
    parts = {
        "feature": distances.select(FEATURES),
        "value": sessions.select(FEATURES),
        "usual": usual.select(FEATURES),
    }
    long = _long(parts["feature"], "distance").hstack(
        [_long(parts["value"], "value")["value"], _long(parts["usual"], "usual")["usual"]]
    )
    told = (
        long.filter(pl.col("distance").abs() >= LEAST_DISTANCE)
        .sort(pl.col("distance").abs().round(6), "feature", descending=[True, False])
        .group_by("_row", maintain_order=True)
        .agg(_words().head(MOST_REASONS).alias("reasons"))
    )
    rows = pl.DataFrame({"_row": pl.int_range(sessions.height, dtype=pl.UInt32, eager=True)})
    held = rows.join(told, on="_row", how="left", maintain_order="left")["reasons"]
    return held.fill_null([]).cast(pl.List(pl.String))


def _long(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    return frame.with_row_index("_row").unpivot(
        FEATURES, index="_row", variable_name="feature", value_name=name
    )


def _words() -> pl.Expr:
    is_count = pl.col("feature").is_in(COUNTED)
    value, usual = (
        pl.when(is_count)
        .then(pl.col(name).exp().sub(1.0).round(1))
        .otherwise(pl.col(name).round(2))
        .cast(pl.String)
        .str.strip_suffix(".0")
        for name in ("value", "usual")
    )
    return pl.format("{}: {}, usually {}", pl.col("feature"), value, usual)
