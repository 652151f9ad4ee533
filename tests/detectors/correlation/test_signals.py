"""What of an event enters windows, and what does not."""

from __future__ import annotations

import polars as pl

from detectors.correlation.fold import OverTime
from detectors.sigma.correlation import CorrelationType as Kind
from tests.detectors.correlation.world import Event, correlation, frame, hits, plan


def test_an_event_without_a_time_enters_no_window() -> None:
    arrived = [Event(1, "a", "u"), Event(2, "a", "u"), Event(3, "a", "v")]
    timeless = pl.col("event.id") != arrived[2].id
    events = frame(arrived).with_columns(
        pl.when(timeless).then(None).otherwise(pl.col("@timestamp")).alias("@timestamp")
    )
    over_time = OverTime(plan(correlation(Kind.EVENT_COUNT, 10, gte=1)))
    over_time.add(events, hits(arrived))
    (found,) = over_time.release(None).findings
    assert found.document["trailwarden.evidence.event_ids"] == [arrived[2].id]


def test_a_batch_of_nothing_but_events_without_a_time_is_taken() -> None:
    arrived = [Event(1, "a", "u"), Event(2, "a", "v")]
    events = frame(arrived).with_columns(
        pl.lit(None).cast(pl.Datetime("us", "UTC")).alias("@timestamp")
    )
    over_time = OverTime(plan(correlation(Kind.EVENT_COUNT, 10, gte=1)))
    over_time.add(events, hits(arrived))
    assert over_time.release(None).findings == []
