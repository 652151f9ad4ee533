"""Minutes in, the spans that they are scored and learned in out.

Separate because how long a span is follows from how long a cluster is known, and from nothing else:
not from batches, not from when somebody asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from models.profile.action_key import DAY_TICKS

if TYPE_CHECKING:
    from collections.abc import Mapping

SPAN_TICKS: Final = 5
"""Minutes that are learned together at first; a day is a whole number of spans."""

LONG_SPAN_TICKS: Final = 30
"""The same once a cluster is known for a whole event day: what is normal changes little within the
hour, and learning costs by spans where little happens."""


def span_starts(seen: pl.DataFrame, first_ticks: Mapping[int, int]) -> pl.Series:
    """Return, for each observation, the first minute of its span.

    Parameters
        seen: rows with ``cluster`` and ``tick``.
        first_ticks: the first minute of clusters that are known; others begin with their rows.
    """
    new = seen.filter(~pl.col("cluster").is_in(list(first_ticks)))
    firsts = {**first_ticks, **dict(new.group_by("cluster").agg(pl.col("tick").min()).iter_rows())}
    grown = {cluster: (first // DAY_TICKS + 2) * DAY_TICKS for cluster, first in firsts.items()}
    tick = pl.col("tick")
    if seen.select((tick >= max(grown.values(), default=0)).all()).item():
        return seen.select(tick - tick % LONG_SPAN_TICKS).to_series()
    is_grown = tick >= pl.col("cluster").replace_strict(grown, return_dtype=pl.Int64)
    length = pl.when(is_grown).then(LONG_SPAN_TICKS).otherwise(SPAN_TICKS)
    return seen.select(tick - tick % length).to_series()
