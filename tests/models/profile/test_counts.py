"""Counts decay, stay within their bound and let little become normal at once."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from models.profile.action_key import sightings
from models.profile.counts import HALF_LIFE_TICKS, NEW_A_DAY, SMALL, TOTAL, Counts
from models.profile.observed import Feature, coded, context, digest, observed
from tests.detectors.anomaly.world import START_US, Act, at, frame

TICK = START_US // 60_000_000
DAY = 1_440


def seen(*acts: Act) -> pl.DataFrame:
    return observed(coded(sightings(frame(acts))))


def acts(number: int, minute: float = 0, first: int = 0) -> list[Act]:
    """As many different acts of one person."""
    return [Act(at(minute), resource=f"kind-{n}") for n in range(first, first + number)]


def own(counts: Counts) -> pl.DataFrame:
    """What is counted of the person's acts."""
    who = pl.lit(digest("c\x1fperson-0@corp.example"), dtype=pl.UInt64)
    return counts.rows.filter(pl.col("context") == context(Feature.ACT, 0, who))


def total(counts: Counts) -> dict[str, float]:
    return own(counts).filter(pl.col("value") == TOTAL).row(0, named=True)


def test_minutes_are_counted_and_summed_up() -> None:
    counts = Counts()
    counts.learn(seen(*acts(3), Act(at(0.5), resource="kind-0")), TICK, 200)
    counts.learn(seen(*acts(1, 1)), TICK, 200)
    summed = total(counts)
    assert summed["weight"] == pytest.approx(4 * counts.growth(TICK))
    assert (summed["events"], summed["distinct"]) == (5, 3)
    assert (summed["first"], summed["last"]) == (TICK, TICK + 1)


def test_a_half_life_halves() -> None:
    assert Counts.growth(TICK + HALF_LIFE_TICKS) == pytest.approx(2 * Counts.growth(TICK))


@pytest.mark.parametrize("tick", [-(10**12), 0, 10**12])
def test_forged_times_stay_numbers(tick: int) -> None:
    assert 0 < Counts.growth(tick) < float("inf")
    assert 1_000_000 * Counts.growth(10**12) / Counts.growth(tick) < float("inf")


def test_only_so_many_new_values_a_day_become_normal() -> None:
    counts = Counts()
    counts.learn(seen(*acts(1)), TICK, known_events=1)
    for minute in range(1, 31):
        counts.learn(seen(*acts(1, minute, minute)), TICK, known_events=1)
    values = own(counts).filter(pl.col("value") != TOTAL)["weight"] / counts.growth(TICK)
    assert (values > 0.99).sum() == 1 + NEW_A_DAY
    assert values.filter(values < 0.99).to_list() == pytest.approx([SMALL] * (30 - NEW_A_DAY))
    assert total(counts)["weight"] == pytest.approx(
        (1 + NEW_A_DAY + (30 - NEW_A_DAY) * SMALL) * counts.growth(TICK)
    )


def test_all_at_once_is_no_way_around_it() -> None:
    counts = Counts()
    counts.learn(seen(*acts(1)), TICK, known_events=1)
    counts.learn(seen(*acts(30, 1, 1)), TICK, known_events=1)
    values = own(counts).filter(pl.col("value") != TOTAL)["weight"] / counts.growth(TICK)
    assert (values > 0.99).sum() == 1 + NEW_A_DAY


def test_the_next_day_has_its_own_new_values() -> None:
    counts = Counts()
    counts.learn(seen(*acts(1)), TICK, known_events=1)
    counts.learn(seen(*acts(NEW_A_DAY + 5, 1, 1)), TICK, known_events=1)
    counts.learn(seen(*acts(5, DAY, 100)), TICK + DAY, known_events=1)
    values = own(counts).filter(pl.col("value") != TOTAL)["weight"] / counts.growth(TICK)
    assert (values > 0.99).sum() == 1 + NEW_A_DAY + 5


def test_what_is_learned_slowly_is_normal_in_the_end() -> None:
    counts = Counts()
    counts.learn(seen(*acts(1)), TICK, known_events=1)
    counts.learn(seen(*acts(NEW_A_DAY, 1, 1)), TICK, known_events=1)
    for minute in range(2, 30):
        counts.learn(seen(*acts(1, minute, 500)), TICK, known_events=1)
    weight = own(counts).filter(pl.col("value") == digest("get kind-500"))["weight"].item()
    assert weight / counts.growth(TICK) > 1


def test_whoever_is_new_may_learn() -> None:
    counts = Counts()
    counts.learn(seen(*acts(60)), TICK, known_events=200)
    values = own(counts).filter(pl.col("value") != TOTAL)["weight"] / counts.growth(TICK)
    assert (values > 0.99).all()


def test_the_oldest_is_forgotten_first() -> None:
    counts = Counts(limit_rows=200)
    for minute in range(20):
        counts.learn(seen(*acts(10, minute, 10 * minute)), TICK + minute, 10**6)
        assert len(counts) <= 200
    assert counts.evicted > 0
    kept = own(counts).filter(pl.col("value") != TOTAL)
    assert kept["first"].min() == TICK + 20 - kept.height // 10
    summed = total(counts)
    assert summed["distinct"] == kept.height
    assert summed["weight"] == pytest.approx(kept["weight"].sum())


def test_what_was_saved_is_taken_up_again() -> None:
    counts, again = Counts(), Counts()
    counts.learn(seen(*acts(5)), TICK, 200)
    again.restore(counts.save())
    assert again.save() == counts.save()
    for each in (counts, again):
        each.learn(seen(*acts(7, 1)), TICK + 5, 200)
    assert again.save() == counts.save()


def test_clusters_are_counted_apart() -> None:
    counts = Counts()
    counts.learn(seen(*acts(2), *(replace(act, cluster="d") for act in acts(3))), TICK, 200)
    assert total(counts)["distinct"] == 2


def test_what_was_merged_counts_like_what_was_not() -> None:
    """The restored have all rows in the ordered part, the others in the recent one."""
    plain, merged = Counts(), Counts()
    for minute in range(6):
        part = seen(*acts(7, minute, 3 * minute))
        plain.learn(part, TICK + minute, 200)
        merged.restore(merged.save())
        merged.learn(part, TICK + minute, 200)
        assert len(plain) == len(merged) == plain.rows.height == merged.rows.height
    assert plain.save() == merged.save()
    asked = plain.rows.select("context", "value").vstack(
        pl.DataFrame(
            {"context": [1, 2**63], "value": [0, 5]}, {"context": pl.UInt64, "value": pl.UInt64}
        )
    )
    assert plain.of(asked).equals(merged.of(asked))
