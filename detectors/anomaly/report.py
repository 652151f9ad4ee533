"""A strange minute becomes a finding: the same form as that of any rule, with its reasons.

Separate from the learning because what people read is decided here: level, sentence, evidence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from detectors.finding import COPIED, RELATED, SEVERITY, Finding, iso_time, related_fields
from detectors.message import printable
from detectors.sigma.rule import Level
from ingest.ids import episode_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from detectors.anomaly.detector import Detector
    from models.profile.words import Reason

MOST_EVIDENCE: Final = 100
HIGH_SHARE: Final = 0.01
"""Of the budget's tail probability: what is so much rarer is high. A score that few days have."""

SHOWN: Final = (
    *("event.created", "event.dataset", "trailwarden.parse.issues", "kubernetes.audit.auditID"),
    *("user_agent.original", "orchestrator.resource.name", "trailwarden.identity.type"),
    "trailwarden.credential.id",
)
"""Columns of a first event that a finding shows, besides those that the profile reads."""


@dataclass(frozen=True, slots=True)
class Strange:
    """A strange minute: how strange, why, and which events."""

    identity: str
    score: float
    probability: float
    wanted: float
    """Tail probability that the budget asks for."""
    reasons: Sequence[Reason]
    events: Sequence[str]
    audit_ids: Sequence[str]
    is_refused: bool
    """Whether nothing of it was carried out."""


def finding_of(detector: Detector, event: Mapping[str, Any], strange: Strange) -> Finding:
    """Make the finding.

    Parameters
        event: columns of the first strange event of the minute.
    """
    cluster = event["orchestrator.cluster.name"] or ""
    time: datetime = event["@timestamp"]
    micros = int(time.timestamp()) * 1_000_000 + time.microsecond
    identifier = episode_id(detector.id, cluster, [strange.identity], micros)
    level, why = _level(detector, strange)
    full = dict.fromkeys(RELATED) | dict(event)
    document = {
        "@timestamp": iso_time(time),
        "event.kind": "alert",
        **dict(detector.fields()),
        "message": _message(cluster, strange),
        "trailwarden.finding.id": identifier,
        "trailwarden.act.id": identifier,
        "event.severity": SEVERITY[level],
        "trailwarden.severity": level.value,
        "trailwarden.rule_level": detector.level.value,
        "trailwarden.severity_reasons": why,
        **{column: event[column] for column in COPIED if event.get(column) is not None},
        **related_fields(full),
        "trailwarden.anomaly.score": round(strange.score, 3),
        "trailwarden.anomaly.tail_probability": strange.probability,
        "trailwarden.anomaly.reasons": [one.text for one in strange.reasons],
        "trailwarden.episode.start": iso_time(time),
        "trailwarden.episode.closed": False,
        "trailwarden.evidence.event_ids": list(strange.events),
        "trailwarden.evidence.audit_ids": list(strange.audit_ids),
        "trailwarden.evidence.values": [],
    }
    return Finding(identifier, (micros, event["event.id"]), level, document)


def _level(detector: Detector, strange: Strange) -> tuple[Level, list[str]]:
    rare = strange.probability <= strange.wanted * HIGH_SHARE
    if rare and not strange.is_refused:
        return Level.HIGH, ["raised: a hundred times rarer than the budget of findings asks for"]
    if strange.is_refused and not rare:
        return Level.LOW, ["lowered: nothing of it was carried out"]
    return detector.level, []


def _message(cluster: str, strange: Strange) -> str:
    who = printable(strange.identity) if strange.identity else "An unauthenticated client"
    why = "; ".join(printable(one.text) for one in strange.reasons[:2])
    return f"{who} did what is unusual in cluster {printable(cluster)}: {why}."
