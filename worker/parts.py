"""Settings in, the parts of a worker out, each found right before anything is joined or written.

Separate from running them: a wrong setting, a refused rule, a missing right or template shows here,
at a start, and not in the middle of the night.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, Final

from ingest.collectors.producer import RecordProducer
from ingest.normalize import NormalizeSettings
from ingest.redact.token import Redactor
from ingest.sources.kafka import KafkaSource
from sinks.elasticsearch.answers import NoAnswer
from sinks.elasticsearch.bulk import BulkWriter
from sinks.elasticsearch.setup_check import checker
from sinks.elasticsearch.transport import UnavailableError
from sinks.notify import Notifier
from sinks.quarantine import QuarantineTopic
from worker.chores import Chores
from worker.configuration import InvalidSettingsError, load_settings, secret
from worker.elasticsearch_client import connect_elasticsearch
from worker.holdings import Holdings
from worker.kafka_client import client_config
from worker.outputs import ServiceOutputs
from worker.pace import Pace
from worker.rulesets import load_ruleset
from worker.stages import RealStages
from worker.stores import FolderStores
from worker.stream import Worker

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack
    from pathlib import Path

    from detectors.ruleset import Ruleset
    from sinks.elasticsearch.connection import Client
    from sinks.elasticsearch.transport import Reply
    from worker.configuration import Settings
    from worker.counts import WorkerCounts
    from worker.pace import Watch

_KEY_MAX: Final = 64
_NOTIFY_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Parts:
    """What a worker is made of."""

    worker: Worker
    stages: RealStages
    chores: Chores
    bulk: BulkWriter
    notifier: Notifier
    source: KafkaSource


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the process has: counters, the watch of the loop, what retention does, a log."""

    counts: WorkerCounts
    watch: Watch
    retain: Callable[[Client], None]
    warn: Callable[[str], None]
    config: Path | None = None
    """The file that the settings came from."""


def assemble(settings: Settings, around: Surroundings, closing: ExitStack) -> Parts:
    """Make the parts; ``closing`` gets what must be closed, also when this raises.

    Raises
        InvalidSettingsError: a setting or a file cannot be used.
        detectors.sigma.errors.InvalidRulesError: a rule is refused.
        sinks.elasticsearch.transport.SetupMissingError, NotAllowedError, UnavailableError
        OSError, sinks.durable_file.StoreUnsuitableError: the store cannot be used.
    """
    rules = rules_of(settings, around.config)
    topic, elastic = settings.kafka.raw_topic, settings.elasticsearch
    connection = client_config(settings.kafka)
    stores = FolderStores(settings.store.folder, topic)
    client = connect_elasticsearch(elastic)
    closing.callback(client.close)
    check = checker(client, elastic.prefix)
    _refuse_untrusted(check(), elastic.url)
    bulk = BulkWriter(client, elastic.bulk_bytes, check=check)
    notifier = _notifier(settings, around.warn)
    closing.callback(notifier.close, _NOTIFY_S)
    producer = RecordProducer(connection, topic)
    closing.callback(producer.close)
    chores = Chores(
        settings.collect.name,
        around.counts,
        notifier,
        producer,
        silence_s=settings.notify.silence_s,
        apply_retention=lambda: around.retain(client),
        now_s=time.monotonic(),
    )
    outputs = ServiceOutputs(
        bulk,
        QuarantineTopic(connection, settings.kafka.quarantine_topic),
        elastic,
        settings.worker.retention_days,
        counts=around.counts,
        tell=notifier.finding,
        topic=topic,
    )
    begin = settings.store.begin_archive
    holdings = Holdings(stores, around.counts, _pace(settings), around.watch, begin_archive=begin)
    stages = RealStages(topic, rules, _normalizing(settings))
    holdings.detecting = stages.detecting()
    worker = Worker(topic, stages, outputs, holdings, around.counts)
    worker.source = source = KafkaSource(_consuming(settings), topic, worker, around.warn)
    return Parts(worker, stages, chores, bulk, notifier, source)


def _refuse_untrusted(reply: Reply | None, url: str | None) -> None:
    """Refuse to start where TLS fails: no waiting makes a certificate right.

    A server that is away, or has no time, is waited for.
    """
    if reply is not None and reply.status is NoAnswer.TLS:
        raise UnavailableError(f"Elasticsearch at {url}: {reply.reason}")


def rules_of(settings: Settings, config: Path | None) -> Ruleset:
    """Load the worker's rules.

    Raises
        InvalidSettingsError: a setting of the site cannot be used, or there is no rule at all.
        detectors.sigma.errors.InvalidRulesError: a rule or an exception is refused.
    """
    rules = load_ruleset(settings.worker.rules, settings, config)
    if not rules.pack.reporting:
        raise InvalidSettingsError(
            "worker.rules: holds no rule; a worker without any finds nothing"
        )
    return rules


def renew_rules(stages: RealStages, holdings: Holdings, config: Path | None) -> Ruleset:
    """Let a worker go on with what the files say now.

    Raises
        as `rules_of` does; everything is then as it was.
    """
    rules = rules_of(load_settings(config), config)
    stages.rules = rules
    holdings.take_rules(stages.detecting(), rules)
    return rules


def _pace(settings: Settings) -> Pace:
    return Pace(
        batch_records=settings.worker.batch_records,
        poll_s=settings.worker.poll_s,
        interval_s=settings.checkpoint.interval_s,
        records=settings.checkpoint.records,
        snapshot_interval_s=settings.checkpoint.snapshot_interval_s,
        revoke_deadline_s=settings.checkpoint.revoke_deadline_s,
    )


def _normalizing(settings: Settings) -> NormalizeSettings:
    file = settings.worker.redaction_key_file
    try:
        key = None if file is None else file.read_bytes().strip()
        proxies = [ip_network(text) for text in settings.worker.trusted_proxies]
    except OSError as error:
        raise InvalidSettingsError(
            f"worker.redaction_key_file: {file}: {error.strerror}"
        ) from error
    except ValueError as error:
        raise InvalidSettingsError(f"worker.trusted_proxies: {error}") from error
    if key is not None and not 1 <= len(key) <= _KEY_MAX:
        raise InvalidSettingsError(f"worker.redaction_key_file: {file}: must hold 1 to 64 bytes")
    redactor = Redactor() if key is None else Redactor(key)
    return NormalizeSettings("", redactor, proxies)


def _notifier(settings: Settings, warn: Callable[[str], None]) -> Notifier:
    notify = settings.notify
    token = secret(None, notify.webhook_token_file)
    return Notifier(notify.webhook_url, token, notify.alertmanager_url, notify.severity, warn)


def _consuming(settings: Settings) -> dict[str, Any]:
    """Return the settings of a member of the workers' group."""
    kafka = settings.kafka
    config: dict[str, Any] = {
        **client_config(kafka),
        "group.id": kafka.group,
        "group.protocol": kafka.group_protocol,
    }
    if kafka.instance_id:
        config["group.instance.id"] = kafka.instance_id
    if kafka.group_protocol == "classic":
        session_ms = int(kafka.session_timeout_s * 1000)
        config["session.timeout.ms"] = session_ms
        config["heartbeat.interval.ms"] = max(100, session_ms // 5)
    return config
