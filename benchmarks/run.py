"""Measure the path: CPU per event of each stage and of the whole, memory, and start-up.

    python benchmarks/run.py [AUDIT_LOG]

User and system CPU of the whole process on the log (default: the labelled recording beside the
checkout, else the sample that ships here), best of three, with a bare loop of orjson and forty
Python functions on the same lines in the same run. Figures compare within one run only: other work
on the machine slows all of them.
"""

from __future__ import annotations

import gc
import gzip
import subprocess
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, Final

import bare_loop
from cpu_time import ROUNDS, best

from detectors.correlation.signals import signals_of
from detectors.engine import detect
from detectors.ruleset import look
from ingest.normalize import Normalized, NormalizeSettings, normalize
from ingest.sources.read import read_records
from sinks.events_file import EventsFile
from worker.repeats import LATENESS
from worker.rulesets import load_ruleset
from worker.scan import gathered, scan
from worker.settings import ScanSettings, shipped_rules

if TYPE_CHECKING:
    import polars as pl

    from detectors.ruleset import Ruleset

ROOT: Final = Path(__file__).resolve().parent.parent
RECORDING: Final = ROOT.parent / "shared" / "data" / "kubernetes-audit" / "audit.log.gz"
SAMPLE: Final = ROOT / "examples" / "sample-audit.log.gz"
COPIES: Final = 4


def show(name: str, seconds: float, events: int) -> None:
    each = seconds / events * 1e6
    print(f"{name:46} {each:7.2f} us an event {1e6 / each:12,.0f} events per CPU second")


def stages(log: Path, out: Path) -> None:
    lines = gzip.decompress(log.read_bytes()).splitlines()
    events = len(lines)
    size = sum(map(len, lines)) / events
    print(f"{log.name}: {events:,} events, {size:,.0f} bytes on average\n")
    show("a bare loop: orjson and 40 Python functions", best(lambda: bare_loop.run(lines)), events)
    lines.clear()
    settings = NormalizeSettings("bench")
    rules = load_ruleset([], learning_time=False)
    show("read, decompress, cut into records", best(lambda: _drain(log)), events)
    grouped = list(gathered(read_records(str(log), lambda _: None)))
    show("decode and normalize", best(lambda: [normalize(b, settings) for b in grouped]), events)
    normalized = [normalize(batch, settings) for batch in grouped]
    grouped.clear()
    rules_and_fold([batch.events for batch in normalized], rules, events)
    show("write Parquet", best(lambda: _write(normalized, out)), events)
    normalized.clear()
    gc.collect()
    start_up = best(lambda: _scan(out / "one.log", out))
    whole = best(lambda: _scan(log, out)) - start_up
    show("the whole scan, less that of one event", whole, events)
    print(f"{'that of one event, rules loaded and compiled':46} {start_up:7.2f} s")


def rules_and_fold(batches: list[pl.DataFrame], rules: Ruleset, events: int) -> None:
    """Measure the rule pack: what a scan asks of it, without reading and writing.

    Values that were met before cost less, so the first round is shown by itself. The best of the
    later ones is what a log costs in which nothing is new.
    """
    pack, plan = rules.pack, rules.plan
    cold = process_time()
    hits = [detect(batch, rules.asked) for batch in batches]
    show(f"{len(pack.rules)} rules, first round", process_time() - cold, events)
    again = best(lambda: [detect(batch, rules.asked) for batch in batches])
    show(f"{len(pack.rules)} rules, values seen before", again, events)
    pairs = list(zip(batches, hits, strict=True))
    looked = best(lambda: [look(batch, rules) for batch in batches])
    show("the same, and their findings", looked, events)
    here = [dict.fromkeys(batch["orchestrator.cluster.name"].unique(), 0) for batch in batches]
    signals = best(
        lambda: [signals_of(b, h, plan, c) for (b, h), c in zip(pairs, here, strict=True)]
    )
    show("signals, as a part of what follows", signals, events)
    show(f"{len(pack.correlations)} correlations", best(lambda: _folded(pairs, rules)), events)


def _folded(pairs: list[tuple[pl.DataFrame, pl.DataFrame]], rules: Ruleset) -> None:
    states = (rules.remembered(), rules.over_clusters())
    newest = 0
    for events, hits in pairs:
        newest = max(newest, int(events["@timestamp"].dt.epoch("us").max() or 0))  # type: ignore[arg-type]  # of an integer column
        for state in states:
            state.add(events, hits)
            state.release(newest - LATENESS // timedelta(microseconds=1))
    for state in states:
        state.release(None)


def _scan(log: Path, out: Path) -> None:
    scan(ScanSettings([str(log)], out, "bench", rules=[shipped_rules()]), 1_000, lambda _: None)


def _drain(log: Path) -> None:
    for _ in read_records(str(log), lambda _: None):
        pass


def _write(normalized: list[Normalized], out: Path) -> None:
    with EventsFile(out / "bench.parquet") as file:
        for batch in normalized:
            file.write(batch.events)


LAUNCHER: Final = """
import os, subprocess, sys, time
start = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
_, status, used = os.wait4(process.pid, 0)
print(time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)
"""
"""A small process between: the peak of a child counts what it was forked from."""


def child(*args: str) -> tuple[float, float, float]:
    """Run the command line; return wall seconds, CPU seconds and peak resident bytes."""
    command = [sys.executable, "-c", LAUNCHER, sys.executable, "-m", "trailwarden", *args]
    printed = subprocess.run(command, capture_output=True, check=True).stdout
    wall, spent, peak = map(float, printed.split())
    return wall, spent, peak


def processes(log: Path, out: Path) -> None:
    start_up = min(child("--help") for _ in range(ROUNDS))
    print(f"trailwarden --help: {start_up[0]:.2f} s, {start_up[2] / 2**20:.0f} MB")
    one = out / "one.log"
    one.write_bytes(gzip.decompress(log.read_bytes()).partition(b"\n")[0])
    cold = min(child("scan", str(one), "--out", str(out / "one")) for _ in range(ROUNDS))
    print(f"scan of one event: {cold[0]:.2f} s, {cold[1]:.2f} CPU s, {cold[2] / 2**20:.0f} MB")
    # Repeats of a log in one file: as many records to read, only the time stands still.
    for copies in (1, COPIES):
        joined = out / f"joined-{copies}.log.gz"
        joined.write_bytes(log.read_bytes() * copies)
        wall, spent, peak = child("scan", str(joined), "--out", str(out / f"out-{copies}"))
        size = joined.stat().st_size
        print(
            f"scan of the log {copies} time(s) in one file ({size / 2**20:.0f} MB gzip):"
            f" {wall:.1f} s, {spent:.1f} CPU s, peak {peak / 2**20:.0f} MB"
        )
    print()


def main() -> None:
    given = Path(sys.argv[1]) if len(sys.argv) > 1 else RECORDING
    log = given if given.exists() else SAMPLE
    with tempfile.TemporaryDirectory() as folder:
        processes(log, Path(folder))
        stages(log, Path(folder))


if __name__ == "__main__":
    main()
