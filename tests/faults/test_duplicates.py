"""F12: what comes twice, again, later or by another way is in the stores once, and the same."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ingest.envelope import read_envelope
from sinks.topic_reader import read_messages, spans_of
from tests.faults.harness import Harness, dose, harness, is_chaos
from tests.faults.oracle import hits, judge
from tests.faults.planted import Planted, Planter, Shares, Verdict, time_text
from tests.faults.sender import Sender
from tests.faults.shifted_clock import shifted_clock
from worker.configuration import load_settings

pytestmark = pytest.mark.integration

Documents = dict[tuple[str, str], dict[str, Any]]
RECORDS = dose(2_000, 100_000)
AHEAD = timedelta(hours=1)
"""Beyond it, an event's day is not believed (design: Indices)."""


def documents(world: Harness) -> Documents:
    """Return every document by index and id; no id is there twice, in whatever index."""
    prefix = world.settings.elasticsearch.prefix
    world.client.indices.refresh(index=f"{prefix}-*")
    found: Documents = {}
    for hit in hits(world.client, f"{prefix}-events,{prefix}-findings"):
        found[hit["_index"].removeprefix(prefix), hit["_id"]] = hit["_source"]
    identifiers = [identifier for _, identifier in found]
    assert len(identifiers) == len(set(identifiers)), "an id is in two indices"
    total = world.client.count(index=f"{prefix}-*")["count"]
    assert total == len(found)
    return found


def work(world: Harness, slot: str = "one", **environment: str) -> None:
    """Let one worker do all there is."""
    with world.fleet(environment=environment) as fleet:
        fleet.start(slot)
        world.drain(fleet)
        fleet.stop_all()
    assert fleet.deaths == []


def planted(world: Harness, shares: Shares, now: datetime) -> list[Planted]:
    planter = Planter(world.random.getrandbits(32), shares)
    return [planter.record(now + timedelta(milliseconds=n)) for n in range(RECORDS)]


@pytest.mark.parametrize("share", [0, 10, 300] if is_chaos() else [300])
def test_repeats_of_a_share_of_all_records_are_not_seen(
    tmp_path: Path, kafka: str, elasticsearch_url: str, share: int
) -> None:
    with harness(tmp_path, kafka, elasticsearch_url) as world:
        records = planted(world, Shares(repeats=share), datetime.now(UTC))
        with Sender(world.connection, world.settings.kafka.raw_topic) as sender:
            sender.send_all(records)
        work(world)
        verdicts = judge(world.settings, world.client, sender.sent)
        unique = len(
            {(one.cluster, one.value) for one in records if one.verdict is not Verdict.BAD}
        )
        assert verdicts.events == unique
        documents(world)


def again(world: Harness, group: str, store: Path) -> Harness:
    """Return the same world for another group, with another store's folder."""
    wanted = json.loads(world.file.read_text())
    wanted["kafka"]["group"] = group
    wanted["store"] = {"folder": str(store), "begin_archive": True}
    world.file = world.folder / f"{group}.yml"
    world.file.write_text(json.dumps(wanted))
    world.settings = load_settings(world.file)
    return world


def test_a_replay_of_the_whole_topic_changes_nothing(
    tmp_path: Path, kafka: str, elasticsearch_url: str
) -> None:
    with harness(tmp_path, kafka, elasticsearch_url) as world:
        # Around midnight: the replay is over a boundary of days, and of indices.
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        records = planted(world, Shares(repeats=100), midnight - timedelta(seconds=1))
        with Sender(world.connection, world.settings.kafka.raw_topic) as sender:
            sender.send_all(records, midnight + timedelta(seconds=30))
        work(world)
        first = documents(world)
        group, store = world.settings.kafka.group, world.settings.store.folder
        assert len({index for index, _ in first if "events" in index}) == 2
        again(world, f"{group}-fresh", tmp_path / "fresh")
        work(world)
        assert documents(world) == first
        shutil.copytree(store, tmp_path / "same")
        again(world, f"{group}-same", tmp_path / "same")
        work(world)
        assert documents(world) == first
        judge(world.settings, world.client, sender.sent)


@pytest.mark.parametrize("ahead_hours", [3, 72] if is_chaos() else [72])
def test_a_replay_by_a_worker_whose_clock_is_off_changes_nothing(
    tmp_path: Path, kafka: str, elasticsearch_url: str, ahead_hours: int
) -> None:
    environment = shifted_clock(tmp_path, ahead_hours * 3_600)
    with harness(tmp_path, kafka, elasticsearch_url) as world:
        records = planted(world, Shares(), datetime.now(UTC))
        with Sender(world.connection, world.settings.kafka.raw_topic) as sender:
            sender.send_all(records)
        work(world)
        first = documents(world)
        again(world, f"{world.settings.kafka.group}-later", tmp_path / "later")
        work(world, **environment)
        assert documents(world) == first
        judge(world.settings, world.client, sender.sent)


def edges(world: Harness, received: datetime) -> Iterator[tuple[Planted, bool]]:
    """Give events at both edges of what is believed, and whether their day is."""
    oldest = received - timedelta(days=world.settings.worker.retention_days)
    step = timedelta(microseconds=1)
    for time, is_believed in (
        (oldest, True),
        (oldest - step, False),
        (received, True),
        (received + timedelta(minutes=5), True),
        (received + AHEAD + step, False),
        (received + timedelta(days=400), False),
    ):
        record = Planter(world.random.getrandbits(32), Shares(0, 0, 0)).record(time)
        value = json.loads(record.value)
        value["requestReceivedTimestamp"] = value["stageTimestamp"] = time_text(time)
        yield Planted(record.cluster, json.dumps(value).encode(), Verdict.EVENT), is_believed


def test_events_at_the_edges_of_the_clamp_keep_their_index_in_a_replay(
    tmp_path: Path, kafka: str, elasticsearch_url: str
) -> None:
    with harness(tmp_path, kafka, elasticsearch_url) as world:
        received = datetime.now(UTC)
        cases = list(edges(world, received))
        with Sender(world.connection, world.settings.kafka.raw_topic) as sender:
            sender.send_all([one for one, _ in cases], received)
        work(world)
        first = documents(world)
        outside = sum("outofrange" in index for index, _ in first)
        assert (len(first), outside) == (len(cases), sum(not inside for _, inside in cases))
        again(world, f"{world.settings.kafka.group}-again", tmp_path / "again")
        work(world)
        assert documents(world) == first


def test_a_mirror_of_the_topic_gives_the_same_documents(
    tmp_path: Path, kafka: str, elasticsearch_url: str
) -> None:
    with harness(tmp_path, kafka, elasticsearch_url) as world:
        records = planted(world, Shares(repeats=100), datetime.now(UTC))
        with Sender(world.connection, world.settings.kafka.raw_topic) as sender:
            sender.send_all(records)
        work(world)
        first = {key: same_everywhere(source) for key, source in documents(world).items()}
        (tmp_path / "mirror").mkdir()
        with harness(tmp_path / "mirror", kafka, elasticsearch_url, partitions=7) as other:
            mirror(world, other)
            work(other)
            second = {key: same_everywhere(source) for key, source in documents(other).items()}
        assert second == first


def mirror(world: Harness, other: Harness) -> None:
    """Copy a topic as a mirror does: values, keys and headers, by partition."""
    topic = world.settings.kafka.raw_topic
    with Sender(other.connection, other.settings.kafka.raw_topic) as sender:
        for message in read_messages(world.connection, topic, spans_of(world.connection, topic)):
            headers: Any = message.headers()
            envelope = read_envelope(headers, message.key(), message.timestamp()[1])
            record = Planted(envelope.cluster, message.value() or b"", Verdict.EVENT)
            sender.send(record, envelope.received)


def same_everywhere(source: dict[str, Any]) -> dict[str, Any]:
    """Leave out where the record was read: a mirror has places of its own."""
    return {name: value for name, value in source.items() if not name.startswith("log.")}
