"""A finding about a machine reads by itself: who, what, where, and what else is related."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from detectors.engine import detect
from detectors.finding import COPIED, findings, rule_fields
from detectors.sigma.compiler import load_pack, load_rules
from detectors.site import Criticality, Site
from ingest.schema import DTYPES
from worker.settings import shipped_rules

if TYPE_CHECKING:
    from pathlib import Path

EVENT: dict[str, Any] = {
    "@timestamp": datetime(2026, 11, 21, 10, 40, tzinfo=UTC),
    "event.id": "e1",
    "trailwarden.act.id": "act",
    "event.dataset": "wazuh.syscheck",
    "event.action": "file-modify",
    "orchestrator.cluster.name": "c",
    "host.name": "node-4",
    "user.name": "root",
    "user.audit.name": "alice",
    "user.target.name": "eve",
    "source.domain": "laptop.example.com",
    "destination.ip": "198.51.100.20",
    "process.executable": "/usr/bin/vi",
    "file.path": "/etc/shadow",
    "file.hash.md5": "0cc1",
    "file.hash.sha256": "ca97",
    "trailwarden.file.hash_before": "3e23",
}


@pytest.fixture
def document(tmp_path: Path) -> dict[str, Any]:
    file = tmp_path / "key-file-change" / "rule.yml"
    file.parent.mkdir()
    file.write_text(
        "title: A file changed\nid: 0a0a0a0a-0000-4000-8000-000000000001\n"
        "logsource: {product: linux, category: file_event}\n"
        "detection: {a: {TargetFilename: /etc/shadow, User: root}, condition: a}\n"
        "trailwarden: {message: '{user.name} did {event.action} {file} {place}.'}\n"
    )
    rules = load_rules([file])
    events = pl.DataFrame([EVENT], schema=DTYPES)
    (finding,) = findings(events, detect(events, rules), rules)
    return finding.document


def test_it_says_who_what_and_where(document: dict[str, Any]) -> None:
    assert document["message"] == "root (logged in as alice) changed /etc/shadow on node-4."
    for column in ("host.name", "user.audit.name", "file.path", "process.executable"):
        assert document[column] == EVENT[column]


def test_what_is_related_is_gathered(document: dict[str, Any]) -> None:
    assert document["related.user"] == ["alice", "eve", "root"]
    assert document["related.ip"] == ["198.51.100.20"]
    assert document["related.hosts"] == ["laptop.example.com", "node-4"]
    assert document["related.hash"] == ["0cc1", "3e23", "ca97"]


COMMUNITY = """\
title: Theirs
id: 0a0a0a0a-0000-4000-8000-000000000001
author: Rule Writers
logsource: {product: linux}
detection: {a: {TargetFilename: /etc/shadow}, condition: a}
"""


@pytest.mark.parametrize(
    ("more", "ruleset", "licence"),
    [
        ("", "theirs", None),
        ("license: DRL-1.1\n", "theirs", "DRL-1.1"),
        ("trailwarden: {category: key-file-change}\n", "trailwarden", "Apache-2.0"),
        ("license: MIT\ntrailwarden: {category: key-file-change}\n", "trailwarden", "MIT"),
    ],
)
def test_a_rule_from_elsewhere_keeps_its_folder_its_licence_and_its_author(
    tmp_path: Path, more: str, ruleset: str, licence: str | None
) -> None:
    file = tmp_path / "theirs" / "linux" / "rule.yml"
    file.parent.mkdir(parents=True)
    file.write_text(COMMUNITY + more)
    pack = load_pack([tmp_path / "theirs"])
    events = pl.DataFrame([EVENT], schema=DTYPES)
    (finding,) = findings(events, detect(events, pack.rules), pack.rules)
    assert finding.document["rule.ruleset"] == ruleset
    assert finding.document.get("rule.license") == licence
    assert finding.document["rule.author"] == ["Rule Writers"]


def test_what_is_installed_with_the_program_is_its_own() -> None:
    pack = load_pack([shipped_rules()])
    every = (*pack.rules, *pack.correlations, *pack.waiting)
    assert {(one.ours, one.ruleset) for one in every} == {(True, "trailwarden")}


def test_what_rules_over_time_report_names_their_folder_too(tmp_path: Path) -> None:
    file = tmp_path / "theirs" / "often.yml"
    file.parent.mkdir()
    section = "type: event_count, rules: [one], timespan: 1m, condition: {gte: 1}"
    file.write_text(
        COMMUNITY.replace("id: 0a0a0a0a-0000-4000-8000-000000000001", "name: one")
        + "---\ntitle: Often\nid: 0a0a0a0a-0000-4000-8000-000000000002\n"
        + f"correlation: {{{section}}}\n"
    )
    pack = load_pack([file])
    (correlation,) = pack.correlations
    told = dict(rule_fields(correlation))
    assert told["rule.ruleset"] == "theirs"
    assert "rule.license" not in told


def test_its_evidence_needs_no_audit_id(document: dict[str, Any]) -> None:
    assert document["trailwarden.evidence.event_ids"] == ["e1"]
    assert document["trailwarden.evidence.audit_ids"] == []
    assert document["trailwarden.evidence.values"] == []
    assert document["trailwarden.act.id"] == "act"


def test_what_the_event_lacks_is_not_there(document: dict[str, Any]) -> None:
    assert "container.id" not in document
    assert "source.ip" not in document
    assert None not in document.values()


def test_what_is_copied_is_a_column_once() -> None:
    assert set(COPIED) <= set(DTYPES)
    assert len(COPIED) == len(set(COPIED))


@pytest.mark.parametrize(
    "before",
    [
        {"trailwarden.dry_run": True},
        {"event.outcome": "failure", "http.response.status_code": 403},
    ],
)
def test_a_try_that_was_not_carried_out_does_not_stand_for_the_act(
    tmp_path: Path, before: dict[str, Any]
) -> None:
    file = tmp_path / "rule.yml"
    file.write_text(
        "title: Privileged\nid: 0a0a0a0a-0000-4000-8000-000000000001\nlevel: high\n"
        "logsource: {product: kubernetes}\n"
        "detection: {a: {trailwarden.pod_spec.privileged: true}, condition: a}\n"
    )
    rules = load_rules([file])
    created = {
        "@timestamp": datetime(2026, 11, 21, 10, 40, tzinfo=UTC),
        "event.dataset": "kubernetes.audit",
        "event.outcome": "success",
        "orchestrator.cluster.name": "c",
        "orchestrator.namespace": "web",
        "trailwarden.pod_spec.workload.kind": "Deployment",
        "trailwarden.pod_spec.workload.name": "shop",
        "trailwarden.pod_spec.privileged": True,
    }
    acts = [created | before, created | before, created, created]
    rows = [{"event.id": str(n), "trailwarden.act.id": f"a{n}"} | act for n, act in enumerate(acts)]
    events = pl.DataFrame(rows, schema=DTYPES)

    hits = detect(events, rules)
    first, again, real, repeated = findings(events, hits, rules)
    assert (first.level, real.level) == ("medium", "high")
    assert first.id == again.id != real.id == repeated.id

    # Where the namespace makes up for the try, they are still two.
    critical = Site(criticality={"web": Criticality.CRITICAL})
    first, _, real, _ = findings(events, hits, rules, critical)
    assert (first.level, real.level) == ("high", "critical")
    assert first.id != real.id
