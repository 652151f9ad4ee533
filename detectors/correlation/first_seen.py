"""Signals in order of time become the rows at which a group has a value for the first time.

Separate from the windows because the memory is days, not minutes: what is kept is not rows but what
was seen, when last, and how much of the group was seen at all. Times of the memory are rounded down
to a share of it, so that an entry is written seldom; the rounding is by the event's own time, hence
the same however records are cut.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import polars as pl

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

    def observe(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Learn from signals; return those that are new, with what was known of their group.

        Parameters
        ----------
        rows
            Columns of SIGNALS, ``timespan``, ``learn_events`` and ``learn_time``, of times after
            all that were observed; in order of time, event and base.

        Returns
        -------
        pl.DataFrame
            Some of ``rows`` with ``known_events`` (at most as many as learning asks for),
            ``known_since`` and ``by_peers``: whether the peers of the group had to stand in for it.
        """
        own = rows.with_columns(pl.lit(ENTITY, dtype=pl.UInt8).alias("part"))
        peers = rows.filter(pl.col("peer").is_not_null()).with_columns(
            pl.lit(PEERS, dtype=pl.UInt8).alias("part"), pl.col("peer").alias("key")
        )
        told = self._told(pl.concat([own, peers]))
        new = told.filter("new")
        entity = new.filter(pl.col("part") == ENTITY).with_columns(by_peers=False)
        fallback = (
            new.filter((pl.col("part") == PEERS) & pl.col("known"))
            .select("unit", "event", "base", "known_events", "known_since")
            .join(
                entity.filter(~pl.col("known")).drop("known_events", "known_since", "by_peers"),
                on=["unit", "event", "base"],
            )
            .with_columns(by_peers=True)
        )
        return pl.concat([entity.filter("known"), fallback.select(entity.columns)])

    def unseen(self, found: pl.DataFrame, units: pl.DataFrame) -> pl.DataFrame:
        """Return the signals whose value may be new, the earliest of each: events worth keeping."""
        held = self.seen.filter(pl.col("part") == ENTITY).drop("part")
        joined = (
            found.sort("time", "event")
            .join(units.select("unit", "timespan"), on="unit", maintain_order="left")
            .join(held, on=["unit", "key", "value"], how="left", maintain_order="left")
        )
        stamp = pl.col("time") // _rounding() * _rounding()
        before = stamp.shift(1).over("unit", "key", "value").fill_null(pl.col("last"))
        return joined.filter(before.is_null() | (pl.col("time") - before > pl.col("timespan")))

    def _told(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return rows with ``new``, ``known``, ``known_events`` and ``known_since``; learn them."""
        rows = rows.with_columns((pl.col("time") // _rounding() * _rounding()).alias("stamp"))
        # Rows come in their sequence, and a stable sort leaves each group's in it.
        rows = self._against_groups(rows.sort(_GROUP, maintain_order=True))
        return self._against_values(rows.sort(_PAIR, maintain_order=True))

    def _against_values(self, rows: pl.DataFrame) -> pl.DataFrame:
        rows = rows.join(self.seen, on=_PAIR, how="left", maintain_order="left")
        before = pl.col("stamp").shift(1).over(_PAIR).fill_null(pl.col("last"))
        new = before.is_null() | (pl.col("time") - before > pl.col("timespan"))
        newest = rows.group_by(_PAIR).agg(pl.col("last").first(), pl.col("stamp").max())
        later = newest.filter(pl.col("last").is_null() | (pl.col("stamp") > pl.col("last")))
        changed = later.select(*_PAIR, pl.max_horizontal("last", "stamp").alias("last"))
        self.seen = _replaced(self.seen, changed, _PAIR)
        return rows.with_columns(new.alias("new")).drop("last")

    def _against_groups(self, rows: pl.DataFrame) -> pl.DataFrame:
        rows = rows.join(self.groups, on=_GROUP, how="left", maintain_order="left")
        before = pl.col("stamp").shift(1).over(_GROUP).fill_null(pl.col("last"))
        anew = before.is_null() | (pl.col("time") - before > pl.col("timespan"))
        rows = rows.with_columns(
            anew.alias("anew"), pl.int_range(pl.len(), dtype=pl.Int64).over(_GROUP).alias("nth")
        )
        since = pl.when("anew").then("nth").forward_fill().over(_GROUP)
        counted = pl.when(since.is_not_null()).then(pl.col("nth") - since)
        rows = rows.with_columns(
            pl.min_horizontal(
                counted.otherwise(pl.col("nth") + pl.col("count").cast(pl.Int64)), "learn_events"
            ).alias("known_events"),
            pl.when("anew")
            .then("time")
            .forward_fill()
            .over(_GROUP)
            .fill_null(pl.col("first"))
            .alias("known_since"),
        )
        self._learn_groups(rows)
        known = (pl.col("known_events") >= pl.col("learn_events")) & (
            pl.col("time") - pl.col("known_since") >= pl.col("learn_time")
        )
        return rows.with_columns(known.alias("known")).drop("first", "count", "last", "anew", "nth")

    def _learn_groups(self, rows: pl.DataFrame) -> None:
        newest = rows.group_by(_GROUP).agg(
            pl.col("known_since").last().alias("now_first"),
            pl.min_horizontal(pl.col("known_events") + 1, "learn_events").last().alias("now_count"),
            pl.max_horizontal(pl.col("stamp").max(), pl.col("last").first()).alias("now_last"),
            pl.col("first", "count", "last").first(),
        )
        same = (
            pl.col("first").eq_missing(pl.col("now_first"))
            & pl.col("count").eq_missing(pl.col("now_count").cast(pl.UInt32))
            & pl.col("last").eq_missing(pl.col("now_last"))
        )
        changed = newest.filter(~same).select(
            *_GROUP,
            pl.col("now_first").alias("first"),
            pl.col("now_count").cast(pl.UInt32).alias("count"),
            pl.col("now_last").alias("last"),
        )
        self.groups = _replaced(self.groups, changed, _GROUP)

    def forget(self, units: pl.DataFrame, now_us: int, most_rows: int) -> int:
        """Drop what is too old, then the oldest beyond the bound; return how many were evicted."""
        spans = units.select("unit", "timespan")
        self.seen, gone = _kept(self.seen, spans, now_us, most_rows)
        self.groups, also = _kept(self.groups, spans, now_us, most_rows)
        return gone + also


def _rounding() -> pl.Expr:
    return pl.max_horizontal(pl.col("timespan") // _ROUNDING, pl.lit(1))


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
    changed = changed.cast(dict(held.schema))  # type: ignore[arg-type]  # a schema is a mapping
    return pl.concat([held.join(changed, on=by, how="anti"), changed.select(held.columns)])
