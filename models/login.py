"""Who comes in how, from where, when and with what, and how rare that is for them.

Separate from sessions because of a login it matters how it was made, not what followed. A login is
what a machine reports as one; at an API server, which has no logins, it is the first request of an
identity from a network with an agent within a quarter of an hour. Rarity is counted in bits,
feature by feature, each against what the identity, then its peers, then everyone did before: a
share is (n + K p) / (N + K), where p is the same of the next wider group (Dirichlet smoothing).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import polars as pl

from models.login_attempts import LOGIN_COLUMNS, LOGIN_FEATURES, attempts_of, login_members
from models.scored import SCORES
from models.store.checks import require_counts, require_distinct
from models.store.kind import Kind
from models.store.manifest import ColumnType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.store.kind import Tables
    from models.store.manifest import Manifest

LOGIN_KIND: Final = "login"
HALF_LIFE_US: Final = 28 * 86_400_000_000
WEIGHT: Final = 4.0
"""Logins after which an identity's own habit counts as much as its peers'. Chosen, not tuned."""

_UNSEEN: Final = 0.5
LEAST_BITS: Final = 3.0
"""Bits from which a feature is told as a reason: seen in one of eight logins, or fewer."""

MOST_COUNTS: Final = 1_000_000
"""Counts of identities that are kept, the highest: some 100 MB. What is left out counts as new for
that identity, and as known for its peers."""

LEVELS: Final = ("all", "peers", "identity")
"""From wide to narrow; each has a column of the attempts that names the group."""

LOGIN_TABLES: Final[Mapping[str, Mapping[str, ColumnType]]] = {
    "counts": {
        "level": ColumnType.TEXT,
        "group": ColumnType.TEXT,
        "feature": ColumnType.TEXT,
        "value": ColumnType.TEXT,
        "count": ColumnType.FLOAT64,
    }
}
_KEYS: Final = ("level", "group", "feature")
_SEEN: Final = pl.col("count").fill_null(0.0)
_TOTAL: Final = pl.col("total").fill_null(0.0)


@dataclass(frozen=True, slots=True, eq=False)
class LoginModel:
    """A fitted model of logins (`models.scored.Scorer`)."""

    counts: pl.DataFrame

    @classmethod
    def of(cls, events: pl.DataFrame, most: int = MOST_COUNTS) -> Self:
        """Learn from the logins among these events; older ones count less.

        Raises
            ValueError: there are none.
        """
        attempts = attempts_of(events.select(LOGIN_COLUMNS))
        if attempts.is_empty():
            raise ValueError("no logins to learn from")
        age = pl.col("start").max() - pl.col("start")
        weighted = attempts.with_columns((0.5 ** (age / HALF_LIFE_US)).alias("count"))
        *wide, own = (_counted(weighted, level) for level in LEVELS)
        kept = own.sort("count", *_KEYS, "value", descending=[True, *[False] * 4]).head(most)
        return cls(pl.concat([*wide, kept]).sort(*_KEYS, "value"))

    @classmethod
    def from_tables(cls, tables: Mapping[str, pl.DataFrame]) -> Self:
        """Return what `tables` holds, as the store has checked it."""
        return cls(tables["counts"])

    def to_tables(self) -> dict[str, pl.DataFrame]:
        """Return plain tables, under `LOGIN_TABLES`."""
        return {"counts": self.counts}

    def score(self, events: pl.DataFrame) -> pl.DataFrame:
        """Return a row for each login; the score is its rarity in bits."""
        attempts = attempts_of(events.select(LOGIN_COLUMNS))
        long = _long(attempts).sort("unit", "feature")
        rarity = self._rarity(long).sort(
            "unit", pl.col("bits").round(6), "feature", descending=[False, True, False]
        )
        told = pl.format("{} {}: {} bits", "feature", "value", pl.col("bits").round(1))
        scored = rarity.group_by("unit", maintain_order=True).agg(
            pl.col("bits").sum().alias("score"),
            told.filter(pl.col("bits") >= LEAST_BITS).alias("reasons"),
        )
        return (
            attempts.join(scored, on="unit", how="left", maintain_order="left")
            .select(*SCORES)
            .sort("start", "unit")
        )

    def members(self, events: pl.DataFrame) -> pl.DataFrame:
        """Return the login that each event belongs to."""
        return login_members(events.select(LOGIN_COLUMNS))

    def _rarity(self, long: pl.DataFrame) -> pl.DataFrame:
        """Return the rows with the bits that each value costs."""
        totals = self.counts.group_by(_KEYS).agg(
            pl.col("count").sum().alias("total"), pl.len().alias("values")
        )
        widest, *narrower = LEVELS
        values = pl.col("values").fill_null(0) + 1  # and one for all that were never seen
        shared = self._counts_of(long, totals, widest).with_columns(
            ((_SEEN + _UNSEEN) / (_TOTAL + _UNSEEN * values)).alias("share")
        )
        for level in narrower:
            held = self._counts_of(shared.select(*long.columns, "share"), totals, level)
            share = (_SEEN + WEIGHT * pl.col("share")) / (_TOTAL + WEIGHT)
            shared = held.with_columns(share.alias("share"))
        return shared.with_columns((-pl.col("share").log(2)).round(9).alias("bits"))

    def _counts_of(self, rows: pl.DataFrame, totals: pl.DataFrame, level: str) -> pl.DataFrame:
        """Return the rows with what is known of each value in the row's group of a level."""
        keyed = rows.with_columns(pl.lit(level).alias("level"), pl.col(level).alias("group"))
        found = keyed.join(self.counts, on=[*_KEYS, "value"], how="left", maintain_order="left")
        return found.join(totals, on=_KEYS, how="left", maintain_order="left")


def _long(attempts: pl.DataFrame) -> pl.DataFrame:
    return attempts.unpivot(
        LOGIN_FEATURES, index=["unit", *LEVELS], variable_name="feature", value_name="value"
    )


def _counted(weighted: pl.DataFrame, level: str) -> pl.DataFrame:
    long = weighted.unpivot(
        LOGIN_FEATURES, index=[level, "count"], variable_name="feature", value_name="value"
    )
    counts = long.group_by(pl.col(level).alias("group"), "feature", "value").agg(
        # Sorted, so that it is the same sum in any order of rows.
        pl.col("count").sort().sum().round(9)
    )
    return counts.select(pl.lit(level).alias("level"), "group", "feature", "value", "count")


def _check(_: Manifest, tables: Tables) -> None:
    require_counts(tables, "counts", ("count",))
    require_distinct(tables, "counts", (*_KEYS, "value"))


LOGIN: Final = Kind(LOGIN_KIND, LOGIN_TABLES, _check, LOGIN_FEATURES)
