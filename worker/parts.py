"""Settings in, the parts of a worker out, each found right before anything is joined or written.

Separate from running them: a wrong setting, a refused rule, a missing right or template shows here,
at a start, and not in the middle of the night.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

from ingest.collectors.producer import RecordProducer
from ingest.normalize import NormalizeSettings
from ingest.redact.token import Redactor
from ingest.sources.kafka import KafkaSource
from sinks.elasticsearch.answers import NoAnswer
from sinks.elasticsearch.setup_check import checker
from sinks.elasticsearch.transport import UnavailableError
from sinks.notify import Notifier
from sinks.signals import signals_topic
from worker.chores import Chores
from worker.configuration import InvalidSettingsError, load_settings, secret
from worker.correlate_parts import correlating
from worker.counts import WorkerCounts
from worker.elasticsearch_client import connect_elasticsearch
from worker.holdings import Holdings
from worker.kafka_client import client_config
from worker.roles import Role
from worker.rulesets import load_ruleset
from worker.shared_parts import Shared, consuming, pace_of
from worker.stages import RealStages
from worker.stores import FolderStores
from worker.stream import Worker

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack
    from pathlib import Path

    from detectors.ruleset import Ruleset
    from sinks.elasticsearch.bulk import BulkWriter
    from sinks.elasticsearch.connection import Client
    from sinks.elasticsearch.transport import Reply
    from sinks.signals import SignalsTopic
    from worker.configuration import Settings
    from worker.correlate import Correlator
    from worker.correlate_parts import CorrelateParts
    from worker.pace import Watch

_KEY_MAX: Final = 64
_NOTIFY_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class DetectParts:
    """What the role `detect` is made of."""

    worker: Worker
    stages: RealStages
    bulk: BulkWriter
    source: KafkaSource
    signals: SignalsTopic


@dataclass(frozen=True, slots=True)
class Parts:
    """What a worker is made of; of its roles it has one or both."""

    chores: Chores
    notifier: Notifier
    detect: DetectParts | None
    correlate: CorrelateParts | None

    @property
    def sources(self) -> list[KafkaSource]:
        """Return the group memberships of this process."""
        return [one.source for one in (self.detect, self.correlate) if one is not None]

    @property
    def loops(self) -> list[Worker | Correlator]:
        """Return what takes turns."""
        found: list[Worker | Correlator] = []
        found += [self.detect.worker] if self.detect else []
        found += [self.correlate.correlator] if self.correlate else []
        return found

    @property
    def raw_partitions(self) -> list[int]:
        """Return the partitions of `raw` in hand."""
        return list(self.detect.worker.holdings.partitions) if self.detect else []


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the process has: counters, the watch of the loop, what retention does, a log."""

    counts: WorkerCounts
    watch: Watch
    retain: Callable[[Client], None]
    warn: Callable[[str], None]
    config: Path | None = None
    """The file that the settings came from."""
    signal_counts: WorkerCounts = field(default_factory=WorkerCounts)
    """Of the role `correlate`: what it counts is of another topic."""


def assemble(
    settings: Settings, around: Surroundings, closing: ExitStack, roles: frozenset[Role]
) -> Parts:
    """Make the parts; ``closing`` gets what must be closed, also when this raises.

    Raises
        InvalidSettingsError: a setting or a file cannot be used.
        detectors.sigma.errors.InvalidRulesError: a rule is refused.
        sinks.elasticsearch.transport.SetupMissingError, NotAllowedError, UnavailableError
        OSError, sinks.durable_file.StoreUnsuitableError: the store cannot be used.
    """
    rules = rules_of(settings, around.config)
    client = connect_elasticsearch(settings.elasticsearch)
    closing.callback(client.close)
    check = checker(client, settings.elasticsearch.prefix)
    _refuse_untrusted(check(), settings.elasticsearch.url)
    notifier = _notifier(settings, around.warn)
    closing.callback(notifier.close, _NOTIFY_S)
    shared = Shared(settings, rules, client, check, notifier, around.warn)
    producer = RecordProducer(client_config(settings.kafka), settings.kafka.raw_topic)
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
    detect = _detecting(shared, around) if Role.DETECT in roles else None
    correlate = None
    if Role.CORRELATE in roles:
        correlate = correlating(shared, around.signal_counts, around.watch, alone=detect is None)
    return Parts(chores, notifier, detect, correlate)


def _detecting(shared: Shared, around: Surroundings) -> DetectParts:
    settings = shared.settings
    topic, connection = settings.kafka.raw_topic, client_config(settings.kafka)
    bulk = shared.bulk()
    signals = signals_topic(connection, settings.kafka.signals_topic, topic)
    outputs = shared.outputs(bulk, around.counts, signals)
    stores = FolderStores(settings.store.folder, topic)
    begin = settings.store.begin_archive
    holdings = Holdings(stores, around.counts, pace_of(settings), around.watch, begin_archive=begin)
    stages = RealStages(topic, shared.rules, _normalizing(settings))
    holdings.detecting = stages.detecting()
    worker = Worker(topic, stages, outputs, holdings, around.counts)
    group = consuming(settings, settings.kafka.group)
    worker.source = source = KafkaSource(group, topic, worker, around.warn)
    return DetectParts(worker, stages, bulk, source, signals)


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


def take_rules(stages: RealStages, holdings: Holdings, rules: Ruleset) -> None:
    """Let the role `detect` go on with other rules."""
    stages.rules = rules
    holdings.take_rules(stages.detecting(), rules)


def renew_rules(parts: Parts, config: Path | None) -> Ruleset:
    """Let all roles go on with what the files say now.

    Raises
        as `rules_of` does; everything is then as it was.
    """
    rules = rules_of(load_settings(config), config)
    if parts.detect:
        take_rules(parts.detect.stages, parts.detect.worker.holdings, rules)
    if parts.correlate:
        parts.correlate.correlator.take_rules(rules)
    return rules


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
