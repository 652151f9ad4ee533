"""What of an event enters windows, and what does not."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from detectors.correlation.fold import OverTime
from detectors.sigma.correlation import CorrelationType as Kind
from tests.detectors.correlation.world import START, Event, correlation, frame, hits, plan


def test_an_event_without_a_time_enters_no_window() -> None:
    arrived = [Event(1, "a", "u"), Event(2, "a", "u"), Event(3, "a", "v")]
    timeless = pl.col("event.id") != arrived[2].id
    events = frame(arrived).with_columns(
        pl.when(timeless).then(None).otherwise(pl.col("@timestamp")).alias("@timestamp")
    )
    over_time = OverTime(plan(correlation(Kind.EVENT_COUNT, 10, gte=1)))
    over_time.add(events, hits(arrived))
    found = over_time.release(None).findings
    # One event is enough for this one, so each is told by itself, with no time.
    assert {one.document["trailwarden.evidence.event_ids"][0] for one in found} == {
        one.id for one in arrived
    }
    assert [one.document["@timestamp"] for one in found].count(None) == 2


def test_a_batch_of_nothing_but_events_without_a_time_is_taken() -> None:
    arrived = [Event(1, "a", "u"), Event(2, "a", "v")]
    events = frame(arrived).with_columns(
        pl.lit(None).cast(pl.Datetime("us", "UTC")).alias("@timestamp")
    )
    over_time = OverTime(plan(correlation(Kind.EVENT_COUNT, 10, gte=2)))
    over_time.add(events, hits(arrived))
    assert over_time.release(None).findings == []


def test_late_events_are_told_where_one_is_enough_and_enter_no_window_elsewhere() -> None:
    early, late = Event(1, "a", "u"), Event(2, "a", "u")
    for least, told in ((1, 2), (2, 0)):
        over_time = OverTime(plan(correlation(Kind.EVENT_COUNT, 10, gte=least)))
        over_time.add(frame([early]), hits([early]))
        over_time.add(frame([late]), hits([late]), pl.Series([True]))
        released = over_time.release(None)
        assert len(released.findings) == told
        alone = [
            one
            for one in released.findings
            if one.document["trailwarden.evidence.event_ids"] == [late.id]
        ]
        assert [one.document["trailwarden.episode.closed"] for one in alone] == [True] * (told // 2)
        assert set(released.received) == {one.id for one in released.findings}


def test_a_late_event_of_a_silent_correlation_is_not_told() -> None:
    late = Event(2, "a", "u")
    counted = correlation(Kind.EVENT_COUNT, 10, gte=1)
    over_time = OverTime(plan(counted, silent=[counted.id]))
    over_time.add(frame([late]), hits([late]), pl.Series([True]))
    assert not over_time.release(None).findings


def test_late_events_enter_nothing_even_if_their_cluster_has_no_others() -> None:
    state = OverTime(plan(correlation(Kind.EVENT_COUNT, 10, gte=2)))
    early = [Event(1), Event(2)]
    state.add(frame(early), hits(early), pl.Series([True, True]))
    assert not state.release(None).findings
    assert state.pending.is_empty()


def test_what_did_not_happen_is_received_when_its_time_is_over() -> None:
    asked, other = Event(0, "a", "u"), Event(100, "b", "v")
    state = OverTime(plan(correlation(Kind.ABSENCE, 60, ("a", "c"))))
    state.add(frame([asked, other]), hits([asked, other]))
    released = state.release(None)
    (found,) = released.findings
    assert found.document["@timestamp"] == "2026-11-21T10:01:00.000000Z"
    assert released.received[found.id] == START + timedelta(seconds=60)


def test_the_oldest_episodes_end_beyond_the_bound() -> None:
    state = OverTime(plan(correlation(Kind.EVENT_COUNT, 1_000, gte=1)))
    arrived = [Event(at, "a", f"u{at}") for at in range(5)]
    state.add(frame(arrived), hits(arrived))
    assert len(state.release(arrived[-1].time_us + 1).findings) == 5
    ended = list(state.episodes.evict(2))
    assert [one.time_us for one in ended] == [one.time_us for one in arrived[:3]]
    assert (len(state.episodes.open), state.episodes.evicted) == (2, 3)


def test_an_event_that_stands_in_two_rows_counts_once() -> None:
    arrived = [Event(1, "a", "u"), Event(1, "a", "u"), Event(2, "a", "u")]
    for least, told in ((2, 1), (3, 0)):
        over_time = OverTime(plan(correlation(Kind.EVENT_COUNT, 10, gte=least)))
        over_time.add(frame(arrived), hits(arrived))
        assert len(over_time.release(None).findings) == told


def test_a_rule_may_group_by_the_cluster_that_it_counts_within_anyway() -> None:
    counted = correlation(
        Kind.EVENT_COUNT, 10, gte=2, group_by=("orchestrator.cluster.name", "user.name")
    )
    state = OverTime(plan(counted))
    seen = [Event(1, "a", "u"), Event(2, "a", "u"), Event(3, "a", "v")]
    state.add(frame(seen), hits(seen))
    assert len(state.release(None).findings) == 1
