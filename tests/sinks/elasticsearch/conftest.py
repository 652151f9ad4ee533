"""A client of the real node, and names of one test's own that are gone afterwards."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from sinks.elasticsearch.connection import Client, connect
from sinks.elasticsearch.transport import ask


@pytest.fixture
def client(elasticsearch_url: str) -> Iterator[Client]:
    client = connect(elasticsearch_url)
    yield client
    client.close()


@pytest.fixture
def prefix(client: Client) -> Iterator[str]:
    """Return where the names of a test's indices and templates begin."""
    name = f"tw-test-{uuid.uuid4().hex[:12]}"
    yield name
    found = ask(client, "GET", f"/_resolve/index/{name}-*?expand_wildcards=all").body
    for index in found["indices"]:
        ask(client, "DELETE", f"/{index['name']}")
    for kind in ("index_template", "component_template"):
        entries = ask(client, "GET", f"/_{kind}/{name}-*").body.get(f"{kind}s", ())
        for entry in entries:
            ask(client, "DELETE", f"/_{kind}/{entry['name']}")
