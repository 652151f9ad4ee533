"""A profile becomes plain tables for the store, and tables that were checked become a profile.

Separate because the tables are a format that outlives the program's values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from models.profile.budget import Calibration
from models.profile.counts import COUNTS
from models.profile.drift import DRIFT, MINUTES
from models.profile.profile import ClusterProfile, Profile
from models.profile.tail import Tail
from models.store.manifest import ColumnType

if TYPE_CHECKING:
    from collections.abc import Mapping

_INTEGER: Final = ColumnType.INT64
_NUMBER: Final = ColumnType.UINT64
_REAL: Final = ColumnType.FLOAT64

CLUSTER_TICKS: Final = ("passed", "first_tick")
CLUSTER_REALS: Final = ("minutes_a_day", "correction", "threshold", "cut", "share", "scale")
PROFILE_TABLES: Final[Mapping[str, Mapping[str, ColumnType]]] = {
    "clusters": {
        "cluster": _NUMBER,
        "name": ColumnType.TEXT,
        **dict.fromkeys((*CLUSTER_TICKS, "day", "drift_day", "told"), _INTEGER),
        "has_threshold": ColumnType.BOOL,
        **dict.fromkeys(CLUSTER_REALS, _REAL),
    },
    "counts": {
        **dict.fromkeys(("cluster", "context", "value"), _NUMBER),
        "weight": _REAL,
        **dict.fromkeys(("events", "distinct", "first", "last", "day", "new"), _INTEGER),
    },
    "scores": {
        "cluster": _NUMBER,
        "is_today": ColumnType.BOOL,
        "bits": _INTEGER,
        "count": _REAL,
    },
    "tails": {"cluster": _NUMBER, "score": _REAL, "survival": _REAL},
    "minutes": {
        "cluster": _NUMBER,
        "is_today": ColumnType.BOOL,
        "feature": ColumnType.UINT8,
        "value": _NUMBER,
        "minutes": _REAL,
    },
    "drift": {
        "cluster": _NUMBER,
        "feature": ColumnType.UINT8,
        "day": _INTEGER,
        "psi": _REAL,
    },
}
PROFILE_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "clusters": ("cluster",),
    "counts": ("cluster", "context", "value"),
    "scores": ("cluster", "is_today", "bits"),
    "tails": ("cluster", "score"),
    "minutes": ("cluster", "is_today", "feature", "value"),
    "drift": ("cluster", "feature", "day"),
}
"""What the rows of each table are sorted by; no two rows have the same."""

_DTYPES: Final[Mapping[ColumnType, pl.DataType]] = {
    ColumnType.UINT64: pl.UInt64(),
    ColumnType.INT64: pl.Int64(),
    ColumnType.FLOAT64: pl.Float64(),
    ColumnType.UINT8: pl.UInt8(),
    ColumnType.BOOL: pl.Boolean(),
    ColumnType.TEXT: pl.String(),
}
_NO_TAIL: Final = Tail([], [], 0.0, 0.0, 0.0)


def to_tables(profile: Profile) -> dict[str, pl.DataFrame]:
    """Return plain tables, under `PROFILE_TABLES`, the same for the same profile."""
    held = sorted(profile.clusters.items())
    parts: dict[str, list[pl.DataFrame]] = {
        "clusters": [_rows("clusters", [_cluster(number, one)]) for number, one in held],
        "counts": [_of(number, one.counts) for number, one in held],
        "scores": [_rows("scores", _scores(number, one.calibration)) for number, one in held],
        "tails": [_rows("tails", _tail(number, one.calibration)) for number, one in held],
        "minutes": [
            frame.with_columns(pl.lit(is_today).alias("is_today"))
            for _, one in held
            for is_today, frame in ((False, one.past), (True, one.today))
        ],
        "drift": [one.shown for _, one in held],
    }
    return {
        name: pl.concat([_empty(name), *(part.select(*columns) for part in parts[name])])
        .sort(PROFILE_KEYS[name])
        .rechunk()
        for name, columns in PROFILE_TABLES.items()
    }


def from_tables(tables: Mapping[str, pl.DataFrame]) -> Profile:
    """Return what tables hold, as the store has checked them."""
    parts = {
        name: {key[0]: part for key, part in table.partition_by("cluster", as_dict=True).items()}
        for name, table in tables.items()
    }

    def of(name: str, number: int) -> pl.DataFrame:
        return parts[name].get(number, tables[name].clear())

    clusters = {}
    for row in tables["clusters"].iter_rows(named=True):
        number = row["cluster"]
        minutes = of("minutes", number)
        clusters[number] = ClusterProfile(
            row["name"],
            row["passed"],
            _calibration(row, of("scores", number), of("tails", number)),
            of("counts", number).select(COUNTS.names()),
            minutes.filter("is_today").select(MINUTES.names()),
            minutes.filter(~pl.col("is_today")).select(MINUTES.names()),
            of("drift", number).select(DRIFT.names()),
            row["drift_day"],
        )
    return Profile(clusters)


def _empty(name: str) -> pl.DataFrame:
    return pl.DataFrame(schema={one: _DTYPES[held] for one, held in PROFILE_TABLES[name].items()})


def _rows(name: str, rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=_empty(name).schema)


def _of(number: int, frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.lit(number, dtype=pl.UInt64).alias("cluster"))


def _cluster(number: int, one: ClusterProfile) -> dict[str, Any]:
    calibration = one.calibration
    tail = calibration.tail or _NO_TAIL
    return {
        "cluster": number,
        "name": one.name,
        "passed": one.passed,
        "first_tick": calibration.first_tick,
        "day": calibration.day,
        "drift_day": one.drift_day,
        "told": calibration.told,
        "has_threshold": calibration.threshold is not None,
        "minutes_a_day": calibration.minutes_a_day,
        "correction": calibration.correction,
        "threshold": calibration.threshold or 0.0,
        "cut": tail.cut,
        "share": tail.share,
        "scale": tail.scale,
    }


def _scores(number: int, calibration: Calibration) -> list[dict[str, Any]]:
    return [
        {"cluster": number, "is_today": is_today, "bits": bits, "count": float(count)}
        for is_today, counts in ((False, calibration.counts), (True, calibration.today))
        for bits, count in counts.items()
    ]


def _tail(number: int, calibration: Calibration) -> list[dict[str, Any]]:
    tail = calibration.tail or _NO_TAIL
    return [
        {"cluster": number, "score": score, "survival": survival}
        for score, survival in zip(tail.scores, tail.survival, strict=True)
    ]


def _calibration(row: Mapping[str, Any], scores: pl.DataFrame, tails: pl.DataFrame) -> Calibration:
    tail = Tail(
        tails["score"].to_list(),
        tails["survival"].to_list(),
        row["cut"],
        row["share"],
        row["scale"],
    )
    return Calibration(
        row["first_tick"],
        row["day"],
        dict(scores.filter(~pl.col("is_today")).select("bits", "count").iter_rows()),
        dict(scores.filter("is_today").select("bits", pl.col("count").cast(pl.Int64)).iter_rows()),
        row["told"],
        row["minutes_a_day"],
        row["correction"],
        tail if row["has_threshold"] else None,
        row["threshold"] if row["has_threshold"] else None,
    )
