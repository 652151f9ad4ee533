"""Scores of past days become a threshold: at most so many findings a day at this cluster.

Separate because people decide on a number of findings, never on a score. The threshold changes at
event-day boundaries only, so that it depends on the log and on no batch, clock or restart.
"""

from __future__ import annotations

from math import floor, log
from typing import Final

import msgspec
import polars as pl

from models.profile.action_key import DAY_TICKS
from models.profile.tail import Tail, fit_tail

FIRST_MINUTES: Final = 500
"""Identity's minutes that must have been scored before there is a threshold at all: 500 make a top
3 % of 15 scores."""

WARM_UP_TICKS: Final = 10
"""At first everything is new; scores of those minutes say nothing about the tail."""

KEPT_A_DAY: Final = 0.9
"""Of counts, when a day ends: a week ago weighs half."""

MOST_BITS: Final = 512
MOST_CORRECTION: Final = log(1_000.0)


class Calibration(msgspec.Struct):
    """How scores of one cluster are distributed, and the threshold that follows."""

    first_tick: int
    day: int
    counts: dict[int, float] = msgspec.field(default_factory=dict)
    """Identity's minutes by whole bits of their score, of days that ended decayed."""
    today: dict[int, int] = msgspec.field(default_factory=dict)
    told: int = 0
    """Findings of this event day."""
    minutes_a_day: float = 0.0
    correction: float = 0.0
    """What the last days' findings taught: added to the threshold, in units of the tail's scale."""
    tail: Tail | None = None
    threshold: float | None = None

    @property
    def counted_from(self) -> int:
        """The first minute whose scores count."""
        return self.first_tick + WARM_UP_TICKS

    def note(self, scores: pl.Series, quiet: int) -> None:
        """Count scores of minutes that were not flagged, and ``quiet`` minutes without any."""
        binned = scores.clip(0.0, float(MOST_BITS)).floor().cast(pl.Int64).value_counts()
        for bits, count in binned.iter_rows():
            self.today[bits] = self.today.get(bits, 0) + count
        self.today[0] = self.today.get(0, 0) + quiet

    def sorted(self) -> Calibration:
        """Return the same with its bins in order: equal calibrations are equal bytes."""
        counts, today = (dict(sorted(bins.items())) for bins in (self.counts, self.today))
        return msgspec.structs.replace(self, counts=counts, today=today)

    def advance(self, tick: int, findings_a_day: float) -> None:
        """Let time come to the beginning of ``tick``; a new event day changes the threshold."""
        day = tick // DAY_TICKS
        if day > self.day:
            self._end_day(day, findings_a_day)
        elif self.threshold is None and sum(self.today.values()) >= FIRST_MINUTES:
            seen_ticks = max(tick - self.counted_from, 1)
            self.minutes_a_day = sum(self.today.values()) / seen_ticks * DAY_TICKS
            self._fit(self.today, findings_a_day)

    def probability(self, score: float) -> float:
        """Return the tail probability of a score; 1 as long as nothing is known."""
        if self.tail is None:
            return 1.0
        return float(self.tail.probability(pl.Series([score], dtype=pl.Float64)).item())

    def _end_day(self, day: int, findings_a_day: float) -> None:
        kept = KEPT_A_DAY ** min(day - self.day, DAY_TICKS)
        bins = sorted({*self.counts, *self.today})
        self.counts = {
            bits: self.counts.get(bits, 0.0) * kept + self.today.get(bits, 0) for bits in bins
        }
        seen = sum(self.today.values())
        self.minutes_a_day = max(float(seen), self.minutes_a_day * KEPT_A_DAY)
        if self.threshold is not None:
            surplus = log((self.told + 1.0) / (findings_a_day + 1.0)) / 2.0
            self.correction = min(max(self.correction + surplus, 0.0), MOST_CORRECTION)
        self.today, self.told, self.day = {}, 0, day
        if sum(self.counts.values()) >= FIRST_MINUTES:
            self._fit(self.counts, findings_a_day)

    def _fit(self, counts: dict[int, float] | dict[int, int], findings_a_day: float) -> None:
        # A bin stands for its upper end: what is said to be so rare is at least so rare.
        upper = [float(bits + (bits > 0)) for bits in counts]
        counted = pl.DataFrame(
            {"score": upper, "count": [float(n) for n in counts.values()]},
            schema={"score": pl.Float64, "count": pl.Float64},
        )
        self.tail = fit_tail(counted)
        share = findings_a_day / max(self.minutes_a_day, 1.0)
        self.threshold = threshold(self.tail, share) + self.correction * self.tail.scale


def threshold(tail: Tail, share: float) -> float:
    """Return the score that at most this share of minutes reach; never one that adds up to nothing.

    Parameters
        share: findings wanted, divided by the minutes of identities in the same time.
    """
    return max(tail.score_at(share), floor(tail.cut) + 1.0)
