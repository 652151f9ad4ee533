"""Scores and what is true in, precision and recall out.

Separate and without any library's metric, so that each figure is what its few lines say; tests
compare them with scikit-learn's. Equal scores are one step: no order among them is made up.
"""

from __future__ import annotations

from typing import Final

import polars as pl

CURVE: Final = ("score", "precision", "recall")


def precision_recall(is_true: pl.Series, score: pl.Series) -> pl.DataFrame:
    """Return precision and recall of "at least this score" for each score, the highest first.

    Without anything true, there are no rows: recall is of nothing.
    """
    held = pl.DataFrame({"is_true": is_true.cast(pl.Int64), "score": score})
    if not held["is_true"].sum():
        return pl.DataFrame(schema=dict.fromkeys(CURVE, pl.Float64))
    steps = held.group_by("score").agg(pl.col("is_true").sum().alias("true"), pl.len())
    found, taken = pl.col("true").cum_sum(), pl.col("len").cum_sum()
    return steps.sort("score", descending=True).select(
        "score",
        (found / taken).alias("precision"),
        (found / pl.col("true").sum()).alias("recall"),
    )


def average_precision(is_true: pl.Series, score: pl.Series) -> float | None:
    """Return the area under the steps of precision over recall; None without anything true.

    The sum of precision times the gain in recall at each step, as scikit-learn's
    ``average_precision_score``; no line is drawn between two steps, which would flatter.
    """
    curve = precision_recall(is_true, score)
    if curve.is_empty():
        return None
    gained = pl.col("recall").diff().fill_null(pl.col("recall"))
    return float(curve.select((pl.col("precision") * gained).sum()).item())


def highest(scores: pl.DataFrame, count: int) -> pl.DataFrame:
    """Return the rows with the highest scores; of equal ones, the earlier and then by unit."""
    ordered = scores.sort("score", "start", "unit", descending=[True, False, False])
    return ordered.head(count)


def findings_within(budget: float, events: int) -> int:
    """Return how many findings a budget of so many per 10,000 events allows."""
    return int(budget * events / 10_000)
