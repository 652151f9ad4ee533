"""Matches become runs: those of one group that follow each other, and what is told of them.

Separate from the fold, which decides what of them are episodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from detectors.correlation.episode import Run
from detectors.correlation.rows import joined, repeated, where

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from detectors.correlation.windowed import Evidence, Step

_KNOWN: Final = ["known_events", "known_since", "by_peers"]
"""What is known of a group in which something is seen for the first time."""


@dataclass(frozen=True, slots=True)
class Began:
    """A run, and what is told where it begins an episode."""

    run: Run
    evidence: Evidence | None
    """None: an episode was going on that it continues."""
    known: Any
    """Of first_seen: what was known of the group, by _KNOWN."""


def told(step: Step, runs: Sequence[Run]) -> Iterator[Began]:
    """Yield runs of one step with what is told of them."""
    rows = [run.row for run in runs]
    known: Sequence[Any] = rows
    if "known_events" in step.rows.columns:
        known = step.rows[_KNOWN][rows].rows(named=True)
    for run, evidence, about in zip(runs, step.evidence(step.rows, rows), known, strict=True):
        yield Began(run, evidence, about)


def runs_of(steps: Sequence[Step], timespans: pl.Series) -> Iterator[tuple[int, Run]]:
    """Join matches that follow each other within the timespan; an episode has one or more.

    Each with the number of its step, which is the same for all matches of a correlation.

    Parameters
        timespans: by unit, microseconds.
    """
    matches = joined(
        step.matches.hstack([repeated(number, step.matches.height, "step")])
        for number, step in enumerate(steps)
    )
    spans = timespans[matches["unit"]].alias("timespan_us")
    ordered = matches.hstack([spans]).sort(*_EPISODE, "time", "event", "unit")
    ordered = ordered.with_columns_seq(_BEGINS).with_columns_seq(_NUMBER, _ENDS)
    heads = where(ordered[_OF_HEAD], ordered["begins"]).rows()
    lasts = where(ordered[_OF_LAST], ordered["ends"]).rows()
    for head, (last_us, last_event, last) in zip(heads, lasts, strict=True):
        step, correlation, cluster, key, first_us, event, first, *rest = head
        group = (correlation, cluster, key)
        yield step, Run(*group, first_us, last_us, event, last_event, last - first + 1, *rest)


_EPISODE: Final = ("correlation", "cluster", "key")
_OTHER: Final = pl.any_horizontal(pl.col(name) != pl.col(name).shift(1) for name in _EPISODE)
_GAP: Final = pl.col("time") - pl.col("time").shift(1) > pl.col("timespan_us")
_BEGINS: Final = (_OTHER | _GAP).fill_null(value=True).alias("begins")
"""Whether a match is the first of a run."""
_ENDS: Final = pl.col("begins").shift(-1).fill_null(value=True).alias("ends")
_NUMBER: Final = (
    (pl.col("begins") | (pl.col("event") != pl.col("event").shift(1))).cast(pl.Int64).cum_sum()
).alias("number")
"""Which of all events it is, in this order."""
_OF_HEAD: Final = [
    *("step", "correlation", "cluster", "key", "time", "event", "number"),
    *("base", "row", "count", "timespan_us"),
]
_OF_LAST: Final = ["time", "event", "number"]
