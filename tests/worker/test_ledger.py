from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sinks.archive import Counts, Segment
from worker.ledger import Found, Kind, Log, account

HOUR = datetime(2026, 11, 21, 12, tzinfo=UTC)
PLACE = ("blue", HOUR)
LOG = Log(partition=3, low=0, start=0, end=30, committed=20)


def segment(first: int, end: int, **counts: int) -> Segment:
    size = end - first
    held = Counts(**({"records": size, "events": size} | counts))
    return Segment(
        path=Path(f"{first:020}.parquet"),
        topic="raw",
        partition=3,
        first=first,
        next=end,
        sha256=None,
        previous_sha256=None,
        rows=held.events,
        counts={PLACE: held},
        first_day=None,
        last_day=None,
        schema_version=1,
    )


SEGMENTS = [segment(0, 10), segment(10, 20)]
FOUND = Found(messages=Counter({PLACE: 20}), pending=10)


def kinds(log: Log, segments: list[Segment], found: Found) -> list[Kind]:
    return [difference.kind for difference in account(log, segments, found).differences]


def test_what_adds_up_is_accounted_for() -> None:
    ledger = account(LOG, SEGMENTS, FOUND)
    assert ledger.differences == []
    assert (ledger.compared_from, ledger.archived, ledger.pending) == (0, 20, 10)
    assert ledger.counts == {PLACE: Counts(records=20, events=20)}
    assert ledger.received == {PLACE: 20}


def test_a_partition_of_which_nothing_is_archived_yet_is_pending() -> None:
    log = replace(LOG, committed=None)
    ledger = account(log, [], Found(pending=30))
    assert (ledger.differences, ledger.pending, ledger.archived) == ([], 30, None)


@pytest.mark.parametrize("received", [19, 21])
def test_a_message_that_no_count_covers_or_one_counted_twice_is_found(received: int) -> None:
    [difference] = account(LOG, SEGMENTS, Found(messages=Counter({PLACE: received}))).differences
    assert (difference.kind, difference.expected, difference.found) == (Kind.RECEIVED, received, 20)
    assert (difference.cluster, difference.hour, difference.partition) == ("blue", HOUR, 3)


def test_messages_counted_in_another_hour_or_cluster_are_found_in_both() -> None:
    moved = Counter({PLACE: 15, ("red", HOUR): 3, ("blue", HOUR + timedelta(hours=1)): 2})
    ledger = account(LOG, SEGMENTS, Found(messages=moved))
    assert {(d.cluster, d.hour) for d in ledger.differences} == set(moved)


def test_offsets_in_no_segment_are_found() -> None:
    [difference] = account(LOG, [SEGMENTS[0], segment(15, 25)], FOUND).differences
    assert difference.kind is Kind.GAP
    assert difference.detail == "offsets 10 to 14 are in no segment"


def test_offsets_in_two_segments_are_found() -> None:
    assert kinds(
        LOG, [SEGMENTS[0], segment(5, 15), segment(15, 20)], Found(messages=Counter({PLACE: 25}))
    ) == [Kind.OVERLAP]


def test_records_that_became_nothing_are_found() -> None:
    short = [SEGMENTS[0], segment(10, 20, events=8, repeats=1)]
    [difference] = account(LOG, short, FOUND).differences
    assert (difference.kind, difference.expected, difference.found) == (Kind.BALANCE, 10, 9)


def test_every_kind_of_fate_counts() -> None:
    fates = segment(0, 10, extra=3, events=6, late=6, repeats=2, quarantined=4, canaries=1)
    found = Found(messages=Counter({PLACE: 10}), quarantined=Counter({PLACE: 4}))
    assert kinds(replace(LOG, committed=10), [fates], found) == []


def test_rows_that_are_not_there_are_found() -> None:
    lacking = replace(SEGMENTS[1], rows=9)
    [difference] = account(LOG, [SEGMENTS[0], lacking], FOUND).differences
    assert (difference.kind, difference.expected, difference.found) == (Kind.ROWS, 10, 9)


@pytest.mark.parametrize(("there", "expected"), [(1, [Kind.QUARANTINE]), (2, []), (3, [])])
def test_refused_records_that_are_not_in_quarantine_are_found(
    there: int, expected: list[Kind]
) -> None:
    refusing = [segment(0, 20, events=18, quarantined=2)]
    found = Found(messages=Counter({PLACE: 20}), quarantined=Counter({PLACE: there}))
    assert kinds(LOG, refusing, found) == expected


def test_offsets_deleted_before_they_were_archived_are_found() -> None:
    late = replace(LOG, low=25, start=25)
    [difference] = account(late, SEGMENTS, Found()).differences
    assert difference.kind is Kind.LOST
    assert difference.detail == "offsets 20 to 24 were deleted before they were archived"


def test_a_commit_ahead_of_the_archive_is_found() -> None:
    assert kinds(replace(LOG, committed=21), SEGMENTS, FOUND) == [Kind.COMMITTED]
    assert kinds(replace(LOG, committed=5), [], Found()) == [Kind.COMMITTED]


def test_what_is_older_than_the_log_is_not_compared() -> None:
    ledger = account(replace(LOG, low=4, start=4), SEGMENTS, Found(messages=Counter({PLACE: 10})))
    assert ledger.differences == []
    assert ledger.compared_from == 10
    assert ledger.counts[PLACE].records == 10
