"""A verdict is archived and counted as every record, and moves no cluster's time, ever after."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from detectors.engine import detect
from detectors.ruleset import ruleset
from detectors.sigma.compiler import load_pack
from detectors.sigma.pack import Pack
from ingest.normalize import NormalizeSettings
from ingest.sources.kafka import Record
from ingest.verdict import DATASET, Choice, Verdict, verdict_record
from sinks.archive import Counts, SegmentWriter, read_events
from tests.worker.messages import NOON, TOPIC, audit_event, message
from worker.fold import Folded, fold
from worker.partition import Partition
from worker.replay import ReplaySettings, replay
from worker.settings import shipped_rules
from worker.stages import RealStages
from worker.stores import FolderStores

STAGES = RealStages(TOPIC, ruleset(Pack()), NormalizeSettings(""))
HOUR = NOON.replace(minute=0)
FINDING = "f" * 32


def at(second: float) -> datetime:
    return NOON + timedelta(seconds=second)


def event(offset: int, second: float = 0) -> Record:
    return message(offset, audit_event(offset, at(second)))


def verdict(offset: int, second: float, note: str = "", cluster: str = "blue") -> Record:
    envelope, value = verdict_record(
        Verdict(
            finding=FINDING,
            rule="r",
            cluster=cluster,
            verdict=Choice.BENIGN,
            author="dana",
            time=at(second),
            note=note,
        )
    )
    return Record(0, offset, value, envelope, int(envelope.received.timestamp() * 1000))


LOG = (event(0, 0), event(1, 1), verdict(2, 900), event(3, 2), event(4, 3))
"""A person decides fifteen minutes ahead of a log that lags behind."""


def folded(records: tuple[Record, ...], partition: Partition) -> Folded:
    return fold(TOPIC, records, STAGES.normalize(records), {0: partition})


def test_a_verdict_is_an_event_at_its_place_and_makes_nothing_late() -> None:
    partition = Partition(0, 0, 0, 0)
    result = folded(LOG, partition)
    assert result.kept["log.offset"].to_list() == [0, 1, 2, 3, 4]
    assert result.kept["event.dataset"].to_list()[2] == DATASET
    assert result.kept["agent.name"].to_list()[2] == "findings"
    assert not result.late.any()
    assert partition.memory("blue").newest_us == int(at(3).timestamp()) * 1_000_000
    (share,) = result.shares
    assert share.counts == {("blue", HOUR): Counts(records=5, events=5)}


def test_it_depends_on_no_cut_of_batches() -> None:
    whole, cut = Partition(0, 0, 0, 0), Partition(0, 0, 0, 0)
    kept = folded(LOG, whole).kept
    parts = [folded((record,), cut).kept for record in LOG]
    assert pl.concat(parts).equals(kept)
    assert cut.memory("blue").newest_us == whole.memory("blue").newest_us


def test_a_verdict_that_comes_again_is_a_repeat() -> None:
    again = (event(0, 0), verdict(1, 5), verdict(2, 5), verdict(3, 5, "another"))
    result = folded(again, Partition(0, 0, 0, 0))
    assert result.kept["log.offset"].to_list() == [0, 1, 3]


def test_no_rule_is_about_a_verdict() -> None:
    whole = load_pack([shipped_rules()])
    stages = RealStages(TOPIC, ruleset(whole), NormalizeSettings(""))
    hostile = "kubectl exec privileged cluster-admin /etc/shadow system:masters"
    records = (verdict(0, 0, hostile), verdict(1, 1, hostile, "red"))
    partition = Partition(0, 0, 0, 0)
    partition.take_rules(stages.rules)
    found = stages.detect(fold(TOPIC, records, stages.normalize(records), {0: partition}))
    assert not found.findings
    assert partition.remembered.release(None).findings == []


def test_what_is_rebuilt_from_the_archive_is_as_late_as_it_was(tmp_path: Path) -> None:
    folder = archived(tmp_path)
    events = read_events(folder).collect()
    assert events.filter(pl.col("event.dataset") == DATASET)["message"].to_list() == ["seen it"]
    recent = FolderStores(tmp_path, TOPIC).recent_events(0, 100)
    assert recent["event.dataset"].to_list().count(DATASET) == 1
    settings = ReplaySettings(folder, TOPIC, tmp_path / "out")
    result = replay(settings, ruleset(load_pack([shipped_rules()])), None, lambda *_: None)
    assert (result.events, result.late) == (5, 0)


def archived(folder: Path) -> Path:
    log = (*LOG[:2], verdict(2, 900, "seen it"), *LOG[3:])
    writer = SegmentWriter(folder / "archive", TOPIC, 0, 0, None)
    writer.write(folded(log, Partition(0, 0, 0, 0)).shares[0].events)
    writer.close(5)
    return folder / "archive"


def test_a_message_that_only_says_so_is_no_verdict() -> None:
    """The envelope's header counts, which only collectors may write."""
    result = folded((message(0, verdict(0, 0).value),), Partition(0, 0, 0, 0))
    assert result.kept.is_empty()
    assert len(result.refused) == 1


def test_a_log_ends_with_its_last_event_whenever_people_decide() -> None:
    """What did not happen by then is not known yet: a verdict from tomorrow proves no silence."""
    records = (event(0, 0), verdict(1, 86_400))
    events = STAGES.normalize(records).events
    state = ruleset(load_pack([shipped_rules()])).remembered()
    state.add(events, detect(events, []), None)
    assert state.over_time.latest_us == [int(at(0).timestamp()) * 1_000_000]
