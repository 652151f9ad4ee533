"""Signals in order of group and time become the ones that were not answered in time.

A waits for B: the next B of its group within the timespan answers it. With one rule alone, A waits
for the next A: that is silence. Separate because here it is time that matches, not an event.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from detectors.correlation.rows import where


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
    known = rows.with_columns_seq(_ROW, _BEGINS, _ANSWERS).with_columns_seq(_NEXT, _LAST)
    answered = known.select_seq(
        pl.when(pl.col("next") <= pl.col("last"))
        .then(pl.col("time").gather("next"))
        .alias("answer"),
        (pl.col("time") + pl.col("timespan")).alias("deadline"),
    )
    answer, deadline = answered["answer"], answered["deadline"]
    is_open = (rows["base"] == 0) & ~(answer <= deadline).fill_null(value=False)
    late = answer.is_not_null() | (deadline < rows["until"])
    return where(rows.hstack([deadline]), is_open & late), where(rows, is_open & ~late)


_ROW: Final = pl.int_range(pl.len(), dtype=pl.Int64).alias("row")
_BEGINS: Final = (
    ((pl.col("unit") != pl.col("unit").shift(1)) | (pl.col("key") != pl.col("key").shift(1)))
    .fill_null(value=True)
    .alias("begins")
)
_ANSWERS: Final = ((pl.col("base") == 1) | (pl.col("last_base") == 0)).alias("answers")
_NEXT: Final = pl.when("answers").then("row").backward_fill().shift(-1).alias("next")
"""The next row that answers, of whatever group."""
_LAST: Final = (
    pl.when(pl.col("begins").shift(-1).fill_null(value=True))
    .then("row")
    .backward_fill()
    .alias("last")
)
"""The last row of the group."""
