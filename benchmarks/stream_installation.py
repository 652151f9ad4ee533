"""Servers and a log in; a worker process that can be watched, fed and stopped out.

Separate from what is measured (`stream`): everything here goes through the product's own functions,
its command line and its metrics, as an operator would.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from confluent_kafka import Consumer, TopicPartition
from prometheus_client.parser import text_string_to_metric_families

from ingest.collectors.producer import ProducerFullError, RecordProducer
from ingest.envelope import Envelope, Format
from worker.configuration import load_settings
from worker.elasticsearch_client import connect_elasticsearch
from worker.services.elasticsearch import LocalElasticsearch
from worker.services.kafka import LocalKafka
from worker.services.ports import free_port
from worker.setup import Sizes, set_up_elasticsearch, set_up_kafka

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TICKS_A_SECOND: Final = os.sysconf("SC_CLK_TCK")
READY_S: Final = 180.0
STOP_S: Final = 120.0
PARTITIONS: Final = 8
EVENTS: Final = "trailwarden_events_total"


@dataclass(frozen=True, slots=True)
class Servers:
    """Addresses; process ids where the servers are ours, so that their CPU time can be read."""

    kafka: str
    elasticsearch: str
    process_ids: dict[str, int] = field(default_factory=dict)


@contextmanager
def running_servers(
    folder: Path, kafka: str | None, elasticsearch: str | None
) -> Iterator[Servers]:
    """Give servers: those named, else ones of our own that end with the block."""
    broker = None if kafka else LocalKafka(folder / "kafka")
    node = None if elasticsearch else LocalElasticsearch(folder / "elasticsearch")
    ours: dict[str, LocalKafka | LocalElasticsearch] = {}
    if broker:
        ours["kafka"] = broker
    if node:
        ours["elasticsearch"] = node
    try:
        for server in ours.values():
            server.start()
        for server in ours.values():
            server.wait_ready(READY_S)
        running = {name: server.process.running() for name, server in ours.items()}
        yield Servers(
            kafka or (broker.bootstrap if broker else ""),
            elasticsearch or (node.url if node else ""),
            {name: process.pid for name, process in running.items() if process},
        )
    finally:
        for server in ours.values():
            server.stop()


def cpu_s(process_id: int) -> float:
    """Return user and system seconds of a process: fields 14 and 15 of proc_pid_stat(5)."""
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND


def peak_bytes(process_id: int) -> int:
    """Return the most that a process was ever resident with."""
    for line in Path(f"/proc/{process_id}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    return 0


Samples = dict[tuple[str, str], float]
"""(metric, its labels' values joined) -> value."""


def accounted(samples: Samples) -> int:
    """Return how many records a worker has taken all the way, but for the checkpoint."""
    made = (EVENTS, "trailwarden_repeats_total", "trailwarden_canaries_total")
    refused = sum(v for (name, _), v in samples.items() if name == "trailwarden_quarantined_total")
    extra = samples.get(("trailwarden_extra_items_total", ""), 0.0)
    return int(sum(samples.get((name, ""), 0.0) for name in made) + refused - extra)


class Installation:
    """Topics, templates and settings of one benchmark, and its worker."""

    def __init__(self, servers: Servers, folder: Path) -> None:
        self.servers = servers
        self.prefix = f"bench{os.getpid()}"
        self.config = folder / "trailwarden.yml"
        self.log = folder / "worker.log"
        self.port = free_port()
        self.config.write_text(
            f'kafka: {{bootstrap_servers: "{servers.kafka}", raw_topic: {self.prefix}-raw, '
            f"quarantine_topic: {self.prefix}-quarantine, signals_topic: {self.prefix}-signals, "
            f"group: {self.prefix}}}\n"
            f'elasticsearch: {{url: "{servers.elasticsearch}", prefix: {self.prefix}, '
            f"replicas: 0}}\n"
            f'store: {{folder: "{folder / "store"}"}}\n'
            f"telemetry: {{port: {self.port}}}\n"
        )
        self.settings = load_settings(self.config)
        set_up_kafka(self.settings, Sizes(partitions=PARTITIONS), dry_run=False)
        set_up_elasticsearch(self.settings, "bench", dry_run=False)
        self.producer = RecordProducer(
            {"bootstrap.servers": servers.kafka}, self.settings.kafka.raw_topic
        )
        self.client = connect_elasticsearch(self.settings.elasticsearch)
        self.failed: list[str] = []

    def send(self, envelope: Envelope, value: bytes) -> None:
        """Hand one record over, waiting for room."""
        while True:
            try:
                self.producer.send(envelope, value, self._answer)
            except ProducerFullError:
                self.producer.poll(0.05)
            else:
                return

    def send_all(self, cluster: str, lines: Sequence[bytes]) -> None:
        """Hand a log over as one cluster's, received now."""
        now = datetime.now(UTC)
        envelope = Envelope(cluster, "bench", Format.RECORD, now, "bench")
        for line in lines:
            self.send(envelope, line)

    def settle(self) -> None:
        """Wait until the broker has everything.

        Raises
            RuntimeError: it has not.
        """
        missing = self.producer.flush(60.0)
        if missing or self.failed:
            raise RuntimeError(f"{missing} records unacknowledged, {self.failed[:3]}")

    def _answer(self, error: str | None) -> None:
        if error:
            self.failed.append(error)

    def uncommitted(self) -> int:
        """Return how many records lie behind what the group has committed."""
        topic, group = self.settings.kafka.raw_topic, self.settings.kafka.group
        consumer = Consumer({"bootstrap.servers": self.servers.kafka, "group.id": group})
        try:
            places = [TopicPartition(topic, number) for number in range(PARTITIONS)]
            left = 0
            for place in consumer.committed(places, timeout=30):
                low, high = consumer.get_watermark_offsets(place, timeout=30)
                left += high - max(place.offset, low)
            return left
        finally:
            consumer.close()


class WorkerProcess:
    """`trailwarden run` as a process, watched from outside."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        command = [sys.executable, "-m", "trailwarden", "run", "--config"]
        with installation.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, str(installation.config)], stdout=log, stderr=log
            )
        self.process_id = self._process.pid

    def samples(self) -> Samples:
        """Return the worker's metrics; nothing while it is starting.

        Raises
            RuntimeError: it ended.
        """
        if self._process.poll() is not None:
            raise RuntimeError(f"the worker ended: {self._installation.log.read_text()[-2000:]}")
        address = f"http://127.0.0.1:{self._installation.port}/metrics"
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                text = answer.read().decode()
        except OSError:
            return {}
        return {
            (sample.name, ",".join(sample.labels.values())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def wait_records(self, records: int, timeout_s: float) -> Samples:
        """Wait until so many records became something; return what it counts then.

        Raises
            TimeoutError: it has not.
        """
        end = time.monotonic() + timeout_s
        while True:
            samples = self.samples()
            if accounted(samples) >= records:
                return samples
            if time.monotonic() > end:
                raise TimeoutError(f"no {records} records within {timeout_s:.0f} s: {samples}")
            time.sleep(0.1)

    def stop(self) -> float:
        """Ask it to end and wait; return all CPU seconds that it used.

        Raises
            RuntimeError: it did not end as one that has committed everything.
        """
        self._process.send_signal(signal.SIGTERM)
        _, status, used = os.wait4(self.process_id, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        if self._process.returncode:
            raise RuntimeError(self._installation.log.read_text()[-2000:])
        return used.ru_utime + used.ru_stime

    def kill(self) -> None:
        """End it at once, whatever it does."""
        if self._process.returncode is None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
