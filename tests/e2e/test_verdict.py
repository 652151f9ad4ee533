"""A verdict by the command is in the log, the archive and the finding, and makes nothing late."""

from __future__ import annotations

import gzip
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from ingest.envelope import Format, read_envelope
from ingest.verdict import Choice, read_verdict
from sinks.archive import list_segments, read_events
from sinks.elasticsearch.transport import require
from sinks.topic_reader import read_messages, spans_of
from tests.e2e.commands import SAMPLE, Scanned, command, scan
from tests.faults.fleet import wait_for
from tests.faults.harness import Harness, harness
from tests.faults.planted import Planted, Verdict
from tests.faults.sender import Sender

pytestmark = pytest.mark.integration

CLUSTER = "judged"
LINES = 1_200


def sample() -> list[bytes]:
    return gzip.decompress(SAMPLE.read_bytes()).splitlines()[2_000 : 2_000 + LINES]


def scan_of(folder: Path, lines: list[bytes]) -> Scanned:
    log = folder / f"{CLUSTER}.log"
    log.write_bytes(b"".join(line + b"\n" for line in lines))
    return scan(folder / "scanned", log, "--cluster", CLUSTER)


def verdicts(world: Harness) -> list[dict[str, Any]]:
    """Return the verdicts in the log, after checking what their envelopes say."""
    topic = world.settings.kafka.raw_topic
    found = []
    for one in read_messages(world.connection, topic, spans_of(world.connection, topic)):
        envelope = read_envelope(one.headers(), one.key(), 0)  # type: ignore[arg-type]  # bytes, as sent
        if envelope.format is Format.VERDICT:
            assert (one.key(), envelope.cluster) == (CLUSTER.encode(), CLUSTER)
            read = read_verdict(one.value() or b"")
            assert read.time == envelope.received
            found.append({"finding": read.finding, "choice": read.verdict, "note": read.note})
    return found


def archived(world: Harness) -> pl.DataFrame:
    events = read_events(world.settings.store.folder / "archive")
    return events.filter(pl.col("event.dataset") == "trailwarden.verdict").collect()


def late(world: Harness) -> int:
    folder = world.settings.store.folder / "archive"
    segments = list_segments(folder, world.settings.kafka.raw_topic)
    return sum(counts.late for one in segments for counts in one.counts.values())


def test_a_verdict_is_in_the_log_in_the_archive_and_in_the_finding(
    tmp_path: Path, kafka: str, elasticsearch_url: str
) -> None:
    lines = sample()
    scanned = scan_of(tmp_path, lines)
    with harness(tmp_path, kafka, elasticsearch_url) as world, world.fleet() as fleet:
        fleet.start("one")
        send(world, lines[: LINES // 2])
        world.drain(fleet)
        prefix = world.settings.elasticsearch.prefix
        require(world.client, "POST", f"/{prefix}-*/_refresh")
        done = command("findings", "list", "--json", "--config", world.file)
        assert done.returncode == 0, done.stderr
        listed = [json.loads(line) for line in done.stdout.splitlines()]
        chosen = listed[-1]["trailwarden.finding.id"]
        note = "the backup \N{SNOWMAN} job"
        done = command(
            *("findings", "verdict", chosen[:16], "false_positive"),
            *("--note", note, "--author", "dana", "--config", world.file),
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"{chosen} is false_positive, says dana: in ")
        said = {"finding": chosen, "choice": Choice.FALSE_POSITIVE, "note": note}
        assert verdicts(world) == [said]
        done = command("findings", "show", chosen, "--json", "--config", world.file)
        shown = json.loads(done.stdout)
        assert shown["trailwarden.triage.verdict"] == "false_positive"
        assert shown["trailwarden.triage.note"] == note
        assert shown["trailwarden.triage.assignee"] == "dana"
        assert shown["trailwarden.triage.status"] == "closed"
        # The log lags hours behind whoever decides: what follows is none the later for it.
        send(world, lines[LINES // 2 :])
        world.drain(fleet)
        wait_for(lambda: archived(world).height == 1, 60, "the verdict in the archive")
        fleet.stop_all()
        row = archived(world).row(0, named=True)
        assert row["trailwarden.verdict.finding"] == chosen
        assert row["trailwarden.verdict.author"] == "dana"
        assert row["message"] == note
        assert isinstance(row["@timestamp"], datetime)
        assert late(world) == 0
        assert {*archived_ids(world)} == {*scanned.events, row["event.id"]}


def archived_ids(world: Harness) -> list[str]:
    events = read_events(world.settings.store.folder / "archive")
    return events.select("event.id").collect().to_series().to_list()


def send(world: Harness, lines: list[bytes]) -> None:
    with Sender(world.connection, world.settings.kafka.raw_topic) as sender:
        for line in lines:
            sender.send(Planted(CLUSTER, line, Verdict.EVENT))


def test_a_verdict_that_kafka_does_not_take_changes_no_finding(tmp_path: Path) -> None:
    scanned = scan_of(tmp_path, sample())
    settings = tmp_path / "settings.yml"
    settings.write_text("kafka:\n  bootstrap_servers: 127.0.0.1:1\n")
    done = command(
        *("findings", "verdict", scanned.findings[0], "benign"),
        *("--scan", tmp_path / "scanned", "--config", settings),
    )
    assert done.returncode == 1
    assert done.stderr.startswith("trailwarden: Kafka: ")
    assert done.stdout == ""
