"""Our own command line as processes: arguments in; exit codes, log lines and results out.

Separate from what is asserted. Everything goes through `python -m trailwarden`, as a user would.
"""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from sinks.archive import list_segments, read_events
from tests.faults.fleet import wait_for
from tests.faults.harness import Harness, is_chaos
from tests.faults.oracle import hits
from worker.settings import shipped_rules

ROOT = Path(__file__).resolve().parents[2]
RECORDING = ROOT.parent / "shared" / "data" / "kubernetes-audit" / "audit.log.gz"
SAMPLE = ROOT / "examples" / "sample-audit.log.gz"
STOP_S = 60.0


def audit_log() -> list[bytes]:
    """Return the sample's lines; the whole recording's where the long dose is asked for."""
    file = RECORDING if is_chaos() and RECORDING.exists() else SAMPLE
    return gzip.decompress(file.read_bytes()).splitlines()


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    line = [sys.executable, "-m", "trailwarden", *map(str, arguments)]
    environment = {**os.environ, "COLUMNS": "200"}
    return subprocess.run(
        line, capture_output=True, text=True, check=False, cwd=ROOT, env=environment
    )


def shipped_without(folder: Path, *types: str) -> Path:
    """Copy the shipped rules without correlations of some types, for what cannot agree.

    A scan knows no time of learning and no canary: ``first_seen`` and ``absence`` are its own. One
    worker sees not all clusters: what reaches over them is left out as well.
    """
    for file in shipped_rules().rglob("*.yml"):
        text = file.read_text()
        left_out = "across_clusters: true", *(f"\n  type: {kind}\n" for kind in types)
        if not any(words in text for words in left_out):
            copy = folder / file.relative_to(shipped_rules())
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(text)
    return folder


@dataclass(slots=True)
class Service:
    """A command that runs until it is told to stop."""

    process: subprocess.Popen[bytes]
    log: Path

    def logged(self, event: str) -> dict[str, Any] | None:
        """Return the first line of an event; None if it was not logged yet."""
        assert self.process.poll() is None, self.log.read_text()
        for line in self.log.read_text().splitlines():
            if line.startswith("{") and (found := json.loads(line))["event"] == event:
                return dict(found)
        return None

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(STOP_S) == 0, self.log.read_text()


@contextmanager
def service(log: Path, ready: str, *arguments: str | Path) -> Iterator[Service]:
    """Start a command, wait for the log line that says it is ready; none is left behind."""
    with log.open("wb") as opened:
        line = [sys.executable, "-m", "trailwarden", *map(str, arguments)]
        process = subprocess.Popen(line, stdout=opened, stderr=opened, cwd=ROOT)
    running = Service(process, log)
    try:
        wait_for(lambda: running.logged(ready), STOP_S, f"{arguments} says {ready}")
        yield running
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


@dataclass(frozen=True, slots=True)
class Scanned:
    """What `trailwarden scan` says of files."""

    events: pl.Series
    findings: list[str]
    over_time: int
    """How many of the findings are."""


def scan(out: Path, *arguments: str | Path) -> Scanned:
    """Run a scan; return the ids of its events and of its findings."""
    done = command("scan", *arguments, "--out", out)
    assert done.returncode == 0, done.stderr
    events = pl.read_parquet(out / "events.parquet", columns=["event.id"]).to_series()
    lines = (out / "findings.ndjson").read_text().splitlines()
    found = [json.loads(line) for line in lines]
    over_time = sum("trailwarden.episode.start" in one for one in found)
    return Scanned(events, [one["trailwarden.finding.id"] for one in found], over_time)


def check_stores(world: Harness, scans: Sequence[Scanned], *, events_indexed: bool = True) -> int:
    """Every event once in archive and index, every finding of the scans and no other.

    Returns how many events were late.
    """
    wanted = sorted(identifier for one in scans for identifier in one.events)
    archive = world.settings.store.folder / "archive"
    archived = read_events(archive).select("event.id").collect().to_series()
    assert sorted(archived) == wanted
    prefix = world.settings.elasticsearch.prefix
    world.client.indices.refresh(index=f"{prefix}-*")
    if events_indexed:
        assert sorted(hit["_id"] for hit in hits(world.client, f"{prefix}-events")) == wanted
    findings = sorted(hit["_id"] for hit in hits(world.client, f"{prefix}-findings"))
    assert findings
    assert findings == sorted(identifier for one in scans for identifier in one.findings)
    segments = list_segments(archive, world.settings.kafka.raw_topic)
    return sum(counts.late for one in segments for counts in one.counts.values())
