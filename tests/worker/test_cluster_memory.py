"""What a cluster remembers depends on its records and their order, and on nothing else."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.cluster_memory import (
    GENERATION_US,
    LATENESS_US,
    MEMORY_US,
    ClusterMemory,
    Marks,
    Saved,
)

SECOND_US = 1_000_000
NOON_US = 1_795_262_400 * SECOND_US


def identifier(number: int) -> str:
    return f"{number:032x}"


def mark(memory: ClusterMemory, *events: tuple[int, int]) -> Marks:
    """Fold events given as (number, microseconds after noon)."""
    marks = Marks()
    memory.mark([identifier(n) for n, _ in events], [NOON_US + t for _, t in events], marks)
    return marks


def at_noon() -> ClusterMemory:
    memory = ClusterMemory()
    memory.advance(NOON_US)
    return memory


def test_lengths_are_those_of_the_design() -> None:
    assert LATENESS_US == 30 * SECOND_US
    assert MEMORY_US == 60 * SECOND_US


@pytest.mark.parametrize(
    ("behind_us", "late"), [(0, False), (30_000_000, False), (30_000_001, True)]
)
def test_late_is_more_than_the_lateness_behind_the_newest_before(
    behind_us: int, late: bool
) -> None:
    assert mark(at_noon(), (1, -behind_us)).late == [late]


def test_an_event_is_late_by_those_before_it_only() -> None:
    assert mark(at_noon(), (1, -40 * SECOND_US), (2, 0), (3, 60 * SECOND_US)).late == [
        True,
        False,
        False,
    ]
    marks = mark(at_noon(), (1, 60 * SECOND_US), (2, 0), (3, 60 * SECOND_US))
    assert marks.late == [False, True, False]


def test_a_late_event_does_not_turn_time_back() -> None:
    memory = at_noon()
    mark(memory, (1, -50 * SECOND_US))
    assert memory.newest_us == NOON_US
    memory.advance(NOON_US - 1)
    assert memory.newest_us == NOON_US


def test_time_comes_as_far_as_the_newest_event_to_the_microsecond() -> None:
    memory = at_noon()
    assert mark(memory, (1, 1), (2, -LATENESS_US)).late == [False, True]
    assert memory.newest_us == NOON_US + 1


def test_an_id_that_came_before_is_a_repeat_also_within_one_call() -> None:
    memory = at_noon()
    assert mark(memory, (1, 0), (2, 0), (1, 0)).keep == [True, True, False]
    assert mark(memory, (2, 0), (3, 0)).keep == [False, True]
    assert memory.held == 3


@pytest.mark.parametrize(
    ("passed_us", "kept"), [(0, False), (60_000_000, False), (60_000_001, True)]
)
def test_an_event_is_a_repeat_until_the_clusters_time_is_a_minute_on(
    passed_us: int, kept: bool
) -> None:
    memory = at_noon()
    mark(memory, (1, 0))
    memory.advance(NOON_US + passed_us)
    assert mark(memory, (1, 0)).keep == [kept]


@pytest.mark.parametrize("offset_us", range(0, 10_000_000, 1_250_000))
@pytest.mark.parametrize("old_us", [0, 30_000_000, 60_000_000])
def test_wherever_a_generation_ends_a_repeat_of_the_last_minute_is_known(
    offset_us: int, old_us: int
) -> None:
    memory = ClusterMemory()
    memory.advance(NOON_US + offset_us)
    first = mark(memory, (1, offset_us - old_us))
    memory.advance(NOON_US + offset_us + 60_000_000 - old_us)
    assert first.keep == [True]
    assert mark(memory, (1, offset_us - old_us)).keep == [False]


def test_an_event_older_than_the_memory_is_kept_and_not_remembered() -> None:
    memory = at_noon()
    old = (1, -MEMORY_US - 1)
    assert mark(memory, old, old).keep == [True, True]
    assert memory.held == 0


def test_ids_are_forgotten_by_generations_and_held_says_how_many_are_left() -> None:
    memory = at_noon()
    mark(memory, (1, 0), (2, 0))
    memory.advance(NOON_US + GENERATION_US)
    mark(memory, (3, GENERATION_US))
    memory.advance(NOON_US + MEMORY_US + GENERATION_US - 1)
    assert memory.held == 3
    memory.advance(NOON_US + MEMORY_US + GENERATION_US)
    assert memory.held == 1
    memory.advance(NOON_US + MEMORY_US + 2 * GENERATION_US)
    assert (memory.held, memory.evicted) == (0, 0)


def test_eviction_takes_the_oldest_ids_and_counts_them() -> None:
    memory = at_noon()
    mark(memory, (1, 0), (2, 0))
    memory.advance(NOON_US + GENERATION_US)
    mark(memory, (3, GENERATION_US))
    assert memory.evict() == 2
    assert (memory.held, memory.evicted) == (1, 2)
    assert mark(memory, (3, GENERATION_US), (1, 0)).keep == [False, True]
    assert memory.evict() == 2
    assert memory.evict() == 0
    assert (memory.held, memory.evicted) == (0, 4)


def test_a_memory_whose_ids_were_all_evicted_goes_on() -> None:
    memory = at_noon()
    mark(memory, (1, 0))
    memory.evict()
    assert mark(memory, (1, 0)).keep == [True]
    assert memory.held == 1


def test_a_saved_memory_holds_time_and_sorted_ids_by_generation() -> None:
    memory = at_noon()
    mark(memory, (2, 0), (1, 0), (3, GENERATION_US))
    first = NOON_US // GENERATION_US
    assert memory.save() == Saved(
        NOON_US + GENERATION_US,
        {
            first: bytes.fromhex(identifier(1) + identifier(2)),
            first + 1: bytes.fromhex(identifier(3)),
        },
    )


steps = st.one_of(
    st.tuples(st.just("advance"), st.integers(0, 150), st.just(0)),
    st.tuples(st.just("event"), st.integers(0, 150), st.integers(0, 12)),
)


def folded(memory: ClusterMemory, part: list[tuple[str, int, int]], marks: Marks) -> None:
    """Fold steps with as few calls as they allow."""
    events: list[tuple[int, int]] = []

    def flush() -> None:
        ids = [identifier(n) for n, _ in events]
        memory.mark(ids, [NOON_US + t for _, t in events], marks)
        events.clear()

    for kind, second, number in part:
        if kind == "advance":
            flush()
            memory.advance(NOON_US + second * SECOND_US)
        else:
            events.append((number, second * SECOND_US))
    flush()


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(steps, max_size=40), st.lists(st.integers(0, 40), max_size=6))
def test_however_a_sequence_is_cut_marks_and_state_are_the_same(
    sequence: list[Any], cuts: list[int]
) -> None:
    whole, whole_marks = at_noon(), Marks()
    folded(whole, sequence, whole_marks)
    cut, cut_marks = at_noon(), Marks()
    edges = [0, *sorted(cuts), len(sequence)]
    for start, end in pairwise(edges):
        folded(cut, sequence[start:end], cut_marks)
        data = msgspec.msgpack.encode(cut.save())
        cut = ClusterMemory.restore(msgspec.msgpack.decode(data, type=Saved))
    assert cut_marks == whole_marks
    assert msgspec.msgpack.encode(cut.save()) == msgspec.msgpack.encode(whole.save())
    assert cut.held == whole.held


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(steps, max_size=40))
def test_marks_are_what_the_definition_says(sequence: list[Any]) -> None:
    """The definition, without generations: the same event (same id, same time) came before."""
    memory, marks = at_noon(), Marks()
    sequence = [
        (kind, number * 9 if kind == "event" else s, number) for kind, s, number in sequence
    ]
    folded(memory, sequence, marks)
    newest, seen = 0, set()
    keep, late = [], []
    for kind, second, number in sequence:
        age = newest - second
        newest = max(newest, second)
        if kind == "event":
            late.append(age > 30)
            keep.append(age > 60 or number not in seen)
            seen.add(number)
    assert marks.late == late
    # one that first came more than a minute late is not remembered, and late again when it returns
    assert marks.keep == keep
