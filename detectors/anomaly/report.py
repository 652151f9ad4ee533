"""A strange minute becomes a finding: the same form as that of any rule, with its reasons.

Separate from the learning because what people read is decided here: level, sentence, evidence.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from detectors.exceptions import excepted
from detectors.finding import COPIED, RELATED, SEVERITY, Finding, iso_time, related_fields
from detectors.message import printable
from detectors.severity import LEVELS, Severity, in_context
from detectors.sigma.rule import Level
from ingest.ids import episode_id
from ingest.unix_time import unix_us
from models.profile.action_key import READ

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from detectors.anomaly.detector import Detector
    from detectors.exceptions import Exemption
    from detectors.site import Site
    from models.profile.words import Reason

MOST_EVIDENCE: Final = 100
HIGH_SHARE: Final = 0.01
"""Of the budget's tail probability: what is so much rarer is high. A score that few days have."""

_RARE: Final = "raised: a hundred times rarer than the budget of findings asks for"

SHOWN: Final = (
    *("event.created", "event.dataset", "trailwarden.parse.issues", "kubernetes.audit.auditID"),
    *("user_agent.original", "orchestrator.resource.name", "trailwarden.identity.type"),
    "trailwarden.credential.id",
)
"""Columns of a first event that a finding shows, besides those that the profile reads."""


def shown_columns(exceptions: Sequence[Exemption]) -> tuple[str, ...]:
    """Return SHOWN and what the scopes of exceptions read besides."""
    read = {name for one in exceptions for name in one.columns}
    return (*SHOWN, *sorted(read.difference(SHOWN, READ)))


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
    threshold: float
    """Score from which on a minute is reported."""
    budget_a_day: float
    normal: str
    """What was known of the identity before, in words."""
    model: str = ""
    """What the detector began with, NAME/VERSION; empty: nothing."""


def exception_to(
    detector: Detector, evidence: pl.DataFrame, exceptions: Sequence[Exemption]
) -> str | None:
    """Return the place of the first exception that covers something of what is strange.

    None unless exceptions cover every event of it: what else happened must not hide behind them.
    """
    if not exceptions:
        return None
    hits = evidence.select(
        pl.int_range(pl.len(), dtype=pl.UInt32).alias("row"),
        pl.lit(0, dtype=pl.UInt32).alias("rule"),
    )
    left, held = excepted(hits, evidence, [detector], exceptions)
    return None if left.height else next(iter(held))


def finding_of(
    detector: Detector, event: Mapping[str, Any], strange: Strange, site: Site
) -> Finding:
    """Make the finding.

    Parameters
        event: columns of the first strange event of the minute.
        site: what raises and lowers levels.
    """
    cluster = event["orchestrator.cluster.name"] or ""
    time: datetime = event["@timestamp"]
    micros = unix_us(time)
    identifier = episode_id(detector.id, cluster, [strange.identity], micros)
    severity = _severity(detector, strange, event, site)
    full = dict.fromkeys(RELATED) | dict(event)
    document = {
        "@timestamp": iso_time(time),
        "event.kind": "alert",
        **dict(detector.fields()),
        "message": _message(cluster, strange),
        "trailwarden.finding.id": identifier,
        "trailwarden.act.id": identifier,
        "event.severity": SEVERITY[severity.level],
        "trailwarden.severity": severity.level.value,
        "trailwarden.rule_level": detector.level.value,
        "trailwarden.severity_reasons": list(severity.reasons),
        **{column: event[column] for column in COPIED if event.get(column) is not None},
        **related_fields(full),
        "trailwarden.anomaly.score": round(strange.score, 3),
        "trailwarden.anomaly.tail_probability": strange.probability,
        "trailwarden.anomaly.threshold": round(strange.threshold, 3),
        "trailwarden.anomaly.budget_a_day": strange.budget_a_day,
        "trailwarden.anomaly.reasons": [one.text for one in strange.reasons],
        "trailwarden.anomaly.normal": strange.normal,
        **({"trailwarden.anomaly.model": strange.model} if strange.model else {}),
        "trailwarden.episode.start": iso_time(time),
        "trailwarden.episode.closed": False,
        "trailwarden.evidence.event_ids": list(strange.events),
        "trailwarden.evidence.audit_ids": list(strange.audit_ids),
        "trailwarden.evidence.values": [],
    }
    return Finding(identifier, (micros, event["event.id"]), severity.level, document)


def _severity(
    detector: Detector, strange: Strange, event: Mapping[str, Any], site: Site
) -> Severity:
    rare = strange.probability <= strange.wanted * HIGH_SHARE
    own = replace(detector, level=Level.HIGH if rare else detector.level)
    around = in_context(own, event, site)
    level, reasons = around.level, around.reasons
    if rare:
        reasons = (_RARE, *reasons)
    if strange.is_refused:
        reasons = (*reasons, "lowered: nothing of it was carried out")
        level = level if around.lowered else LEVELS[max(LEVELS.index(level) - 1, 0)]
    return Severity(level, reasons, around.lowered or strange.is_refused)


def _message(cluster: str, strange: Strange) -> str:
    who = printable(strange.identity) if strange.identity else "An unauthenticated client"
    why = "; ".join(printable(one.text) for one in strange.reasons[:2])
    return f"{who} did what is unusual in cluster {printable(cluster)}: {why}."
