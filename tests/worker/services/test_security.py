"""The broker lets in whom it should, and whom it refuses is told why."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sinks.broker_probe import BrokerProbe
from tests.authority import Authority
from tests.secure_kafka import ADMIN, ADMIN_PASSWORD, SecureKafka

pytestmark = pytest.mark.integration


def trouble(config: dict[str, Any]) -> str:
    with BrokerProbe(config) as probe:
        return probe.trouble() or "none"


def test_a_super_user_may_do_everything(secure_kafka: SecureKafka) -> None:
    assert trouble(secure_kafka.password(ADMIN, ADMIN_PASSWORD)) == "none"


@pytest.mark.parametrize("kind", ["password", "certificate"])
def test_a_known_client_without_rights_is_told_so(secure_kafka: SecureKafka, kind: str) -> None:
    known = secure_kafka.password() if kind == "password" else secure_kafka.named("nobody")
    assert "authorization failed" in trouble(known).lower()


def test_a_wrong_password_is_named(secure_kafka: SecureKafka) -> None:
    assert "Authentication failed" in trouble(secure_kafka.password(password="wrong"))


def test_an_unknown_user_is_named_like_a_wrong_password(secure_kafka: SecureKafka) -> None:
    assert "Authentication failed" in trouble(secure_kafka.password("nobody"))


def test_a_broker_of_another_authority_is_not_trusted(
    secure_kafka: SecureKafka, tmp_path: Path
) -> None:
    other = {"ssl.ca.location": str(Authority(tmp_path).ca_file)}
    said = trouble({**secure_kafka.password(ADMIN, ADMIN_PASSWORD), **other})
    assert "certificate verify failed" in said


def test_a_broker_of_another_name_is_not_trusted(secure_kafka: SecureKafka) -> None:
    config = secure_kafka.password(ADMIN, ADMIN_PASSWORD)
    by_name = config["bootstrap.servers"].replace("127.0.0.1", "localhost")
    said = trouble({**config, "bootstrap.servers": by_name})
    assert "certificate verify failed" in said


def test_a_missing_client_certificate_is_named(secure_kafka: SecureKafka) -> None:
    assert "certificate required" in trouble(secure_kafka.certificate(None))


def test_a_client_certificate_of_another_authority_is_refused(
    secure_kafka: SecureKafka, tmp_path: Path
) -> None:
    foreign = Authority(tmp_path, "another authority").issue("broker")
    assert "alert certificate" in trouble(secure_kafka.certificate(foreign))


def test_an_expired_client_certificate_is_refused(secure_kafka: SecureKafka) -> None:
    expired = secure_kafka.authority.issue("expired", lifetime=-timedelta(hours=1))
    assert "alert certificate" in trouble(secure_kafka.certificate(expired))


def test_plain_text_gets_no_answer(secure_kafka: SecureKafka) -> None:
    plain = {"bootstrap.servers": secure_kafka.broker.bootstrap}
    assert "transport failure" in trouble(plain)
