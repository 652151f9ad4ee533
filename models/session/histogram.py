"""Rows of numbers in, how rarely each of them was seen by itself out: a histogram a feature.

Separate from the forest as the second method: it looks at features one by one, so it says of each
how much it adds, and a value beyond all of training is always strange. After HBOS (Goldstein and
Dengel, 2012), with bins of one width for all features, since all are in deviations; what lies
outside costs more the farther it is. Own code, from the paper.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING, Final, Self

import polars as pl

from models.store.manifest import ColumnType
from models.store.refusal import ModelRefusedError, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BIN_WIDTH: Final = 0.5
REACH: Final = 20
"""Bins on either side of the middle one: ten deviations; beyond, the outermost's cost grows."""

BINS: Final = 2 * REACH + 1
_PRIOR: Final = 0.5
"""Sessions that every bin is taken to have had (Krichevsky and Trofimov): no cost is infinite."""

COSTS: Final[Mapping[str, ColumnType]] = {
    "feature": ColumnType.TEXT,
    "bin": ColumnType.INT32,
    "bits": ColumnType.FLOAT64,
}


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """What each bin of each feature costs in bits, features in order, bins from low to high."""

    features: tuple[str, ...]
    costs: pl.DataFrame

    @classmethod
    def of(cls, rows: pl.DataFrame) -> Self:
        """Learn from rows that are taken to be ordinary, a column for each feature."""
        features = tuple(rows.columns)
        return cls(features, pl.concat([_costs(rows[name]) for name in features]))

    @classmethod
    def from_table(cls, costs: pl.DataFrame, features: Sequence[str]) -> Self:
        """Take costs under `COSTS`.

        Raises
            ModelRefusedError: they are not a bin each of these features, or one is below zero.
        """
        wanted = pl.DataFrame({"feature": list(features)}).join(
            pl.DataFrame({"bin": pl.int_range(BINS, dtype=pl.Int32, eager=True)}), how="cross"
        )
        if not costs.select("feature", "bin").equals(wanted):
            detail = f"table 'costs' is not {BINS} bins of each feature, in order"
            raise ModelRefusedError(Reason.LENGTHS_DIFFER, detail)
        if (costs["bits"] < 0).any():
            raise ModelRefusedError(Reason.NEGATIVE, "table 'costs': bits below zero")
        return cls(tuple(features), costs)

    def contributions(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return what each feature of each row costs, in bits; a column for each feature."""
        bits = self.costs["bits"]
        return pl.DataFrame(
            {
                name: _cost(rows[name], bits.slice(place * BINS, BINS))
                for place, name in enumerate(self.features)
            }
        )

    def score(self, rows: pl.DataFrame) -> pl.Series:
        """Return the costs of each row added up, higher for what is rarer."""
        return self.contributions(rows).select(score=pl.sum_horizontal(pl.all()))["score"]


def _costs(column: pl.Series) -> pl.DataFrame:
    """Return the cost of each bin of one feature: nothing for the most frequent."""
    counts = _bins(column).to_frame("bin").group_by("bin").agg(pl.len().alias("seen"))
    every = pl.DataFrame({"bin": pl.int_range(BINS, dtype=pl.Int32, eager=True)})
    held = every.join(counts, on="bin", how="left", maintain_order="left")
    height = pl.col("seen").fill_null(0) + _PRIOR
    bits = (height.max() / height).log(2).round(9)
    return held.select(pl.lit(column.name).alias("feature"), "bin", bits.alias("bits"))


def _bins(column: pl.Series) -> pl.Series:
    return ((column / BIN_WIDTH).round() + REACH).clip(0, BINS - 1).cast(pl.Int32)


def _cost(column: pl.Series, bits: pl.Series) -> pl.Series:
    beyond = (column.abs() / BIN_WIDTH - REACH).clip(lower_bound=0.0)
    return bits.gather(_bins(column)) + beyond.log1p() / log(2)
