"""Observations and counts become bits: how rare each is, and how strange an identity's minute.

Separate because it only reads: the same observations against the same counts give the same bits,
whenever that is done. Probabilities back off from the identity to its peers to all of its type.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from models.profile.action_key import DAY_TICKS
from models.profile.counts import TOTAL, Counts
from models.profile.observed import FEATURES, LEVELS, MINUTE, PERSONAL, Feature

FLOOR_BITS: Final = 10.0
"""What is less rare than one in a thousand is no reason to wonder: many weak ones are none."""

MOST_REASONS: Final = 16
"""Of one minute; the n-th strongest counts 1/sqrt(n): what is strange in many ways is stranger, and
yet a burst of one kind cannot drown another's single act."""

KNOWN_EVENTS: Final = 200
"""Events after which an identity is known; until then its peers decide what is normal for it."""

HOURS_KNOWN_TICKS: Final = 14 * DAY_TICKS
"""Two weeks must have been seen before an hour of the week can be unusual."""

CONTRIBUTIONS: Final = pl.Schema(
    {
        "cluster": pl.UInt64(),
        "tick": pl.Int64(),
        "who": pl.UInt64(),
        "feature": pl.UInt8(),
        "about": pl.UInt64(),
        "bits": pl.Float64(),
        "rank": pl.Int64(),
    }
)
"""What adds to the score of an identity's minute; ``rank`` 0 is the strongest."""

SCORES: Final = pl.Schema(
    {"cluster": pl.UInt64(), "tick": pl.Int64(), "who": pl.UInt64(), "score": pl.Float64()}
)


@dataclass(frozen=True, slots=True)
class Known:
    """Events, and minutes since the first, after which an identity's own counts decide."""

    events: int = KNOWN_EVENTS
    ticks: int = 0


AFTER_200_EVENTS: Final = Known()
AFTER_A_DAY: Final = Known(ticks=DAY_TICKS)
"""The same, and an event day: for whoever sees days."""
_ABOUT_ACTS: Final = tuple(one.feature.value for one in FEATURES if one.about == "act")


def bits(
    seen: pl.DataFrame,
    counts: Counts,
    tick: int,
    known: Known = AFTER_200_EVENTS,
    least: float = FLOOR_BITS,
) -> pl.DataFrame:
    """Return observations rarer than ``least`` bits, with ``bits``: -log2 of the probability.

    Parameters
        seen: under OBSERVED, later than all that ``counts`` has learned.
        tick: time that stands for all of them, the same however they are cut.
        known: when an identity's own counts decide.

    The back-off is Witten and Bell's (1991): what a context gives to the unseen grows with how many
    distinct values it has shown, p = (n + d * p_parent) / (N + d).
    """
    # With its peers: somebody may be now of this team, now of that.
    pair = [*LEVELS[:2], "value"]
    pairs = seen.group_by(pair).agg(pl.col(*LEVELS[2:], "feature").first())
    growth = counts.growth(tick)
    held = _looked_up(pairs, counts)
    age = tick - pl.col("total_first_0").fill_null(tick)
    young = (pl.col("total_events_0").fill_null(0) < known.events) | (age < known.ticks)
    own = ~(young & pl.col("feature").is_in(PERSONAL))
    widest = pl.max_horizontal(
        pl.col(f"total_distinct_{level}").fill_null(0) for level in range(len(LEVELS))
    )
    probability = 1.0 / (widest + 1)
    for level in reversed(range(len(LEVELS))):
        usable = own if level == 0 else pl.lit(value=True)
        probability = _backed_off(level, probability, usable, growth)
    early = (pl.col("feature") == Feature.HOUR.value) & (age < HOURS_KNOWN_TICKS)
    rare = (
        held.select(
            *pair,
            pl.when(early).then(0.0).otherwise(-probability.log(2.0)).alias("bits"),
        )
    ).filter(pl.col("bits") > least)
    return seen.join(rare, on=pair)


def _looked_up(pairs: pl.DataFrame, counts: Counts) -> pl.DataFrame:
    """Return pairs with what is known of each at each level, and of its context, in one look-up."""
    total = pl.lit(TOTAL, dtype=pl.UInt64).alias("value")
    asked = pairs.lazy()
    stacked = pl.concat(
        asked.select(pl.col(level).alias("context"), value)
        for level in LEVELS
        for value in (pl.col("value"), total)
    ).collect()
    found = counts.of(stacked)
    parts = [
        found.slice(n * pairs.height, pairs.height).select(
            pl.col(name).alias(f"{prefix}{name}_{n // 2}") for name in wanted
        )
        for n, (prefix, wanted) in enumerate(
            [("", ("weight",)), ("total_", ("weight", "distinct", "events", "first"))] * len(LEVELS)
        )
    ]
    return pl.concat([pairs, *parts], how="horizontal")


def _backed_off(level: int, parent: pl.Expr, usable: pl.Expr, growth: float) -> pl.Expr:
    seen = pl.col(f"weight_{level}").fill_null(0.0) / growth
    total = pl.col(f"total_weight_{level}").fill_null(0.0) / growth
    many = pl.col(f"total_distinct_{level}").fill_null(0)
    own = (seen + many * parent) / (total + many)
    return pl.when(usable & (many > 0)).then(own).otherwise(parent)


def contributions(rare: pl.DataFrame) -> pl.DataFrame:
    """Return what adds to scores, under CONTRIBUTIONS: the strongest of what is about one thing."""
    family = pl.when(pl.col("feature").is_in(_ABOUT_ACTS)).then(0).otherwise("feature")
    each = (
        rare.with_columns(family.cast(pl.UInt8).alias("family"))
        .sort("bits", "feature", descending=[True, False])
        .unique([*MINUTE, "family", "about"], keep="first", maintain_order=True)
        .sort(*MINUTE, "bits", "feature", "about", descending=[False] * 3 + [True, False, False])
    )
    ranked = each.with_columns(pl.int_range(pl.len(), dtype=pl.Int64).over(MINUTE).alias("rank"))
    return ranked.filter(pl.col("rank") < MOST_REASONS).select(CONTRIBUTIONS.names())


def scores(contributed: pl.DataFrame) -> pl.DataFrame:
    """Return the score of each identity's minute that something contributes to, under SCORES."""
    weight = 1.0 / (pl.col("rank") + 1).sqrt()
    return contributed.group_by(MINUTE, maintain_order=True).agg(
        (pl.col("bits") * weight).sum().alias("score")
    )
