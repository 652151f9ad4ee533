"""What the tests of normalize share: a plain audit event to alter, and one call from it to rows."""

from __future__ import annotations

import copy
import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import orjson
import polars as pl
import pytest

from ingest.address import Network
from ingest.normalize import Normalized, NormalizeSettings, normalize
from ingest.record import Records
from ingest.redact.token import Redactor

Event = dict[str, Any]
Build = Callable[..., Event]
Run = Callable[..., Normalized]
Row = Callable[..., dict[str, Any]]

KEY: Final = b"a key of the tests"
CHUNK: Final = 500

PLAIN: Final[Event] = {
    "kind": "Event",
    "apiVersion": "audit.k8s.io/v1",
    "level": "RequestResponse",
    "auditID": "b7a1a4c5-0000-4000-8000-00000000000a",
    "stage": "ResponseComplete",
    "requestURI": "/api/v1/namespaces/shop/pods?fieldManager=kubectl-create",
    "verb": "create",
    "user": {"username": "jane", "uid": "u-1", "groups": ["dev", "system:authenticated"]},
    "sourceIPs": ["203.0.113.7"],
    "userAgent": "kubectl/v1.36.3 (linux/amd64) kubernetes/abcdef0",
    "objectRef": {"resource": "pods", "namespace": "shop", "name": "web", "apiVersion": "v1"},
    "responseStatus": {"metadata": {}, "code": 201},
    "requestObject": {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"containers": [{"name": "app", "image": "nginx:1.27"}]},
    },
    "requestReceivedTimestamp": "2026-11-21T10:46:08.594628Z",
    "stageTimestamp": "2026-11-21T10:46:08.601113Z",
    "annotations": {
        "authorization.k8s.io/decision": "allow",
        "authorization.k8s.io/reason": (
            'RBAC: allowed by RoleBinding "edit/shop" of ClusterRole "edit" to Group "dev"'
        ),
    },
}


@pytest.fixture
def build() -> Build:
    """Build an audit event: a plain one with some members replaced; None takes one away."""

    def build_event(**members: Any) -> Event:
        event = copy.deepcopy(PLAIN) | copy.deepcopy(members)
        return {key: value for key, value in event.items() if value is not None}

    return build_event


def as_bytes(raw: Any) -> bytes:
    return raw if isinstance(raw, bytes) else orjson.dumps(raw)


@pytest.fixture
def run() -> Run:
    """Normalize records, given as bytes or as what JSON can say, in one batch."""

    def run_normalize(
        *raws: Any,
        cluster: str = "blue",
        key: bytes = KEY,
        trusted: tuple[Network, ...] = (),
        chunk: int = CHUNK,
    ) -> Normalized:
        lines = [as_bytes(raw) for raw in raws]
        places = list(range(len(lines)))
        chunks = [
            Records("audit.log", lines[at : at + chunk], places[at : at + chunk])
            for at in range(0, len(lines), chunk)
        ]
        return normalize(chunks, NormalizeSettings(cluster, Redactor(key), trusted))

    return run_normalize


@pytest.fixture
def row(run: Run) -> Row:
    """Normalize one record that gives exactly one event, and return the event's values."""

    def row_of(raw: Any, **settings: Any) -> dict[str, Any]:
        found = run(raw, **settings)
        assert not found.refused
        assert found.events.height == 1
        return found.events.row(0, named=True)

    return row_of


@pytest.fixture(scope="session")
def lines(recording: Path) -> list[bytes]:
    """Return the records of the labelled recording."""
    return gzip.decompress((recording / "audit.log.gz").read_bytes()).splitlines()


@pytest.fixture(scope="session")
def recorded(lines: list[bytes]) -> pl.DataFrame:
    """Normalize the whole recording."""
    frames = []
    for start in range(0, len(lines), 10 * CHUNK):
        chunks = [
            Records(
                "audit.log", lines[at : at + CHUNK], list(range(at, at + CHUNK))[: len(lines) - at]
            )
            for at in range(start, min(start + 10 * CHUNK, len(lines)), CHUNK)
        ]
        found = normalize(chunks, NormalizeSettings("blue", Redactor(KEY)))
        assert not found.refused
        frames.append(found.events)
    return pl.concat(frames)


@pytest.fixture(scope="session")
def example(recording: Path) -> Callable[[str], Event]:
    """Return one of the recorded events of a surprising form, by the name of its file."""

    def read(name: str) -> Event:
        document: Event = orjson.loads((recording / "examples" / f"{name}.json").read_bytes())
        return document

    return read
