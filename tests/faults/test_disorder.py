"""F13: what comes in disorder within the lateness is found over time as if it came in order."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from random import Random

import orjson
import pytest

from ingest.sources.kafka import Record
from tests.faults.fleet import PATIENCE_S
from tests.faults.harness import dose, harness
from tests.faults.oracle import judge, records_of, uncut_run
from tests.faults.planted import Planted, Planter, Shares
from tests.faults.sender import Sender
from worker.cluster_memory import LATENESS_US
from worker.crash_points import CrashPoint

pytestmark = pytest.mark.integration

COUNT = dose(4_000, 100_000)
LATE_SHARE = 0.01
DAY = timedelta(days=1)
SPREAD_S = 0.95 * LATENESS_US / 1e6
RATE = 20
"""Records a second of event time: the log spans minutes, so that most of it becomes certain."""


def in_disorder(random: Random, seed: int) -> list[tuple[Planted, bool]]:
    """Return records of the last minutes out of order, some a day late: each with whether it is."""
    shares = Shares(findings=100, repeats=0, bad=0)
    planter = Planter(seed, shares)
    begin = datetime.now(UTC) - timedelta(seconds=COUNT / RATE)
    drawn: list[tuple[float, Planted, bool]] = []
    for number in range(COUNT):
        is_late = number > COUNT // 2 and random.random() < LATE_SHARE
        at_s = number / RATE
        time = begin + timedelta(seconds=at_s) - (DAY if is_late else timedelta())
        drawn.append((at_s + random.uniform(0, SPREAD_S), planter.record(time), is_late))
    drawn.sort(key=lambda one: one[0])
    return [(planted, is_late) for _, planted, is_late in drawn]


def in_order(records: list[Record]) -> list[Record]:
    """Return a topic's records without the late ones, each partition in order of event time."""
    found = []
    for _, members in groupby(records, key=lambda one: one.partition):
        timed = sorted((_time(one), one.value, one) for one in members)
        newest = timed[-1][0]
        kept = [one for time, _, one in timed if newest - time < DAY / 2]
        found += [replace(one, offset=offset) for offset, one in enumerate(kept)]
    return found


def _time(record: Record) -> datetime:
    return datetime.fromisoformat(orjson.loads(record.value)["stageTimestamp"])


def test_disorder_within_the_lateness_changes_nothing(
    tmp_path: Path, kafka: str, elasticsearch_url: str
) -> None:
    with harness(tmp_path, kafka, elasticsearch_url) as world, world.fleet() as fleet:
        records = in_disorder(world.random, world.random.getrandbits(32))
        with Sender(world.connection, world.settings.kafka.raw_topic) as sender:
            sender.send_all(planted for planted, _ in records)
        fleet.start("one", f"{CrashPoint.BEFORE_COMMIT.value}:1").process.wait(PATIENCE_S)
        fleet.tend()
        fleet.start("two")
        world.drain(fleet)
        fleet.stop_all()
        verdicts = judge(world.settings, world.client, sender.sent)
        topic = records_of(world.settings)
        ordered, shuffled = (
            uncut_run(world.settings, some).over_time for some in (in_order(topic), topic)
        )
    late = sum(is_late for _, is_late in records)
    print(f"{verdicts}; {late} late")
    assert len(fleet.deaths) == 1
    assert verdicts.closed > 0
    assert late > 0
    newest = max(map(_time, topic))
    on_time = {i: one for i, one in shuffled.items() if newest - _moment(one) < DAY / 2}
    assert _told(on_time) == _told(ordered)
    # What is late enters no window, and is told by itself where one event is enough.
    alone = [one for i, one in shuffled.items() if i not in on_time]
    assert all(one["trailwarden.episode.count"] == 1 for one in alone)


def _moment(finding: dict[str, object]) -> datetime:
    return datetime.fromisoformat(str(finding["@timestamp"]))


def _told(found: dict[str, dict[str, object]]) -> dict[str, dict[str, object]]:
    """Return findings without the time of receipt of what completed them."""
    return {i: {k: v for k, v in one.items() if k != "event.created"} for i, one in found.items()}
