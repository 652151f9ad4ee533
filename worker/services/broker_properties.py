"""What a local broker is told: options go in, the text of server.properties comes out.

Separate because it is the reviewable part: Kafka's own names, and why each differs from the
default. One process is broker and controller (KRaft).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from worker.services.ports import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# A record of 8 MiB, its key, headers and the batch around it.
MESSAGE_BYTES: Final = (8 << 20) + (1 << 20)


@dataclass(frozen=True, slots=True)
class BrokerSecurity:
    """TLS, SCRAM, client certificates and ACLs.

    Two listeners take clients: SASL_SSL (SCRAM-SHA-512) on the broker's port, and SSL with a
    required client certificate on ``certificate_port``. Nobody may do anything without an ACL but
    the super users; the broker's own certificate must be one, it speaks to itself with it.
    """

    keystore_file: Path
    """PEM: the broker's key (PKCS #8), its certificate, its authorities."""
    client_ca_file: Path
    """PEM of the authorities that sign clients' certificates."""
    certificate_port: int
    super_users: tuple[str, ...]
    """Principals: ``User:admin``, ``User:CN=broker``."""
    scram_users: Mapping[str, str] = field(repr=False)
    """Users and passwords, made when the folder is formatted; more by an administrator."""
    probe: Mapping[str, str] = field(repr=False)
    """librdkafka's settings of a super user: who asks whether the broker is ready."""


@dataclass(frozen=True, slots=True)
class BrokerOptions:
    """What tests vary."""

    heap_mb: int = 512
    session_timeout_s: float = 45.0
    """Of the newer group protocol (KIP-848), where the broker decides it."""
    heartbeat_s: float = 5.0
    extra: Mapping[str, str] = field(default_factory=dict)
    """Further broker properties; they win."""


def broker_properties(
    data: Path,
    port: int,
    controller_port: int,
    options: BrokerOptions,
    security: BrokerSecurity | None,
) -> dict[str, str]:
    """Return every property of the broker."""
    listeners = _plain(port) if security is None else _secured(port, security)
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{LOOPBACK}:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": str(data),
        **_with_controller(listeners, controller_port),
        **_one_broker(),
        **_groups(options),
        # After a kill the broker is let in again once its own session of before is over.
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        # A mistyped topic must fail, not appear.
        "auto.create.topics.enable": "false",
        "message.max.bytes": str(MESSAGE_BYTES),
        "replica.fetch.max.bytes": str(MESSAGE_BYTES),
        **options.extra,
    }


def properties_text(properties: Mapping[str, str]) -> str:
    """Return Java's properties syntax; values here hold neither newlines nor backslashes."""
    return "".join(f"{key}={value}\n" for key, value in properties.items())


def _one_broker() -> dict[str, str]:
    return {
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
    }


def _groups(options: BrokerOptions) -> dict[str, str]:
    session_ms, heartbeat_ms = _ms(options.session_timeout_s), _ms(options.heartbeat_s)
    return {
        "group.coordinator.rebalance.protocols": "classic,consumer",
        # The first member of a group need not wait for others that may come.
        "group.initial.rebalance.delay.ms": "0",
        # Tests of dead workers cannot wait for the defaults (6 s, and 45 s in KIP-848).
        "group.min.session.timeout.ms": "1000",
        "group.consumer.min.session.timeout.ms": "1000",
        "group.consumer.session.timeout.ms": session_ms,
        "group.consumer.min.heartbeat.interval.ms": "100",
        "group.consumer.heartbeat.interval.ms": heartbeat_ms,
    }


def _ms(seconds: float) -> str:
    return str(round(seconds * 1000))


def _with_controller(listeners: dict[str, str], controller_port: int) -> dict[str, str]:
    added = f"{listeners['advertised.listeners']},CONTROLLER://{LOOPBACK}:{controller_port}"
    return {**listeners, "listeners": added}


def _plain(port: int) -> dict[str, str]:
    return {
        "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{port}",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    }


def _secured(port: int, security: BrokerSecurity) -> dict[str, str]:
    certificate = f"CERTIFICATE://{LOOPBACK}:{security.certificate_port}"
    login = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    return {
        "advertised.listeners": f"PASSWORD://{LOOPBACK}:{port},{certificate}",
        "inter.broker.listener.name": "CERTIFICATE",
        "listener.security.protocol.map": "CONTROLLER:SSL,CERTIFICATE:SSL,PASSWORD:SASL_SSL",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(security.keystore_file),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(security.client_ca_file),
        "listener.name.controller.ssl.client.auth": "required",
        "listener.name.certificate.ssl.client.auth": "required",
        "listener.name.password.ssl.client.auth": "none",
        "listener.name.password.sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.password.scram-sha-512.sasl.jaas.config": login,
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "false",
        "super.users": ";".join(security.super_users),
    }
