"""Observations are added to decayed counts of values by context, tick by tick, within a bound.

Separate because it is all that is remembered of behaviour: one frame, folded in order of time, that
a snapshot holds and a lookup reads. What is rare is decided elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from models.packed import packed, unpacked
from models.profile.action_key import DAY_TICKS
from models.profile.observed import LEVELS, PERSONAL

TOTAL: Final = 0
"""Value of the row that sums a context up; digests are odd."""

COUNTS: Final = pl.Schema(
    {
        "context": pl.UInt64(),
        "value": pl.UInt64(),
        "weight": pl.Float64(),
        "events": pl.Int64(),
        "distinct": pl.Int64(),
        "first": pl.Int64(),
        "last": pl.Int64(),
        "day": pl.Int64(),
        "new": pl.Int64(),
    }
)
"""``weight`` minutes with the value, decayed, in units of what a minute counted at _BEGAN;
``events`` and ``distinct`` values as they are; ``first`` and ``last`` the number of the minute. Of
an identity ``new`` values became normal on event day ``day``."""

_PAIR: Final = ("context", "value")
HALF_LIFE_TICKS: Final = 14 * DAY_TICKS
"""Two weeks: work that comes weekly is remembered, one that ended is forgotten."""

_BEGAN: Final = 29_453_760
"""Minute in which counting began, for all clusters: that of 2026-01-01 00:00 UTC."""

_FEW_ROWS: Final = 20_000
"""Changed rows that are joined at no cost that matters (measured 2026-11-22)."""

_ODD: Final = 0x9E3779B97F4A7C15
"""Multiplier that spreads contexts over 64 bits."""

_MOST_HALF_LIVES: Final = 500
"""Of forged times, 19 years either way: what counted at one end is still a number at the other."""

NEW_A_DAY: Final = 20
"""Values of a feature that become normal for one identity in a day, once it is known. The sample's
identities have fewer than 20 new acts in a quarter of an hour of ordinary work (2026-11-22)."""

SMALL: Final = 0.05
"""Weight of what is beyond: it is normal once it was seen in 20 minutes, not at once."""

NORMAL: Final = 1.0
"""Weight from which on a value is no longer new."""


class Counts:
    """Counts of values by context; see COUNTS."""

    __slots__ = ("_added", "_key", "_main", "_recent", "evicted", "limit_rows")

    def __init__(self, limit_rows: int = 1_000_000) -> None:
        self.limit_rows = limit_rows
        self.evicted = 0
        self._take(pl.DataFrame(schema=COUNTS))

    def __len__(self) -> int:
        return self._main.height + self._added

    @property
    def rows(self) -> pl.DataFrame:
        """All rows, in no order; linear in them."""
        return pl.concat([self._main.join(self._recent, on=_PAIR, how="anti"), self._recent])

    def of(self, pairs: pl.DataFrame) -> pl.DataFrame:
        """Return ``pairs`` (``context``, ``value``) with what is known of each, in their order.

        What changed lately is joined; all else is found by binary search, so that a look-up costs
        the same however much is remembered.
        """
        lately = pairs.join(self._recent, on=_PAIR, how="left", maintain_order="left")
        if self._main.is_empty():
            return lately
        places = self._key.search_sorted(_keys(pairs)).clip(upper_bound=self._key.len() - 1)
        found = self._main[places].rename({name: f"main_{name}" for name in COUNTS.names()})
        same = (pl.col("context") == pl.col("main_context")) & (
            pl.col("value") == pl.col("main_value")
        )
        older = pl.col("weight").is_null() & same
        return lately.hstack(found).select(
            *_PAIR,
            *(
                pl.when(older).then(f"main_{name}").otherwise(name).alias(name)
                for name in COUNTS.names()[2:]
            ),
        )

    def _take(self, rows: pl.DataFrame) -> None:
        """Let these be all the rows."""
        ordered = rows.with_columns(_keys(rows)).sort("key")
        self._key = ordered["key"]
        self._main = ordered.select(COUNTS.names()).rechunk()
        self._recent = self._main.clear()
        self._added = 0

    @staticmethod
    def growth(tick: int) -> float:
        """Return what one minute counts that is seen at ``tick``: decay by the count's growth."""
        half_lives = (tick - _BEGAN) / HALF_LIFE_TICKS
        return float(2.0 ** max(-_MOST_HALF_LIVES, min(half_lives, _MOST_HALF_LIVES)))

    def learn(self, seen: pl.DataFrame, tick: int, known_events: int) -> None:
        """Add observations, all of them later than what was added before.

        Parameters
            seen: some of OBSERVED, each of which may be learned.
            tick: time that stands for all of them.
            known_events: of an identity, after which only some new values a day become normal.

        Linear in what is added; now and then, when much has changed, in the rows that are kept.
        """
        if seen.is_empty():
            return
        values = _by_context(seen)
        contexts = (
            values.select("context").unique().with_columns(pl.lit(TOTAL, pl.UInt64).alias("value"))
        )
        held = self.of(pl.concat([values.select(_PAIR), contexts])).rename(
            {name: f"held_{name}" for name in COUNTS.names()[2:]}
        )
        values = values.hstack(held.head(values.height).drop(_PAIR))
        gained = _gained(
            values,
            held.tail(contexts.height),
            self.growth(tick),
            _Day(tick // DAY_TICKS, known_events),
        )
        summed = gained.select(
            *_PAIR,
            pl.col("weight") + pl.col("held_weight").fill_null(0.0),
            pl.col("events") + pl.col("held_events").fill_null(0),
            pl.col("distinct") + pl.col("held_distinct").fill_null(0),
            pl.min_horizontal("first", "held_first"),
            pl.max_horizontal("last", "held_last"),
            *("day", "new"),
        )
        rest = self._recent.join(summed, on=_PAIR, how="anti")
        self._recent = pl.concat([rest, summed.select(COUNTS.names())])
        self._added += gained["held_weight"].null_count()
        if self._recent.height > max(_FEW_ROWS, self._main.height // 4):
            self._take(self.rows)
        self._bound()

    def _bound(self) -> None:
        """Forget what was not seen for longest, a tenth at a time, and sum contexts up again."""
        if len(self) <= self.limit_rows:
            return
        rows = self.rows
        keep = self.limit_rows - self.limit_rows // 10
        values = rows.filter(pl.col("value") != TOTAL)
        totals = rows.filter(pl.col("value") == TOTAL)
        kept = values.sort("last", "weight", *_PAIR).tail(max(keep - totals.height, keep // 2))
        sums = kept.group_by("context").agg(
            pl.col("weight").sum().alias("now"), pl.len().cast(pl.Int64).alias("many")
        )
        left = totals.join(sums, on="context").with_columns(
            pl.col("now").alias("weight"), pl.col("many").alias("distinct")
        )
        self.evicted += rows.height - kept.height - left.height
        self._take(pl.concat([kept, left.select(COUNTS.names())]))

    def take_up(self, rows: pl.DataFrame) -> None:
        """Add rows of contexts that nothing is known of yet, as another memory held them."""
        self._take(pl.concat([self.rows, rows.select(COUNTS.names())]))
        self._bound()

    def save(self) -> bytes:
        """Return the counts as an Arrow file, the same for the same counts."""
        return packed(self.rows.sort(_PAIR))

    def restore(self, data: bytes) -> None:
        """Take up what `save` gave."""
        self._take(unpacked(data).select(COUNTS.names()))


def _keys(pairs: pl.DataFrame) -> pl.Series:
    """Return one number for each pair, by which they are looked up."""
    odd = pl.lit(_ODD, dtype=pl.UInt64)
    return pairs.select(((pl.col("context") * odd) ^ pl.col("value")).alias("key")).to_series()


@dataclass(frozen=True, slots=True)
class _Day:
    """The event day, and after how many events an identity may not learn at will."""

    number: int
    known_events: int


def _by_context(seen: pl.DataFrame) -> pl.DataFrame:
    """Return what is seen by context and value: minutes, events, when."""
    narrow = seen.group_by(*LEVELS, "value").agg(
        pl.col("feature").first(),
        pl.len().alias("minutes"),
        pl.col("learnable").sum().cast(pl.Int64).alias("events"),
        pl.col("tick").min().alias("first"),
        pl.col("tick").max().alias("last"),
    )
    stacked = pl.concat(
        narrow.lazy()
        .select(
            pl.col(level).alias("context"),
            *("value", "minutes", "events", "first", "last"),
            _is_personal(number).alias("is_personal"),
        )
        .filter(pl.col("context").is_not_null())
        for number, level in enumerate(LEVELS)
    )
    return (
        stacked.group_by(_PAIR)
        .agg(
            pl.col("minutes", "events").sum(),
            pl.col("first").min(),
            pl.col("last").max(),
            pl.col("is_personal").first(),
        )
        .collect()
    )


def _is_personal(level: int) -> pl.Expr:
    """Return whether a context at this level is one identity."""
    return pl.col("feature").is_in(PERSONAL) if level == 0 else pl.lit(value=False)


def _gained(values: pl.DataFrame, totals: pl.DataFrame, minute: float, day: _Day) -> pl.DataFrame:
    """Return what values and contexts gain: ``weight`` in units of ``minute``, and what is new.

    Of an identity that is known only some new values a day gain a whole minute's weight.
    """
    totals = totals.with_columns(
        (pl.col("held_events").fill_null(0) < day.known_events).alias("learning"),
        pl.when(pl.col("held_day") == day.number).then("held_new").otherwise(0).alias("used"),
    )
    fresh = pl.col("is_personal") & (pl.col("held_weight").fill_null(0.0) / minute < NORMAL)
    values = _slowed(values.with_columns(fresh.alias("fresh")), totals).with_columns(
        (pl.col("minutes") * pl.col("share") * minute).alias("weight"),
        *(pl.lit(0, dtype=pl.Int64).alias(name) for name in ("distinct", "day", "new")),
    )
    summed = values.group_by("context").agg(
        # Of whole numbers: a sum of fractions would depend on the order of the rows.
        (pl.col("minutes").filter(pl.col("share") == 1.0).sum() * minute).alias("whole"),
        (pl.col("minutes").filter(pl.col("share") < 1.0).sum() * (SMALL * minute)).alias("part"),
        pl.col("events").sum(),
        pl.col("held_weight").is_null().sum().cast(pl.Int64).alias("distinct"),
        pl.col("first").min(),
        pl.col("last").max(),
        pl.col("fresh").sum().cast(pl.Int64),
    )
    left = (NEW_A_DAY - pl.col("used")).clip(0)
    gained = totals.join(summed, on="context").with_columns(
        (pl.col("whole") + pl.col("part")).alias("weight"),
        pl.lit(day.number, dtype=pl.Int64).alias("day"),
        pl.when("learning")
        .then("used")
        .otherwise(pl.col("used") + pl.min_horizontal("fresh", left))
        .alias("new"),
    )
    columns = [*COUNTS.names(), *(f"held_{name}" for name in COUNTS.names()[2:])]
    return pl.concat([values.select(columns), gained.select(columns)])


def _slowed(values: pl.DataFrame, totals: pl.DataFrame) -> pl.DataFrame:
    """Return values with their ``share``: little where more than allowed is new for an identity."""
    limited = totals.filter(~pl.col("learning")).select("context", "used")
    fresh = values.filter("fresh").join(limited, on="context")
    nth = pl.int_range(pl.len(), dtype=pl.Int64).over("context")
    beyond = (
        fresh.sort("context", "first", "value")
        .filter(nth + pl.col("used") >= NEW_A_DAY)
        .select(*_PAIR, pl.lit(SMALL).alias("share"))
    )
    if beyond.is_empty():
        return values.with_columns(pl.lit(1.0).alias("share"))
    joined = values.join(beyond, on=_PAIR, how="left", maintain_order="left")
    return joined.with_columns(pl.col("share").fill_null(1.0))
