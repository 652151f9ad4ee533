"""A writer is called until all is answered, on a clock that is told; then what is there is read."""

from __future__ import annotations

from typing import Any

from sinks.elasticsearch.bulk import BulkWriter
from sinks.elasticsearch.connection import Client
from sinks.elasticsearch.transport import require


class Clock:
    """Seconds that pass only when told: no test waits for a back-off."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def stored(client: Client, prefix: str) -> list[tuple[str, str]]:
    """Return (index, id) of everything there is, page by page."""
    require(client, "POST", f"/{prefix}-*/_refresh")
    query: dict[str, Any] = {"size": 10_000, "sort": ["_doc"], "_source": False}
    hits = require(client, "POST", f"/{prefix}-*/_search", query)["hits"]["hits"]
    assert len(hits) < 10_000
    return [(hit["_index"], hit["_id"]) for hit in hits]


def drain(bulk: BulkWriter, clock: Clock, rounds: int = 2_000) -> None:
    for _ in range(rounds):
        wait = bulk.flush()
        if wait is None:
            return
        clock.now_s += wait.seconds
    raise AssertionError("never done")
