"""What the tests of the sources share: an audit event, and a stream cut into records."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import pytest

from ingest.record import InputProblem, Refused, Salvage
from ingest.sources.framing import frame

Event = Callable[..., bytes]


@dataclass
class Framed:
    """Everything that came out of one stream."""

    raws: list[bytes] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    problems: list[InputProblem] = field(default_factory=list)
    salvaged: dict[int, Salvage] = field(default_factory=dict)
    sizes: list[int] = field(default_factory=list)


def framed(chunks: Iterable[bytes | InputProblem]) -> Framed:
    out = Framed()
    for records in frame("audit.log", chunks):
        assert len(records.raws) == len(records.offsets)
        out.raws += records.raws
        out.offsets += records.offsets
        out.refused += records.refused
        out.problems += records.problems
        out.salvaged |= records.salvaged
        out.sizes.append(len(records.raws))
    return out


@pytest.fixture(scope="session")
def frames() -> Callable[..., Framed]:
    """Return what cuts bytes (in chunks of a size) or chunks into records."""

    def cut(stream: bytes | Iterable[bytes | InputProblem], size: int = 1 << 20) -> Framed:
        if not isinstance(stream, bytes):
            return framed(stream)
        return framed(stream[i : i + size] for i in range(0, len(stream), size))

    return cut


@pytest.fixture(scope="session")
def event() -> Event:
    """Return what makes an audit event in the order of the API server's fields."""

    def make(number: int = 0, indent: int | None = None, **bodies: object) -> bytes:
        document = {
            "kind": "Event",
            "apiVersion": "audit.k8s.io/v1",
            "level": "RequestResponse",
            "auditID": f"00000000-0000-0000-0000-{number:012d}",
            "stage": "ResponseComplete",
            "requestURI": "/api/v1/namespaces/shop/pods",
            "verb": "create",
            "user": {"username": "alice", "groups": ["dev", 'quo"ted\\', "{[brace"]},
            "sourceIPs": ["10.0.0.1"],
            "objectRef": {"resource": "pods", "namespace": "shop"},
            "responseStatus": {"metadata": {}, "code": 201},
            **bodies,
            "requestReceivedTimestamp": "2026-11-21T10:46:06.665261Z",
            "stageTimestamp": "2026-11-21T10:46:06.669527Z",
            "annotations": {"authorization.k8s.io/decision": "allow"},
        }
        separators = (",", ":") if indent is None else (",", ": ")
        return json.dumps(document, indent=indent, separators=separators).encode()

    return make
