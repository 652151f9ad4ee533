"""Signals in order of group and time become the ones that were not answered in time.

A waits for B: the next B of its group within the timespan answers it. With one rule alone, A waits
for the next A: that is silence. Separate because here it is time that matches, not an event.
"""

from __future__ import annotations

import polars as pl


def unanswered(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the signals whose time ran out before ``until``, and those that still wait.

    Parameters
    ----------
    rows
        Columns of SIGNALS, ``timespan``, ``last_base`` (0: silence) and ``until``: all events of
        the cluster before this time are among the rows of this call or an earlier one. Sorted by
        unit, key, time, event, base.

    Returns
    -------
    tuple[pl.DataFrame, pl.DataFrame]
        The first with ``deadline``, the time at which each had waited long enough.
    """
    group = ("unit", "key")
    is_answer = (pl.col("base") == 1) | (pl.col("last_base") == 0)
    answer = pl.when(is_answer).then("time").backward_fill().over(group)
    waiting = rows.with_columns(
        answer.shift(-1).over(group).alias("answer"),
        (pl.col("time") + pl.col("timespan")).alias("deadline"),
    ).filter(pl.col("base") == 0)
    in_time = pl.col("answer") <= pl.col("deadline")
    open_ones = waiting.filter(~in_time.fill_null(value=False))
    late = pl.col("answer").is_not_null() | (pl.col("deadline") < pl.col("until"))
    return open_ones.filter(late).drop("answer"), open_ones.filter(~late).select(rows.columns)
