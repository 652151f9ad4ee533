"""Messages of `raw` as collectors write them, for tests of what the worker makes of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from ingest.collectors.canary import canary_record
from ingest.envelope import Envelope, Format
from ingest.record import Salvage
from ingest.sources.kafka import Record

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
TOPIC = "raw"


def audit_event(number: int, time: datetime = NOON, **members: Any) -> dict[str, Any]:
    """Return an audit event; the same number and time give the same event.id."""
    stamp = time.isoformat(timespec="microseconds").replace("+00:00", "Z")
    return {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": f"00000000-0000-4000-8000-{number:012x}",
        "stage": "ResponseComplete",
        "requestURI": f"/api/v1/namespaces/default/configmaps/c{number}",
        "verb": "get",
        "user": {"username": "alice", "groups": ["system:authenticated"]},
        "sourceIPs": ["192.0.2.7"],
        "objectRef": {
            "resource": "configmaps",
            "namespace": "default",
            "name": f"c{number}",
            "apiVersion": "v1",
        },
        "responseStatus": {"code": 200},
        "requestReceivedTimestamp": stamp,
        "stageTimestamp": stamp,
        **members,
    }


def message(
    offset: int,
    value: Any,
    *,
    cluster: str = "blue",
    partition: int = 0,
    received: datetime = NOON + timedelta(seconds=1),
    salvage: Salvage | None = None,
    kind: Format = Format.RECORD,
) -> Record:
    """Return a message; a value that is not bytes is written as JSON."""
    raw = value if isinstance(value, bytes) else orjson.dumps(value)
    envelope = Envelope(cluster, "collector", kind, received, "audit.log", salvage)
    return Record(partition, offset, raw, envelope, int(received.timestamp() * 1000))


def canary(
    offset: int,
    time: datetime,
    *,
    caught_up: bool = True,
    cluster: str = "blue",
    partition: int = 0,
    received: datetime | None = None,
) -> Record:
    """Return a canary that says ``time``."""
    _, value = canary_record(cluster, "collector", "audit.log", time, caught_up)
    return message(
        offset,
        value,
        cluster=cluster,
        partition=partition,
        received=received or time,
        kind=Format.CANARY,
    )
