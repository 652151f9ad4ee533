"""Settings in, a running webhook or Falco collector out, until SIGTERM.

Separate from the other collectors' wiring because of its listener and its credentials. The order is
that of a start: what can be refused is refused before the port opens.
"""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from ingest.collectors.counts import CollectorCounts
from ingest.collectors.http_connections import listen
from ingest.collectors.http_limits import HttpLimits
from ingest.collectors.intake import ALERTS, AUDIT, Intake
from ingest.collectors.producer import ProducerFailedError, RecordProducer
from ingest.collectors.topic_probe import TopicProbe
from ingest.collectors.webhook import WebhookOptions
from ingest.collectors.webhook_auth import InvalidTokensError, Senders, read_tokens
from ingest.collectors.webhook_service import ServiceOptions, Surroundings, WebhookService
from ingest.collectors.webhook_tls import UnsafeListenerError, is_loopback, listener_tls
from worker.collector_process import DONE, FAILED, open_port
from worker.collector_watch import watching_workers
from worker.configuration import InvalidSettingsError
from worker.health import Heartbeat
from worker.kafka_client import client_config
from worker.logs import configure_logs, log_uncaught

if TYPE_CHECKING:
    import socket
    import ssl

    from worker.configuration import Settings, Webhook
    from worker.health import HealthServer

HEARTBEAT_LIMIT_S = 10.0


@dataclass(frozen=True, slots=True)
class _Reception:
    """One receiver: its group of settings, that group's name, and what it takes."""

    name: str
    webhook: Webhook
    intake: Intake

    @property
    def asks_nobody(self) -> bool:
        """Whether no credential is asked for."""
        return self.webhook.client_ca_file is None and self.webhook.tokens_file is None


@dataclass(frozen=True, slots=True)
class _Parts:
    """All that can be wrong at a start, made and found right."""

    reception: _Reception
    tls: ssl.SSLContext | None
    senders: Senders
    producer: RecordProducer
    probe: TopicProbe
    listener: socket.socket


def collect_webhook(settings: Settings, version: str) -> int:
    """Run until SIGTERM or SIGINT; return the exit code: 0 done, 1 Kafka's client gave up.

    Raises
        InvalidSettingsError: a setting, a file or the address cannot be used.
    """
    return _collect(settings, _Reception("webhook", settings.webhook, AUDIT), version)


def collect_falco(settings: Settings, version: str) -> int:
    """Receive alerts; otherwise as `collect_webhook`."""
    return _collect(settings, _Reception("falco", settings.falco, ALERTS), version)


def _collect(settings: Settings, reception: _Reception, version: str) -> int:
    configure_logs(settings.telemetry.log_level)
    log_uncaught()
    parts = _parts(settings, reception)
    counts = CollectorCounts()
    beat = Heartbeat(HEARTBEAT_LIMIT_S)
    try:
        return asyncio.run(_run(settings, parts, counts, beat, version))
    finally:
        parts.listener.close()
        parts.producer.close()


def _parts(settings: Settings, reception: _Reception) -> _Parts:
    webhook = reception.webhook
    try:
        tls = listener_tls(
            webhook.host, webhook.certificate_file, webhook.key_file, webhook.client_ca_file
        )
        _refuse_strangers(reception)
        tokens = None if webhook.tokens_file is None else read_tokens(webhook.tokens_file)
        config = client_config(settings.kafka)
        producer = RecordProducer(config, settings.kafka.raw_topic)
        probe = TopicProbe(config, settings.kafka.raw_topic)
        listener = listen(webhook.host, webhook.port)
    except (UnsafeListenerError, InvalidTokensError, ProducerFailedError) as error:
        raise InvalidSettingsError(f"{reception.name}: {error}") from error
    except OSError as error:
        place = f"{webhook.host}:{webhook.port}"
        raise InvalidSettingsError(f"{reception.name}: {place}: {error.strerror}") from error
    certificates, root = webhook.client_ca_file is not None, reception.intake.root
    senders = Senders(tokens, certificates=certificates, root=root)
    return _Parts(reception, tls, senders, producer, probe, listener)


async def _run(
    settings: Settings, parts: _Parts, counts: CollectorCounts, beat: Heartbeat, version: str
) -> int:
    log = structlog.get_logger()
    options = _options(settings, parts.reception)
    around = Surroundings(
        beat.beat,
        lambda error: log.error("bug", exc_info=error),
        parts.probe.missing,
        lambda missing: log.warning("kafka", missing=missing or "nothing"),
    )
    service = WebhookService(
        producer=parts.producer,
        senders=parts.senders,
        tls=parts.tls,
        counts=counts,
        options=options,
        around=around,
    )
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with (
        watching_workers(settings) as watch,
        open_port(
            settings, watch, counts, beat, version=version, kafka=service.not_ready
        ) as health,
    ):
        _tell_start(settings, parts, health)
        try:
            missing = await service.run(parts.listener, stop)
        except ProducerFailedError as error:
            log.critical("stopped: Kafka's client gave up", reason=str(error))
            return FAILED
    log.info("stopped", requests=counts.requests, acknowledged=counts.acknowledged, missing=missing)
    return DONE


def _options(settings: Settings, reception: _Reception) -> ServiceOptions:
    webhook, collect = reception.webhook, settings.collect
    limits = HttpLimits(body_bytes=webhook.body_bytes, connections=webhook.connections)
    return ServiceOptions(
        WebhookOptions(collect.name, collect.spool, webhook.acknowledge_s, reception.intake),
        limits,
        collect.canary_interval_s,
        stop_s=webhook.acknowledge_s + limits.linger_s,
    )


def _tell_start(settings: Settings, parts: _Parts, health: HealthServer) -> None:
    log, reception = structlog.get_logger(), parts.reception
    host, port = parts.listener.getsockname()[:2]
    log.info(
        "listening",
        host=host,
        port=port,
        tls=parts.tls is not None,
        client_certificates=reception.webhook.client_ca_file is not None,
        bearer=reception.webhook.tokens_file is not None,
        health_port=health.port,
        collector=settings.collect.name,
    )
    if reception.asks_nobody:
        log.warning("no credentials are asked for: whoever reaches the port writes as any cluster")


def _refuse_strangers(reception: _Reception) -> None:
    host = reception.webhook.host
    if reception.asks_nobody and not is_loopback(host):
        raise UnsafeListenerError(
            f"host {host}: tokens_file or client_ca_file is needed beyond loopback, else whoever "
            "reaches the port writes as any cluster"
        )
