"""Settings become librdkafka's keys, and secrets are read from their files."""

from __future__ import annotations

from pathlib import Path

import pytest
from confluent_kafka import Producer
from pydantic import SecretStr

from worker.configuration import InvalidSettingsError, Kafka
from worker.kafka_client import client_config


def test_plain_transport_needs_servers_only() -> None:
    assert client_config(Kafka(bootstrap_servers="a:1,b:2")) == {
        "bootstrap.servers": "a:1,b:2",
        "log_level": 0,
        "client.id": "trailwarden",
        "security.protocol": "PLAINTEXT",
    }


def test_passwords_come_from_files(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("hunter2\n")
    (tmp_path / "key-password").write_text("open sesame\n")
    for name in ("ca.pem", "me.pem", "me.key"):
        (tmp_path / name).touch()
    kafka = Kafka(
        security_protocol="SASL_SSL",
        username="collector",
        password_file=tmp_path / "password",
        ca_file=tmp_path / "ca.pem",
        certificate_file=tmp_path / "me.pem",
        key_file=tmp_path / "me.key",
        key_password_file=tmp_path / "key-password",
    )
    assert client_config(kafka) == {
        "bootstrap.servers": "127.0.0.1:9092",
        "log_level": 0,
        "client.id": "trailwarden",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "collector",
        "sasl.password": "hunter2",
        "ssl.ca.location": str(tmp_path / "ca.pem"),
        "ssl.certificate.location": str(tmp_path / "me.pem"),
        "ssl.key.location": str(tmp_path / "me.key"),
        "ssl.key.password": "open sesame",
    }


def test_tls_alone_sends_no_password() -> None:
    config = client_config(Kafka(security_protocol="SSL", username="u", password=SecretStr("p")))
    assert not [name for name in config if name.startswith("sasl")]


def test_a_missing_password_file_is_named(tmp_path: Path) -> None:
    kafka = Kafka(security_protocol="SASL_PLAINTEXT", password_file=tmp_path / "none")
    with pytest.raises(InvalidSettingsError, match="none: No such file"):
        client_config(kafka)


def test_librdkafka_knows_every_key_of_sasl() -> None:
    kafka = Kafka(security_protocol="SASL_SSL", username="u", password=SecretStr("p"))
    Producer(client_config(kafka))


@pytest.mark.parametrize("setting", ["ca_file", "certificate_file", "key_file"])
def test_a_missing_file_of_tls_is_named(tmp_path: Path, setting: str) -> None:
    kafka = Kafka(security_protocol="SSL", **{setting: tmp_path / "none.pem"})  # type: ignore[arg-type]  # paths only
    with pytest.raises(InvalidSettingsError, match=r"none\.pem: No such file"):
        client_config(kafka)
