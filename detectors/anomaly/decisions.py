"""Verdicts in the log become decisions, each with the minute of event time it is in force from.

Separate from what a decision does (detectors/anomaly/verdicts.py) because when it does so is a
matter of the log alone. A verdict is made by another clock than the events' and moves no time, so
its own time cannot say what it comes before. Its place in the log can: it is in force for the spans
of minutes that begin after the newest event before it, of its cluster. Where the verdict stands no
event of these has come, so none of their minutes was scored or learned by then, however records are
cut into batches, wherever a worker starts again, and whenever the log is replayed. All minutes
before were, once the first such span is scored: so the finding is known by then if it ever is.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import msgspec
import polars as pl

from detectors.correlation.turns import latest_of
from ingest.verdict import DATASET, Choice
from models.profile.action_key import CLUSTER, TICK_US
from models.profile.observed import digest

if TYPE_CHECKING:
    from collections.abc import Collection

MOST_DUE: Final = 10_000
"""Decisions that wait: people do not make so many in the time of a batch."""

VERDICT_COLUMNS: Final = tuple(
    f"trailwarden.verdict.{name}" for name in ("finding", "rule", "value", "events")
)
_TIME: Final = "@timestamp"
_IS_VERDICT: Final = (pl.col("event.dataset") == DATASET).fill_null(value=False)


class Decision(msgspec.Struct, array_like=True, frozen=True):
    """What a person decided about a finding; ``events`` are those that it rests on."""

    cluster: int
    tick: int
    """The first minute that it may be in force in."""
    finding: str
    rule: str
    choice: Choice
    events: list[str]


class Decisions:
    """Decisions that wait for their time, and how far the events of each cluster have come."""

    __slots__ = ("due", "evicted", "newest_us")

    def __init__(self) -> None:
        self.due: list[Decision] = []
        """In the order of the log."""
        self.newest_us: dict[str, int] = {}
        """By cluster's name: microseconds of Unix time of the newest event; of verdicts none."""
        self.evicted: Counter[str] = Counter()

    def add(self, events: pl.DataFrame) -> None:
        """Take a batch: each cluster's events in the order of the log.

        A verdict counts where it stands, however wrong the clock was by which it was made: none is
        late.
        """
        is_verdict = events.select(_IS_VERDICT).to_series()
        if is_verdict.any():
            self._decide(events, is_verdict)
            events = events.filter(~is_verdict)
        if events.is_empty():
            return
        for name, latest in latest_of(
            events[CLUSTER].fill_null(""), events[_TIME].to_physical().cast(pl.Int64)
        ):
            self.newest_us[name] = max(self.newest_us.get(name, 0), latest or 0)

    def _decide(self, events: pl.DataFrame, is_verdict: pl.Series) -> None:
        cluster = pl.col(CLUSTER).fill_null("")
        known = cluster.replace_strict(self.newest_us, default=0, return_dtype=pl.Int64)
        moving = pl.when(~_IS_VERDICT).then(pl.col(_TIME).to_physical())
        newest = moving.cum_max().forward_fill().over(cluster).fill_null(0)
        placed = events.select(
            cluster.alias("cluster"), pl.max_horizontal(known, newest).alias("us"), *VERDICT_COLUMNS
        )
        found = [_decision(row) for row in placed.filter(is_verdict).iter_rows()]
        room = max(MOST_DUE - len(self.due), 0)
        self.evicted["decisions"] += max(len(found) - room, 0)
        self.due += found[:room]

    def take(self, clusters: Collection[int], tick: int) -> list[Decision]:
        """Return, in order, what is in force in a span that begins with ``tick``; each once."""
        ripe = [one for one in self.due if one.cluster in clusters and one.tick <= tick]
        if ripe:
            self.due = [one for one in self.due if one.cluster not in clusters or one.tick > tick]
        return ripe


def _decision(row: tuple[Any, ...]) -> Decision:
    cluster, newest_us, finding, rule, choice, events = row
    tick = newest_us // TICK_US + 1
    return Decision(digest(cluster), tick, finding or "", rule or "", Choice(choice), events or [])
