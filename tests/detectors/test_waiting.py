"""Events that wait: taken out by time, kept without copies, no more than what waits needs."""

from __future__ import annotations

import polars as pl

from detectors.waiting import ASKS, LATE, Waiting
from tests.detectors.entities.world import SECOND, START_US, event, frame

IDS = ["event.id"]


def batch(start_s: int, count: int) -> pl.DataFrame:
    return frame([event(start_s + n, user=f"u{n}") for n in range(count)])


def asking(rows: list[int], asks: int = 1) -> pl.DataFrame:
    return pl.DataFrame(
        {"row": rows, ASKS: [asks] * len(rows)}, {"row": pl.UInt32, ASKS: pl.UInt64}
    )


def test_what_is_due_is_taken_out_with_its_columns_and_whole() -> None:
    waiting = Waiting()
    first, second = batch(0, 4), batch(10, 6)
    waiting.add(first, asking([0, 1, 3]), pl.Series([True, False, False, False]))
    waiting.add(second, asking([5], asks=2), None)
    due = waiting.due({"c": START_US + 12 * SECOND})
    assert due[ASKS].to_list() == [1, 1, 1]
    assert waiting.columns_of(due, IDS).equals(first[[0, 1, 3]].select(IDS))
    assert waiting.events_of(due).drop(LATE).equals(first[[0, 1, 3]])
    assert waiting.events_of(due)[LATE].to_list() == [True, False, False]
    assert waiting.height == 1
    assert waiting.due({"other": 2**60}).is_empty()
    rest = waiting.due(None)
    assert waiting.events_of(rest).drop(LATE).equals(second[[5]])
    assert rest[ASKS].to_list() == [2]
    assert waiting.height == 0


def test_a_batch_is_kept_only_where_most_of_it_waits() -> None:
    waiting = Waiting()
    waiting.add(batch(0, 10), asking([1, 2]), None)
    assert waiting.kept == 2
    waiting.add(batch(20, 10), asking([1, 2, 3, 4, 5]), None)
    assert waiting.kept == 12
    due = waiting.due(START_US + 15 * SECOND)
    assert due.height == 2
    waiting.forget()
    assert waiting.kept == 10


def test_few_events_that_stay_do_not_keep_all_that_came_with_them() -> None:
    waiting = Waiting(few_rows=20)
    for start_s in range(0, 100, 10):
        events = batch(start_s, 10)
        far = events.with_columns(
            pl.when(pl.int_range(pl.len()) == 9)
            .then(pl.col("@timestamp").dt.offset_by("1y"))
            .otherwise("@timestamp")
            .alias("@timestamp")
        )
        waiting.add(far, asking(list(range(10)), asks=start_s), None)
        waiting.due(START_US + 1_000 * SECOND)
        waiting.forget()
        assert waiting.kept <= 2 * waiting.height + 20
    assert waiting.height == 10
    left = waiting.due(None)
    assert left[ASKS].to_list() == list(range(0, 100, 10))
    assert waiting.events_of(left)["user.name"].to_list() == ["u9"] * 10


def test_columns_that_a_batch_has_not_are_null() -> None:
    waiting = Waiting()
    waiting.add(batch(0, 2).drop("user.name"), asking([0, 1]), None)
    due = waiting.due(None)
    assert waiting.columns_of(due, ["user.name"])["user.name"].to_list() == [None, None]
    assert waiting.events_of(due)["user.name"].to_list() == [None, None]
