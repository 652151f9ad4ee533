"""Two commands on one machine do not need a setting for their ports."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry

from worker.configuration import InvalidSettingsError, Telemetry
from worker.health_port import open_health


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_port_that_was_asked_for_and_is_taken_is_refused(taken: int) -> None:
    with pytest.raises(InvalidSettingsError, match=f"127.0.0.1:{taken}"):
        open_health(Telemetry(port=taken), CollectorRegistry(), {}, {})


def test_the_default_port_gives_way(taken: int) -> None:
    default = Telemetry.model_construct(_fields_set=set(), host="127.0.0.1", port=taken)
    with open_health(default, CollectorRegistry(), {}, {}) as health:
        assert health.port not in {0, taken}


def test_an_address_that_is_not_ours_is_refused() -> None:
    elsewhere = Telemetry.model_construct(_fields_set=set(), host="192.0.2.1", port=0)
    with pytest.raises(InvalidSettingsError, match=r"192\.0\.2\.1"):
        open_health(elsewhere, CollectorRegistry(), {}, {})
