"""Observations of a day, against those of the days before, become a measure of drift by feature.

Separate because drift is shown, not acted upon: it says whether what was learned still describes
the cluster (population stability index; Siddiqi, Credit Risk Scorecards, 2006: over 0.25 it is
another population).
"""

from __future__ import annotations

from typing import Final

import polars as pl

from models.packed import packed, unpacked

DRIFT: Final = pl.Schema(
    {"cluster": pl.UInt64(), "feature": pl.UInt8(), "day": pl.Int64(), "psi": pl.Float64()}
)
MINUTES: Final = pl.Schema(
    {
        "cluster": pl.UInt64(),
        "feature": pl.UInt8(),
        "value": pl.UInt64(),
        "minutes": pl.Float64(),
    }
)
KEPT_DAYS: Final = 90
KEPT_A_DAY: Final = 0.8
MOST_VALUES: Final = 50_000
"""Rows of a day and of the past each; the rarest are left out first."""

_LEAST_SHARE: Final = 1e-4
"""Share of a value that one side lacks: else its term were infinite."""

_VALUE: Final = ("cluster", "feature", "value")
_GROUP: Final = ("cluster", "feature")


class Drift:
    """Minutes by value, of today and of the past, and the drift of each day that ended."""

    __slots__ = ("days", "past", "shown", "today")

    def __init__(self) -> None:
        self.today = pl.DataFrame(schema=MINUTES)
        self.past = pl.DataFrame(schema=MINUTES)
        self.shown = pl.DataFrame(schema=DRIFT)
        self.days: dict[int, int] = {}

    def observe(self, seen: pl.DataFrame, day: int) -> None:
        """Add observations of one event day; of their clusters the days before it end.

        Parameters
            seen: some of `models.profile.observed.OBSERVED`.
        """
        for cluster in seen["cluster"].unique().sort():
            before = self.days.get(cluster)
            if before is not None and before < day:
                self._end(cluster, before)
            self.days[cluster] = max(day, before or day)
        counted = seen.group_by(_VALUE).agg(pl.len().cast(pl.Float64).alias("minutes"))
        self.today = _bounded(_summed(self.today, counted))

    def _end(self, cluster: int, day: int) -> None:
        own = pl.col("cluster") == cluster
        today, past = self.today.filter(own), self.past.filter(own)
        if past.height:
            found = stability(past, today).with_columns(pl.lit(day, dtype=pl.Int64).alias("day"))
            recent = self.shown.filter(~own | (pl.col("day") > day - KEPT_DAYS))
            self.shown = pl.concat([recent, found.select(DRIFT.names())])
        decayed = self.past.with_columns(
            pl.when(own).then(pl.col("minutes") * KEPT_A_DAY).otherwise("minutes").alias("minutes")
        )
        self.past = _bounded(_summed(decayed, today))
        self.today = self.today.filter(~own)

    def save(self) -> tuple[bytes, bytes, bytes, dict[int, int]]:
        """Return all as bytes, the same for the same."""
        frames = (self.today.sort(_VALUE), self.past.sort(_VALUE), self.shown.sort(DRIFT.names()))
        today, past, shown = (packed(frame) for frame in frames)
        return today, past, shown, dict(sorted(self.days.items()))

    def restore(self, saved: tuple[bytes, bytes, bytes, dict[int, int]]) -> None:
        """Take up what `save` gave."""
        today, past, shown, days = saved
        self.today, self.past, self.shown = (unpacked(d) for d in (today, past, shown))
        self.days = dict(days)


def stability(past: pl.DataFrame, today: pl.DataFrame) -> pl.DataFrame:
    """Return ``psi`` by cluster and feature: sum of (p - q) ln(p / q) over values.

    Parameters
        past, today: under MINUTES.
    """
    joined = past.join(today, on=_VALUE, how="full", coalesce=True, suffix="_today")
    shares = [
        (pl.col(name).fill_null(0.0) / pl.col(name).sum().over(_GROUP)).fill_nan(0.0)
        for name in ("minutes", "minutes_today")
    ]
    p, q = (share.clip(_LEAST_SHARE) for share in shares)
    terms = joined.select(*_VALUE, ((p - q) * (p / q).log()).alias("psi")).sort(_VALUE)
    return terms.group_by(_GROUP, maintain_order=True).agg(pl.col("psi").sum())


def _summed(held: pl.DataFrame, added: pl.DataFrame) -> pl.DataFrame:
    both = pl.concat([held, added.select(MINUTES.names())])
    return both.group_by(_VALUE).agg(pl.col("minutes").sum())


def _bounded(held: pl.DataFrame) -> pl.DataFrame:
    if held.height <= MOST_VALUES:
        return held
    return held.sort("minutes", *_VALUE).tail(MOST_VALUES)
