"""An event that was seen before is dropped, within a bounded stretch of event time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from worker import repeats
from worker.repeats import LATENESS, Repeats

START = datetime(2026, 11, 21, 10, tzinfo=UTC)


def batch(*ids: str, second: float = 0) -> pl.DataFrame:
    time = [START + timedelta(seconds=second)] * len(ids)
    return pl.DataFrame(
        {"event.id": list(ids), "@timestamp": time},
        schema={"event.id": pl.String, "@timestamp": pl.Datetime("us", "UTC")},
    )


def kept(memory: Repeats, events: pl.DataFrame, watermark: datetime | None = None) -> list[str]:
    return memory.drop(events, watermark)["event.id"].to_list()


def test_repeats_inside_a_batch_and_across_batches_are_dropped() -> None:
    memory = Repeats()
    assert kept(memory, batch("a", "b", "a")) == ["a", "b"]
    assert kept(memory, batch("b", "c")) == ["c"]
    assert kept(memory, batch("a", "b", "c")) == []


def test_a_batch_without_repeats_is_handed_on_as_it_is() -> None:
    events = batch("a", "b")
    assert Repeats().drop(events, None) is events


def test_ids_are_forgotten_twice_the_lateness_behind_the_watermark() -> None:
    memory = Repeats()
    kept(memory, batch("a"))
    assert kept(memory, batch("a", second=1), START + 2 * LATENESS) == []
    late = START + 2 * LATENESS + timedelta(seconds=2)
    assert kept(memory, batch("a", second=2), late) == ["a"]
    assert memory.evicted == 0


def test_the_memory_is_bounded_and_counts_what_it_forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "MAX_IDS", 10)
    memory = Repeats()
    for number in range(20):
        kept(memory, batch(*(f"{number}-{i}" for i in range(5))))
    assert memory.evicted >= 80
    assert kept(memory, batch("19-0")) == []


def test_an_empty_batch_is_fine() -> None:
    assert kept(Repeats(), batch()) == []
