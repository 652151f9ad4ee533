"""How much of each class of action a cluster does, by hour of the week, and how unlikely more is.

Separate from sessions because a flood is seen here whoever makes it: many identities that each do a
little more. Counts of five minutes are made stable (Anscombe, 1948: 2 sqrt(n + 3/8) deviates by one
where counts are Poisson), the level of an hour of the week is a decayed median drawn towards the
median of all hours while few weeks were seen, and the spread is that of training's own residuals.
Only more is strange: silence has its own alarm. Hours are UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, pi
from typing import TYPE_CHECKING, Final, Self

import polars as pl

from models.action_class import CLASS_COLUMNS, ActionClass, action_class
from models.scored import MEMBERS, SCORES, unit_id
from models.store.checks import require_counts, require_distinct
from models.store.kind import Kind
from models.store.manifest import ColumnType
from models.store.refusal import ModelRefusedError, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.store.kind import Tables
    from models.store.manifest import Manifest

VOLUME_KIND: Final = "volume"
BIN_US: Final = 300_000_000
HALF_LIFE_US: Final = 28 * 86_400_000_000
"""Four weeks: an hour of the week is seen once in each."""

ALL_HOURS: Final = -1
HOURS: Final = 168
SEASON_WEIGHT: Final = 24.0
"""Bins after which an hour of the week counts as much as all hours: two weeks of it."""

LEAST_SPREAD: Final = 1.0
VOLUME_COLUMNS: Final = (
    *("@timestamp", "event.id", "orchestrator.cluster.name"),
    *CLASS_COLUMNS,
)
VOLUME_TABLES: Final[Mapping[str, Mapping[str, ColumnType]]] = {
    "levels": {
        "cluster": ColumnType.TEXT,
        "class": ColumnType.TEXT,
        "hour": ColumnType.INT32,
        "bins": ColumnType.FLOAT64,
        "level": ColumnType.FLOAT64,
    },
    "spreads": {
        "cluster": ColumnType.TEXT,
        "class": ColumnType.TEXT,
        "spread": ColumnType.FLOAT64,
    },
}

_HOUR_US: Final = 3_600_000_000
_THURSDAY_HOURS: Final = 72
"""1970 began on a Thursday; hour 0 is Monday's first."""

_OUTER: Final = 0.95
_NORMAL_QUANTILE: Final = 1.6449
_SERIES: Final = ("cluster", "class")


@dataclass(frozen=True, slots=True, eq=False)
class VolumeModel:
    """A fitted model of volumes (`models.scored.Scorer`)."""

    levels: pl.DataFrame
    spreads: pl.DataFrame

    @classmethod
    def of(cls, events: pl.DataFrame) -> Self:
        """Learn from events; older ones count less.

        Raises
            ValueError: there are no events with a time.
        """
        bins = _stable(_bins(events))
        if bins.is_empty():
            raise ValueError("no events to learn from")
        age = pl.col("start").max() - pl.col("start")
        weighted = bins.with_columns((0.5 ** (age / HALF_LIFE_US)).alias("weight"))
        everything = weighted.with_columns(pl.lit(ALL_HOURS, dtype=pl.Int32).alias("hour"))
        levels = _levels(pl.concat([everything, weighted]))
        strayed = bins.hstack(_expected(bins, levels).to_frame())
        stray = (pl.col("stable") - pl.col("level")).abs().quantile(_OUTER, "linear")
        spread = (stray / _NORMAL_QUANTILE).clip(lower_bound=LEAST_SPREAD).round(9)
        spreads = strayed.group_by(_SERIES).agg(spread.alias("spread")).sort(_SERIES)
        return cls(levels, spreads)

    @classmethod
    def from_tables(cls, tables: Mapping[str, pl.DataFrame]) -> Self:
        """Return what `tables` holds, as the store has checked it."""
        return cls(tables["levels"], tables["spreads"])

    def to_tables(self) -> dict[str, pl.DataFrame]:
        """Return plain tables, under `VOLUME_TABLES`."""
        return {"levels": self.levels, "spreads": self.spreads}

    def score(self, events: pl.DataFrame) -> pl.DataFrame:
        """Return a row for each cluster, five minutes and class that occurred in them.

        The score is -log10 of the probability of so many or more. Of a cluster that training had
        not, nothing is usual, and the score is 0.
        """
        bins = _stable(_bins(events)).filter(pl.col("count") > 0)
        held = bins.hstack([_expected(bins, self.levels)]).join(
            self.spreads, on=_SERIES, how="left", maintain_order="left"
        )
        strayed = (pl.col("stable") - pl.col("level")) / pl.col("spread")
        usual = ((pl.col("level") / 2) ** 2 - 0.375).clip(lower_bound=0.0).round(1)
        told = pl.format("{}: {} in 5 minutes, usually {}", "class", "count", usual)
        return (
            held.with_columns(_surprise(strayed).fill_null(0.0).alias("score"))
            .select(
                _unit().alias("unit"),
                "cluster",
                pl.col("class").alias("entity"),
                "start",
                (pl.col("start") + BIN_US).alias("end"),
                "score",
                pl.concat_list(told.fill_null("a cluster that training had not")).alias("reasons"),
            )
            .select(*SCORES)
            .sort("start", "unit")
        )

    def members(self, events: pl.DataFrame) -> pl.DataFrame:
        """Return the unit of each event."""
        placed = _placed(events).filter(pl.col("event.id").is_not_null())
        return placed.with_columns(_unit().alias("unit")).select(*MEMBERS).collect()


def _placed(events: pl.DataFrame) -> pl.LazyFrame:
    time = pl.col("@timestamp").dt.timestamp("us")
    return (
        events.lazy()
        .filter(pl.col("@timestamp").is_not_null())
        .select(
            pl.col("orchestrator.cluster.name").fill_null("").alias("cluster"),
            action_class().cast(pl.String).alias("class"),
            (time - time % BIN_US).alias("start"),
            "event.id",
        )
    )


def _unit() -> pl.Expr:
    return unit_id(pl.col("start"), pl.col("cluster"), pl.col("class"))


def _bins(events: pl.DataFrame) -> pl.DataFrame:
    """Count each class in each five minutes in which its cluster did anything at all."""
    keys = ("cluster", "start", "class")
    counted = _placed(events.select(VOLUME_COLUMNS)).group_by(keys).agg(pl.len().alias("count"))
    classes = pl.LazyFrame({"class": [each.value for each in ActionClass]})
    every = counted.select("cluster", "start").unique().join(classes, how="cross")
    filled = every.join(counted, on=keys, how="left").with_columns(pl.col("count").fill_null(0))
    return filled.sort(keys).collect()


def _stable(bins: pl.DataFrame) -> pl.DataFrame:
    hour = (pl.col("start") // _HOUR_US + _THURSDAY_HOURS) % HOURS
    return bins.with_columns(
        hour.cast(pl.Int32).alias("hour"),
        (2.0 * (pl.col("count") + 0.375).sqrt()).alias("stable"),
    )


def _levels(weighted: pl.DataFrame) -> pl.DataFrame:
    """Return the weighted median of each class, cluster and hour, and how much it rests on."""
    keys = [*_SERIES, "hour"]
    total = pl.col("weight").sum()
    is_upper = pl.col("weight").cum_sum() >= total / 2
    return (
        weighted.sort(*keys, "stable", "start")
        .group_by(keys, maintain_order=True)
        .agg(
            total.round(9).alias("bins"),
            pl.col("stable").filter(is_upper).first().round(9).alias("level"),
        )
    )


def _expected(bins: pl.DataFrame, levels: pl.DataFrame) -> pl.Series:
    """Return the level of each bin's hour, drawn towards that of all hours; null if unknown."""
    always = levels.filter(pl.col("hour") == ALL_HOURS).select(
        *_SERIES, pl.col("level").alias("always")
    )
    joined = (
        bins.select(*_SERIES, "hour")
        .join(levels, on=[*_SERIES, "hour"], how="left", maintain_order="left")
        .join(always, on=_SERIES, how="left", maintain_order="left")
    )
    seen = pl.col("bins").fill_null(0.0)
    drawn = pl.col("level").fill_null(0.0) * seen + pl.col("always") * SEASON_WEIGHT
    return joined.select((drawn / (seen + SEASON_WEIGHT)).alias("level"))["level"]


def _surprise(strayed: pl.Expr) -> pl.Expr:
    """Return -log10 of the normal tail beyond so many deviations.

    For z >= 0 by Q(z) <= 2 phi(z) / (z + sqrt(z^2 + 8 / pi)) (Pollak, 1956), exact at 0 and within
    6 % beyond; it stays finite where 1 - Phi(z) is 0.
    """
    z = strayed.abs()
    upper = (
        log(2) - log(2 * pi) / 2 - z**2 / 2 - (z + (z**2 + 8 / pi).sqrt()).log()
    )  # the logarithm of the bound
    below = (1.0 - upper.exp()).log()
    return -pl.when(strayed >= 0).then(upper).otherwise(below) / log(10)


def _check(_: Manifest, tables: Tables) -> None:
    require_distinct(tables, "levels", (*_SERIES, "hour"))
    require_distinct(tables, "spreads", _SERIES)
    require_counts(tables, "levels", ("bins", "level"))
    if not tables["levels"]["hour"].is_between(ALL_HOURS, HOURS - 1).all():
        raise ModelRefusedError(Reason.OUT_OF_RANGE, "table 'levels': an hour that no week has")
    if (tables["spreads"]["spread"] < LEAST_SPREAD).any():
        detail = f"table 'spreads': a spread below {LEAST_SPREAD}"
        raise ModelRefusedError(Reason.OUT_OF_RANGE, detail)


VOLUME: Final = Kind(VOLUME_KIND, VOLUME_TABLES, _check, tuple(each.value for each in ActionClass))
