"""A real broker that asks who is there: TLS, passwords, client certificates and ACLs.

Two ways in: `password` (SASL_SSL, SCRAM-SHA-512) and `certificate` (SSL). Nobody may do anything
without an ACL but the administrator.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka.admin import AdminClient

from tests.authority import Authority, Issued
from tests.servers import OPTIONS, running_kafka
from worker.services.broker_properties import BrokerSecurity
from worker.services.kafka import LocalKafka
from worker.services.ports import free_port

ADMIN = "admin"
ADMIN_PASSWORD = "administrator's own"
USER = "somebody"
USER_PASSWORD = "correct horse"


@dataclass(frozen=True, slots=True)
class SecureKafka:
    """The broker, the authority it trusts, and clients' configurations."""

    broker: LocalKafka
    authority: Authority
    certificate_bootstrap: str
    admin: AdminClient
    """A client that may do everything."""

    def password(self, user: str = USER, password: str = USER_PASSWORD) -> dict[str, Any]:
        """Return the configuration of a client with a password."""
        return _password(self.broker.bootstrap, self.authority, user, password)

    def certificate(self, issued: Issued | None) -> dict[str, Any]:
        """Return the configuration of a client with a certificate, or without one."""
        config = {
            "bootstrap.servers": self.certificate_bootstrap,
            "security.protocol": "SSL",
            "ssl.ca.location": str(self.authority.ca_file),
        }
        if issued is None:
            return config
        return {
            **config,
            "ssl.certificate.location": str(issued.certificate_file),
            "ssl.key.location": str(issued.key_file),
        }

    def named(self, name: str) -> dict[str, Any]:
        """Return the configuration of the principal ``User:CN=name``."""
        return self.certificate(self.authority.issue(name))


def _password(bootstrap: str, authority: Authority, user: str, password: str) -> dict[str, Any]:
    return {
        "bootstrap.servers": bootstrap,
        "security.protocol": "SASL_SSL",
        "ssl.ca.location": str(authority.ca_file),
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": user,
        "sasl.password": password,
    }


@contextmanager
def running_secure_kafka(folder: Path) -> Iterator[SecureKafka]:
    """Give a broker that has no topics and two users."""
    authority = Authority(folder / "keys")
    keystore = folder / "keys" / "broker.pem"
    keystore.touch(mode=0o600)
    keystore.write_text(authority.issue("broker", hosts=("127.0.0.1",)).keystore)
    port, certificate_port = free_port(), free_port()
    super_user = _password(f"127.0.0.1:{port}", authority, ADMIN, ADMIN_PASSWORD)
    security = BrokerSecurity(
        keystore_file=keystore,
        client_ca_file=authority.ca_file,
        certificate_port=certificate_port,
        super_users=("User:CN=broker", f"User:{ADMIN}"),
        scram_users={ADMIN: ADMIN_PASSWORD, USER: USER_PASSWORD},
        probe=super_user,
    )
    with running_kafka(folder / "broker", OPTIONS, security, port) as broker:
        admin = AdminClient({**super_user, "log_level": 0})
        yield SecureKafka(broker, authority, f"127.0.0.1:{certificate_port}", admin)
