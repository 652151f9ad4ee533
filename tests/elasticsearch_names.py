"""Names of one test's own in a shared Elasticsearch node, gone when the test is over."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from sinks.elasticsearch.connection import Client
from sinks.elasticsearch.transport import ask


@contextmanager
def own_prefix(client: Client) -> Iterator[str]:
    """Give where the names of indices and templates begin; all that begin so are deleted."""
    name = f"tw-test-{uuid.uuid4().hex[:12]}"
    try:
        yield name
    finally:
        found = ask(client, "GET", f"/_resolve/index/{name}-*?expand_wildcards=all").body
        for index in found["indices"]:
            ask(client, "DELETE", f"/{index['name']}")
        for kind in ("index_template", "component_template"):
            entries = ask(client, "GET", f"/_{kind}/{name}-*").body.get(f"{kind}s", ())
            for entry in entries:
                ask(client, "DELETE", f"/_{kind}/{entry['name']}")
