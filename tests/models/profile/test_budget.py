"""A number of findings a day becomes a threshold, which changes at event-day boundaries only."""

from __future__ import annotations

from random import Random

import msgspec
import polars as pl

from models.profile.action_key import DAY_TICKS
from models.profile.budget import FIRST_MINUTES, WARM_UP_TICKS, Calibration

DAY = 20_000
BEGIN = DAY * DAY_TICKS


def day(seed: int, minutes: int = 5_000) -> pl.Series:
    chance = Random(seed)
    return pl.Series(
        [chance.expovariate(0.2) if chance.random() < 0.1 else 0.0 for _ in range(minutes)]
    )


def test_there_is_no_threshold_before_enough_was_seen() -> None:
    one = Calibration(BEGIN, DAY)
    one.note(pl.Series([1.0]), FIRST_MINUTES - 2)
    one.advance(BEGIN + 60, 20)
    assert one.threshold is None
    one.note(pl.Series([1.0]), 0)
    one.advance(BEGIN + 65, 20)
    assert one.threshold is not None


def test_the_first_minutes_count_for_nothing() -> None:
    assert Calibration(BEGIN, DAY).counted_from == BEGIN + WARM_UP_TICKS


def test_the_budget_is_kept_on_scores_of_the_same_kind() -> None:
    one = Calibration(BEGIN, DAY)
    for number in range(8):
        one.note(day(number), 0)
        one.advance((DAY + number + 1) * DAY_TICKS, 10)
    assert one.threshold is not None
    over = [(day(seed) >= one.threshold).sum() for seed in range(100, 110)]
    assert 5 <= sum(over) / len(over) <= 13


def test_a_larger_budget_has_a_lower_threshold() -> None:
    found = []
    for budget in (1, 10, 100):
        one = Calibration(BEGIN, DAY)
        one.note(day(1), 0)
        one.advance((DAY + 1) * DAY_TICKS, budget)
        assert one.threshold is not None
        found.append(one.threshold)
    assert found == sorted(found, reverse=True)
    assert len(set(found)) == 3


def test_within_a_day_the_threshold_stands() -> None:
    one = Calibration(BEGIN, DAY)
    one.note(day(1), 0)
    one.advance(BEGIN + 60, 20)
    before = one.threshold
    one.note(day(2) * 3, 0)
    one.told = 500
    one.advance(BEGIN + 900, 20)
    assert one.threshold == before
    one.advance(BEGIN + DAY_TICKS, 20)
    assert one.threshold != before


def test_too_many_findings_raise_the_threshold_of_the_next_day() -> None:
    calm, busy = (Calibration(BEGIN, DAY) for _ in range(2))
    for one, told in ((calm, 5), (busy, 200)):
        one.note(day(1), 0)
        one.advance(BEGIN + DAY_TICKS, 20)
        one.note(day(2), 0)
        one.told = told
        one.advance(BEGIN + 2 * DAY_TICKS, 20)
    assert calm.threshold is not None
    assert busy.threshold is not None
    assert busy.threshold > calm.threshold + 1


def test_equal_calibrations_are_equal_bytes() -> None:
    one, other = (Calibration(BEGIN, DAY) for _ in range(2))
    one.note(pl.Series([3.0, 1.0]), 1)
    other.note(pl.Series([1.0]), 1)
    other.note(pl.Series([3.0]), 0)
    packed = [msgspec.msgpack.encode(each.sorted()) for each in (one, other)]
    assert packed[0] == packed[1]
    again = msgspec.msgpack.decode(packed[0], type=Calibration)
    assert again == one
