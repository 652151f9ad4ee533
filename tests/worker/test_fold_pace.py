"""When what waits in a partition is folded: the time, how much waits and what folds cost decide."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import cast

import polars as pl
import pytest

from detectors.correlation.fold import OverTime
from detectors.correlation.plan import plan_for
from detectors.correlation.released import Released
from detectors.remembered import Remembered
from detectors.sigma.pack import Pack
from tests.detectors.anomaly.world import frame, quiet
from worker.counts import WorkerCounts
from worker.holdings import MANY_ADDED, Holdings
from worker.pace import Pace, Watch
from worker.partition import Partition
from worker.takeover import Stores


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


class Costly(Remembered):
    """A state whose folds take a time."""

    def __init__(self, clock: Clock, fold_s: float, added: int = 1) -> None:
        super().__init__(OverTime(plan_for(Pack())))
        self.clock, self.fold_s, self.added, self.folds = clock, fold_s, added, 0

    @property
    def is_needed(self) -> bool:
        return True

    @property
    def evicted(self) -> Counter[str]:
        return Counter()

    def release(self, watermark: int | Mapping[str, int] | None) -> Released:  # noqa: ARG002
        self.folds += 1
        self.clock.now_s += self.fold_s
        return Released()


def held(clock: Clock, states: list[Costly], pace: Pace) -> Holdings:
    found = Holdings(
        cast(Stores, None), WorkerCounts(), pace, Watch(clock=clock), begin_archive=False
    )
    found.partitions = {
        number: Partition(number, 0, 0, 0, remembered=state) for number, state in enumerate(states)
    }
    return found


def folds_in(seconds: float, clock: Clock, states: list[Costly], pace: Pace) -> float:
    """Return how many folds of each partition there were in a time, asked four times a second."""
    holdings = held(clock, states, pace)
    holdings.release(holdings.partitions, whole=True)
    before, end_s = sum(state.folds for state in states), clock.now_s + seconds
    while clock.now_s < end_s:
        clock.now_s += 0.25
        holdings.release(holdings.partitions, whole=False)
    return (sum(state.folds for state in states) - before) / len(states)


@pytest.mark.parametrize(
    ("partitions", "fold_s", "each_s"),
    [
        (1, 0.0, 2.0),
        (1, 0.05, 2.0),
        (4, 0.1, 4.0),
        (12, 0.05, 6.0),
        (40, 0.05, 10.0),
        (2, 5.0, 10.0),
    ],
)
def test_folds_leave_nine_tenths_of_the_time_but_nobody_waits_beyond_the_most(
    partitions: int, fold_s: float, each_s: float
) -> None:
    clock = Clock()
    states = [Costly(clock, fold_s) for _ in range(partitions)]
    folds = folds_in(240.0, clock, states, Pace(release_s=2.0, release_most_s=10.0))
    assert folds == pytest.approx(240.0 / each_s, rel=0.25)


@pytest.mark.parametrize(
    ("added", "folded"),
    [
        ((10, MANY_ADDED - 11, 0), (0, 0, 0)),
        ((10, MANY_ADDED - 10, 0), (0, 1, 0)),
        ((MANY_ADDED, MANY_ADDED + 1, 7), (1, 1, 0)),
        ((MANY_ADDED // 2, MANY_ADDED // 2 + 1, 7), (0, 1, 0)),
    ],
)
def test_where_much_was_added_it_is_folded_at_once_the_most_first(
    added: tuple[int, ...], folded: tuple[int, ...]
) -> None:
    clock = Clock()
    states = [Costly(clock, 0.0) for _ in added]
    holdings = held(clock, states, Pace())
    holdings.release(holdings.partitions, whole=True)
    for state, many in zip(states, added, strict=True):
        state.added = many
    holdings.release(holdings.partitions, whole=False)
    assert tuple(state.folds - 1 for state in states) == folded


def test_what_was_added_counts_from_the_last_fold_on() -> None:
    state = Remembered(OverTime(plan_for(Pack())))
    events = frame(quiet(2))
    hits = pl.DataFrame(schema={"row": pl.UInt32, "rule": pl.UInt32})
    for _ in range(2):
        state.add(events, hits)
    assert state.added == 2 * events.height
    state.release(None)
    assert state.added == 0


def test_before_a_commit_all_is_folded() -> None:
    clock = Clock()
    states = [Costly(clock, 1.0) for _ in range(5)]
    holdings = held(clock, states, Pace())
    for expected in (1, 2):
        holdings.release(holdings.partitions, whole=True)
        assert [state.folds for state in states] == [expected] * 5
