"""The stages as the worker calls them: all is accounted for, and findings are those of a scan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from detectors.correlation.released import Released
from detectors.ruleset import Ruleset, look, ruleset
from detectors.sigma.compiler import load_pack
from detectors.sigma.pack import Pack
from ingest.envelope import Format
from ingest.normalize import NormalizeSettings, normalize
from ingest.record import Reason, Records, Salvage, Stage, sha256_hex
from ingest.redact.token import Redactor
from ingest.schema import empty_events
from ingest.sources.kafka import Record
from ingest.sources.read import read_records
from tests.worker.messages import NOON, TOPIC, audit_event, canary, message
from tests.worker.over_time import MANY
from worker.finding_order import FindingOrder
from worker.fold import fold
from worker.partition import Partition
from worker.settings import shipped_rules
from worker.stages import CHUNK, Found, RealStages, place_of, with_released

SETTINGS = NormalizeSettings("", Redactor(b"key"))
PLAIN = RealStages(TOPIC, ruleset(Pack()), SETTINGS)
LINES = 3_000


@pytest.fixture(scope="module")
def rules() -> Ruleset:
    """The rules alone: what is told over time comes out later, and elsewhere."""
    whole = load_pack([shipped_rules()])
    return ruleset(Pack(whole.rules, (), whole.silent))


@pytest.fixture(scope="module")
def lines(root: Path) -> list[bytes]:
    sample = str(root / "examples" / "sample-audit.log.gz")
    return [raw for chunk in read_records(sample, lambda _: None) for raw in chunk.raws][1_300:][
        :LINES
    ]


def exec_event(number: int, time: datetime = NOON, **members: object) -> dict[str, object]:
    """Return a shell that an attack tool opens: a finding of the shipped rules."""
    uri = "/api/v1/namespaces/default/pods/p/exec?command=sh&stdin=true&tty=true"
    target = {
        "resource": "pods",
        "namespace": "default",
        "name": "p",
        "apiVersion": "v1",
        "subresource": "exec",
    }
    return audit_event(
        number,
        time,
        verb="create",
        requestURI=uri,
        objectRef=target,
        responseStatus={"code": 101},
        userAgent="kubeletctl/1.13",
        **members,
    )


def found_by(stages: RealStages, records: Sequence[Record]) -> Found:
    partitions = {r.partition: Partition(r.partition, 0, 0, 0) for r in records}
    return stages.detect(fold(TOPIC, records, stages.normalize(records), partitions))


def test_findings_are_those_of_a_scan(rules: Ruleset, lines: list[bytes]) -> None:
    offsets = list(range(len(lines)))
    settings = NormalizeSettings("blue", SETTINGS.redactor)
    events = normalize([Records("sample", lines, offsets)], settings).events
    order = FindingOrder()
    order.add(look(events, rules).reported.findings)
    scanned = order.release(None)
    received = NOON + timedelta(days=9_000)  # after all of it, so that no time is clamped
    records = [message(n, line, received=received) for n, line in enumerate(lines)]
    found = found_by(RealStages(TOPIC, rules, SETTINGS), records)
    assert len(scanned) > 10
    assert [f.order for f in found.findings] == [f.order for f in scanned]
    assert {(f.id, f.order, f.level) for f in found.findings} == {
        (f.id, f.order, f.level) for f in scanned
    }
    assert len({f.id for f in found.findings}) == len(found.findings)
    assert set(found.received) == {f.id for f in scanned}
    assert found.evidence["event.id"].n_unique() == found.evidence.height
    assert found.evidence["log.offset"].is_sorted()


def test_two_clusters_in_one_call_give_what_each_alone_gives(
    rules: Ruleset, lines: list[bytes]
) -> None:
    stages = RealStages(TOPIC, rules, SETTINGS)
    received = NOON + timedelta(days=9_000)
    blue = [message(n, line, received=received) for n, line in enumerate(lines[:600])]
    red = [
        message(600 + n, line, received=received, cluster="red")
        for n, line in enumerate(lines[:600])
    ]
    mixed = [one for pair in zip(blue, red, strict=True) for one in pair]
    alone = [found_by(stages, blue), found_by(stages, red)]
    both = found_by(stages, mixed)
    ids = [{f.id for f in one.findings} for one in alone]
    assert ids[0].isdisjoint(ids[1])
    assert ids[0]
    assert {f.id for f in both.findings} == ids[0] | ids[1]
    events = stages.normalize(mixed).events
    assert set(events["event.id"]) == {
        i for part in (blue, red) for i in stages.normalize(part).events["event.id"]
    }


def test_events_stand_by_partition_and_cluster_in_log_order_across_chunks() -> None:
    count = 2 * CHUNK + 10
    records = [
        message(n, audit_event(n), cluster=("red", "blue")[n % 2], partition=1 - n // CHUNK % 2)
        for n in range(count)
    ]
    events = PLAIN.normalize(records).events
    names = ["log.file.path", "orchestrator.cluster.name", "log.offset"]
    assert events.select(names).rows() == sorted(events.select(names).rows())
    assert events.height == count
    assert dict(events.group_by("log.file.path").len().iter_rows()) == {
        place_of(TOPIC, 0): CHUNK,
        place_of(TOPIC, 1): CHUNK + 10,
    }


def test_events_have_received_collector_and_cluster_of_their_own_message() -> None:
    records = [
        message(n, audit_event(n), cluster=f"c{n}", received=NOON + timedelta(seconds=n))
        for n in range(3)
    ]
    events = PLAIN.normalize(records).events
    assert events["event.created"].to_list() == [NOON + timedelta(seconds=n) for n in range(3)]
    assert events["orchestrator.cluster.name"].to_list() == ["c0", "c1", "c2"]
    assert set(events["agent.name"]) == {"collector"}


def test_salvaged_records_are_marked_truncated_and_others_are_not() -> None:
    salvage = Salvage(("requestObject",), 9_000_000, "f" * 64)
    records = [message(0, audit_event(0)), message(1, audit_event(1), salvage=salvage)]
    events = PLAIN.normalize(records).events
    assert events["trailwarden.truncated"].to_list() in ([None, True], [False, True])


@pytest.mark.parametrize("members", [{"items": []}, {"items": None}, {}])
def test_an_empty_list_becomes_a_refused_record(members: dict[str, object]) -> None:
    empty = message(1, {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", **members})
    normalized = PLAIN.normalize([message(0, audit_event(0)), empty])
    assert normalized.events["log.offset"].to_list() == [0]
    (refused,) = normalized.refused
    assert (refused.path, refused.offset, refused.stage) == ("raw/0", 1, Stage.DECODE)
    assert refused.reason is Reason.NOT_AN_EVENT
    assert refused.size_bytes == len(empty.value)
    assert refused.sha256 == sha256_hex(empty.value)


def test_an_empty_list_is_refused_also_where_other_messages_gave_several_events() -> None:
    several = {"kind": "EventList", "items": [audit_event(n) for n in range(5)]}
    empty = {"kind": "EventList", "items": []}
    normalized = PLAIN.normalize([message(0, several), message(1, empty), message(2, b"{")])
    assert normalized.events.height == 5
    assert sorted(one.offset for one in normalized.refused) == [1, 2]


def test_the_same_offset_of_two_partitions_is_two_messages() -> None:
    empty = {"kind": "EventList", "items": []}
    several = {"kind": "EventList", "items": [audit_event(1), audit_event(2)]}
    records = [message(0, several), message(0, empty, partition=1)]
    assert [one.path for one in PLAIN.normalize(records).refused] == ["raw/1"]


@pytest.mark.parametrize("value", [b"", b"{", b"null", b"[]", b"7", b"\xff"])
def test_every_message_becomes_an_event_or_a_refused_record(value: bytes) -> None:
    normalized = PLAIN.normalize([message(0, value)])
    assert normalized.events.is_empty()
    assert [one.offset for one in normalized.refused] == [0]


def test_canaries_and_silences_become_no_events() -> None:
    records = [canary(0, NOON), message(1, b"{}", kind=Format.SILENCE), message(2, audit_event(2))]
    normalized = PLAIN.normalize(records)
    assert normalized.events["log.offset"].to_list() == [2]
    assert normalized.refused == []
    nothing = PLAIN.normalize(records[:2])
    assert nothing.events.is_empty()
    assert nothing.events.schema == normalized.events.schema
    assert nothing.refused == []


def test_nothing_gives_no_findings(rules: Ruleset) -> None:
    stages = RealStages(TOPIC, rules, SETTINGS)
    for records in ([], [message(0, audit_event(0))]):
        found = found_by(stages, records)
        assert (found.findings, found.received, found.undated) == ([], {}, frozenset())
        assert found.evidence.is_empty()


def test_each_act_is_found_once_by_its_first_event_in_time(rules: Ruleset) -> None:
    stages = RealStages(TOPIC, rules, SETTINGS)
    later = exec_event(1, NOON, stageTimestamp="2026-11-21T12:00:05.000000Z")
    started = exec_event(
        1, NOON, stage="ResponseStarted", stageTimestamp="2026-11-21T12:00:01.000000Z"
    )
    other = exec_event(2, NOON + timedelta(seconds=3))
    records = [
        message(0, later, received=NOON + timedelta(seconds=7)),
        message(1, other, received=NOON + timedelta(seconds=8)),
        message(2, started, received=NOON + timedelta(seconds=9)),
    ]
    found = found_by(stages, records)
    ids = [one.id for one in found.findings]
    assert len(ids) == len(set(ids))
    assert found.findings == sorted(found.findings, key=lambda one: one.order)
    events = stages.normalize(records).events
    by_offset = dict(zip(events["log.offset"], events["event.id"], strict=True))
    evidence = {one.order[1] for one in found.findings}
    assert evidence == {by_offset[2], by_offset[1]}
    for one in found.findings:
        offset = 2 if one.order[1] == by_offset[2] else 1
        assert found.received[one.id] == NOON + timedelta(seconds=7 + offset)
    assert found.undated == frozenset()
    assert found.evidence["log.offset"].to_list() == [0, 1, 2]


def across_rules(folder: Path) -> Ruleset:
    folder.mkdir()
    (folder / "rule.yml").write_text(MANY + "trailwarden: {across_clusters: true}\n")
    return ruleset(load_pack([folder]))


def test_signals_are_sent_of_events_that_are_new_and_in_time(tmp_path: Path) -> None:
    """Not again of what the group has committed, and not of what came late."""
    stages = RealStages(TOPIC, across_rules(tmp_path / "rules"), SETTINGS)
    late = NOON - timedelta(seconds=31)
    records = [
        message(0, audit_event(0)),
        message(1, audit_event(1)),
        message(2, audit_event(2, late)),
        message(3, audit_event(3), cluster="green"),
        message(4, audit_event(3), cluster="green"),
        message(5, audit_event(5, verb="list")),
    ]
    partition = Partition(0, 0, sinks_from=1, archived=0)
    found = stages.detect(fold(TOPIC, records, stages.normalize(records), {0: partition}))
    assert found.signals is not None
    shown = found.signals.documents.sort("orchestrator.cluster.name")
    assert shown["kubernetes.audit.auditID"].str.slice(-1).to_list() == ["1", "3"]
    assert shown["orchestrator.cluster.name"].to_list() == ["blue", "green"]
    assert stages.detecting().is_across
    assert with_released(found, Released(excepted=Counter({"x": 1}))).signals is found.signals


def test_evidence_of_rules_that_asked_brings_what_was_recalled() -> None:
    told = [
        empty_events().with_columns(pl.Series(f"trailwarden.recalled.{name}", [], pl.String))
        for name in ("token_pod.node", "pod_author")
    ]
    joined = with_released(Found(), Released(excepted=Counter({"x": 1}), evidence=told)).evidence
    assert joined.columns == [
        *empty_events().columns,
        "trailwarden.recalled.token_pod.node",
        "trailwarden.recalled.pod_author",
    ]


def test_without_rules_that_reach_over_clusters_nothing_is_sent(tmp_path: Path) -> None:
    within = tmp_path / "within.yml"
    within.write_text(MANY)
    for stages in (PLAIN, RealStages(TOPIC, ruleset(load_pack([within])), SETTINGS)):
        assert found_by(stages, [message(0, audit_event(0))]).signals is None
        assert not stages.detecting().is_across
    across = RealStages(TOPIC, across_rules(tmp_path / "rules"), SETTINGS)
    assert found_by(across, [message(0, audit_event(0, verb="list"))]).signals is None


def test_evidence_without_a_time_that_is_believed_leaves_its_findings_undated(
    rules: Ruleset,
) -> None:
    stages = RealStages(TOPIC, rules, SETTINGS)
    received = NOON + timedelta(seconds=1)
    ahead = exec_event(1, NOON + timedelta(minutes=6))
    timed = exec_event(2, NOON)
    found = found_by(stages, [message(0, ahead), message(1, timed)])
    events = stages.normalize([message(0, ahead), message(1, timed)]).events
    by_offset = dict(zip(events["log.offset"], events["event.id"], strict=True))
    undated = {one.id for one in found.findings if one.order[1] == by_offset[0]}
    assert found.undated == undated
    assert undated
    assert len(undated) < len(found.findings)
    assert set(found.received.values()) == {received}


def test_evidence_holds_only_events_that_a_finding_rests_on(rules: Ruleset) -> None:
    stages = RealStages(TOPIC, rules, SETTINGS)
    records = [message(0, audit_event(0)), message(1, exec_event(1)), message(2, audit_event(2))]
    found = found_by(stages, records)
    assert found.evidence["log.offset"].to_list() == [1]
    assert isinstance(found.evidence, pl.DataFrame)
