"""Scores of quiet time become a function from score to tail probability.

Separate because it holds for any detector's scores: empirical quantiles where there are enough of
them, an exponential tail beyond, so that what nobody has seen still has a rank.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import Final

import msgspec
import polars as pl

TOP_SHARE: Final = 0.03
"""The tail is fitted to the top few percent: peaks over a threshold (Pickands 1975), of shape 0."""

LEAST: Final = 1e-300
"""No probability is less: it stays a number that can be compared, multiplied and written."""

_LEAST_SCALE: Final = 1.0 / log(2.0)
"""Of scores that are -log2 of probabilities: what a tail of one independent reason would be."""


class Tail(msgspec.Struct, frozen=True, array_like=True):
    """P(score >= s): ``survival`` at ``scores`` up to ``cut``, then exponential with ``scale``.

    Finite and never rising, for any score that is a number.
    """

    scores: list[float]
    survival: list[float]
    cut: float
    share: float
    scale: float

    def probability(self, scores: pl.Series) -> pl.Series:
        """Return the tail probability of scores."""
        places = pl.Series(self.scores, dtype=pl.Float64).search_sorted(scores, side="left")
        empirical = pl.Series([*self.survival, self.share], dtype=pl.Float64).gather(places)
        beyond = (-(scores - self.cut) / self.scale).exp() * self.share
        chosen = pl.select(
            pl.when(pl.lit(scores) > self.cut).then(pl.lit(beyond)).otherwise(pl.lit(empirical))
        ).to_series()
        return chosen.clip(LEAST, 1.0).alias(scores.name)

    def score_at(self, probability: float) -> float:
        """Return the least score whose tail probability is at most this."""
        wanted = min(max(probability, LEAST), 1.0)
        if wanted < self.share:
            return self.cut - self.scale * log(wanted / self.share)
        fitting = (s for s, p in zip(self.scores, self.survival, strict=True) if p <= wanted)
        return next(fitting, self.cut)


@dataclass(frozen=True, slots=True)
class _Top:
    cut: float
    share: float
    excess: float


def fit_tail(counted: pl.DataFrame) -> Tail:
    """Return the tail of scores that were counted.

    Parameters
        counted: ``score`` (finite) and ``count``; scores may repeat.

    One more score than was seen is assumed, at the top: no event of the past has probability 0.
    """
    by_score = counted.group_by("score").agg(pl.col("count").sum()).sort("score")
    total = float(by_score["count"].sum()) + 1.0
    survival = (by_score["count"].reverse().cum_sum().reverse() + 1.0) / total
    top = _top(by_score, survival)
    below = by_score["score"] <= top.cut
    return Tail(
        by_score["score"].filter(below).to_list(),
        survival.filter(below).to_list(),
        top.cut,
        top.share,
        max(top.excess, _LEAST_SCALE),
    )


def _top(by_score: pl.DataFrame, survival: pl.Series) -> _Top:
    high = by_score.filter(survival <= TOP_SHARE)
    if high.is_empty():
        # Too few scores for a top of some percent: all of the tail is beyond the greatest.
        cut = float(by_score["score"].max() or 0.0)  # type: ignore[arg-type]  # of floats
        return _Top(cut, float(survival[-1]) if survival.len() else 1.0, 0.0)
    cut = float(high["score"][0])
    weight = float(high["count"].sum())
    excess = float(((high["score"] - cut) * high["count"]).sum()) / weight if weight else 0.0
    return _Top(cut, float(survival.filter(survival <= TOP_SHARE)[0]), excess)
