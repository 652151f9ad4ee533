"""Hits become findings: ECS documents with ids that name the act, not the batch.

Separate from the engine because a hit is a row and a rule, while a finding is what people and
stores see. Each finding stands for one act: both stages of a request share its id, and so do a
workload and the pods that controllers make of it (ingest/ids.py), whoever cuts the log where.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from detectors.attack import TECHNIQUES
from detectors.entities.recalled import RECALLED_DTYPES
from detectors.message import render
from detectors.severity import in_context
from detectors.sigma.rule import Level
from detectors.site import Site
from ingest.ids import finding_id, workload_act_id
from ingest.redact.token import MASKED, TOKEN_PATTERN
from ingest.schema import POD_SPEC_PREFIX
from ingest.unix_time import unix_us

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from detectors.severity import Severity
    from detectors.sigma.pack import Detection
    from detectors.sigma.rule import Rule

SEVERITY: Final[Mapping[Level, int]] = {
    Level.INFORMATIONAL: 5,
    Level.LOW: 21,
    Level.MEDIUM: 47,
    Level.HIGH: 73,
    Level.CRITICAL: 99,
}
"""event.severity per level: the scale of Elastic Security's risk scores, so that both sort so."""

COPIED: Final = (
    "event.action",
    "event.outcome",
    "event.dataset",
    "event.provider",
    "host.name",
    "container.id",
    "container.name",
    "container.image.name",
    "trailwarden.workload.kind",
    "trailwarden.workload.name",
    "orchestrator.cluster.name",
    "orchestrator.namespace",
    "orchestrator.resource.type",
    "orchestrator.resource.name",
    "kubernetes.audit.objectRef.subresource",
    "kubernetes.audit.requestURI",
    "http.response.status_code",
    "user.name",
    "user.id",
    "user.effective.name",
    "user.audit.name",
    "user.target.name",
    "group.name",
    "kubernetes.audit.user.groups",
    "trailwarden.identity.type",
    "trailwarden.credential.id",
    "source.ip",
    "source.address_chain",
    "source.domain",
    "destination.ip",
    "destination.port",
    "destination.domain",
    "user_agent.original",
    "process.command_line",
    "process.name",
    "process.executable",
    "process.pid",
    "process.working_directory",
    "process.parent.name",
    "process.parent.executable",
    "process.parent.command_line",
    "trailwarden.process.ancestors",
    "trailwarden.process.terminal",
    "file.path",
    "file.target_path",
    "file.hash.sha256",
    "trailwarden.file.hash_before",
    "trailwarden.file.changed",
    "package.name",
    "trailwarden.package.manager",
    "trailwarden.package.action",
    "trailwarden.session.service",
    "trailwarden.session.method",
    "trailwarden.session.key",
    "trailwarden.session.terminal",
    "trailwarden.tool.rule",
    "trailwarden.tool.severity",
    "trailwarden.tool.action",
    "trailwarden.authorization.role",
    "trailwarden.authorization.binding",
    "trailwarden.dry_run",
    "trailwarden.truncated",
)
"""Columns of the evidence that stand in the finding as well, so that it reads by itself."""

_UNKNOWN_SITE: Final = Site()
_USERS: Final = ("user.name", "user.effective.name", "user.audit.name", "user.target.name")
_ADDRESSES: Final = ("source.ip", "destination.ip")
_CHAIN: Final = "source.address_chain"
_HOSTS: Final = ("host.name", "source.domain", "destination.domain")
_HASHES: Final = (
    "file.hash.md5",
    "file.hash.sha1",
    "file.hash.sha256",
    "trailwarden.file.hash_before",
)
RELATED: Final = (*_USERS, *_ADDRESSES, _CHAIN, *_HOSTS, *_HASHES)
"""Columns that `related_fields` reads."""

_DAY: Final = "%Y-%m-%d"
_OWN_LICENCE: Final = "Apache-2.0"


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding: its id, when its evidence happened, its level in context, and the document.

    ``order`` sorts findings as their evidence stands in the log: (microseconds, event.id).
    """

    id: str
    order: tuple[int, str]
    level: Level
    document: dict[str, Any]


def findings(
    events: pl.DataFrame, hits: pl.DataFrame, rules: Sequence[Rule], site: Site = _UNKNOWN_SITE
) -> list[Finding]:
    """Make findings from hits.

    Parameters
        events: a batch under EVENT_SCHEMA.
        hits: ``row``, ``rule`` and ``matched`` as `detectors.engine.detect` returns them.
        rules: the rules that ``hits`` refers to.
        site: what raises and lowers levels.

    Returns
        one finding per hit, in the hits' order; findings of one act share their id, and the
        caller keeps the first in log order.
    """
    if not hits.height:
        return []
    rows = hits["row"].unique().sort()
    evidence = dict(zip(rows, events[rows].iter_rows(named=True), strict=True))
    masked = hits["matched"].list.eval(pl.element().str.replace_all(TOKEN_PATTERN, MASKED))
    return [
        _finding(rules[rule], evidence[row], matched, list(stable), site)
        for row, rule, matched, stable in zip(
            hits["row"], hits["rule"], hits["matched"].to_list(), masked.to_list(), strict=True
        )
    ]


def _finding(
    rule: Rule, event: Mapping[str, Any], matched: list[str], stable: list[str], site: Site
) -> Finding:
    cluster = event["orchestrator.cluster.name"]
    time: datetime | None = event["@timestamp"]
    severity = in_context(rule, event, site)
    act = _act_id(event, cluster, time, _told_apart(stable, severity))
    identifier = finding_id(rule.id, cluster, act)
    document = {
        "@timestamp": iso_time(time),
        "event.kind": "alert",
        **dict(rule_fields(rule)),
        "message": render(rule.message, rule.title, event),
        "trailwarden.finding.id": identifier,
        "trailwarden.act.id": act,
        **level_fields(rule, severity),
        **{column: event[column] for column in COPIED if event[column] is not None},
        **recalled_fields(event, recalled_by(rule)),
        **related_fields(event),
        **_evidence(event, matched),
    }
    time_us = 0 if time is None else unix_us(time)
    return Finding(identifier, (time_us, event["event.id"]), severity.level, document)


def _told_apart(matched: list[str], severity: Severity) -> list[str]:
    """Return what names the act of a workload; one whose level was lowered is another.

    Else a dry run or a refused request ahead of the real one would be the finding of both, since
    the first stands for all of a day: at its low level.
    """
    return [*matched, "level=lowered"] if matched and severity.lowered else matched


def _act_id(
    event: Mapping[str, Any], cluster: str, time: datetime | None, matched: list[str]
) -> str:
    if not matched:
        act: str = event["trailwarden.act.id"]
        return act
    kind = event[POD_SPEC_PREFIX + "workload.kind"] or ""
    root = (kind, event[POD_SPEC_PREFIX + "workload.name"] or "")
    day = "" if time is None else f"{time:{_DAY}}"
    return workload_act_id(cluster, event["orchestrator.namespace"], root, day, matched)


def level_fields(detection: Detection, severity: Severity) -> dict[str, Any]:
    """Return what a finding says about its level."""
    return {
        "event.severity": SEVERITY[severity.level],
        "trailwarden.severity": severity.level.value,
        "trailwarden.rule_level": detection.level.value,
        "trailwarden.severity_reasons": list(severity.reasons),
    }


def rule_fields(rule: Detection) -> Iterator[tuple[str, object]]:
    """Yield what a finding says about its rule."""
    techniques = [TECHNIQUES[t] for t in rule.techniques if t in TECHNIQUES]
    yield "rule.id", rule.id
    yield "rule.name", rule.title
    yield "rule.description", rule.description
    yield "rule.category", rule.category.value
    yield "rule.ruleset", rule.ruleset
    yield "rule.author", [rule.author] if rule.author else []
    if licence := rule.license or (_OWN_LICENCE if rule.ours else None):
        yield "rule.license", licence
    yield "rule.reference", list(rule.references)
    yield "threat.framework", "MITRE ATT&CK"
    yield "threat.technique.id", list(rule.techniques)
    yield "threat.technique.name", [technique.name for technique in techniques]
    yield "threat.tactic.name", [tactic.replace("-", " ").title() for tactic in rule.tactics]
    yield "trailwarden.next_steps", list(rule.next_steps)
    yield "trailwarden.false_positives", list(rule.falsepositives)


def recalled_by(rule: Rule) -> tuple[str, ...]:
    """Return the columns of RECALLED that a rule and its message name."""
    told = rule.message.columns if rule.message else ()
    read = rule.columns.union(told)
    return tuple(column for column in RECALLED_DTYPES if column in read)


def recalled_fields(
    event: Mapping[str, Any], columns: Iterable[str] = RECALLED_DTYPES
) -> dict[str, Any]:
    """Return what the memory knew of an event when a rule asked, as far as it knew anything."""
    known = {column: event.get(column) for column in columns}
    return {
        column: iso_time(value) if isinstance(value, datetime) else value
        for column, value in known.items()
        if value is not None
    }


def related_fields(event: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return whom and what an event is about, under the names that investigations pivot on."""
    found = {
        "related.user": {event[name] for name in _USERS},
        "related.ip": {event[name] for name in _ADDRESSES} | {*(event[_CHAIN] or ())},
        "related.hosts": {event[name] for name in _HOSTS},
        "related.hash": {event[name] for name in _HASHES},
    }
    named = {field: sorted(values - {None, ""}) for field, values in found.items()}
    return {field: values for field, values in named.items() if values}


def _evidence(event: Mapping[str, Any], matched: list[str]) -> dict[str, list[str]]:
    audit_id = event["kubernetes.audit.auditID"]
    return {
        "trailwarden.evidence.event_ids": [event["event.id"]],
        "trailwarden.evidence.audit_ids": [audit_id] if audit_id else [],
        "trailwarden.evidence.values": matched,
    }


def iso_time(time: datetime | None) -> str | None:
    """Return a time as findings hold it: UTC, microseconds."""
    if time is None:
        return None
    return f"{time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
