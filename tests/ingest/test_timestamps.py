from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.canonical_time import canonical_time
from ingest.normalize import Normalized
from ingest.timestamps import event_times

Build = Callable[..., dict[str, Any]]
Run = Callable[..., Normalized]
Row = Callable[..., dict[str, Any]]

GOOD = "2026-11-21T10:46:08.594628Z"
INSTANT = datetime(2026, 11, 21, 10, 46, 8, 594628, tzinfo=UTC)


def times_of(*texts: str | None) -> tuple[list[datetime | None], dict[int, list[str]]]:
    """Parse texts as stage times of events whose request time is missing."""
    issues: dict[int, list[str]] = {}
    staged = pl.Series("@timestamp", [canonical_time(text) for text in texts], pl.String)
    received = pl.Series("event.start", [None] * len(texts), pl.String)
    return event_times(staged, received, issues)["@timestamp"].to_list(), issues


@pytest.mark.parametrize("beside", [(), ("garbage",), ("2026-11-21T10:46:08+01:00",)])
def test_a_time_is_the_same_whatever_stands_beside_it(beside: tuple[str, ...]) -> None:
    """Columns are parsed at once, and one odd value makes that fail: no other may change."""
    texts = (GOOD, "2026-11-21T10:46:08Z", "0001-01-01T00:00:00.0+14:00", None)
    times, issues = times_of(*texts, *beside)
    assert times[:4] == [INSTANT, INSTANT.replace(microsecond=0), None, None]
    assert issues[2] == ["bad-timestamp", "missing-timestamp"]
    assert issues[3] == ["missing-timestamp"]
    assert 0 not in issues


@pytest.mark.parametrize(
    "text",
    [
        "garbage",
        "",
        "1700000000",
        "2026-11-21T23:59:60.000000Z",
        "2026-11-21T24:00:00.000000Z",
        "2026-02-30T10:46:08.594628Z",
        "0000-01-01T00:00:00.000000Z",
        "-026-11-21T10:46:08.594628Z",
        " 026-11-21T10:46:08.594628Z",
        "2026- 1-21T10:46:08.594628Z",
        "2026-11-21T10:46:08.59462xZ",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "99999-01-01T00:00:00Z",
    ],
)
def test_what_is_no_time_is_marked_and_leaves_the_time_of_the_request(
    build: Build, row: Row, text: str
) -> None:
    found = row(build(stageTimestamp=text))
    assert found["@timestamp"] == found["event.start"] == INSTANT
    assert found["trailwarden.parse.issues"] == ["bad-timestamp"]


def test_without_any_time_an_event_is_marked(build: Build, row: Row) -> None:
    found = row(build(stageTimestamp=None, requestReceivedTimestamp=None))
    assert found["@timestamp"] is None
    assert found["trailwarden.parse.issues"] == ["missing-timestamp"]


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("2014-05-31T23:59:59.999999Z", datetime(2014, 5, 31, 23, 59, 59, 999999, tzinfo=UTC)),
        ("9999-12-31T23:59:59.999999Z", datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
    ],
)
def test_a_time_far_outside_the_age_of_kubernetes_is_marked(
    build: Build, row: Row, text: str, instant: datetime
) -> None:
    found = row(build(stageTimestamp=text))
    assert found["@timestamp"] == instant
    assert found["trailwarden.parse.issues"] == ["implausible-timestamp"]


def test_the_stage_counts_not_the_request(build: Build, row: Row) -> None:
    """A watch ends minutes after it was asked for; by requests a log steps back that far."""
    found = row(build(requestReceivedTimestamp="2026-11-21T10:36:08Z", stageTimestamp=GOOD))
    assert found["@timestamp"] == INSTANT
    assert found["event.start"] == datetime(2026, 11, 21, 10, 36, 8, tzinfo=UTC)


# Any change of some characters of a good time: parsed alone or in a batch, it is the same.
CHANGES = st.lists(
    st.tuples(st.integers(0, len(GOOD) - 1), st.sampled_from("0123456789+-:. TZtz,e")),
    min_size=1,
    max_size=4,
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(changes=CHANGES)
def test_altered_times_do_not_depend_on_their_neighbours(changes: list[tuple[int, str]]) -> None:
    characters = list(GOOD)
    for place, character in changes:
        characters[place] = character
    text = "".join(characters)
    alone, issues = times_of(text)
    beside, issues_beside = times_of(text, "garbage")
    assert alone[0] == beside[0]
    assert issues.get(0) == issues_beside.get(0)
