"""A partition's state survives as bytes; what is committed beside an offset is read or refused."""

from __future__ import annotations

import msgspec
import pytest

from detectors.remembered import save
from worker.cluster_memory import LATENESS_US, Marks
from worker.partition import (
    QUIET_US,
    STATE_SCHEMA,
    Partition,
    Snapshot,
    SnapshotReference,
    nothing_remembered,
    read_reference,
    write_reference,
)

SECOND_US = 1_000_000
REFERENCE = SnapshotReference("raw/3/00000000000000000042-ab.state", 42, "f" * 64, 1, "e" * 64)


def partition() -> Partition:
    return Partition(3, 42, sinks_from=40, archived=41)


def filled(*clusters: str) -> Partition:
    held = partition()
    for number, name in enumerate(clusters):
        identifier = f"{len(name):032x}"
        held.memory(name).mark([identifier], [(100 + 0 * number) * SECOND_US], Marks())
    return held


def test_a_cluster_not_seen_before_gets_a_memory_that_stays() -> None:
    held = partition()
    assert held.memory("blue") is held.memory("blue")
    assert held.memory("red") is not held.memory("blue")


def test_equal_states_give_equal_bytes_in_whatever_order_clusters_came() -> None:
    assert filled("blue", "red").snapshot() == filled("red", "blue").snapshot()
    assert filled("blue").snapshot() != filled("red").snapshot()


def test_a_restored_partition_goes_on_as_the_one_that_was_saved() -> None:
    saved = filled("blue", "red")
    held = Partition(3, 0, sinks_from=77, archived=78)
    assert held.restore(saved.snapshot())
    assert (held.position, held.sinks_from, held.archived) == (42, 77, 78)
    assert held.snapshot() == saved.snapshot()
    marks = Marks()
    held.memory("blue").mark([f"{4:032x}"], [100 * SECOND_US], marks)
    assert marks.keep == [False]


def test_a_partition_has_passed_what_its_clusters_alive_have() -> None:
    """One far behind the others may never speak again: it holds nothing up across clusters."""
    held = partition()
    assert held.passed_us() is None
    held.memory("silent from the beginning")
    assert held.passed_us() is None
    held.memory("blue").advance(QUIET_US + 7)
    assert held.passed_us() == QUIET_US + 7 - LATENESS_US
    held.memory("red").advance(7)
    assert held.passed_us() == 7 - LATENESS_US
    held.memory("blue").advance(QUIET_US + 8)
    assert held.passed_us() == QUIET_US + 8 - LATENESS_US


def test_a_restored_state_takes_the_place_of_what_was_there() -> None:
    held = filled("green")
    held.restore(filled("blue").snapshot())
    assert set(held.memories) == {"blue"}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x93",
        b"no snapshot",
        msgspec.msgpack.encode([STATE_SCHEMA, "42", {}]),
        msgspec.msgpack.encode([STATE_SCHEMA, 42, {"blue": [1]}]),
        msgspec.msgpack.encode(Snapshot(STATE_SCHEMA + 1, 7, {}, save(nothing_remembered()))),
        msgspec.msgpack.encode(Snapshot(STATE_SCHEMA - 1, 7, {}, save(nothing_remembered()))),
    ],
)
def test_what_is_no_snapshot_of_this_schema_changes_nothing(data: bytes) -> None:
    held = filled("blue")
    before = held.snapshot()
    assert not held.restore(data)
    assert held.snapshot() == before


def test_a_partition_is_dirty_when_it_went_on_since_the_commit() -> None:
    held = partition()
    assert held.is_dirty()
    held.sinks_from = 42
    assert not held.is_dirty()
    held.position = 30
    assert not held.is_dirty()


def test_a_reference_is_read_as_it_was_written_and_fits_into_kafkas_metadata() -> None:
    text = write_reference(REFERENCE)
    assert read_reference(text) == REFERENCE
    assert len(text.encode()) < 4_096
    assert write_reference(None) == ""


@pytest.mark.parametrize("text", ["", "null", "{}", "[]", "x", '{"snapshot": "a", "offset": "b"}'])
def test_metadata_that_is_not_ours_counts_as_none(text: str) -> None:
    assert read_reference(text) is None
