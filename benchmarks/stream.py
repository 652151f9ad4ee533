"""Measure the service: real Kafka in, real Elasticsearch out, one worker beside both.

    python benchmarks/stream.py [--log AUDIT_LOG] [--events N] [--long N] [--out FILE]
                                [--kafka HOST:PORT --elasticsearch URL]

Three runs. Throughput: the log under several clusters lies in `raw`, then a worker takes it, from
its first record to the commit of the last. Latency: 2,000 events a second, and among them markers
that make a finding; from handing a marker to the producer until a search finds it. Memory, with
--long: so many events in one life of a worker. Other work on the machine slows the first two; CPU
time per event hardly changes.
"""

from __future__ import annotations

import argparse
import gzip
import json
import tempfile
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from stream_installation import (
    Installation,
    Samples,
    WorkerProcess,
    accounted,
    cpu_s,
    peak_bytes,
    running_servers,
)

from ingest.envelope import Envelope, Format

ROOT: Final = Path(__file__).resolve().parent.parent
RECORDING: Final = ROOT.parent / "shared" / "data" / "kubernetes-audit" / "audit.log.gz"
SAMPLE: Final = ROOT / "examples" / "sample-audit.log.gz"
STAGES: Final = ("poll", "normalize", "detect", "archive", "write", "checkpoint")
RATE: Final = 2_000
TICK_S: Final = 0.02
MARKER_S: Final = 0.25
LOOK_S: Final = 0.05
MARKER: Final = rb"exec?command=cat\u0026command=%2Fvar%2Frun%2Fsecrets"
AHEAD: Final = 200_000
"""Events that lie in Kafka unread during the long run: as a worker that keeps up would see it."""


@dataclass(slots=True)
class Figures:
    """What was measured, by name; the goal beside it where there is one."""

    rows: list[tuple[str, float, str, str]] = field(default_factory=list)

    def add(self, name: str, value: float, unit: str, goal: str = "") -> None:
        """Print a figure and keep it."""
        self.rows.append((name, round(value, 3), unit, goal))
        print(f"{name:54}{value:12,.2f} {unit:10}{goal}", flush=True)

    def write(self, file: Path) -> None:
        """Write all figures as JSON."""
        names = ("name", "value", "unit", "goal")
        file.write_text(json.dumps([dict(zip(names, row, strict=True)) for row in self.rows]))


def _timeout_s(events: int) -> float:
    return 120 + events / 1_000


def throughput(installation: Installation, lines: list[bytes], events: int, to: Figures) -> None:
    copies = max(1, -(-events // len(lines)))
    for number in range(copies):
        installation.send_all(f"bench-{number:02}", lines)
    installation.settle()
    total = copies * len(lines)
    worker = WorkerProcess(installation)
    try:
        first = worker.wait_records(1, _timeout_s(0))
        start_s, start_cpu = time.monotonic(), _cpu(installation, worker)
        last = worker.wait_records(total, _timeout_s(total))
        peak = peak_bytes(worker.process_id)
        used = worker.stop()
    finally:
        worker.kill()
    wall_s = time.monotonic() - start_s
    end_cpu = {**_cpu(installation, None), "worker": used}
    _check(installation, last)
    taken = total - accounted(first)
    to.add("events", total, "events")
    to.add("from Kafka to committed", taken / wall_s, "events/s", ">= 25,000")
    _tell_stages(first, last, to)
    for name, before in start_cpu.items():
        to.add(f"CPU: {name}", (end_cpu[name] - before) / taken * 1e6, "us/event")
    to.add("worker, peak resident", peak / 2**20, "MB", "<= 768")


def _cpu(installation: Installation, worker: WorkerProcess | None) -> dict[str, float]:
    found = {name: cpu_s(number) for name, number in installation.servers.process_ids.items()}
    return found if worker is None else {**found, "worker": cpu_s(worker.process_id)}


def _tell_stages(first: Samples, last: Samples, to: Figures) -> None:
    def passed(metric: str, labels: str = "") -> float:
        return last.get((metric, labels), 0.0) - first.get((metric, labels), 0.0)

    taken = accounted(last) - accounted(first)
    for stage in STAGES:
        spent = passed("trailwarden_stage_cpu_seconds_total", stage)
        wall = passed("trailwarden_stage_seconds_total", stage)
        to.add(f"  {stage}: CPU", spent / taken * 1e6, "us/event")
        to.add(f"  {stage}: wall", wall / taken * 1e6, "us/event")


def _check(installation: Installation, last: Samples) -> None:
    """Refuse figures of a run that lost something."""
    left = installation.uncommitted()
    events, records = accounted(last), last["trailwarden_records_total", ""]
    findings = sum(v for (name, _), v in last.items() if name == "trailwarden_findings_total")
    there = _search(installation, {"size": 0, "track_total_hits": True})["hits"]["total"]["value"]
    # What waits for its watermark is told by the last checkpoint, after the last sample.
    if left or events != records or not there >= findings > 0:
        raise SystemExit(f"{left=} {events=} {records=} {findings=} {there=}: no figures")


def _search(installation: Installation, body: dict[str, Any]) -> dict[str, Any]:
    index = f"{installation.prefix}-findings-*"
    if not body["size"]:
        installation.client.indices.refresh(index=index)
    return dict(installation.client.search(index=index, **body))


class Load(threading.Thread):
    """Sends events at the rate, and the markers among them; notes when each was handed over."""

    def __init__(self, installation: Installation, lines: list[bytes], seconds: float) -> None:
        super().__init__()
        self.sent: dict[str, float] = {}
        self._installation = installation
        self._lines = lines
        self._seconds = seconds
        self._marker = json.loads(next(line for line in lines if MARKER in line))

    def run(self) -> None:
        """Send until the time is over."""
        begin = time.monotonic()
        produced = markers = 0
        while (passed := time.monotonic() - begin) < self._seconds:
            now = datetime.now(UTC)
            while produced < passed * RATE:
                cluster = f"load-{produced // len(self._lines)}"
                envelope = Envelope(cluster, "bench", Format.RECORD, now, "bench")
                self._installation.send(envelope, self._lines[produced % len(self._lines)])
                produced += 1
            if passed >= markers * MARKER_S:
                self._send_marker(f"marker-{markers}", now)
                markers += 1
            self._installation.producer.poll(0.0)
            time.sleep(TICK_S)
        self._installation.settle()

    def _send_marker(self, name: str, now: datetime) -> None:
        time_text = now.isoformat().replace("+00:00", "Z")
        times = {"requestReceivedTimestamp": time_text, "stageTimestamp": time_text}
        event = {**self._marker, **times, "auditID": name, "user": {"username": name}}
        envelope = Envelope("markers", "bench", Format.RECORD, now, "bench")
        self.sent[name] = time.monotonic()
        self._installation.send(envelope, json.dumps(event).encode())


def latency(installation: Installation, lines: list[bytes], seconds: float, to: Figures) -> None:
    worker = WorkerProcess(installation)
    load = Load(installation, lines, seconds)
    try:
        _wait_ready(worker)
        load.start()
        seen = _look(installation, load, seconds + 30)
        load.join()
        worker.stop()
    finally:
        worker.kill()
    delays = sorted(seen[name] - sent for name, sent in load.sent.items())
    to.add("markers found", len(delays), "findings")
    for share in (0.5, 0.99):
        goal = "<= 2" if share > 0.9 else ""
        value = delays[min(len(delays) - 1, int(share * len(delays)))]
        to.add(f"from produce to searchable, p{share * 100:.0f}", value, "s", goal)
    to.add("from produce to searchable, most", delays[-1], "s")


def _wait_ready(worker: WorkerProcess) -> None:
    while not any(
        name == "trailwarden_rebalances_total" and v for (name, _), v in worker.samples().items()
    ):
        time.sleep(0.1)
    time.sleep(2.0)  # partitions are assigned; a first batch is on its way


def _look(installation: Installation, load: Load, seconds: float) -> dict[str, float]:
    """Search again and again; return when each marker was first found."""
    seen: dict[str, float] = {}
    query = {
        "query": {"term": {"orchestrator.cluster.name": "markers"}},
        "size": 10_000,
        "source": ["user.name"],
    }
    end = time.monotonic() + seconds
    while load.is_alive() or len(seen) < len(load.sent):
        hits = _search(installation, query)["hits"]["hits"]
        now_s = time.monotonic()
        for hit in hits:
            seen.setdefault(hit["_source"]["user.name"], now_s)
        if now_s > end:
            raise SystemExit(f"{len(load.sent) - len(seen)} markers were not found")
        time.sleep(LOOK_S)
    return seen


def memory(installation: Installation, lines: list[bytes], events: int, to: Figures) -> None:
    worker = WorkerProcess(installation)
    produced, start_s = 0, time.monotonic()
    try:
        while produced < events:
            installation.send_all(f"long-{produced // len(lines):03}", lines)
            produced += len(lines)
            worker.wait_records(produced - AHEAD, _timeout_s(AHEAD))
        installation.settle()
        worker.wait_records(produced, _timeout_s(AHEAD))
        peak = peak_bytes(worker.process_id)
        now = worker.samples()["process_resident_memory_bytes", ""]
        worker.stop()
    finally:
        worker.kill()
    to.add("long run", produced, "events")
    to.add(
        "long run, with its producer beside it", produced / (time.monotonic() - start_s), "events/s"
    )
    to.add("worker, peak resident", peak / 2**20, "MB", "<= 768")
    to.add("worker, resident at the end", now / 2**20, "MB", "<= 768")
    left = installation.uncommitted()
    if left:
        raise SystemExit(f"{left} records are not committed")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--log", type=Path, default=RECORDING if RECORDING.exists() else SAMPLE)
    parser.add_argument("--events", type=int, default=500_000)
    parser.add_argument("--latency", type=float, default=60.0, metavar="SECONDS")
    parser.add_argument("--long", type=int, default=0, metavar="EVENTS")
    parser.add_argument("--kafka", metavar="HOST:PORT")
    parser.add_argument("--elasticsearch", metavar="URL")
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


def main() -> None:
    given = _arguments()
    lines = gzip.decompress(given.log.read_bytes()).splitlines()
    figures = Figures()
    size = sum(map(len, lines)) / len(lines)
    print(f"{given.log.name}: {len(lines):,} events, {size:,.0f} bytes each")
    with (
        tempfile.TemporaryDirectory() as folder,
        running_servers(Path(folder), given.kafka, given.elasticsearch) as servers,
    ):
        installation = Installation(servers, Path(folder))
        if given.events:
            throughput(installation, lines, given.events, figures)
        if given.latency:
            latency(installation, lines, given.latency, figures)
        if given.long:
            memory(installation, lines, given.long, figures)
        installation.producer.close()
    if given.out:
        figures.write(given.out)


if __name__ == "__main__":
    main()
