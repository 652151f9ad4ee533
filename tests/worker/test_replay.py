"""A replay finds what the service and a scan found, within its span, and compares two rulesets."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest

from detectors.cases import load_cases
from detectors.correlation.episode import Closed
from detectors.correlation.released import Released
from detectors.correlation.report import closing_fields
from detectors.finding import Finding
from detectors.ruleset import Ruleset, look, ruleset
from detectors.sigma.compiler import load_pack
from detectors.sigma.pack import Detection
from ingest.normalize import NormalizeSettings, normalize
from ingest.record import Records
from ingest.redact.token import Redactor
from ingest.schema import DTYPES
from sinks.archive import SegmentWriter
from tests.worker.messages import NOON, TOPIC, audit_event, message
from worker.fold import fold
from worker.partition import Partition
from worker.replay import ReplayResult, ReplaySettings, replay
from worker.replay_log import Wanted, partition_log
from worker.replay_parts import parts_of
from worker.replay_span import Span, columns_of, memory_of, read_from
from worker.rulesets import load_ruleset
from worker.scan import scan
from worker.settings import ScanSettings, shipped_rules
from worker.stages import RealStages

LINES = slice(2_000, 6_000)
RULE = """
title: Config map read
id: 11111111-1111-4111-8111-111111111111
name: read
description: d
level: {level}
logsource: {{product: kubernetes, service: audit}}
detection:
  sel: {{event.action: {action}}}
  condition: sel
trailwarden:
  category: abnormal-login
  catalogue: [A01]
  message: "{{user.name}} read {{orchestrator.resource.name}}."
"""
OVER_TIME = """
title: Config map read
name: read
logsource: {{product: kubernetes, service: audit}}
detection:
  sel: {{event.action: {action}}}
  condition: sel
---
title: Reads
id: 22222222-2222-4222-8222-222222222222
description: d
level: medium
correlation:
  type: {type}
  rules: [{rules}]
  group-by: [user.name]
  timespan: {timespan}
  {condition}
trailwarden:
  category: abnormal-login
  catalogue: [A01]
  message: "{{user.name}} read."
  across_clusters: {across}
"""
WATCHED = """
---
title: Config map watched
name: watched
logsource: {product: kubernetes, service: audit}
detection:
  sel: {event.action: watch}
  condition: sel
"""
AUDIT = NormalizeSettings("blue", Redactor(b"key"))


def rules_in(folder: Path, text: str, *, learning_time: bool = True) -> Ruleset:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rule.yml").write_text(text)
    return ruleset(load_pack([folder]), learning_time=learning_time)


def rule(folder: Path, action: str = "get", level: str = "low") -> Ruleset:
    return rules_in(folder, RULE.format(action=action, level=level))


def over_time(folder: Path, **given: Any) -> Ruleset:
    members = {
        "action": "get",
        "type": "event_count",
        "rules": "read",
        "timespan": "10m",
        "condition": "condition: {gte: 3}",
        "across": "false",
    }
    text = OVER_TIME.format(**(members | given))
    return rules_in(folder, text + WATCHED if "watched" in text else text)


Spec = tuple[float, str]
"""Seconds after noon, and the cluster."""


def events_at(specs: Iterable[float | Spec], first: int = 0, verb: str = "get") -> pl.DataFrame:
    """Return events of alice at some seconds after noon, in this order, of a cluster each."""
    rows = [one if isinstance(one, tuple) else (one, "blue") for one in specs]
    frames = []
    for number, (seconds, cluster) in enumerate(rows, start=first):
        raw = orjson.dumps(audit_event(number, NOON + timedelta(seconds=seconds), verb=verb))
        records = Records("log", [raw], [number], cluster=cluster)
        frames.append(normalize([records], AUDIT).events)
    joined = pl.concat(frames)
    return joined.with_columns(
        pl.col("@timestamp").alias("event.created"), pl.lit("raw/0").alias("log.file.path")
    )


def archive(folder: Path, *segments: pl.DataFrame, partition: int = 0) -> Path:
    """Write one segment for each frame, in the order of the log."""
    previous, first = None, 0
    for events in segments:
        writer = SegmentWriter(folder, TOPIC, partition, first, previous)
        writer.write(events)
        first += max(events.height, 1)
        previous = writer.close(first).sha256
    return folder


def replayed(
    folder: Path, new: Ruleset, old: Ruleset | None = None, **given: Any
) -> tuple[ReplayResult, dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """Replay; return the result, and what is gained and lost by id."""
    out = folder.parent / "out"
    settings = ReplaySettings(folder, TOPIC, out, **given)
    result = replay(settings, new, old, lambda *_: None)
    return result, _documents(out / "gained.ndjson"), _documents(out / "lost.ndjson")


def _documents(file: Path) -> dict[str, dict[str, Any]]:
    read = [orjson.loads(line) for line in file.read_bytes().splitlines()]
    found = {one["trailwarden.finding.id"]: one for one in read}
    assert len(found) == len(read), "a finding is there twice"
    return found


def span(start_s: float, end_s: float, *clusters: str) -> Span:
    return Span(
        NOON + timedelta(seconds=start_s), NOON + timedelta(seconds=end_s), frozenset(clusters)
    )


@pytest.fixture(scope="module")
def log(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("log") / "audit.log"
    with gzip.open(root / "examples" / "sample-audit.log.gz") as sample:
        file.write_bytes(b"".join(sample.readlines()[LINES]))
    return file


@pytest.fixture(scope="module")
def shipped() -> Ruleset:
    return load_ruleset([], learning_time=False)


def test_findings_are_those_of_a_scan(log: Path, shipped: Ruleset, tmp_path: Path) -> None:
    scanned = ScanSettings([str(log)], tmp_path / "scan", "blue", rules=[shipped_rules()])
    assert not scan(scanned, 1, lambda _: None).accounts.late
    events = pl.read_parquet(tmp_path / "scan" / "events.parquet").with_columns(
        pl.col("@timestamp").alias("event.created")
    )
    segments = [events.slice(start, 900) for start in range(0, events.height, 900)]
    folder = archive(tmp_path / "archive", *segments)
    result, found, _ = replayed(folder, shipped, learning_time=False)
    assert found == _documents(tmp_path / "scan" / "findings.ndjson")
    assert sum("trailwarden.correlation.type" in one for one in found.values()) > 3
    assert (result.events, result.late) == (events.height, 0)


@pytest.mark.parametrize("disordered", [False, True])
def test_findings_are_those_of_the_service(
    log: Path, shipped: Ruleset, tmp_path: Path, *, disordered: bool
) -> None:
    lines = log.read_bytes().splitlines()[:2_500]
    if disordered:  # the last thousand are late
        lines = [*lines[:500], *lines[1_500:], *lines[500:1_500]]
    found, late = _lived_through(lines, shipped, tmp_path / "archive")
    result, replay_found, _ = replayed(tmp_path / "archive", shipped, learning_time=False)
    assert replay_found.keys() == found.keys()
    assert result.late == late
    assert (late > 100) is disordered
    if not disordered:  # of what is late, the service tells what came first
        assert replay_found == found


def _lived_through(
    lines: Sequence[bytes], rules: Ruleset, folder: Path
) -> tuple[dict[str, dict[str, Any]], int]:
    """Let the service's stages take records; return documents by id, and how many were late."""
    records = [message(offset, line, received=NOON) for offset, line in enumerate(lines)]
    stages, partition = RealStages(TOPIC, rules, AUDIT), Partition(0, 0, 0, 0)
    partition.take_rules(rules)
    writer = SegmentWriter(folder, TOPIC, 0, 0, None)
    found: list[Finding] = []
    closed: list[Closed] = []
    late = 0
    for start in range(0, len(records), 700):
        batch = records[start : start + 700]
        folded = fold(TOPIC, batch, stages.normalize(batch), {0: partition})
        late += int(folded.late.sum())
        found += stages.detect(folded).findings
        released = partition.release(0.0)
        found += released.findings
        closed += released.closed
        writer.write(folded.shares[0].events)
    writer.close(len(records))
    released = partition.remembered.release(None)
    documents: dict[str, dict[str, Any]] = {}
    for one in (*found, *released.findings):
        documents.setdefault(one.id, one.document)  # any other is answered with 409
    for end in (*closed, *released.closed):
        documents[end.finding] |= closing_fields(end.end_us, end.events)
    return documents, late


def test_what_is_late_enters_no_window_and_is_found_by_rules(tmp_path: Path) -> None:
    counted = over_time(tmp_path / "counted")
    folder = archive(tmp_path / "archive", events_at([0, 1, 100]), events_at([2], 10))
    result, found, _ = replayed(folder, counted)
    assert (len(found), result.late) == (1, 1)
    folder = archive(tmp_path / "late", events_at([0, 100]), events_at([2], 10))
    assert not replayed(folder, counted)[1]
    assert len(replayed(folder, rule(tmp_path / "rule"))[1]) == 3


def test_an_event_is_late_behind_one_that_is_after_the_span(tmp_path: Path) -> None:
    folder = archive(
        tmp_path / "archive", events_at([0, 1]), events_at([500], 10), events_at([2], 20)
    )
    result, found, _ = replayed(folder, over_time(tmp_path / "rules"), span=span(0, 100))
    assert (len(found), result.late, result.events) == (0, 1, 3)


def test_lateness_is_of_each_cluster(tmp_path: Path) -> None:
    specs = [(0, "green"), (1, "green"), (1_000, "blue"), (2, "green")]
    folder = archive(tmp_path / "archive", events_at(specs))
    result, found, _ = replayed(folder, over_time(tmp_path / "rules"))
    assert (len(found), result.late) == (1, 0)


def test_only_findings_of_the_span_are_told_but_windows_are_filled_before(tmp_path: Path) -> None:
    folder = archive(tmp_path / "archive", events_at([0, 10, 20, 300, 310]), events_at([400], 10))
    counted = over_time(tmp_path / "rules", timespan="2m")
    assert len(replayed(folder, counted, span=span(15, 100))[1]) == 1
    assert not replayed(folder, counted, span=span(0, 20))[1], "the end does not belong to it"
    assert len(replayed(folder, counted, span=span(20, 21))[1]) == 1, "the start does"
    each = rule(tmp_path / "rule")
    _, found, _ = replayed(folder, each, span=span(10, 300))
    assert sorted(one["@timestamp"][14:19] for one in found.values()) == ["00:10", "00:20"]


def test_an_episode_that_began_before_the_span_is_not_told_again(tmp_path: Path) -> None:
    at = [0, 10, 20, 100, 110, 120, 200, 210, 220]
    folder = archive(tmp_path / "archive", events_at(at))
    counted = over_time(tmp_path / "rules", timespan="100s")
    assert not replayed(folder, counted, span=span(150, 300))[1]
    assert memory_of([counted]) == timedelta(seconds=200)


def test_without_memory_windows_begin_empty_and_this_is_said(tmp_path: Path) -> None:
    days = timedelta(days=3).total_seconds()
    folder = archive(tmp_path / "archive", events_at([0, days, days + 1]))
    counted = over_time(tmp_path / "rules", timespan="10d")
    result, found, _ = replayed(folder, counted, span=span(days - 60, days + 60))
    assert (len(found), result.events) == (1, 3)
    assert result.is_memory_cut, "the archive is shorter than the memory"
    result, found, _ = replayed(
        folder, counted, span=span(days - 60, days + 60), memory=timedelta(hours=1)
    )
    assert (len(found), result.events) == (0, 2)
    assert result.is_memory_cut
    short = over_time(tmp_path / "short", timespan="1d")
    assert not replayed(folder, short, span=span(days - 60, days + 60))[0].is_memory_cut


def test_an_act_that_was_told_before_the_span_is_not_told_again(tmp_path: Path) -> None:
    twice = events_at([0, 7_200]).with_columns(pl.lit("the act").alias("trailwarden.act.id"))
    folder = archive(tmp_path / "archive", twice)
    each = rule(tmp_path / "rule")
    assert not replayed(folder, each, span=span(3_600, 9_000))[1]
    assert len(replayed(folder, each, span=span(0, 9_000))[1]) == 1


def test_absence_is_told_where_the_log_shows_that_its_time_is_over(tmp_path: Path) -> None:
    silent = over_time(tmp_path / "rules", type="absence", rules="read, watched", condition="")
    over = events_at([0, 5_000])
    _, found, _ = replayed(archive(tmp_path / "over", over), silent, span=span(0, 4_000))
    assert [one["@timestamp"][11:16] for one in found.values()] == ["12:10"]
    apart = archive(tmp_path / "apart", events_at([0]), events_at([5_000], 5))
    for across in ("false", "true"):
        silent = over_time(
            tmp_path / across,
            type="absence",
            rules="read, watched",
            condition="",
            across=across,
        )
        assert len(replayed(apart, silent, span=span(0, 4_000))[1]) == 1
    open_ = archive(tmp_path / "open", events_at([0, 500]))
    assert not replayed(open_, silent, span=span(0, 4_000))[1]
    answered = pl.concat([events_at([0]), events_at([300], 5, "watch"), events_at([5_000], 6)])
    folder = archive(tmp_path / "answered", answered)
    assert not replayed(folder, silent, span=span(0, 4_000))[1]


def test_gained_lost_and_another_level_are_told_apart(tmp_path: Path) -> None:
    events = pl.concat([events_at([0, 1]), events_at([2, 3, 4], 10, "watch")])
    folder = archive(tmp_path / "archive", events)
    low, high = rule(tmp_path / "low"), rule(tmp_path / "high", level="high")
    result, gained, lost = replayed(folder, high, low)
    (counts,) = result.rules.values()
    assert (counts.old, counts.new, counts.releveled) == (2, 2, 2)
    assert not gained
    assert not lost
    both = rule(tmp_path / "both", action="[get, watch]")
    watch = rule(tmp_path / "watch", action="watch")
    result, gained, lost = replayed(folder, both, watch)
    (counts,) = result.rules.values()
    assert (counts.old, counts.new, counts.gained, counts.lost) == (3, 5, 2, 0)
    assert {one["event.action"] for one in gained.values()} == {"get"}
    assert counts.messages("gained") == ["alice read c0.", "alice read c1."]
    result, gained, lost = replayed(folder, watch, both)
    (counts,) = result.rules.values()
    assert (len(gained), len(lost), counts.lost) == (0, 2, 2)
    assert counts.messages("lost") == ["alice read c0.", "alice read c1."]


def test_an_act_that_both_find_at_other_moments_is_neither_gained_nor_lost(tmp_path: Path) -> None:
    first, last = events_at([0]), events_at([90_000], 10, "watch")
    act = pl.lit("the act").alias("trailwarden.act.id")
    folder = archive(tmp_path / "archive", *(one.with_columns(act) for one in (first, last)))
    get, watch = rule(tmp_path / "get"), rule(tmp_path / "watch", action="watch")
    for new, old in ((get, watch), (watch, get)):
        result, gained, lost = replayed(folder, new, old)
        (counts,) = result.rules.values()
        assert (gained, lost) == ({}, {})
        assert (counts.gained, counts.lost, counts.messages("gained")) == (0, 0, [])


def test_findings_are_counted_by_the_day_of_their_event(tmp_path: Path) -> None:
    folder = archive(tmp_path / "archive", events_at([0, 1, 86_400, 3 * 86_400]))
    result, _, _ = replayed(folder, rule(tmp_path / "rule"))
    (counts,) = result.rules.values()
    assert counts.days == {"2026-11-21": 2, "2026-11-22": 1, "2026-11-24": 1}
    assert result.days == {"2026-11-21", "2026-11-22", "2026-11-24"}


def test_partitions_are_told_together_and_clusters_reach_over_them(tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    for number, cluster in enumerate(("blue", "green", "red")):
        specs = [(number * 10, cluster), (5_000 + number, cluster)]
        archive(folder, events_at(specs, number * 10), partition=number)
    across = over_time(tmp_path / "across", across="true")
    apart = over_time(tmp_path / "apart")
    _, found, _ = replayed(folder, across)
    assert len(found) == 2
    assert not replayed(folder, apart)[1]
    assert len(replayed(folder, across, span=span(0, 100))[1]) == 1
    assert not replayed(folder, across, span=span(0, 100, "blue", "green"))[1]


def test_only_the_clusters_asked_for_are_told(tmp_path: Path) -> None:
    specs = [(0, "blue"), (1, "green"), (2, "red"), (3, "green")]
    folder = archive(tmp_path / "archive", events_at(specs))
    _, found, _ = replayed(
        folder, rule(tmp_path / "rule"), span=Span(clusters=frozenset({"green"}))
    )
    assert [one["orchestrator.cluster.name"] for one in found.values()] == ["green", "green"]


def test_a_segment_that_cannot_be_read_is_named_and_the_rest_is_done(tmp_path: Path) -> None:
    folder = archive(tmp_path / "archive", events_at([0]), events_at([1], 5), events_at([2], 6))
    broken = sorted(folder.rglob("*.parquet"))[1]
    data = broken.read_bytes()
    broken.write_bytes(data[:-20])
    result, found, _ = replayed(folder, rule(tmp_path / "rule"))
    assert len(found) == 2
    assert [one.path for one in result.unread] == [broken]
    broken.write_bytes(b"PAR1" + b"\xff" * 4_000 + data[4_004:])
    result, found, _ = replayed(folder, rule(tmp_path / "rule"))
    assert len(found) == 2
    assert [one.path for one in result.unread] == [broken]


def test_the_archive_stays_as_it_is_and_no_unfinished_file_is_left(tmp_path: Path) -> None:
    folder = archive(tmp_path / "archive", events_at([0]))
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    replayed(folder, rule(tmp_path / "rule"))
    assert before == {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    written = {file.name for file in (tmp_path / "out").iterdir()}
    assert written == {"gained.ndjson", "lost.ndjson"}


def test_an_archive_without_events_gives_nothing(tmp_path: Path) -> None:
    result, found, _ = replayed(tmp_path / "none", rule(tmp_path / "rule"))
    assert (result.events, result.first, found) == (0, None, {})


def test_what_cannot_matter_is_not_read(tmp_path: Path) -> None:
    day = 86_400
    at = [0, day, 2 * day, 2 * day + 7_200, 5 * day]
    folder = archive(tmp_path / "archive", *(events_at([time], n) for n, time in enumerate(at)))
    first, end = NOON + timedelta(hours=1), NOON + timedelta(days=1, hours=1)
    columns = ("@timestamp", "orchestrator.cluster.name", "event.id")
    log = partition_log(folder, TOPIC, 0, Wanted(first, end, first, frozenset(), columns))
    assert log.is_whole
    assert log.rows == 1
    (batch,) = log.batches()
    assert batch.events.columns == list(columns)
    assert batch.events["@timestamp"].to_list() == [NOON + timedelta(days=1)]
    later = [one.events["@timestamp"].item() for one in log.times_after()]
    assert later == [NOON + timedelta(days=2)], "what is over a day behind the end is not searched"
    early = Wanted(NOON, end, NOON - timedelta(days=1), frozenset({"green"}), columns)
    log = partition_log(folder, TOPIC, 0, early)
    assert (log.is_whole, log.rows) == (False, 0)


def test_progress_adds_up_to_all_rows(tmp_path: Path) -> None:
    folder = archive(tmp_path / "archive", events_at([0, 1]), events_at([2], 5))
    told: list[tuple[int, int]] = []
    replay(
        ReplaySettings(folder, TOPIC, tmp_path / "out"),
        rule(tmp_path / "rule"),
        None,
        lambda rows, total: told.append((rows, total)),
    )
    assert sum(rows for rows, _ in told) == 3
    assert {total for _, total in told} == {3}


def _ids(one: Ruleset) -> tuple[set[str | None], set[str]]:
    return {r.name for r in one.pack.rules}, {c.title for c in one.pack.correlations}


def test_what_two_rulesets_share_is_evaluated_once(tmp_path: Path) -> None:
    new = over_time(tmp_path / "new")
    same = over_time(tmp_path / "same")
    (part,) = parts_of(new, same, learning_time=True)
    assert (part.is_new, part.is_old) == (True, True)
    assert _ids(part.rules) == ({"read"}, {"Reads"})
    other = over_time(tmp_path / "other", action="list")
    ours, theirs = parts_of(new, other, learning_time=True)
    assert (ours.is_new, ours.is_old, theirs.is_new, theirs.is_old) == (True, False, False, True)
    assert _ids(ours.rules) == _ids(theirs.rules) == ({"read"}, {"Reads"})


def test_a_shared_base_of_a_changed_correlation_reports_only_once(tmp_path: Path) -> None:
    texts = RULE.format(action="get", level="low")
    joined = OVER_TIME.split("---")[1].format(
        type="event_count",
        rules="read",
        timespan="10m",
        condition="condition: {gte: 3}",
        across="false",
    )
    packs = []
    for name, correlation in (("old", joined), ("new", joined.replace("10m", "20m"))):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "base.yml").write_text(texts)
        (folder / "reads.yml").write_text(correlation)
        packs.append(ruleset(load_pack([folder])))
    old, new = packs
    both, ours, theirs = parts_of(new, old, learning_time=True)
    assert _ids(both.rules) == ({"read"}, set())
    assert both.rules.pack.silent == frozenset()
    for part in (ours, theirs):
        assert _ids(part.rules) == ({"read"}, {"Reads"})
        assert part.rules.pack.silent == {"11111111-1111-4111-8111-111111111111"}
    folder = archive(tmp_path / "archive", events_at([0, 1, 2]))
    result, _, _ = replayed(folder, new, old)
    assert {c.title: (c.old, c.new) for c in result.rules.values()} == {
        "Config map read": (3, 3),
        "Reads": (1, 1),
    }


def test_the_columns_that_are_read_are_all_that_findings_need(shipped: Ruleset) -> None:
    """Every detection's cases give the same documents as with all columns."""
    bases = shipped_rules() / "bases"
    detections: list[Detection] = [*shipped.pack.rules, *shipped.pack.correlations]
    files = {one.file for one in detections}
    cases = [case for file in sorted(files) for case in load_cases(file, bases).cases]
    raws = [record.raw for case in cases if case.expected for record in case.records[:2]]
    events = normalize([Records("cases", raws, list(range(len(raws))))], AUDIT).events
    events = events.unique("event.id", maintain_order=True)
    columns = columns_of([shipped])
    assert len(columns) < len(DTYPES) - 40
    assert _all_of(events.select(columns), shipped) == _all_of(events, shipped)


def _all_of(events: pl.DataFrame, rules: Ruleset) -> list[dict[str, Any]]:
    events = events.with_columns(pl.col("@timestamp").alias("event.created"))
    looked = look(events, rules)
    states: Sequence[Released] = [
        _released(state, events, looked.hits)
        for state in (rules.remembered(), rules.over_clusters())
    ]
    found = [*looked.reported.findings, *(one for out in states for one in out.findings)]
    assert len(found) > 500
    return [one.document for one in found]


def _released(state: Any, events: pl.DataFrame, hits: pl.DataFrame) -> Released:
    state.add(events, hits)
    released: Released = state.release(None)
    return released


def test_reading_begins_a_memory_before_the_span_and_not_after_its_day() -> None:
    start = datetime(2026, 11, 21, 15, tzinfo=UTC)
    one = Span(start, start + timedelta(days=1))
    assert read_from(one, timedelta(days=2)) == start - timedelta(days=2)
    assert read_from(one, timedelta(0)) == datetime(2026, 11, 21, tzinfo=UTC)
    assert read_from(Span(), timedelta(days=2)) == Span().start
