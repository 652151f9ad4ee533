from __future__ import annotations

import socket
import uuid
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.authority import Authority
from tests.ingest.collectors.audit_backend import event
from tests.ingest.collectors.webhook_fakes import connect, event_list, read, until
from tests.ingest.collectors.webhook_process import WebhookProcess
from worker.collect_webhook import collect_webhook
from worker.configuration import (
    InvalidSettingsError,
    Kafka,
    Settings,
    Telemetry,
    Webhook,
)


def refusal(**webhook: object) -> str:
    settings = Settings(
        kafka=Kafka(bootstrap_servers="127.0.0.1:1"),
        webhook=Webhook(**{"port": 0, **webhook}),  # type: ignore[arg-type]
        telemetry=Telemetry(port=0),
    )
    with pytest.raises(InvalidSettingsError) as caught:
        collect_webhook(settings, "test")
    return str(caught.value)


def test_a_start_that_would_let_strangers_in_is_refused(tmp_path: Path) -> None:
    assert "certificate_file" in refusal(host="0.0.0.0")  # noqa: S104
    assert "client_ca_file" in refusal(client_ca_file=tmp_path)
    issued = Authority(tmp_path).issue("collector")
    tls = {"certificate_file": issued.certificate_file, "key_file": issued.key_file}
    assert "tokens_file or client_ca_file" in refusal(host="0.0.0.0", **tls)  # noqa: S104


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    assert "none.pem" in refusal(certificate_file=tmp_path / "none.pem")
    assert "tokens" in refusal(tokens_file=tmp_path / "tokens")


def test_an_address_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"127.0.0.1:{port}" in refusal(port=port)


def test_settings_that_kafkas_client_does_not_take_are_refused() -> None:
    settings = Settings(kafka=Kafka(bootstrap_servers="127.0.0.1:1", security_protocol="SASL_SSL"))
    with pytest.raises(InvalidSettingsError):
        collect_webhook(settings, "test")


@pytest.mark.integration
def test_a_collector_from_start_to_stop(kafka: str, tmp_path: Path) -> None:
    topic = f"webhook-{uuid.uuid4().hex}"
    admin = AdminClient({"bootstrap.servers": kafka, "log_level": 0})
    replica = WebhookProcess(kafka, topic, tmp_path / "log")
    replica.start(ready=False)
    try:
        until(lambda: "UNKNOWN_TOPIC" in replica.page("readyz")[1], "says what is missing")
        admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(30)
        until(lambda: replica.page("readyz")[0] == 200, "ready")
        connection = connect(replica.port)
        connection.request("POST", "/audit/prod", event_list(event("a"), event("b")))
        assert read(connection.getresponse()).status == 200
        connection.close()
        assert replica.page("healthz")[0] == 200
        metrics = replica.page("metrics")[1]
        assert "trailwarden_collector_acknowledged_total 2.0" in metrics
        assert replica.stop() == 0
        log = replica.log.read_text()
        assert '"event": "stopped"' in log
        assert '"acknowledged": 2' in log
        assert "auditID" not in log
        assert all(line.startswith("{") for line in log.splitlines())
    finally:
        replica.kill()
        admin.delete_topics([topic])[topic].result(30)
