"""Files of one cluster are read in the order of event time, whatever their names and overlaps."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from worker.merge import Step, merge
from worker.repeats import LATENESS

START = datetime(2026, 11, 21, 10, tzinfo=UTC)


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def times(seconds: list[float]) -> pl.Series:
    return pl.Series([at(s) for s in seconds], dtype=pl.Datetime("us", "UTC"))


class Log:
    """Files as lists of batches, a batch as its event times in seconds."""

    def __init__(self, files: dict[str, list[list[float]]]) -> None:
        self.files = files
        self.opened: list[str] = []
        self.open_now = 0
        self.most_open = 0

    def open(self, path: str) -> Iterator[list[float]]:
        self.opened.append(path)
        self.open_now += 1
        self.most_open = max(self.most_open, self.open_now)
        yield from self.files[path]
        self.open_now -= 1

    def start(self, path: str) -> datetime | None:
        first = [second for batch in self.files[path] for second in batch]
        return at(first[0]) if first else None

    def merged(self) -> list[Step[list[float]]]:
        return list(merge(list(self.files), self.start, self.open, times))


def test_rotated_files_are_opened_one_after_the_other_whatever_their_names() -> None:
    log = Log({"a": [[200.0, 300.0]], "z": [[0.0, 100.0]], "m": [[101.0, 199.0]]})
    assert [step.batch for step in log.merged()] == [[0.0, 100.0], [101.0, 199.0], [200.0, 300.0]]
    assert log.opened == ["z", "m", "a"]
    assert log.most_open == 1


def test_two_copies_of_a_file_advance_together() -> None:
    batches = [[i + n / 10 for n in range(100)] for i in range(0, 100, 10)]
    log = Log({"one": list(batches), "two": list(batches)})
    seen = [step.batch[0] for step in log.merged()]
    assert seen == sorted(seen)


def test_the_watermark_stays_behind_the_slowest_file() -> None:
    log = Log({"fast": [[0.0, 1000.0], [1001.0, 2000.0]], "slow": [[0.0, 10.0], [11.0, 20.0]]})
    steps = log.merged()
    for number, step in enumerate(steps):
        rest = [s for later in steps[number:] for s in later.batch]
        if step.watermark is not None:
            assert step.watermark <= at(min(rest)) - LATENESS


def test_one_forged_time_does_not_move_the_watermark() -> None:
    forged = [0.0] * 300 + [1e9] + [1.0] * 300
    log = Log({"log": [forged, [2.0, 3.0]]})
    last = log.merged()[-1]
    assert last.watermark is not None
    assert last.watermark <= at(3.0) - LATENESS


def test_files_without_events_are_read_too() -> None:
    log = Log({"empty": [], "blank": [[]], "log": [[1.0]]})
    assert sorted(len(step.batch) for step in log.merged()) == [0, 1]
    assert sorted(log.opened) == ["blank", "empty", "log"]


@given(st.lists(st.lists(st.floats(0, 1000), min_size=1, max_size=30), min_size=1, max_size=8))
def test_no_batch_is_lost(files: list[list[float]]) -> None:
    cut = {str(n): [sorted(f)[i : i + 7] for i in range(0, len(f), 7)] for n, f in enumerate(files)}
    found = [s for step in Log(cut).merged() for s in step.batch]
    assert sorted(found) == sorted(s for f in files for s in f)
