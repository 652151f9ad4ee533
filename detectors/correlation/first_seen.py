"""Signals in order of time become the rows at which a group has a value for the first time.

Separate from the windows because the memory is days, not minutes: what is kept is not rows but what
was seen, when last, and how much of the group was seen at all. Times of the memory are rounded down
to a share of it, so that an entry is written seldom; the rounding is by the event's own time, hence
the same however records are cut.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.correlation.rows import joined, repeated, told_apart, where

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SEEN: Final = pl.Schema(
    {
        "part": pl.UInt8(),
        "unit": pl.UInt32(),
        "key": pl.UInt64(),
        "value": pl.UInt64(),
        "last": pl.Int64(),
    }
)
GROUPS: Final = pl.Schema(
    {
        "part": pl.UInt8(),
        "unit": pl.UInt32(),
        "key": pl.UInt64(),
        "first": pl.Int64(),
        "count": pl.UInt32(),
        "last": pl.Int64(),
    }
)
_PAIR: Final = ("part", "unit", "key", "value")
_GROUP: Final = ("part", "unit", "key")
_ROUNDING: Final = 720
"""Parts of the memory: of 30 days, an hour each."""

ENTITY: Final = 0
PEERS: Final = 1


def _empty(schema: pl.Schema) -> pl.DataFrame:
    return pl.DataFrame(schema=schema)


@dataclass(slots=True)
class Memory:
    """What was seen: values by group, and how well each group is known."""

    seen: pl.DataFrame = field(default_factory=lambda: _empty(SEEN))
    groups: pl.DataFrame = field(default_factory=lambda: _empty(GROUPS))

    def observe(self, rows: pl.DataFrame, about_units: pl.DataFrame) -> pl.DataFrame:
        """Learn from signals; return those that are new, with what was known of their group.

        Parameters
        ----------
        rows
            Under SIGNALS, of times after all that were observed, in any order.
        about_units
            By unit: ``timespan``, ``learn_events`` and ``learn_time``, among others.

        Returns
        -------
        pl.DataFrame
            Some of ``rows`` in no order, with the columns of ``about_units``, ``known_events`` (at
            most as many as learning asks for), ``known_since`` and ``by_peers``: whether the peers
            of the group had to stand in for it.
        """
        told = self._told(_by_part(rows, about_units))
        if told.is_empty():
            return told
        entity = told["part"] == ENTITY
        known = told["known"]
        known_ones = where(told, entity & known)
        found = known_ones.hstack(
            [repeated(value=False, height=known_ones.height, name="by_peers")]
        )
        unknown, stand_in = where(told, entity & ~known), where(told, ~entity & known)
        if unknown.height and stand_in.height:
            fallback = (
                stand_in.select("unit", "event", "base", "known_events", "known_since")
                .join(unknown.drop("known_events", "known_since"), on=["unit", "event", "base"])
                .with_columns(by_peers=True)
            )
            found = found.vstack(fallback.select(found.columns))
        own = rows[found["at"]]
        return own.hstack(about_units[own["unit"]]).hstack(found[_TOLD])

    def unseen(self, found: pl.DataFrame, about_units: pl.DataFrame) -> pl.DataFrame:
        """Return the signals whose value may be new, the earliest of each: events worth keeping."""
        rows = found[[*_READ, "row"]].hstack(
            [
                repeated(value=ENTITY, height=found.height, name="part").cast(pl.UInt8),
                about_units["timespan"][found["unit"]],
            ]
        )
        rows = rows.with_columns_seq(_STAMP).sort(*_PAIR, *_SEQUENCE)
        rows = rows.join(
            _about(self.seen, rows, _PAIR), on=_PAIR, how="left", maintain_order="left"
        )
        rows = rows.with_columns_seq(_FIRST_OF_PAIR).with_columns_seq(_BEFORE)
        return where(rows, rows.select_seq(_IS_NEW).to_series())

    def _told(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return the rows that are new, with what was known of their group; learn from all."""
        groups = _about(self.groups, rows, _GROUP).rename(_HELD)
        rows = rows.join(groups, on=_GROUP, how="left")
        rows = rows.join(_about(self.seen, rows, _PAIR), on=_PAIR, how="left")
        rows = where(rows, rows.select_seq(_MATTERS).to_series())
        if rows.is_empty():
            return rows
        rows = self._against_groups(rows.sort(*_GROUP, *_SEQUENCE))
        return self._against_values(rows.sort(*_PAIR, *_SEQUENCE))

    def _against_values(self, rows: pl.DataFrame) -> pl.DataFrame:
        rows = rows.with_columns_seq(_FIRST_OF_PAIR).with_columns_seq(_BEFORE)
        newest = where(rows, rows.select_seq(_ENDS).to_series())
        learnt = newest.select_seq(*_PAIR, pl.max_horizontal("last", "stamp").alias("last"))
        changed = where(learnt, (newest["last"] < learnt["last"]).fill_null(value=True))
        self.seen = _replaced(self.seen, changed, _PAIR)
        return where(rows, rows.select_seq(_IS_NEW).to_series())

    def _against_groups(self, rows: pl.DataFrame) -> pl.DataFrame:
        rows = rows.with_columns_seq(_ROW, _FIRST_OF_GROUP).with_columns_seq(_BEGIN, _ANEW)
        rows = rows.with_columns_seq(_SINCE).with_columns_seq(_KNOWN_EVENTS, _KNOWN_SINCE)
        rows = rows.with_columns_seq(_KNOWN)
        newest = where(rows, rows.select_seq(_ENDS).to_series()).select_seq(*_GROUP, *_LEARNT)
        same = newest.select_seq(pl.all_horizontal(_SAME)).to_series()
        self.groups = _replaced(self.groups, where(newest[GROUPS.names()], ~same), _GROUP)
        return rows

    def forget(self, units: pl.DataFrame, now_us: int, most_rows: int) -> int:
        """Drop what is too old, then the oldest beyond the bound; return how many were evicted."""
        spans = units.select("unit", "timespan")
        self.seen, gone = _kept(self.seen, spans, now_us, most_rows)
        self.groups, also = _kept(self.groups, spans, now_us, most_rows)
        return gone + also


def _rounding() -> pl.Expr:
    return pl.max_horizontal(pl.col("timespan") // _ROUNDING, pl.lit(1))


_STAMP: Final = (pl.col("time") // _rounding() * _rounding()).alias("stamp")
_SEQUENCE: Final = ("time", "event", "base")
_TOLD: Final = ["known_events", "known_since", "by_peers"]

_MATTERS: Final = (
    pl.col("last").is_null()
    | (pl.col("stamp") > pl.col("last"))
    | (pl.col("count") < pl.col("learn_events"))
    | (pl.col("stamp") > pl.col("held_last"))
).fill_null(value=True)
"""Whether a row is new or teaches anything: not one whose value was met within the same share of
the memory, in a group of which enough was met, and lately. Nearly all are of that kind."""


def _differs(columns: Iterable[str]) -> pl.Expr:
    """Return whether a row is the first of its group, groups standing together."""
    changes = (pl.col(name) != pl.col(name).shift(1) for name in columns)
    return pl.any_horizontal(changes).fill_null(value=True).alias("begins")


_FIRST_OF_GROUP: Final = _differs(_GROUP)
_FIRST_OF_PAIR: Final = _differs(_PAIR)
_ENDS: Final = pl.col("begins").shift(-1).fill_null(value=True)
_ROW: Final = pl.int_range(pl.len(), dtype=pl.Int64).alias("row")
_BEGIN: Final = pl.when("begins").then("row").forward_fill().alias("begin")
_GROUP_BEFORE: Final = pl.when("begins").then("held_last").otherwise(pl.col("stamp").shift(1))
_ANEW: Final = (
    _GROUP_BEFORE.is_null() | (pl.col("time") - _GROUP_BEFORE > pl.col("timespan"))
).alias("anew")
"""Whether the group was not met for so long that it is a new one."""
_NEWEST: Final = pl.when("anew").then("row").forward_fill()
_SINCE: Final = pl.when(pl.col("begin") <= _NEWEST).then(_NEWEST).alias("since")
"""The row at which the group was new last, if it was among these."""
_KNOWN_EVENTS: Final = pl.min_horizontal(
    pl.when(pl.col("since").is_not_null())
    .then(pl.col("row") - pl.col("since"))
    .otherwise(pl.col("row") - pl.col("begin") + pl.col("count").cast(pl.Int64)),
    "learn_events",
).alias("known_events")
_KNOWN_SINCE: Final = (
    pl.col("time").gather(pl.col("since")).fill_null(pl.col("held_first")).alias("known_since")
)
_KNOWN: Final = (
    (pl.col("known_events") >= pl.col("learn_events"))
    & (pl.col("time") - pl.col("known_since") >= pl.col("learn_time"))
).alias("known")
_LEARNT: Final = (
    pl.col("known_since").alias("first"),
    pl.min_horizontal(pl.col("known_events") + 1, "learn_events").cast(pl.UInt32).alias("count"),
    pl.max_horizontal("stamp", "held_last").alias("last"),
    pl.col("held_first", "held_last"),
    pl.col("count").alias("held_count"),
)
_SAME: Final = [
    pl.col(name).eq_missing(pl.col(f"held_{name}")) for name in ("first", "count", "last")
]
_BEFORE: Final = pl.when("begins").then("last").otherwise(pl.col("stamp").shift(1)).alias("before")
_IS_NEW: Final = pl.col("before").is_null() | (
    pl.col("time") - pl.col("before") > pl.col("timespan")
)


def _by_part(rows: pl.DataFrame, about_units: pl.DataFrame) -> pl.DataFrame:
    """Return what counts of each row, once for its group and once for its peers, if it has any."""
    spans = about_units[_SPANS][rows["unit"]]
    at = pl.int_range(rows.height, dtype=pl.UInt32, eager=True).alias("at")
    part = repeated(value=ENTITY, height=rows.height, name="part").cast(pl.UInt8)
    own = rows[_READ].hstack([part, at, *spans]).with_columns_seq(_STAMP)
    peers = rows["peer"]
    if peers.null_count() == peers.len():
        return own
    others = own.with_columns(peers.alias("key"), pl.lit(PEERS, dtype=pl.UInt8).alias("part"))
    return own.vstack(where(others, peers.is_not_null()))


_HELD: Final = {"first": "held_first", "last": "held_last"}


def _about(held: pl.DataFrame, rows: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """Return what of a memory may be about some rows: a join takes as long as both are."""
    if held.height <= rows.height:
        return held
    return where(held, told_apart(held, by).is_in(told_apart(rows, by).implode()))


_SPANS: Final = ["timespan", "learn_events", "learn_time"]
_READ: Final = ["unit", "key", "value", "time", "event", "base"]


def _kept(
    held: pl.DataFrame, spans: pl.DataFrame, now_us: int, most_rows: int
) -> tuple[pl.DataFrame, int]:
    fresh = pl.col("last") + pl.col("timespan") + pl.col("timespan") // _ROUNDING >= now_us
    kept = held.join(spans, on="unit").filter(fresh).select(held.columns)
    if kept.height <= most_rows:
        return kept, 0
    by_age = kept.sort("last", *[name for name in kept.columns if name != "last"])
    return by_age.tail(most_rows), kept.height - most_rows


def _replaced(held: pl.DataFrame, changed: pl.DataFrame, by: tuple[str, ...]) -> pl.DataFrame:
    if changed.is_empty():
        return held
    if held.is_empty():
        return changed
    gone = told_apart(held, by).is_in(told_apart(changed, by).implode())
    return joined([where(held, ~gone) if gone.any() else held, changed])
