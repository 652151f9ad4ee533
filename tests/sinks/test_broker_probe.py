from __future__ import annotations

import pytest
from confluent_kafka.admin import AdminClient

from sinks.broker_probe import TOPIC, BrokerProbe
from worker.services.ports import free_port


def test_a_broker_that_is_not_there_is_told_with_the_reason() -> None:
    with BrokerProbe({"bootstrap.servers": f"127.0.0.1:{free_port()}"}) as probe:
        assert "Connection refused" in (probe.trouble() or "none")


@pytest.mark.integration
def test_asking_creates_nothing(kafka: str) -> None:
    with BrokerProbe({"bootstrap.servers": kafka}) as probe:
        assert probe.trouble() is None
        assert probe.trouble() is None
    admin = AdminClient({"bootstrap.servers": kafka})
    assert TOPIC not in admin.list_topics(timeout=10).topics
