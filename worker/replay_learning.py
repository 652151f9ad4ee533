"""Learned detectors in a replay: one for the new rules and one for the old, where these differ.

Separate from the parts of the rules because what is learned depends on all that a ruleset finds,
not on one part of it: what rules found is not learned.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import polars as pl

from detectors.anomaly.learners import Learners
from ingest.unix_time import time_of
from worker.finding_order import FindingOrder
from worker.scan import HeldEpisodes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from detectors.finding import Finding
    from detectors.ruleset import Ruleset
    from worker.replay_parts import Part


@dataclass(frozen=True, slots=True)
class Side:
    """Whose findings the learned detectors' are, and which parts of the rules they hear of."""

    rules: Ruleset
    is_new: bool
    is_old: bool
    parts: tuple[int, ...]


def sides_of(parts: Sequence[Part], new: Ruleset, old: Ruleset | None) -> list[Side]:
    """Return what has to be learned so that the findings of both rulesets are known."""
    if not new.learned:
        return []
    every = tuple(range(len(parts)))
    if old is None or all(part.is_new and part.is_old for part in parts):
        return [Side(new, is_new=True, is_old=old is not None, parts=every)]
    ours = tuple(at for at in every if parts[at].is_new)
    theirs = tuple(at for at in every if parts[at].is_old)
    return [
        Side(new, is_new=True, is_old=False, parts=ours),
        Side(old, is_new=False, is_old=True, parts=theirs),
    ]


class Learning:
    """The learned detectors of one side in one partition."""

    __slots__ = ("held", "order", "side", "state")

    def __init__(self, side: Side) -> None:
        assert side.rules.learned  # noqa: S101 - sides_of makes no other
        told = replace(side.rules.learned, challenger=None, keeps_events=False)
        self.side = side
        self.state = Learners(told, side.rules.site, side.rules.exceptions)
        self.held = HeldEpisodes()
        self.order = FindingOrder()

    def take(self, events: pl.DataFrame, late: pl.Series, flagged: Sequence[pl.Series]) -> None:
        """Take a batch, and what each part of the rules found in it."""
        found = [flagged[part] for part in self.side.parts]
        self.state.add(events, late, pl.concat(found) if found else None)

    def release(
        self, watermarks: Mapping[str, int], until_us: int, found: Sequence[Sequence[Finding]]
    ) -> list[Finding]:
        """Score and learn what the clusters have passed, after what the parts found there."""
        self.order.add(self.held.take(self.state.release(watermarks, self._heard(found))))
        return self.order.release(time_of(until_us))

    def finish(
        self, passed: Mapping[str, int], found: Sequence[Sequence[Sequence[Finding]]]
    ) -> list[Finding]:
        """Let time pass where it is known to have passed, then end all that goes on.

        Parameters
            found: of each part, what it found by then, and what it found at the end.
        """
        by_then, at_end = ([part[n] for part in found] for n in range(2))
        self.order.add(self.held.take(self.state.release(passed, self._heard(by_then))))
        self.order.add(self.held.take(self.state.release(None, self._heard(at_end))))
        self.order.add(self.held.rest())
        return self.order.release(None)

    def _heard(self, found: Sequence[Sequence[Finding]]) -> list[Finding]:
        return [one for part in self.side.parts for one in found[part]]
