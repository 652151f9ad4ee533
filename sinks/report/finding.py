"""A finding document in, a typed finding out: every field present, of one type, in one place.

Separate because a document may lack any field and may hold any type in it (rules and inputs come
from elsewhere); after this module nothing needs to ask again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf, isfinite
from typing import TYPE_CHECKING, Final

from detectors.anomaly.fields import PREFIX as ANOMALY
from detectors.attack import TECHNIQUES
from detectors.entities.recalled import PREFIX as RECALLED
from detectors.entities.recalled import RECALLED_DTYPES
from sinks.report.model import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Elastic's bands for event.severity (its detection rules' docs, "Severity" and "Risk score"),
# for documents that carry the number only.
_BANDS: Final = (
    (74, Severity.CRITICAL),
    (48, Severity.HIGH),
    (22, Severity.MEDIUM),
    (0, Severity.LOW),
)
_FLAGS: Final = {True: "yes", False: "no"}
_COUNTABLE: Final = 1e9
"""Minutes: beyond, a tail that was fitted to some thousands says nothing more."""
_SEVERITIES: Final = {severity.value: severity for severity in Severity}


@dataclass(frozen=True, slots=True)
class Context:
    """What a finding says about its rule: the same for most findings of one rule."""

    why: str
    next_steps: tuple[str, ...]
    false_positives: tuple[str, ...]
    references: tuple[str, ...]
    techniques: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Machine:
    """What a finding about a machine or a container says beside the rest; all empty without one."""

    host: str
    container: str
    image: str
    session_user: str
    target_user: str
    program: str
    executable: str
    started_by: str
    file: str
    packages: str
    connected_to: str
    tool: str


@dataclass(frozen=True, slots=True)
class Unusual:
    """What a learned detector says: in words what is strange, what is normal, how rare it is."""

    reasons: tuple[str, ...]
    normal: str
    rarity: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding; a text that the document lacks is empty, a missing time or score is None."""

    id: str
    severity: Severity
    rule_level: str
    """The rule's own level, before what the site and the event say of it."""
    severity_reasons: tuple[str, ...]
    score: int | None
    time: datetime | None
    message: str
    rule_id: str
    rule_name: str
    category: str
    cluster: str
    namespace: str
    resource_type: str
    resource_name: str
    user: str
    effective_user: str
    ip: str
    user_agent: str
    action: str
    outcome: str
    values: tuple[str, ...]
    event_ids: tuple[str, ...]
    audit_ids: tuple[str, ...]
    recalled: tuple[tuple[str, str], ...]
    """What the entity memory knew then: what it is about, in words, and the values."""
    unusual: Unusual
    machine: Machine
    context: Context

    @property
    def order(self) -> tuple[int, int, float, str]:
        """Sort key: most severe first, then the earliest; those without a time come last."""
        moment = self.time.timestamp() if self.time else float("inf")
        return self.severity.rank, -(self.score or 0), moment, self.id


def read_finding(document: Mapping[str, object]) -> Finding:
    """Read a document of ``findings.ndjson``; wrong types become text, nothing raises."""
    score = _score(document)
    return Finding(
        id=_text(document, "trailwarden.finding.id"),
        severity=_severity(_text(document, "trailwarden.severity"), score),
        rule_level=_text(document, "trailwarden.rule_level"),
        severity_reasons=_texts(document, "trailwarden.severity_reasons"),
        score=score,
        time=_time(_text(document, "@timestamp")),
        message=_text(document, "message") or _text(document, "rule.name") or "(no message)",
        rule_id=_text(document, "rule.id") or "(no rule id)",
        rule_name=_text(document, "rule.name") or _text(document, "rule.id") or "(no rule name)",
        category=_text(document, "rule.category"),
        cluster=_text(document, "orchestrator.cluster.name") or "(no cluster)",
        namespace=_text(document, "orchestrator.namespace"),
        resource_type=_text(document, "orchestrator.resource.type"),
        resource_name=_text(document, "orchestrator.resource.name"),
        user=_user(document),
        effective_user=_text(document, "user.effective.name"),
        ip=_text(document, "source.ip"),
        user_agent=_text(document, "user_agent.original"),
        action=_text(document, "event.action"),
        outcome=_text(document, "event.outcome"),
        values=_texts(document, "trailwarden.evidence.values"),
        event_ids=_texts(document, "trailwarden.evidence.event_ids"),
        audit_ids=_texts(document, "trailwarden.evidence.audit_ids"),
        recalled=tuple(_recalled(document)),
        unusual=_unusual(document),
        machine=_machine(document),
        context=_context(document),
    )


def _user(document: Mapping[str, object]) -> str:
    uid = _text(document, "user.id")
    return _text(document, "user.name") or (f"uid {uid}" if uid else "(no user)")


def _machine(document: Mapping[str, object]) -> Machine:
    def joined(separator: str, *keys: str) -> str:
        return separator.join(text for key in keys if (text := _text(document, key)))

    return Machine(
        host=_text(document, "host.name"),
        container=joined(" ", "container.name", "container.id"),
        image=_text(document, "container.image.name"),
        session_user=_text(document, "user.audit.name"),
        target_user=joined(", group ", "user.target.name", "group.name"),
        program=_text(document, "process.command_line") or _text(document, "process.name"),
        executable=_text(document, "process.executable"),
        started_by=_text(document, "process.parent.command_line")
        or _text(document, "trailwarden.process.ancestors").replace(", ", " < ")
        or _text(document, "process.parent.name"),
        file=joined(" -> ", "file.path", "file.target_path"),
        packages=joined(": ", "trailwarden.package.manager", "package.name"),
        connected_to=" port ".join(
            text
            for text in (
                joined(", ", "destination.domain", "destination.ip"),
                _text(document, "destination.port"),
            )
            if text
        ),
        tool=joined(
            ", ", "trailwarden.tool.rule", "trailwarden.tool.severity", "trailwarden.tool.action"
        ),
    )


def _recalled(document: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for name in RECALLED_DTYPES:
        value = document.get(name)
        text = _FLAGS[value] if isinstance(value, bool) else _text(document, name)
        if text:
            yield name.removeprefix(RECALLED).replace(".", " ").replace("_", " "), text


def _unusual(document: Mapping[str, object]) -> Unusual:
    return Unusual(
        reasons=_texts(document, ANOMALY + "reasons"),
        normal=_text(document, ANOMALY + "normal"),
        rarity="; ".join(_rarity(document)),
    )


def _rarity(document: Mapping[str, object]) -> Iterator[str]:
    score, threshold, budget, share = (
        _number(document, ANOMALY + name)
        for name in ("score", "threshold", "budget_a_day", "tail_probability")
    )
    if score is not None:
        yield f"{score:,.1f} bits"
    if share is not None:
        once = 1 / share if share > 0 else inf
        minutes = f"{max(round(once), 1):,}" if once < _COUNTABLE else "more than a billion"
        yield f"expected once in {minutes} minutes of an identity"
    if threshold is not None:
        yield f"reported from {threshold:,.1f} bits on"
    if budget is not None:
        yield f"the budget is {budget:,.4g} findings a day"
    if model := _text(document, ANOMALY + "model"):
        yield f"begun with the model {model}"


def _number(document: Mapping[str, object], key: str) -> float | None:
    value = document.get(key)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if isfinite(value) else None


def _context(document: Mapping[str, object]) -> Context:
    return Context(
        why=_text(document, "rule.description"),
        next_steps=_texts(document, "trailwarden.next_steps"),
        false_positives=_texts(document, "trailwarden.false_positives"),
        references=_texts(document, "rule.reference"),
        techniques=_techniques(document),
    )


def _techniques(document: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    """Ids with names: ATT&CK's own name, else the one that stands at the same place."""
    names = _texts(document, "threat.technique.name")
    pairs: dict[str, str] = {}
    for place, technique_id in enumerate(_texts(document, "threat.technique.id")):
        known = TECHNIQUES.get(technique_id)
        given = names[place] if place < len(names) else ""
        pairs.setdefault(technique_id, known.title if known else given)
    return tuple(pairs.items())


def _severity(name: str, score: int | None) -> Severity:
    if name in _SEVERITIES:
        return _SEVERITIES[name]
    if score is None:
        return Severity.MEDIUM  # unknown is not harmless
    return next(severity for least, severity in _BANDS if score >= least)


def _score(document: Mapping[str, object]) -> int | None:
    score = document.get("event.severity")
    return max(0, min(score, 100)) if isinstance(score, int) else None


def _time(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):  # OverflowError: an offset that leaves the year 1 or 9999
        return None


def _text(document: Mapping[str, object], key: str) -> str:
    return ", ".join(_texts(document, key))


def _texts(document: Mapping[str, object], key: str) -> tuple[str, ...]:
    value = document.get(key)
    items = value if isinstance(value, list | tuple) else (value,)
    return tuple(item if isinstance(item, str) else str(item) for item in items if _says(item))


def _says(item: object) -> bool:
    return item is not None and item != ""
