"""The minutes of a span, and what is strange in one: the events that a finding shows.

Separate from the learning because it only looks: what the values are that stand out, and which
sightings have them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from models.profile.action_key import TOLD_APART
from models.profile.observed import MINUTE

_VALUES: Final = ("act", "network", "agent", "place")
"""Columns of a sighting that something about it is strange by; else all of the minute is shown."""


@dataclass(frozen=True, slots=True)
class Span:
    """Complete minutes of one span, of some clusters."""

    start: int
    """Its first minute."""
    seen: pl.DataFrame
    said: pl.DataFrame
    due: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Minute:
    """A strange minute of an identity, and the sightings that are strange in it."""

    cluster: int
    tick: int
    who: int
    score: float
    evidence: pl.DataFrame

    @property
    def events(self) -> int:
        """Return how many events the strange sightings stand for."""
        return int(self.evidence["count"].sum())


def evidence_of(span: Span, strange: pl.DataFrame) -> pl.DataFrame:
    """Return the sightings that are strange, once each, in order, with what minute they are of."""
    where = list(MINUTE)
    rows = [
        span.said.select(*where, "row", pl.col(value).alias("about")).join(
            strange.select(*where, "about"), on=[*where, "about"], how="semi"
        )["row"]
        for value in _VALUES
    ]
    shown = pl.concat(rows).unique()
    minutes = span.said[shown].select(where)
    missing = strange.select(where).unique().join(minutes, on=where, how="anti")
    whole = span.said.select(*where, "row").join(missing, on=where, how="semi")["row"]
    chosen = pl.concat([shown, whole]).sort()
    found = span.due[chosen].hstack(span.said[chosen].select("cluster", "who", "peers"))
    combination = [*where, *TOLD_APART]
    counted = found.group_by(combination).agg(pl.col("count").sum().alias("all"))
    return (
        found.sort("tick", "order", "event.id")
        .unique(combination, keep="first", maintain_order=True)
        .join(counted, on=combination, nulls_equal=True, maintain_order="left")
        .drop("count")
        .rename({"all": "count"})
    )
