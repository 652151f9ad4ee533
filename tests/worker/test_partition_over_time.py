"""What a partition knows over time survives a restart, a torn snapshot and other rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from detectors.correlation.released import Released
from detectors.remembered import save
from detectors.ruleset import Ruleset
from ingest.normalize import NormalizeSettings
from ingest.sources.kafka import Record
from tests.worker.messages import NOON, TOPIC, message
from tests.worker.over_time import (
    ALL,
    MANY,
    NEW,
    REDACTOR,
    Kept,
    Topic,
    act,
    correlation,
    rules_in,
    start,
)
from worker.fold import fold
from worker.pace import Pace
from worker.partition import STATE_SCHEMA, Partition, Snapshot
from worker.stages import RealStages

MANY_ID, NEW_ID = (f"00000000-0000-4000-8000-{number:012}" for number in (1, 4))
MANY_LESS = correlation(1, "event_count", {"many_get": "get"}, condition="{gte: 3}")

Act = tuple[float, str]
"""Seconds after noon, and verb."""


def records(first: int, *acts: Act) -> list[Record]:
    received = NOON + timedelta(hours=1)
    return [
        message(first + n, act(first + n, *one), received=received) for n, one in enumerate(acts)
    ]


def taken(partition: Partition, rules: Ruleset, some: Sequence[Record]) -> Released:
    """Take records into a partition, and return what becomes certain."""
    stages = RealStages(TOPIC, rules, NormalizeSettings("", REDACTOR))
    stages.detect(fold(TOPIC, some, stages.normalize(some), {0: partition}))
    return partition.release(0.0)


def new(rules: Ruleset) -> Partition:
    return Partition(0, 0, 0, 0, remembered=rules.remembered())


def told(*released: Released) -> list[tuple[str, dict[str, Any]]]:
    return [(one.id, one.document) for part in released for one in part.findings]


def rules_found(*released: Released) -> list[str]:
    return [document["rule.id"] for _, document in told(*released)]


BEFORE: tuple[Act, ...] = (
    *((float(n), "update") for n in range(3)),
    (10, "get"),
    (11, "get"),
    (12, "create"),
    (41.5, "list"),
)
AFTER: tuple[Act, ...] = (
    (51, "get"),
    (51.5, "get"),
    (51.7, "delete"),
    (52, "update"),
    (300, "list"),
)
"""Two of four, the second step, the fourth and new value: nothing alone is a match."""


@pytest.fixture
def rules(tmp_path: Path) -> Ruleset:
    return rules_in(tmp_path / "rules")


def test_findings_after_a_restart_are_those_without(rules: Ruleset) -> None:
    whole, first = new(rules), new(rules)
    before = [taken(one, rules, records(0, *BEFORE)) for one in (whole, first)]
    assert told(*before) == []
    assert first.remembered.over_time.pending.height
    assert any(tails.height for tails in first.remembered.over_time.tails.values())
    again = new(rules)
    assert again.restore(first.snapshot())
    assert again.snapshot() == first.snapshot()
    found = [taken(one, rules, records(len(BEFORE), *AFTER)) for one in (whole, again)]
    assert told(found[0]) == told(found[1])
    assert found[0].closed == found[1].closed
    assert {MANY_ID, NEW_ID} <= set(rules_found(found[0]))
    assert told(taken(new(rules), rules, records(len(BEFORE), *AFTER))) != told(found[0])


def test_an_episode_goes_on_after_a_restart_and_ends_as_one(rules: Ruleset) -> None:
    whole, first = new(rules), new(rules)
    gets = [(float(n), "get") for n in range(6)]
    begun = [taken(one, rules, records(0, *gets, (40, "list"))) for one in (whole, first)]
    assert MANY_ID in rules_found(begun[0])
    again = new(rules)
    again.restore(first.snapshot())
    rest = records(7, (41, "get"), (42, "get"), (600, "list"))
    ends = [taken(one, rules, rest).closed for one in (whole, again)]
    assert ends[0] == ends[1]
    assert {one.finding for one in ends[0]} >= {identifier for identifier, _ in told(begun[0])}
    assert max(one.events for one in ends[0]) == 8


def changed(partition: Partition, rules: Ruleset) -> Partition:
    """Return a partition that goes on with other rules."""
    partition.take_rules(rules)
    return partition


def restarted(partition: Partition, rules: Ruleset) -> Partition:
    """Return a partition whose owner was restarted with other rules."""
    again = new(rules)
    assert again.restore(partition.snapshot())
    return again


@pytest.mark.parametrize("change", [changed, restarted])
def test_a_changed_correlation_starts_anew_and_the_others_go_on(
    rules: Ruleset, tmp_path: Path, change: Callable[[Partition, Ruleset], Partition]
) -> None:
    other = rules_in(tmp_path / "other", (NEW, MANY_LESS))
    held = new(rules)
    taken(held, rules, records(0, *BEFORE))
    held = change(held, other)
    found = taken(held, other, records(len(BEFORE), *AFTER))
    assert rules_found(found) == [NEW_ID]
    third = records(len(BEFORE) + len(AFTER), (301, "get"), (302, "get"), (303, "get"))
    assert MANY_ID in rules_found(taken(held, other, [*third, *records(20, (400, "list"))]))


@pytest.mark.parametrize("change", [changed, restarted])
def test_correlations_in_another_order_keep_what_is_theirs(
    rules: Ruleset, tmp_path: Path, change: Callable[[Partition, Ruleset], Partition]
) -> None:
    other = rules_in(tmp_path / "other", ALL[::-1])
    whole, held = new(rules), new(rules)
    for one in (whole, held):
        taken(one, rules, records(0, *BEFORE))
    rest = records(len(BEFORE), *AFTER)
    wanted = told(taken(whole, rules, rest))
    found = told(taken(change(held, other), other, rest))
    assert {identifier for identifier, _ in found} == {identifier for identifier, _ in wanted}
    assert wanted


def test_an_open_episode_of_a_rule_that_stays_is_not_reported_again(
    rules: Ruleset, tmp_path: Path
) -> None:
    other = rules_in(tmp_path / "other", (NEW, MANY))
    held = new(rules)
    begun = taken(held, rules, records(0, *((float(n), "get") for n in range(6)), (40, "list")))
    assert rules_found(begun).count(MANY_ID) == 1
    held.take_rules(other)
    rest = taken(held, other, records(7, (41, "get"), (42, "get"), (600, "list")))
    assert MANY_ID not in rules_found(rest)
    assert [one.events for one in rest.closed] == [8]


def test_nothing_is_told_of_what_was_answered_for_before(rules: Ruleset) -> None:
    held = new(rules)
    held.sinks_from = 8
    gets = records(0, *((float(n), "get") for n in range(6)), (40, "list"))
    assert told(taken(held, rules, gets)) == []
    rest = taken(held, rules, records(7, (41, "get"), (600, "list")))
    assert {one.events for one in rest.closed} == {7}


def test_a_snapshot_of_the_earlier_schema_is_not_loaded(rules: Ruleset) -> None:
    held = new(rules)
    taken(held, rules, records(0, *BEFORE))
    whole = msgspec.msgpack.decode(held.snapshot(), type=Snapshot)
    earlier = msgspec.msgpack.encode(msgspec.structs.replace(whole, schema=STATE_SCHEMA - 1))
    without = msgspec.msgpack.encode([1, whole.offset, msgspec.to_builtins(whole.clusters)])
    for data in (earlier, without):
        again = new(rules)
        assert not again.restore(data)
        assert (again.position, again.memories) == (0, {})
        assert again.remembered.over_time.pending.is_empty()
    assert save(new(rules).remembered) != whole.remembered


@pytest.mark.parametrize("tear", [lambda data: data[: len(data) // 2], lambda _: b""])
def test_the_archive_gives_the_state_that_the_log_gave(
    rules: Ruleset, tmp_path: Path, tear: Callable[[bytes], bytes]
) -> None:
    """Snapshots are gone or torn: what follows is found all the same."""
    log = records(0, *BEFORE) + records(len(BEFORE), *AFTER)
    found: list[Kept] = []
    for name, is_torn in (("whole", False), ("torn", True)):
        topic, kept = Topic({0: log[: len(BEFORE)]}), Kept()
        _read(topic, tmp_path / name, rules, kept)
        if is_torn:
            snapshots = list((tmp_path / name).rglob("*.state"))
            assert snapshots
            for one in snapshots:
                one.write_bytes(tear(one.read_bytes()))
        rest = Topic({0: log}, topic.committed)
        assert _read(rest, tmp_path / name, rules, kept) == len(BEFORE)
        found.append(kept)
    assert found[0].findings == found[1].findings
    ids = {one["rule.id"] for one in found[0].findings.values()}
    assert {MANY_ID, NEW_ID} <= ids


def _read(topic: Topic, folder: Path, rules: Ruleset, kept: Kept) -> int:
    """Read a topic to its end in a life of its own; return where it began."""
    running = start(topic, folder, rules, kept, Random(1), [0], Pace(snapshot_interval_s=0.0))
    began = running.source.next[0]
    while not running.source.is_done:
        running.step()
    running.worker.checkpoint()
    running.die(kept)
    return began
