"""The settings' group ``kafka`` or ``foreign`` in, librdkafka's configuration of any client out.

Separate because producers, consumers and the admin client prove who they are in the same way, and
secrets are read from their files here only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.configuration import InvalidSettingsError, secret

if TYPE_CHECKING:
    from pathlib import Path

    from worker.configuration import Foreign, Kafka

CLIENT_ID = "trailwarden"


def client_config(kafka: Kafka | Foreign) -> dict[str, object]:
    """Return what every client of this broker needs; never log it, it may hold passwords.

    Raises
        InvalidSettingsError: a file cannot be read.
    """
    config: dict[str, object | None] = {
        "bootstrap.servers": kafka.bootstrap_servers,
        "client.id": CLIENT_ID,
        "security.protocol": kafka.security_protocol,
        # What librdkafka writes to stderr is no line of our log; what matters it tells us as well.
        "log_level": 0,
    }
    if kafka.security_protocol.startswith("SASL_"):
        config |= {
            "sasl.mechanism": kafka.sasl_mechanism,
            "sasl.username": kafka.username,
            "sasl.password": secret(kafka.password, kafka.password_file),
        }
    if kafka.security_protocol.endswith("SSL"):
        config |= {
            "ssl.ca.location": _path(kafka.ca_file),
            "ssl.certificate.location": _path(kafka.certificate_file),
            "ssl.key.location": _path(kafka.key_file),
            "ssl.key.password": secret(None, kafka.key_password_file),
        }
    return {name: value for name, value in config.items() if value is not None}


def _path(path: Path | None) -> str | None:
    """Check what librdkafka would refuse without naming the file."""
    if path is None:
        return None
    try:
        path.open("rb").close()
    except OSError as error:
        raise InvalidSettingsError(f"{path}: {error.strerror}") from error
    return str(path)
