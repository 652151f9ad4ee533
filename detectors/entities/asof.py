"""Rows of some subjects become answers: what was so just before a time, as far as we were told.

Separate from the memory because questions come by the batch: the rows of all subjects of a batch
are taken out once, and every relation is asked of these few.

Just before: what an event itself says is not known when it happens, nor what happened in the same
microsecond. ``inclusive`` asks for what is so right after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.entities.relation import GONE_PREFIX, KEEP_S, NUMBERS, Relation
from detectors.entities.table import Table, hashed

if TYPE_CHECKING:
    from collections.abc import Collection

_SECOND_US: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Held:
    """Rows under ROWS with ``name``, the subject of each."""

    rows: pl.DataFrame

    def of(self, relation: Relation) -> pl.DataFrame:
        """Return the rows of one relation."""
        return self.rows.filter(pl.col("relation") == NUMBERS[relation])

    def only(self, relations: Collection[Relation]) -> Held:
        """Return the rows of some relations."""
        numbers = [NUMBERS[relation] for relation in relations]
        return Held(self.rows.filter(pl.col("relation").is_in(numbers)))


def named_keys(subjects: pl.Series, table: Table) -> pl.DataFrame:
    """Return ``who`` and ``name`` of those subjects that the table knows."""
    keys = pl.DataFrame({"name": subjects}).with_columns(hashed(pl.col("name")).alias("who"))
    known = table.named(keys["who"].unique())
    return known.join(keys, on=["who", "name"], how="semi")


def latest(
    held: Held,
    relation: Relation,
    keys: pl.DataFrame,
    seen_us: int | None = None,
    *,
    inclusive: bool = False,
) -> pl.DataFrame:
    """Return ``keys`` with ``object``, ``since`` and ``last`` of the row that held at their time.

    Parameters
        keys: ``key`` and ``time``; others are kept. Null keys have no answer.
        seen_us: only what we had been told by then.
    """
    rows = _told(held.of(relation), seen_us).sort("time", "object")
    found = (
        keys.with_row_index("place")
        .sort("time")
        .join_asof(
            rows.select(
                pl.col("name").alias("key"), "object", "time", pl.col("time").alias("since"), "last"
            ),
            on="time",
            by="key",
            strategy="backward",
            allow_exact_matches=inclusive,
            check_sortedness=False,
        )
        .sort("place")
        .drop("place")
    )
    alive = _alive(NUMBERS[relation])
    return found.with_columns(
        pl.when(alive).then(pl.col(name)).alias(name) for name in ("object", "since", "last")
    )


def states(held: Held, relations: Collection[Relation], keys: pl.DataFrame) -> pl.DataFrame:
    """Return what was so of each key just before its time, by each of some relations.

    Parameters
        keys: ``at``, a number of each in their order, ``key`` and ``time``.

    Returns
        A column for each relation, under its name; null where it is not known or no more. One
        search for all relations: each call of Polars costs more than a row.
    """
    numbers = {NUMBERS[relation]: str(relation) for relation in relations}
    rows = held.rows.filter(pl.col("relation").is_in(list(numbers))).select(
        pl.col("name").alias("key"), "relation", "object", pl.col("time").alias("since"), "last"
    )
    keep_s = pl.lit(KEEP_S).gather(pl.col("relation"))
    until_us = (pl.col("last").cast(pl.Int64) + keep_s) * _SECOND_US
    newest = (
        keys.select("at", "key", "time")
        .join(rows, on="key")
        .filter(pl.col("since") < pl.col("time"))
        .sort("since", "object")
        .unique(["at", "relation"], keep="last", maintain_order=True)
        .filter((until_us >= pl.col("time")) & (pl.col("object") != ""))
    )
    told = newest.group_by("at").agg(
        pl.col("object").filter(pl.col("relation") == number).first().alias(name)
        for number, name in numbers.items()
    )
    return keys.select("at").join(told, on="at", how="left", maintain_order="left").drop("at")


def every(
    held: Held, relation: Relation, keys: pl.DataFrame, *, inclusive: bool = False
) -> pl.DataFrame:
    """Return a row for each key and each object that it had been seen with, by the key's ``at``.

    Parameters
        keys: ``at``, a number of each, ``key`` and ``time``.

    Returns
        ``at``, ``time``, ``object``, ``since`` and ``last``; what was forgotten is left out.
    """
    rows = held.of(relation).select(
        pl.col("name").alias("key"), "object", pl.col("time").alias("since"), "last"
    )
    pairs = keys.select("at", "key", "time").join(rows, on="key")
    before = pl.col("since") <= pl.col("time") if inclusive else pl.col("since") < pl.col("time")
    return pairs.filter(before & _alive(NUMBERS[relation])).drop("key")


def members(held: Held, relation: Relation, keys: pl.DataFrame) -> pl.DataFrame:
    """Return ``at`` and ``object`` for each member that a key's set has right after its time."""
    said = every(held, relation, keys, inclusive=True)
    cleared = said.filter(pl.col("object") == "").group_by("at").agg(pl.col("since").max())
    named = said.filter(pl.col("object") != "").with_columns(
        pl.col("object").str.strip_prefix(GONE_PREFIX).alias("member")
    )
    newest = named.sort("since").group_by("at", "member").agg(pl.col("object", "since").last())
    present = newest.filter(~pl.col("object").str.starts_with(GONE_PREFIX))
    after = present.join(cleared.rename({"since": "cleared"}), on="at", how="left")
    left = after.filter(pl.col("cleared").is_null() | (pl.col("since") > pl.col("cleared")))
    return left.select("at", "object")


def _alive(number: int) -> pl.Expr:
    until_us = (pl.col("last").cast(pl.Int64) + int(KEEP_S[number])) * _SECOND_US
    return until_us >= pl.col("time")


def _told(rows: pl.DataFrame, seen_us: int | None) -> pl.DataFrame:
    if seen_us is None:
        return rows
    told_us = pl.col("time") + pl.col("lag").cast(pl.Int64) * _SECOND_US
    return rows.filter(told_us <= seen_us)
