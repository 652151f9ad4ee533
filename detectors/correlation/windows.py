"""Signals in order of group and time become the number that stands in each one's window.

The window of a signal is (t - timespan, t] of its group, itself the newest. Nothing slides and
nothing is looped over: each signal says from where to where it counts, and the count at a row is
how many have begun less how many have ended. Separate, because this is arithmetic on sorted rows
and nothing else.
"""

from __future__ import annotations

import operator
from functools import cache
from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.correlation.rows import joined
from detectors.sigma.correlation import Comparison

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_POSITION: Final = 1 << 62
"""Groups laid end to end on one line of time must fit 64 bits; else they are taken in parts."""


def counted(rows: pl.DataFrame) -> pl.DataFrame:
    """Return ``rows`` with ``group``, ``end`` and ``count``.

    Parameters
    ----------
    rows
        Columns of SIGNALS and ``timespan`` (microseconds), sorted by unit, key, time.

    Returns
    -------
    pl.DataFrame
        ``group``: 0, 1 ... for each unit and key. ``end``: the row number from which on the row no
        longer counts: it is too old then, or its value came again. ``count``: the rows that count
        at this row, itself included; with values, that is how many distinct ones.

    Notes
    -----
    n log n. Exact: no buckets, no sketches.
    """
    placed = placed_on_a_line(rows)
    if placed["value"].null_count() == placed.height:
        return with_count(placed.hstack([placed["expiry"].alias("end")]))
    return with_count(placed.with_columns_seq(_END))


_ROW: Final = pl.int_range(pl.len(), dtype=pl.Int64).alias("row")
_BEGINS: Final = (
    (pl.col("unit") != pl.col("unit").shift(1)) | (pl.col("key") != pl.col("key").shift(1))
).fill_null(value=True)
_GROUP: Final = (_BEGINS.cast(pl.Int64).cum_sum() - 1).alias("group")
_AGAIN: Final = pl.col("row").shift(-1).over("group", "value")
_END: Final = pl.min_horizontal(
    "expiry", pl.when(pl.col("value").is_not_null()).then(_AGAIN)
).alias("end")


def placed_on_a_line(rows: pl.DataFrame) -> pl.DataFrame:
    """Return ``rows`` with ``row``, ``group`` and ``expiry``: the first row that is too late.

    The expiry is a row of the same group or the first of the next.
    """
    numbered = rows.with_columns_seq(_ROW, _GROUP)
    if numbered.is_empty():
        return numbered.with_columns(pl.lit(0, dtype=pl.Int64).alias("expiry"))
    return joined(map(_expiring, _parts(numbered)))


def _parts(numbered: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yield the rows in runs of groups that fit on one line of time; nearly always one."""
    span, _ = _span(numbered)
    groups = max(1, MAX_POSITION // span)
    for part, _ in enumerate(range(0, numbered["group"][-1] + 1, groups)):
        own = pl.col("group").is_between(part * groups, (part + 1) * groups, closed="left")
        yield numbered if groups > numbered["group"][-1] else numbered.filter(own)


def _span(rows: pl.DataFrame) -> tuple[int, int]:
    """Return the length of line that a group needs, and the time at which each begins."""
    times = rows["time"]
    first, last, timespan = int(times.min()), int(times.max()), int(rows["timespan"].max())  # type: ignore[arg-type]  # of integer columns
    return last - first + timespan + 1, first


def _expiring(rows: pl.DataFrame) -> pl.DataFrame:
    span, first = _span(rows)
    start, number = rows["row"][0], rows["group"][0]
    position = (rows["group"] - number) * span + rows["time"] - first
    expiry = position.search_sorted(position + rows["timespan"], side="left")
    return rows.hstack([(expiry.cast(pl.Int64) + start).alias("expiry")])


def with_count(rows: pl.DataFrame) -> pl.DataFrame:
    """Return ``rows`` with ``count``: how many rows have begun and not ended at each row."""
    ended = rows["end"].sort().search_sorted(rows["row"], side="right").cast(pl.Int64)
    return rows.hstack([(rows["row"] + 1 - ended).alias("count")])


def with_sum(rows: pl.DataFrame) -> pl.DataFrame:
    """Return ``rows`` with ``sum``: of ``number`` over the rows that count at each row."""
    by_end = rows.select("end", "number").sort("end")
    ended = by_end["end"].search_sorted(rows["row"], side="right").cast(pl.Int64)
    gone = pl.concat([pl.Series([0], dtype=pl.Int64), by_end["number"].cum_sum()])
    return rows.with_columns((rows["number"].cum_sum() - gone.gather(ended)).alias("sum"))


@cache
def holds(number: str, comparisons: tuple[Comparison, ...]) -> pl.Expr:
    """Return whether a column of numbers meets all comparisons of its unit, each another column.

    Parameters
        comparisons: those that any of the units makes.
    """
    compared = pl.col(number).cast(pl.Float64)
    tests = (_COMPARED[one](compared, pl.col(one.value)) for one in comparisons)
    return pl.all_horizontal(True, *(test.fill_null(value=True) for test in tests))


_COMPARED: Final[dict[Comparison, Callable[[pl.Expr, pl.Expr], pl.Expr]]] = {
    Comparison.GT: operator.gt,
    Comparison.GTE: operator.ge,
    Comparison.LT: operator.lt,
    Comparison.LTE: operator.le,
    Comparison.EQ: operator.eq,
    Comparison.NEQ: operator.ne,
}
