"""Facts of one cluster, in order of time, become a bounded memory that answers as of any time.

Separate from waiting for that order (ordered.py) and from the rows' place (table.py). Two times are
kept of a row: from when on it held, and when we were told; and until when it was confirmed. What is
remembered depends on the sequence of facts alone, not on how it was cut: rows are appended when
something changes or a confirmation falls into another grain of time, and what is dropped is decided
at places that their number determines.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.entities.asof import Held, latest, named_keys
from detectors.entities.bounds import kept
from detectors.entities.relation import (
    GAP_S,
    GONE_PREFIX,
    GRAIN_S,
    JOINT,
    NUMBERS,
    Manner,
    Relation,
    numbered,
)
from detectors.entities.table import NAMES, ROWS, Table, hashed

if TYPE_CHECKING:
    from collections.abc import Iterable

LIMIT_ROWS: Final = 4_000_000
"""Rows of one cluster: 4 million took 330 MB in benchmarks/entities.py (2026-11-22)."""

BLOCK_ROWS: Final = 65_536
"""The bounds are applied after so many new rows at the least, or an eighth of the base."""

MOST_OBSERVED: Final = 1_024
"""Objects of one subject and relation: whose name is shared by more has no habits to be learned."""

_SECOND_US: Final = 1_000_000
_LAST_S: Final = 2**32 - 1
"""February 2106: the last second that a row can say."""
_PART: Final = ("who", "relation", "part")
_STATES: Final = numbered(Manner.STATE)
_SETS: Final = numbered(Manner.SET)
_OBSERVED: Final = numbered(Manner.OBSERVED)


class EntityMemory:
    """What is known of one cluster."""

    def __init__(self, limit_rows: int = LIMIT_ROWS, block_rows: int = BLOCK_ROWS) -> None:
        self.limit_rows = limit_rows
        self.block_rows = block_rows
        self.table = Table()
        self.folded_us = 0
        """The latest time of any fact."""
        self.since_bound = 0
        """Rows since the bounds were applied, each confirmation counted."""
        self.evicted: Counter[str] = Counter()

    def add(self, facts: pl.DataFrame) -> None:
        """Learn facts, of times after all before, in order of time and event; apply the bounds."""
        while facts.height:
            facts = self.take(facts)
            if self.is_due():
                self.bound()

    def take(self, facts: pl.DataFrame) -> pl.DataFrame:
        """Learn facts up to where the bounds are due; return the rest.

        Who asks what was known at the time of these facts asks before `bound`.
        """
        rows, names = self._rows_of(facts)
        cut_us = self._cut(rows)
        rest = facts.clear()
        if cut_us is not None:
            facts, rest = (
                facts.filter(pl.col("time") <= cut_us),
                facts.filter(pl.col("time") > cut_us),
            )
            rows, names = self._rows_of(facts)
        if rows.height:
            self.table.add(rows.select(ROWS.names()))
            self.table.name(names)
        self.since_bound += rows.height
        latest_us = facts.select(pl.col("time").max()).item() or 0
        self.folded_us = max(self.folded_us, latest_us)
        return rest

    def _due_rows(self) -> int:
        return max(self.block_rows, self.table.base.height // 8)

    def is_due(self) -> bool:
        """Whether the bounds are to be applied before anything else is learned."""
        return self.since_bound >= self._due_rows()

    def _cut(self, rows: pl.DataFrame) -> int | None:
        """Return the time of the row that makes the bounds due, None if none of them does.

        Facts after it wait, also those that change nothing: what is dropped depends on the time.
        """
        room = self._due_rows() - self.since_bound
        if rows.height < room:
            return None
        return int(rows["said"].sort()[room - 1])

    def _rows_of(self, facts: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return the rows to append, with ``said``, the time of their fact; and new names."""
        facts, names = self._identified(facts.with_columns(hashed(pl.col("subject")).alias("who")))
        before = self.table.about(facts["who"].unique())
        told = _against(facts, before)
        return self._within_reach(told, before).select(*ROWS.names(), "said"), names

    def _identified(self, facts: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return facts without those whose key is of another name, and the names that are new."""
        subjects = facts.select("who", pl.col("subject").alias("name")).unique(
            "who", keep="first", maintain_order=True
        )
        known = self.table.named(subjects["who"])
        missing = subjects.join(known, on="who", how="anti").select(NAMES.names())
        owners = pl.concat([known, missing]).rename({"name": "subject"})
        own = facts.join(owners, on=["who", "subject"], how="semi", maintain_order="left")
        self.evicted["collisions"] += facts.height - own.height
        return own, missing

    def _within_reach(self, told: pl.DataFrame, before: pl.DataFrame) -> pl.DataFrame:
        """Drop what a subject is seen with beyond the bound."""
        group = ("who", "relation")
        observed = before.filter(pl.col("relation").is_in(_OBSERVED))
        held = observed.group_by(group).agg(pl.len().alias("held"))
        fresh = told.filter(pl.col("relation").is_in(_OBSERVED) & pl.col("new"))
        crowded = (
            fresh.sort("said", "object")
            .join(held, on=group, how="left", maintain_order="left")
            .with_columns((pl.int_range(pl.len()).over(group)).alias("nth"))
            .filter(pl.col("held").fill_null(0) + pl.col("nth") >= MOST_OBSERVED)
        )
        if crowded.is_empty():
            return told
        self.evicted["crowded"] += crowded.height
        return told.join(crowded, on=[*_PART, "time"], how="anti", maintain_order="left")

    def bound(self) -> None:
        """Sort what was added into the base, and drop what is too old or too much."""
        self.since_bound = 0
        self.table.merge()
        rows, dropped = kept(self.table.base, self.folded_us, self.limit_rows)
        self.evicted.update(dropped)
        if rows.height < self.table.base.height:
            self.table.keep(rows)

    def about(self, subjects: pl.Series) -> Held:
        """Return all rows of some subjects, with their names."""
        keys = named_keys(subjects, self.table)
        return Held(self.table.about(keys["who"]).join(keys, on="who"))

    def of_relations(self, relations: Iterable[Relation]) -> pl.DataFrame:
        """Return all rows of some relations with their subjects' names; linear in all rows."""
        wanted = pl.col("relation").is_in([NUMBERS[relation] for relation in relations])
        who = pl.concat([self.table.base.filter(wanted), self.table.recent().filter(wanted)])["who"]
        keys = who.unique().sort()
        rows = self.table.about(keys).filter(wanted)
        return rows.join(self.table.named(keys), on="who")

    def naming(self, name: str) -> pl.DataFrame:
        """Return all rows whose object names it, with their subjects; linear in all rows."""
        near = pl.col("object").str.contains(name, literal=True)
        exact = pl.col("object").str.split(JOINT).list.contains(name)
        rows = pl.concat([self.table.base, self.table.recent()]).filter(near).filter(exact)
        keys = rows["who"].unique().sort()
        said = self.table.about(keys).filter(near).filter(exact)
        return said.join(self.table.named(keys), on="who")

    def as_of(
        self, relation: Relation, keys: pl.DataFrame, seen_us: int | None = None
    ) -> pl.DataFrame:
        """Return what was so of each key just before a time, as far as it was told by ``seen_us``.

        Parameters
            relation: one whose subjects have one object at a time.
            keys: ``key``, a subject's name, and ``time``, microseconds of Unix time.

        Returns
            ``keys`` in their order with ``object``, ``since`` and ``last``; null where it is not
            known, the object ``""`` where it was known to be no more.
        """
        held = self.about(keys["key"].drop_nulls().unique())
        return latest(held, relation, keys, seen_us)


def _against(facts: pl.DataFrame, before: pl.DataFrame) -> pl.DataFrame:
    """Return the facts that are new or confirm in another grain of time, as rows.

    A fact is compared with the one before it of its part: of what changes, of the subject; of what
    was observed, of the subject with that object; of a set, with that member. Of several of one
    microsecond the greatest object stands, whichever event said it.
    """
    newest = (
        before.with_columns(part_of().alias("part"))
        .sort("time", "object")
        .group_by(_PART)
        .agg(
            pl.col("object").last().alias("held_object"),
            pl.col("time").last().alias("held_time"),
            pl.col("last").last().alias("held_last"),
        )
    )
    number = pl.col("relation")
    grain = pl.lit(GRAIN_S).gather(number)
    rows = (
        facts.with_columns(
            part_of().alias("part"),
            # Whoever writes a record may write any year into it.
            (pl.col("time") // _SECOND_US // grain * grain)
            .clip(0, _LAST_S)
            .cast(pl.UInt32)
            .alias("stamp"),
        )
        .join(newest, on=_PART, how="left")
        .sort(*_PART, "time", "object")
    )
    first = ~pl.all_horizontal(pl.col(name) == pl.col(name).shift(1) for name in _PART).fill_null(
        value=False
    )
    last_of = pl.when(first).then("held_last").otherwise(pl.col("stamp").shift(1))
    object_of = pl.when(first).then("held_object").otherwise(pl.col("object").shift(1))
    rows = rows.with_columns(
        first.alias("first"), last_of.alias("was_last"), object_of.alias("was")
    )
    gap_s = pl.lit(GAP_S).gather(number)
    ends = pl.col("object") == ""
    # Whoever joins a set was not in it: all may have left since.
    changed = (pl.col("object") != pl.col("was")) | number.is_in(_SETS)
    apart = pl.col("time") // _SECOND_US - pl.col("was_last").cast(pl.Int64) > gap_s
    nothing_ends = (
        (ends & number.is_in(_STATES))
        | pl.col("object").str.starts_with(GONE_PREFIX) & number.is_in(_SETS)
    ) & (pl.col("was").is_null() | (pl.col("was") == ""))
    new = (pl.col("was").is_null() | changed | apart) & ~nothing_ends
    rows = rows.with_columns(new.alias("new"))
    begun = pl.when("new").then("time").when("first").then("held_time").forward_fill()
    confirms = ~pl.col("new") & ~ends & (pl.col("stamp") > pl.col("was_last"))
    return rows.with_columns(
        begun.alias("time"),
        pl.col("time").alias("said"),
        pl.when("new")
        .then(-((pl.col("time") - pl.col("seen")) // _SECOND_US))
        .clip(0, 2**31 - 1)
        .cast(pl.Int32)
        .alias("lag"),
        pl.col("stamp").alias("last"),
    ).filter(pl.col("new") | confirms)


def part_of() -> pl.Expr:
    """Return what of a subject a row says: the next of the same part replaces or confirms it."""
    number = pl.col("relation")
    member = pl.col("object").str.strip_prefix(GONE_PREFIX)
    return (
        pl.when(number.is_in(_OBSERVED))
        .then("object")
        .when(number.is_in(_SETS))
        .then(member)
        .otherwise(pl.lit(""))
    )
