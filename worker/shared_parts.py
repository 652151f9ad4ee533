"""What both roles of a worker are given, made once.

Separate from `worker.parts`, which puts a process together, because `worker.correlate_parts` needs
it as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sinks.elasticsearch.bulk import BulkWriter
from sinks.quarantine import QuarantineTopic
from worker.kafka_client import client_config
from worker.outputs import ServiceOutputs
from worker.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Callable

    from detectors.ruleset import Ruleset
    from sinks.elasticsearch.connection import Client
    from sinks.elasticsearch.transport import Reply
    from sinks.notify import Notifier
    from sinks.signals import SignalsTopic
    from worker.configuration import Settings
    from worker.counts import WorkerCounts


@dataclass(frozen=True, slots=True)
class Shared:
    """Settings, rules, a connection to Elasticsearch, and who is told of findings."""

    settings: Settings
    rules: Ruleset
    client: Client
    check: Callable[[], Reply | None]
    notifier: Notifier
    warn: Callable[[str], None]

    def bulk(self) -> BulkWriter:
        """Return a writer of one role's documents."""
        return BulkWriter(self.client, self.settings.elasticsearch.bulk_bytes, check=self.check)

    def outputs(
        self, bulk: BulkWriter, counts: WorkerCounts, signals: SignalsTopic | None = None
    ) -> ServiceOutputs:
        """Return one role's way out."""
        kafka = self.settings.kafka
        return ServiceOutputs(
            bulk,
            QuarantineTopic(client_config(kafka), kafka.quarantine_topic),
            self.settings.elasticsearch,
            self.settings.worker.retention_days,
            counts=counts,
            tell=self.notifier.finding,
            topic=kafka.raw_topic,
            signals=signals,
        )


def pace_of(settings: Settings) -> Pace:
    """Return how much is done at once and how often."""
    return Pace(
        batch_records=settings.worker.batch_records,
        poll_s=settings.worker.poll_s,
        interval_s=settings.checkpoint.interval_s,
        records=settings.checkpoint.records,
        snapshot_interval_s=settings.checkpoint.snapshot_interval_s,
        revoke_deadline_s=settings.checkpoint.revoke_deadline_s,
    )


def consuming(settings: Settings, group: str) -> dict[str, Any]:
    """Return librdkafka's settings of a member of a group."""
    kafka = settings.kafka
    config: dict[str, Any] = {
        **client_config(kafka),
        "group.id": group,
        "group.protocol": kafka.group_protocol,
    }
    if kafka.instance_id:
        config["group.instance.id"] = kafka.instance_id
    if kafka.group_protocol == "classic":
        session_ms = int(kafka.session_timeout_s * 1000)
        config["session.timeout.ms"] = session_ms
        config["heartbeat.interval.ms"] = max(100, session_ms // 5)
    return config
