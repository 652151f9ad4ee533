"""Two logs' frames in, how far their distributions are apart out.

Separate from reading and from words: total variation distance for what is counted, the statistic of
Kolmogorov and Smirnov for what is measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence

COUNTED: Final = ("verb", "resource", "agent", "identity_type", "code", "level", "stage")
_QUANTILES: Final = (0.05, 0.5, 0.95)
_LARGEST: Final = 6


@dataclass(frozen=True, slots=True)
class Difference:
    """One value's share of both logs."""

    value: str
    real: float
    simulated: float


@dataclass(frozen=True, slots=True)
class Counted:
    """How far the shares of a column's values are apart, and where most."""

    column: str
    distance: float
    """Total variation: 0 where equal, 1 where no value is shared."""
    largest: list[Difference]


@dataclass(frozen=True, slots=True)
class Measured:
    """How far two samples of numbers are apart."""

    name: str
    statistic: float
    """The largest distance of the two distribution functions."""
    real: tuple[float, ...]
    """Quantiles: 5 %, half, 95 %."""
    simulated: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything compared of two logs."""

    real_events: int
    simulated_events: int
    real_identities: int
    simulated_identities: int
    counted: list[Counted]
    measured: list[Measured]


def compare(real: pl.DataFrame, simulated: pl.DataFrame) -> Comparison:
    """Compare two logs under `models.simulate.log_frame.COMPARED`; neither may be empty."""
    return Comparison(
        real.height,
        simulated.height,
        real["identity"].n_unique(),
        simulated["identity"].n_unique(),
        [_counted(column, real[column], simulated[column]) for column in COUNTED],
        [
            _measured("size of a line, bytes", real["size_bytes"], simulated["size_bytes"]),
            _measured("time to the next event, its mean = 1", _gaps(real), _gaps(simulated)),
            _measured("share of an identity, percent", _shares(real), _shares(simulated)),
        ],
    )


def _share_of(values: pl.Series, name: str) -> pl.DataFrame:
    named = values.fill_null("(none)").rename("value").to_frame()
    return named.group_by("value").agg((pl.len() / len(values)).alias(name))


def _counted(column: str, real: pl.Series, simulated: pl.Series) -> Counted:
    shares = (
        _share_of(real, "real")
        .join(_share_of(simulated, "simulated"), on="value", how="full", coalesce=True)
        .fill_null(0.0)
        .with_columns((pl.col("real") - pl.col("simulated")).abs().alias("apart"))
        .sort("apart", "value", descending=[True, False])
    )
    rows = shares.head(_LARGEST).select("value", "real", "simulated").rows()
    return Counted(column, float(shares["apart"].sum()) / 2, [Difference(*row) for row in rows])


def _measured(name: str, real: pl.Series, simulated: pl.Series) -> Measured:
    return Measured(name, kolmogorov(real, simulated), _quantiles(real), _quantiles(simulated))


def kolmogorov(one: pl.Series, other: pl.Series) -> float:
    """Return the largest distance between the distribution functions of two samples."""
    both = pl.concat(
        [
            pl.DataFrame({"value": one.cast(pl.Float64), "step": 1 / max(1, len(one))}),
            pl.DataFrame({"value": other.cast(pl.Float64), "step": -1 / max(1, len(other))}),
        ]
    )
    steps = both.group_by("value").agg(pl.col("step").sum()).sort("value")
    furthest = steps["step"].cum_sum().abs().max()
    return float(furthest) if isinstance(furthest, float) else 0.0


def _quantiles(values: pl.Series) -> tuple[float, ...]:
    found: Sequence[float | None] = [values.quantile(q) for q in _QUANTILES]
    return tuple(0.0 if value is None else float(value) for value in found)


def _gaps(log: pl.DataFrame) -> pl.Series:
    """Return the times between events, in multiples of their mean: logs differ in their pace."""
    times = log["time"].str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="us").sort()
    gaps = times.diff().drop_nulls().dt.total_microseconds().cast(pl.Float64)
    mean = gaps.mean()
    return gaps / mean if isinstance(mean, float) and mean else gaps


def _shares(log: pl.DataFrame) -> pl.Series:
    counts = log.group_by("identity").agg(pl.len().alias("events"))
    return counts["events"].cast(pl.Float64) * (100 / max(1, log.height))
