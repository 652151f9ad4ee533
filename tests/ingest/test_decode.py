"""Records of several formats in one batch: each is told by itself, and keeps its place."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import polars as pl
import pytest

from ingest.formats import registry
from ingest.formats.reader import Document
from ingest.formats.seen import Around, Seen
from ingest.normalize import Normalized, NormalizeSettings, normalize
from ingest.record import Reason, Records
from ingest.redact.token import Redactor

REDACTOR = Redactor(b"a key of this test only")
SECRET = "hunter2-hunter2"
CLUSTER = "orchestrator.cluster.name"
AKS = "/SUBSCRIPTIONS/0000/RESOURCEGROUPS/RG/PROVIDERS/MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/"


def audit(number: int, **members: Any) -> bytes:
    event = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "auditID": f"a{number}",
        "stage": "ResponseComplete",
        "verb": "get",
        "requestURI": "/api/v1/pods",
        "user": {"username": "alice@example.com"},
        "responseStatus": {"code": 200},
        "requestReceivedTimestamp": "2026-11-21T10:00:00.000000Z",
        "stageTimestamp": "2026-11-21T10:00:00.000001Z",
    }
    return orjson.dumps({**event, **members})


def falco(command: str = "bash", **members: Any) -> bytes:
    alert = {
        "hostname": "node-1",
        "time": "2026-11-21T10:00:00.123456789Z",
        "rule": "Terminal shell in container",
        "priority": "Notice",
        "source": "syscall",
        "output": f"A shell was spawned (command={command})",
        "output_fields": {"evt.type": "execve", "proc.cmdline": command, "proc.name": "bash"},
    }
    return orjson.dumps({**alert, **members})


def aks(cluster: str, *events: bytes, category: str = "kube-audit") -> bytes:
    records = [
        {
            "category": category,
            "resourceId": AKS + cluster,
            "time": "2026-11-21T10:00:00Z",
            "operationName": "x",
            "properties": {"log": event.decode(), "stream": "stdout", "pod": "kube-apiserver-0"},
        }
        for event in events
    ]
    return orjson.dumps({"records": records})


def run(
    *raws: bytes, settings: NormalizeSettings | None = None, cluster: str | None = None
) -> Normalized:
    chunk = Records("x", list(raws), list(range(len(raws))), cluster=cluster)
    return normalize([chunk], settings or NormalizeSettings("blue", REDACTOR, is_default=True))


def test_events_stand_in_the_order_of_their_records() -> None:
    raws = [audit(1), falco(), audit(2), audit(3), falco("id"), audit(4)]
    first, *rest = (run(*raws).events, run(*raws[::-1]).events)
    assert first["log.offset"].to_list() == list(range(6))
    assert first["event.dataset"].to_list() == [
        "kubernetes.audit" if b"auditID" in raw else "falco.alerts" for raw in raws
    ]
    assert rest[0]["event.id"].to_list() == first["event.id"].to_list()[::-1]


def test_the_order_holds_across_chunks() -> None:
    raws = [audit(1), audit(2), falco(), audit(3), falco("id"), audit(4)]
    chunks = [Records("x", [raw], [offset]) for offset, raw in enumerate(raws)]
    events = normalize(chunks, NormalizeSettings("blue", REDACTOR)).events
    assert events["log.offset"].to_list() == list(range(6))
    whole = run(*raws, settings=NormalizeSettings("blue", REDACTOR)).events
    assert events["event.id"].to_list() == whole["event.id"].to_list()


def test_an_envelope_names_the_cluster_only_where_nobody_else_does() -> None:
    raw = aks("GREEN", audit(1), audit(2))
    assert run(raw, audit(3)).events[CLUSTER].str.to_lowercase().to_list() == [
        "green",
        "green",
        "blue",
    ]
    named = NormalizeSettings("blue", REDACTOR)
    assert run(raw, settings=named).events[CLUSTER].to_list() == ["blue"] * 2
    assert run(raw, cluster="red").events[CLUSTER].to_list() == ["red"] * 2
    assert run(raw, cluster="red").events["cloud.provider"].to_list() == ["azure"] * 2


def test_an_event_is_the_same_within_an_envelope_and_without() -> None:
    settings = NormalizeSettings("blue", REDACTOR)
    bare = run(audit(1), settings=settings).events
    wrapped = run(aks("GREEN", audit(1)), settings=settings).events
    assert wrapped["event.id"].to_list() == bare["event.id"].to_list()


def test_what_nobody_wants_is_counted_and_not_copied() -> None:
    found = run(aks("GREEN", b"I1121 klog text", category="kube-scheduler"), audit(1))
    assert [one.reason for one in found.refused] == [Reason.NOT_WANTED]
    assert found.refused[0].copy is None
    assert found.events.height == 1


def test_envelopes_within_envelopes_end() -> None:
    raw = audit(1)
    for _ in range(10):
        raw = aks("GREEN", raw)
    found = run(raw)
    assert found.events.height == 0
    assert [one.reason for one in found.refused] == [Reason.TOO_DEEP]


def test_one_event_has_one_id_for_each_cluster() -> None:
    ids = {run(falco(), cluster=cluster).events["event.id"].item() for cluster in ("red", "green")}
    assert len(ids) == 2


def test_a_password_in_an_alert_is_nowhere() -> None:
    for command in (f"mysql -p{SECRET}", f"curl -u root:{SECRET} http://198.51.100.1"):
        events = run(falco(command)).events
        assert SECRET not in repr(events.rows())
        assert SECRET.encode() not in events.write_ipc(None).getvalue()
        assert events["trailwarden.redacted"].item() is not None


def test_lines_without_a_year_take_it_from_when_they_were_received() -> None:
    line = b"Dec 31 23:59:59 web-1 sshd[7]: Accepted password for root from 203.0.113.9 port 7 ssh2"
    received = datetime(2027, 1, 1, 0, 10, tzinfo=UTC)
    chunk = Records("x", [line], [0], received=[received])
    events = normalize([chunk], NormalizeSettings("blue", REDACTOR)).events
    assert events["@timestamp"].to_list() == [datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)]


def test_a_batch_of_alerts_alone_has_all_columns() -> None:
    found = run(falco()).events
    both = run(falco(), audit(1)).events
    assert found.schema == both.schema
    assert pl.concat([found, both]).height == 3


def test_a_decoder_that_fails_costs_its_record_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Document, __: Around) -> list[Seen]:
        raise IndexError("a fault")

    known = ((lambda document: "rule" in document, fail), *registry.DOCUMENTS)
    monkeypatch.setattr(registry, "DOCUMENTS", known)
    found = run(audit(1), falco(), audit(2))
    assert found.events["log.offset"].to_list() == [0, 2]
    assert [one.reason for one in found.refused] == [Reason.DECODER_FAILED]
