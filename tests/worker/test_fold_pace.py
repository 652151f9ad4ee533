"""When what waits in a partition is folded: the time, how much waits and what folds cost decide."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import cast

import pytest

from detectors.correlation.fold import OverTime
from detectors.correlation.plan import plan_for
from detectors.correlation.released import Released
from detectors.remembered import Remembered
from detectors.sigma.pack import Pack
from worker.counts import WorkerCounts
from worker.holdings import MANY_WAITING, Holdings
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

    def __init__(self, clock: Clock, fold_s: float, held: int = 1) -> None:
        super().__init__(OverTime(plan_for(Pack())))
        self.clock, self.fold_s, self.held, self.folds = clock, fold_s, held, 0

    @property
    def is_needed(self) -> bool:
        return True

    @property
    def waiting(self) -> int:
        return self.held

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


def test_many_that_wait_are_folded_at_once() -> None:
    clock = Clock()
    few = Costly(clock, 0.0, MANY_WAITING - 1)
    many = Costly(clock, 0.0, MANY_WAITING)
    holdings = held(clock, [few, many], Pace())
    holdings.release(holdings.partitions, whole=True)
    holdings.release(holdings.partitions, whole=False)
    assert (few.folds, many.folds) == (1, 2)


def test_before_a_commit_all_is_folded() -> None:
    clock = Clock()
    states = [Costly(clock, 1.0) for _ in range(5)]
    holdings = held(clock, states, Pace())
    for expected in (1, 2):
        holdings.release(holdings.partitions, whole=True)
        assert [state.folds for state in states] == [expected] * 5
