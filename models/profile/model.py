"""Events in, how strange each identity's minute is by a profile as it stood when training ended.

Separate from the detector, which goes on learning, because an evaluation compares models that
stand still, and because this is what the store loads by the name of its kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import polars as pl

from models.profile import rarity
from models.profile.action_key import CLUSTER, DATASET, DAY_TICKS, READ, TICK_US, sightings
from models.profile.counts import Counts
from models.profile.observed import (
    FEATURES,
    MINUTE,
    Feature,
    coded,
    hour_of,
    identity_text,
    observed,
)
from models.profile.profile_check import check_profile
from models.profile.profile_tables import PROFILE_TABLES, from_tables, to_tables
from models.profile.words import MOST_REASONS, texts_of
from models.scored import MEMBERS, SCORES, unit_id
from models.store.kind import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.profile.profile import Profile

PROFILE_KIND: Final = "profile"
PROFILE_COLUMNS: Final = ("event.dataset", *READ)
LEARNED_FEATURES: Final = tuple(
    f"{one.feature.name.lower()} {one.value} by {', '.join(one.levels)}" for one in FEATURES
)
"""What is counted, and in which contexts: a profile of other contexts says nothing of these."""

_TOLD_BY: Final[Mapping[Feature, str]] = {
    Feature.NETWORK: "network",
    Feature.AGENT: "agent",
    Feature.PLACE: "place",
    Feature.IDENTITY: "identity",
}
"""Which text a feature is told by, where it is not the act."""


@dataclass(frozen=True, slots=True, eq=False)
class ProfileModel:
    """A profile that stands still (`models.scored.Scorer`)."""

    profile: Profile
    counts: Counts
    passed: int
    """The first minute after training: what lies before is scored as if it came then."""

    @classmethod
    def of(cls, profile: Profile) -> Self:
        """Return what scores by a profile."""
        rows = profile.counts
        counts = Counts(max(rows.height, 1))
        counts.take_up(rows)
        passed = max((one.passed for one in profile.clusters.values()), default=0)
        return cls(profile, counts, passed)

    @classmethod
    def from_tables(cls, tables: Mapping[str, pl.DataFrame]) -> Self:
        """Return what tables hold, as the store has checked them."""
        return cls.of(from_tables(tables))

    def to_tables(self) -> dict[str, pl.DataFrame]:
        """Return plain tables, under `PROFILE_TABLES`."""
        return to_tables(self.profile)

    def score(self, events: pl.DataFrame) -> pl.DataFrame:
        """Return a row of `models.scored.SCORES` for each identity's minute."""
        due = sightings(events.select(PROFILE_COLUMNS))
        if due.is_empty():
            return pl.DataFrame(schema=dict(SCORES))
        said = coded(due)
        seen = observed(said)
        rare = self._rare(seen)
        contributed = rarity.contributions(rare)
        scored = rarity.scores(contributed)
        return (
            _units(said, due)
            .join(scored, on=MINUTE, how="left")
            .join(_reasons(contributed, rare, due), on=MINUTE, how="left")
            .with_columns(
                pl.col("score").fill_null(0.0),
                pl.col("reasons").fill_null(pl.lit([], pl.List(pl.String))),
                pl.col("name").alias("cluster"),
            )
            .select(*SCORES)
            .sort("start", "unit")
        )

    def members(self, events: pl.DataFrame) -> pl.DataFrame:
        """Return the identity's minute that each event belongs to."""
        own = events.select(PROFILE_COLUMNS).filter(
            pl.col("event.dataset") == DATASET,
            pl.col("@timestamp").is_not_null(),
            pl.col("event.id").is_not_null(),
        )
        tick = pl.col("@timestamp").to_physical() // TICK_US
        named = own.with_columns(tick.alias("tick")).with_columns(*_named())
        return named.select(*MEMBERS)

    def _rare(self, seen: pl.DataFrame) -> pl.DataFrame:
        """Return what is rare on the day it was seen, by what was known when training ended."""
        days = seen["tick"] // DAY_TICKS
        return pl.concat(
            rarity.bits(seen.filter(days == day), self.counts, max(day * DAY_TICKS, self.passed))
            for day in days.unique().sort()
        )


def _named() -> tuple[pl.Expr, ...]:
    """Return, of rows with their ``tick``, the columns of SCORES that name an identity's minute."""
    cluster, entity = pl.col(CLUSTER).fill_null(""), identity_text()
    start = pl.col("tick") * TICK_US
    return (
        unit_id(start, cluster, entity).alias("unit"),
        cluster.alias("name"),
        entity.alias("entity"),
        start.alias("start"),
        (start + TICK_US).alias("end"),
    )


def _units(said: pl.DataFrame, due: pl.DataFrame) -> pl.DataFrame:
    named = due.select("tick", *_named()).drop("tick")
    return said.select(MINUTE).hstack(named).unique("unit", keep="first", maintain_order=True)


def _reasons(contributed: pl.DataFrame, rare: pl.DataFrame, due: pl.DataFrame) -> pl.DataFrame:
    """Return the weightiest contributions of each minute in words, with ``reasons``."""
    keys = [*MINUTE, "feature", "about", "bits"]
    first = rare.sort("row").unique(keys, keep="first").select(*keys, "row")
    told = contributed.filter(pl.col("rank") < MOST_REASONS).join(first, on=keys)
    told = told.sort(*MINUTE, "rank")
    worded = told.hstack(texts_of(due[told["row"]]))
    said = pl.format("{} {}: {} bits", _what(), _text(told["tick"]), pl.col("bits").round(1))
    return worded.group_by(MINUTE, maintain_order=True).agg(said.alias("reasons"))


def _what() -> pl.Expr:
    names = {one.value: one.name.lower() for one in Feature}
    return pl.col("feature").replace_strict(names, return_dtype=pl.String)


def _text(ticks: pl.Series) -> pl.Expr:
    """Return what a contribution is about, as text."""
    hours = {tick: hour_of(tick) for tick in ticks.unique()}
    hour = pl.col("tick").replace_strict(hours, default="", return_dtype=pl.String)
    told = pl.when(pl.col("feature") == Feature.HOUR.value).then(hour).otherwise(pl.col("act"))
    for feature, name in _TOLD_BY.items():
        told = pl.when(pl.col("feature") == feature.value).then(pl.col(name)).otherwise(told)
    return told


PROFILE: Final = Kind(PROFILE_KIND, PROFILE_TABLES, check_profile, LEARNED_FEATURES)
