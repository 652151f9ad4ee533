"""Whatever holds one log: the same events, the same findings, and nothing is read too early."""

from __future__ import annotations

import gc
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import trailwarden as tw
from detectors.sigma.errors import InvalidRulesError
from ingest.schema import DTYPES
from sinks.archive import SegmentWriter
from tests.trailwarden.conftest import KEY, Scanned
from trailwarden.finding_frame import FINDING_SCHEMA
from trailwarden.log_source import UnreadInputWarning
from trailwarden.source_kind import SourceKind


def same(opened: tw.Opened, scanned: Scanned) -> None:
    events = opened.events.collect()
    assert events.height == scanned.events.height > 5_000
    by_id = "event.id"
    elsewhere = ["log.file.path"]  # a log's own path
    assert_frame_equal(
        events.sort(by_id).drop(elsewhere), scanned.events.sort(by_id).drop(elsewhere)
    )
    findings = opened.findings.collect()
    assert findings.height == scanned.findings.height > 100
    assert_frame_equal(findings, scanned.findings)


def test_a_log_gives_what_a_scan_of_it_gives(scanned: Scanned) -> None:
    opened = tw.open(scanned.log, cluster="prod", redaction_key=KEY)
    assert opened.kind is SourceKind.LOG
    same(opened, scanned)


def test_a_folder_of_logs_gives_the_same(scanned: Scanned, tmp_path: Path) -> None:
    shutil.copy(scanned.log, tmp_path / "a.log")
    opened = tw.open(tmp_path, cluster="prod", redaction_key=KEY)
    assert opened.kind is SourceKind.LOG
    same(opened, scanned)


def test_the_output_of_a_scan_gives_the_same(scanned: Scanned) -> None:
    opened = tw.open(str(scanned.folder))
    assert opened.kind is SourceKind.SCAN_FOLDER
    same(opened, scanned)


def test_a_folder_whose_name_looks_like_a_pattern_is_read(scanned: Scanned, tmp_path: Path) -> None:
    same(tw.open(shutil.copytree(scanned.folder, tmp_path / "case [7]*")), scanned)


def test_an_events_file_gives_the_same_though_it_holds_no_findings(scanned: Scanned) -> None:
    opened = tw.open(scanned.folder / "events.parquet")
    assert opened.kind is SourceKind.EVENTS_FILE
    same(opened, scanned)


def test_a_scan_folder_without_findings_has_them_detected(scanned: Scanned, tmp_path: Path) -> None:
    shutil.copy(scanned.folder / "events.parquet", tmp_path)
    same(tw.open(tmp_path), scanned)


def test_an_archive_gives_the_same_whatever_the_order_in_it(
    scanned: Scanned, tmp_path: Path
) -> None:
    backwards = scanned.events.sort("@timestamp", descending=True)
    previous = None
    for first, last in pairwise([0, 2_500, backwards.height]):
        writer = SegmentWriter(tmp_path, "raw", 7, first, previous)
        writer.write(backwards[first:last])
        previous = writer.close(last).sha256
    opened = tw.open(tmp_path)
    assert opened.kind is SourceKind.ARCHIVE
    same(opened, scanned)


def test_a_time_range_holds_its_start_and_not_its_end(scanned: Scanned) -> None:
    times = scanned.events["@timestamp"].unique().sort()
    start, end = times[100], times[2_000]
    opened = tw.open(scanned.folder, start=start, end=end)
    found = opened.events.collect()["@timestamp"]
    assert (found.min(), found.max()) == (start, times[1_999])
    findings = opened.findings.collect()["@timestamp"]
    assert start <= findings.min() <= findings.max() < end  # type: ignore[operator]


def test_a_time_without_a_zone_is_refused(scanned: Scanned) -> None:
    with pytest.raises(ValueError, match="start=2026-01-01T00:00:00: needs a time zone"):
        tw.open(scanned.folder, start=datetime(2026, 1, 1))  # noqa: DTZ001 - what is refused


def test_own_rules_make_the_findings_anew(scanned: Scanned) -> None:
    wanted = scanned.findings.filter(pl.col("rule.id") == scanned.findings["rule.id"][0])
    shipped = tw.open(scanned.folder).rules.collect()
    files = shipped.filter(pl.col("rule.id") == wanted["rule.id"][0])["file"].to_list()
    opened = tw.open(scanned.folder, rules=files)
    assert opened.rules.collect().height == 1
    assert_frame_equal(opened.findings.collect(), wanted)


def test_a_refused_rule_is_told_when_findings_are_wanted(scanned: Scanned, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yml"
    bad.write_text("title: nothing else\n")
    opened = tw.open(scanned.folder, rules=[bad])
    for frame in (opened.findings, opened.rules):
        with pytest.raises(InvalidRulesError, match=r"bad\.yml"):
            frame.collect()


def test_a_parquet_file_of_something_else_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.parquet"
    pl.DataFrame({"a": [1]}).write_parquet(other)
    with pytest.raises(ValueError, match="holds no events of this version: column '@timestamp'"):
        tw.open(other)


def test_nothing_is_read_before_a_frame_is_collected(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    log.write_text("this is no audit event\n")
    opened = tw.open(log)
    assert opened.events.collect_schema() == pl.Schema(DTYPES)
    assert opened.findings.collect_schema() == pl.Schema(FINDING_SCHEMA)
    assert repr(opened)
    with pytest.warns(UnreadInputWarning, match="quarantined: 1 "):
        assert opened.events.collect().is_empty()
    assert opened.findings.collect().is_empty()


def test_frames_that_are_collected_together_scan_once(scanned: Scanned) -> None:
    opened = tw.open(scanned.log, cluster="prod", redaction_key=KEY)
    events, findings = pl.collect_all([opened.events.select("event.id"), opened.findings])
    assert (events.height, findings.height) == (scanned.events.height, scanned.findings.height)


def test_a_query_gets_only_the_rows_and_columns_it_names(scanned: Scanned) -> None:
    opened = tw.open(scanned.log, cluster="prod", redaction_key=KEY)
    query = opened.events.filter(pl.col("event.action") == "exec").select("user.name").head(2)
    expected = scanned.events.filter(pl.col("event.action") == "exec").select("user.name").head(2)
    assert_frame_equal(query.collect(), expected)
    assert opened.events.select(pl.len()).collect().item() == scanned.events.height


def test_a_scan_counts_and_leaves_its_files(scanned: Scanned, tmp_path: Path) -> None:
    outcome = tw.scan(scanned.log, out=tmp_path / "out", cluster="prod", redaction_key=KEY)
    assert outcome.counts["events"] == scanned.events.height
    assert sum(outcome.severities.values()) == scanned.findings.height == outcome.counts["findings"]
    assert_frame_equal(outcome.findings.collect(), scanned.findings)
    assert (tmp_path / "out" / "findings.ndjson").stat().st_size
    assert f"findings: {scanned.findings.height}" in repr(outcome)


def test_a_temporary_folder_lives_as_long_as_a_frame_of_it(scanned: Scanned) -> None:
    outcome = tw.scan([scanned.log], cluster="prod")
    folder, events = outcome.folder, outcome.events
    del outcome
    gc.collect()
    assert events.select(pl.len()).collect().item() == scanned.events.height
    del events
    gc.collect()
    assert not folder.exists()


def test_a_scan_warns_of_what_it_could_not_read(scanned: Scanned, tmp_path: Path) -> None:
    bad = tmp_path / "bad.log"
    bad.write_bytes(b"not an event\n" + scanned.log.read_bytes().splitlines()[0])
    with pytest.warns(UnreadInputWarning, match="quarantined: 1 "):
        outcome = tw.scan(bad)
    assert (outcome.counts["quarantined"], outcome.counts["events"]) == (1, 1)


@pytest.mark.parametrize("call", [tw.open, tw.scan])
def test_what_is_not_there_is_named(call: object, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.log: no such file or folder"):
        call(tmp_path / "nowhere.log")  # type: ignore[operator]


def test_every_field_of_a_finding_has_its_column(scanned: Scanned) -> None:
    fields = {name for finding in scanned.found for name in finding.document}
    assert fields <= set(FINDING_SCHEMA)


def test_credentials_in_an_address_are_refused_and_not_shown() -> None:
    with pytest.raises(ValueError, match="credentials") as caught:
        tw.open("https://me:hunter2@node:9200")
    assert "hunter2" not in str(caught.value)


def test_credentials_are_not_shown() -> None:
    opened = tw.open("https://node:9200", auth=("me", "hunter2"))
    assert "hunter2" not in repr(opened) + opened._repr_html_()
    assert "https://node:9200" in opened._repr_html_()


def test_html_escapes_what_others_named(tmp_path: Path) -> None:
    log = tmp_path / "<img src=x>.log"
    log.touch()
    shown = tw.open(log)._repr_html_()
    assert "<img" not in shown
    assert "&lt;img src=x&gt;.log" in shown


def test_the_package_loads_nothing_heavy() -> None:
    code = "import sys, trailwarden; print(sorted({'polars', 'msgspec'} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout == "[]\n"


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(tw, "closed")
    assert {"open", "scan"} <= set(dir(tw))


def test_rules_come_most_severe_first(scanned: Scanned) -> None:
    rules = tw.open(scanned.folder).rules.collect()
    assert rules.height > 50
    assert rules["event.severity"].is_sorted(descending=True)
    assert scanned.findings["rule.id"].is_in(rules["rule.id"].to_list()).all()


def test_a_range_of_an_archive_is_that_of_its_events(scanned: Scanned, tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path, "raw", 0, 0, None)
    writer.write(scanned.events)
    writer.close(scanned.events.height)
    last = scanned.events["@timestamp"].max()
    assert isinstance(last, datetime)
    day_after = tw.open(tmp_path, start=last + timedelta(days=1))
    assert day_after.events.collect().is_empty()
    only_last = tw.open(tmp_path, start=last.astimezone(UTC))
    assert only_last.events.collect()["@timestamp"].unique().to_list() == [last]
