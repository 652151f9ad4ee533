"""Rows beyond the bounds are dropped: what is too old, what has long ended, what is too much.

Separate from the memory because it is a function of the rows and a time. What goes first is what
would be forgotten first: of one relation the oldest last seen; between relations what is kept for
less long. So a binding outlives a pod's address, and what replaced something outlives what it
replaced.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

import polars as pl

from detectors.entities.relation import KEEP_S, NUMBERS, OF_PODS, Relation
from detectors.entities.table import ORDER

MOST_HISTORY: Final = 2_048
"""Rows of one subject: what changes so often is known by its last changes."""

_ENDED_US: Final = 86_400_000_000
"""A day after its end nothing more is asked of a pod; an investigation reads the archive."""
_SHARE_KEPT: Final = 7 / 8
"""Of the rows beyond which some are dropped: so that it is done seldom."""
_SECOND_US: Final = 1_000_000


def kept(rows: pl.DataFrame, now_us: int, limit_rows: int) -> tuple[pl.DataFrame, Counter[str]]:
    """Return the rows that stay, in their order, and how many went for which reason.

    Parameters
        rows: under ROWS, sorted by ``who``; those of one subject in ORDER.
        now_us: microseconds of Unix time.
        limit_rows: the most that may stay.
    """
    dropped: Counter[str] = Counter()
    fresh = rows.filter(_expires(rows) >= now_us // _SECOND_US)
    alive = _without_ended_pods(fresh, now_us)
    recent = _without_old_history(alive)
    within = _within(recent, limit_rows)
    dropped["expired"] = rows.height - fresh.height
    dropped["ended"] = fresh.height - alive.height
    dropped["history"] = alive.height - recent.height
    dropped["rows"] = recent.height - within.height
    return within, dropped


def _expires(rows: pl.DataFrame) -> pl.Series:
    return KEEP_S.gather(rows["relation"]) + rows["last"].cast(pl.Int64)


def _without_ended_pods(rows: pl.DataFrame, now_us: int) -> pl.DataFrame:
    """Drop what was said of pods before their end, where that is a day ago."""
    uids = rows.filter(pl.col("relation") == NUMBERS[Relation.POD_UID])
    newest = uids.group_by("who").agg(pl.col("time").last(), pl.col("object").last())
    gone = newest.filter((pl.col("object") == "") & (pl.col("time") < now_us - _ENDED_US))
    if gone.is_empty():
        return rows
    ended = pl.col("relation").is_in([NUMBERS[one] for one in OF_PODS]) & pl.col("who").is_in(
        gone["who"].implode()
    )
    return rows.filter(~ended)


def _without_old_history(rows: pl.DataFrame) -> pl.DataFrame:
    runs = rows["who"].rle().struct.unnest()
    if not (runs["len"] > MOST_HISTORY).any():
        return rows
    group = ("who", "relation")
    newer = pl.int_range(pl.len(), dtype=pl.Int64).reverse().over(group)
    return rows.filter(newer < MOST_HISTORY)


def _within(rows: pl.DataFrame, limit_rows: int) -> pl.DataFrame:
    """Drop the rows that expire first, of equals those first in order of time and key."""
    if rows.height <= limit_rows:
        return rows
    surplus = rows.height - int(limit_rows * _SHARE_KEPT)
    expires = _expires(rows)
    border = expires.sort()[surplus - 1]
    sure = int((expires < border).sum())
    at_border = rows.with_row_index("at").filter(expires == border)
    ties = at_border.sort("time", *(name for name in ORDER if name != "time"))
    gone = ties["at"].head(surplus - sure)
    stays = (expires > border) | ((expires == border) & ~_marked(gone, rows.height))
    return rows.filter(stays)


def _marked(numbers: pl.Series, height: int) -> pl.Series:
    return pl.select(pl.int_range(height, dtype=pl.UInt32).is_in(numbers.implode())).to_series()
