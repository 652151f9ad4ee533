"""A client of the real node, and names of one test's own that are gone afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sinks.elasticsearch.connection import Client, connect
from tests.elasticsearch_names import own_prefix


@pytest.fixture
def client(elasticsearch_url: str) -> Iterator[Client]:
    client = connect(elasticsearch_url)
    yield client
    client.close()


@pytest.fixture
def prefix(client: Client) -> Iterator[str]:
    with own_prefix(client) as name:
        yield name
