"""Many events become few questions: what is asked alike, at times between which nothing changed.

Separate because each part of the enrichment asks so: ten thousand events of a batch name some
hundred callers, and of most of them nothing new is said within the batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from detectors.entities.relation import KEEP_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detectors.entities.asof import Held

_SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Asked:
    """Events by what they ask: a row for each combination of ``keys``.

    ``rows`` and ``times`` list the numbers and times of the events of each.
    """

    groups: pl.DataFrame
    keys: tuple[str, ...]

    def questions(self, held: Held, subjects: Sequence[str]) -> pl.DataFrame:
        """Return the questions with ``at``, ``time`` and ``rows``.

        Parameters
            held: what is known of all subjects that are asked about.
            subjects: those of the keys that name one.
        """
        times = self.groups.select(pl.col("first").min(), pl.col("latest").max())
        moving = _moving(held, *times.row(0))
        moves = pl.any_horizontal(
            pl.col(name).is_in(moving.implode()).fill_null(value=False) for name in subjects
        )
        marked = self.groups.with_columns(moves.alias("moves"))
        still = marked.filter(~pl.col("moves")).select(
            *self.keys, pl.col("first").alias("time"), "rows"
        )
        single = marked.filter("moves").select(*self.keys, "times", "rows").explode("times", "rows")
        each = single.select(
            *self.keys, pl.col("times").alias("time"), pl.concat_list("rows").alias("rows")
        )
        return pl.concat([still, each]).with_row_index("at")


def asked(events: pl.DataFrame, keys: tuple[str, ...]) -> Asked:
    """Return the combinations of ``keys`` among ``events``, which have ``row`` and ``time``."""
    groups = events.group_by(keys).agg(
        pl.col("row").alias("rows"),
        pl.col("time").alias("times"),
        pl.col("time").min().alias("first"),
        pl.col("time").max().alias("latest"),
    )
    return Asked(groups, keys)


def answered(answers: pl.DataFrame, columns: Sequence[str], height: int) -> pl.DataFrame:
    """Return the answers to all events by their number, null where nothing was asked."""
    by_row = answers.select("rows", *columns).explode("rows")
    rows = pl.DataFrame({"row": pl.int_range(height, dtype=pl.UInt32, eager=True)})
    if by_row.height == height:
        return by_row.sort("rows").drop("rows")
    joined = rows.join(by_row, left_on="row", right_on="rows", how="left", maintain_order="left")
    return joined.drop("row")


def _moving(held: Held, start_us: int | None, end_us: int | None) -> pl.Series:
    """Return the subjects of which something begins, or is forgotten, within a span."""
    keep = pl.lit(KEEP_S).gather(pl.col("relation"))
    until = (pl.col("last").cast(pl.Int64) + keep) * _SECOND_US
    moves = pl.col("time").is_between(start_us, end_us) | until.is_between(start_us, end_us)
    return held.rows.filter(moves)["name"].unique()
