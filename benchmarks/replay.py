"""Measure a replay: CPU for each event of an archive, with the shipped rules on both sides.

    python benchmarks/replay.py [AUDIT_LOG] [--copies N] [--clusters N]

An archive is made of the log (default: the labelled recording beside the checkout, else the sample
that ships here): N times one after the other, each copy later by the log's length and with ids of
its own, in each of some clusters, one partition each. Goals: 80,000 events a second of CPU, 20
times faster than it was recorded. Reported for the log once and for all copies: what is new to
`first_seen` is so only once, and a state that is filled is what a replay has most of its time.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from ingest.normalize import NormalizeSettings, normalize
from ingest.schema import DTYPES
from ingest.sources.read import read_records
from sinks.archive import SegmentWriter
from worker.garbage import collect_rarely
from worker.replay import ReplaySettings, replay
from worker.rulesets import load_ruleset
from worker.scan import gathered

if TYPE_CHECKING:
    from detectors.ruleset import Ruleset

ROOT: Final = Path(__file__).resolve().parent.parent
RECORDING: Final = ROOT.parent / "shared" / "data" / "kubernetes-audit" / "audit.log.gz"
SAMPLE: Final = ROOT / "examples" / "sample-audit.log.gz"
TOPIC: Final = "raw"
IDS: Final = ("event.id", "trailwarden.act.id")


def events_of(log: Path) -> pl.DataFrame:
    """Return the log's events as the service archives them: with their time of receipt."""
    settings = NormalizeSettings("bench")
    frames = [normalize(batch, settings).events for batch in gathered(read_records(str(log)))]
    return pl.concat(frames).with_columns(pl.col("@timestamp").alias("event.created"))


def copied(events: pl.DataFrame, number: int, cluster: int) -> pl.DataFrame:
    """Return the events of a later time and of a cluster, with ids of their own."""
    first, last = events["@timestamp"].min(), events["@timestamp"].max()
    if not (isinstance(first, datetime) and isinstance(last, datetime)):
        raise TypeError("the log has no times")
    own = f"{number:02x}{cluster:02x}"
    later = (last - first + timedelta(seconds=1)) * number
    return events.with_columns(
        pl.col("@timestamp", "event.created") + later,
        pl.lit(f"bench-{cluster}").alias("orchestrator.cluster.name"),
        pl.lit(f"{TOPIC}/{cluster}").alias("log.file.path"),
        *((pl.lit(own) + pl.col(name).str.slice(len(own))).alias(name) for name in IDS),
    ).select(pl.col(name).cast(dtype) for name, dtype in DTYPES.items())


def make_archive(events: pl.DataFrame, archive: Path, copies: int, clusters: int) -> None:
    """Write one partition for each cluster, one segment for each copy."""
    for cluster in range(clusters):
        previous = None
        for number in range(copies):
            first = number * events.height
            writer = SegmentWriter(archive, TOPIC, cluster, first, previous)
            writer.write(copied(events, number, cluster))
            previous = writer.close(first + events.height).sha256


def measure(name: str, folder: Path, rules: Ruleset, old: Ruleset | None) -> None:
    """Replay an archive and print the figures."""
    settings = ReplaySettings(folder / "archive", TOPIC, folder / "out")
    result = replay(settings, rules, old, lambda *_: None)
    found = sum(counts.new for counts in result.rules.values())
    print(
        f"{name:34}{result.events:10,} events {result.events / result.cpu_s:10,.0f} an s of CPU"
        f" {result.cpu_s / result.events * 1e6:7.1f} us each"
        f" {result.recorded.total_seconds() / result.wall_s:8,.0f} times as fast as recorded"
        f" {found:8,} findings"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure a replay.")
    default = RECORDING if RECORDING.exists() else SAMPLE
    parser.add_argument("log", type=Path, nargs="?", default=default)
    parser.add_argument("--copies", type=int, default=8)
    parser.add_argument("--clusters", type=int, default=1)
    given = parser.parse_args()
    events = events_of(given.log)
    rules, other = load_ruleset([]), load_ruleset([])
    columns = f"{len(DTYPES)} columns, {len(rules.pack.rules)} rules"
    print(f"{given.log.name}: {events.height:,} events, {columns}")
    with tempfile.TemporaryDirectory() as temporary:
        once, many = Path(temporary) / "once", Path(temporary) / "many"
        make_archive(events, once / "archive", 1, 1)
        make_archive(events, many / "archive", given.copies, given.clusters)
        del events
        collect_rarely()
        measure("once, nothing to compare with", once, rules, None)
        measure("once, with the same rules", once, rules, other)
        measure(f"{given.copies} x {given.clusters}, the same rules", many, rules, other)
        measure(f"{given.copies} x {given.clusters}, once more", many, rules, other)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak {peak:,.0f} MB, the events that the archive is made of among them")


if __name__ == "__main__":
    main()
