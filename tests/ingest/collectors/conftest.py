"""The mock cluster, for all collectors."""

from __future__ import annotations

import pytest

from tests.ingest.collectors.mock_broker import MockBroker


@pytest.fixture
def broker() -> MockBroker:
    """Return a mock cluster with a topic `raw`."""
    broker = MockBroker()
    broker.create("raw")
    return broker
