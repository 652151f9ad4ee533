"""Rows of one cluster, found by their subject: a large sorted base, and what came since.

Separate from the memory, which decides what rows say: here is only where they stand. The base is
sorted by subject and searched by halving, so that a batch of some hundred subjects costs the same
whether a thousand rows are held or a million; nothing is ever rebuilt for a batch. What is added
goes to a small tail, from there to a sorted middle, and into the base when the memory says so.
"""

from __future__ import annotations

from typing import Final

import polars as pl

ROWS: Final = pl.Schema(
    {
        "who": pl.UInt64(),
        "relation": pl.UInt8(),
        "object": pl.String(),
        "time": pl.Int64(),
        "lag": pl.Int32(),
        "last": pl.UInt32(),
    }
)
"""``who`` is the hash of a subject's name; ``time`` when it began to hold, microseconds of Unix
time; ``lag`` how many seconds later we were told, null where a row only confirms another; ``last``
when it was confirmed last, seconds of Unix time, rounded down to the grain of the relation."""

NAMES: Final = pl.Schema({"who": pl.UInt64(), "name": pl.String()})

IDENTITY: Final = ("who", "relation", "object", "time")
"""What a row is: rows that share it confirm each other."""

ORDER: Final = ("who", "relation", "time", "object", "last")

_TAIL_ROWS: Final = 4_096
"""More are sorted into the middle: a tail is searched row by row."""


def hashed(name: pl.Expr) -> pl.Expr:
    """Return the key of each name. Two names may share one: whoever searches compares names."""
    return name.hash()


class Table:
    """Sorted rows and names with what was added since the last merge."""

    def __init__(self) -> None:
        self.base = pl.DataFrame(schema=ROWS)
        self.names = pl.DataFrame(schema=NAMES)
        self._middle = pl.DataFrame(schema=ROWS)
        self._tail: list[pl.DataFrame] = []
        self._tail_rows = 0
        self._new_names = pl.DataFrame(schema=NAMES)

    @classmethod
    def of(
        cls,
        base: pl.DataFrame,
        recent: pl.DataFrame,
        names: pl.DataFrame,
        recent_names: pl.DataFrame,
    ) -> Table:
        """Return a table of what `base`, `recent`, `names` and `recent_names` of another were."""
        table = cls()
        table.base, table.names = base, names
        table._middle, table._new_names = recent.sort("who"), recent_names
        return table

    @property
    def height(self) -> int:
        """Return how many rows are held, confirmations included."""
        return self.base.height + self._middle.height + self._tail_rows

    @property
    def size_bytes(self) -> int:
        """Return about how much memory the rows and names take."""
        frames = (self.base, self._middle, *self._tail, self.names, self._new_names)
        return sum(int(frame.estimated_size()) for frame in frames)

    def add(self, rows: pl.DataFrame) -> None:
        """Append rows under ROWS."""
        self._tail.append(rows)
        self._tail_rows += rows.height
        if self._tail_rows > _TAIL_ROWS:
            self._middle = pl.concat([self._middle, *self._tail]).sort("who")
            self._tail, self._tail_rows = [], 0

    def name(self, subjects: pl.DataFrame) -> None:
        """Note the names of subjects that have none yet: distinct rows under NAMES."""
        if subjects.height:
            self._new_names = pl.concat([self._new_names, subjects]).sort("who")

    def named(self, who: pl.Series) -> pl.DataFrame:
        """Return the names of those that have one; ``who`` is distinct."""
        return pl.concat([_found(self.names, who), _found(self._new_names, who)])

    def about(self, who: pl.Series) -> pl.DataFrame:
        """Return all rows of some subjects under ROWS in ORDER, confirmations folded into them.

        Parameters
            who: distinct keys.

        Some dozen steps for each of them, whatever is held.
        """
        parts = [_found(self.base, who), _found(self._middle, who)]
        if self._tail:
            tail = pl.concat(self._tail)
            parts.append(tail.filter(pl.col("who").is_in(who.implode())))
        return folded(pl.concat(parts))

    def recent(self) -> pl.DataFrame:
        """Return what was added since the last merge, in ORDER."""
        return pl.concat([self._middle, *self._tail]).sort(ORDER)

    def recent_names(self) -> pl.DataFrame:
        """Return the names since the last merge."""
        return self._new_names

    def merge(self) -> None:
        """Sort what was added into the base; rows of one subject stay together, in ORDER."""
        changed = pl.concat([self._middle, *self._tail])["who"].unique()
        moved = self.about(changed)
        untouched = self.base.filter(~pl.col("who").is_in(changed.implode()))
        self.base = self._middle = self.base.clear()
        self._tail, self._tail_rows = [], 0
        self.base = untouched.merge_sorted(moved, key="who").rechunk()
        self.names = self.names.merge_sorted(self._new_names, key="who").rechunk()
        self._new_names = self.names.clear()

    def keep(self, rows: pl.DataFrame) -> None:
        """Replace the base by some of its rows, and drop the names that no row has any more."""
        self.base = rows.rechunk()
        held = rows.select(pl.col("who").unique())
        self.names = self.names.join(held, on="who", how="semi", maintain_order="left").rechunk()


def folded(rows: pl.DataFrame) -> pl.DataFrame:
    """Return each row once, with the last of its confirmations, in ORDER."""
    ordered = rows.sort(ORDER)
    if ordered["lag"].null_count() == 0:
        return ordered
    same = [pl.col(name) == pl.col(name).shift(-1) for name in IDENTITY]
    followed = pl.all_horizontal(same).fill_null(value=False)
    # What only confirms comes after the row that it confirms, which says when we were told.
    return ordered.with_columns(pl.col("lag").forward_fill()).filter(~followed)


def _found(held: pl.DataFrame, who: pl.Series) -> pl.DataFrame:
    """Return the rows of a frame sorted by ``who`` whose key is one of some."""
    if held.is_empty():
        return held
    keys = pl.lit(held["who"])
    ends = who.to_frame("who").select(
        keys.search_sorted(pl.col("who"), side="left").alias("first"),
        keys.search_sorted(pl.col("who"), side="right").alias("after"),
    )
    hit = ends["first"] < ends["after"]
    if not hit.any():
        return held.clear()
    numbers = pl.int_ranges("first", "after", dtype=pl.UInt32).explode()
    return held[ends.filter(hit).select(numbers).to_series()]
