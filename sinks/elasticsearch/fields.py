"""The event schema and the finding's fields in, the fields of an index mapping out.

Separate from templates because this is a vocabulary: which type ECS gives a name, and what keeps
any value of it from being refused (``ignore_above``, ``ignore_malformed``). An event column without
an entry here gets the type that its Polars type says.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from detectors.anomaly.fields import ANOMALY_DTYPES, REAL
from detectors.entities.recalled import RECALLED_DTYPES
from detectors.finding import COPIED
from detectors.known_columns import KNOWN_DTYPES
from ingest.column import FLAG, NUMBER, NUMBERS, TIME
from ingest.schema import DTYPES
from sinks.elasticsearch.flattened import DEPTH_MAX, IGNORE_ABOVE, OBJECTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import polars as pl

Field = dict[str, Any]


class Feature(StrEnum):
    """Field types that a server may lack; each has a plainer stand-in here."""

    WILDCARD = "wildcard"
    MATCH_ONLY_TEXT = "match_only_text"


LONG_KEYWORD: Final = 8_191
"""Characters of a long keyword that are indexed: with at most three bytes each they stay below
Lucene's longest term, 32,766 bytes."""

_REAL: Final[Field] = {"type": "double", "ignore_malformed": True}
_NUMBER: Final[Field] = {"type": "long", "ignore_malformed": True}
_FLAG: Final[Field] = {"type": "boolean", "ignore_malformed": True}
_TIME: Final[Field] = {"type": "date", "ignore_malformed": True}
_ADDRESS: Final[Field] = {"type": "ip", "ignore_malformed": True}
_KEYWORD: Final[Field] = {"type": "keyword", "ignore_above": IGNORE_ABOVE}
_LONG: Final[Field] = {"type": "keyword", "ignore_above": LONG_KEYWORD}
_OBJECT: Final[Field] = {
    "type": "flattened",
    "ignore_above": IGNORE_ABOVE,
    "depth_limit": DEPTH_MAX,
}

_LONG_NAMES: Final = frozenset(
    {
        "kubernetes.audit.responseStatus.message",
        "trailwarden.authorization.reason",
        "trailwarden.pod_security.audit_violations",
        "trailwarden.pod_spec.commands",
        "trailwarden.pod_spec.decoded_commands",
        "trailwarden.patch.paths",
        "trailwarden.rbac.rules",
        "trailwarden.anomaly.reasons",
        "trailwarden.webhook.urls",
        "trailwarden.next_steps",
        "trailwarden.false_positives",
        "trailwarden.evidence.values",
        "trailwarden.session.reason",
        "process.args",
        "rule.description",
        "rule.reference",
    }
)
_WILDCARDS: Final = frozenset(
    {
        "kubernetes.audit.requestURI",
        "process.command_line",
        "process.parent.command_line",
        "trailwarden.exec.decoded",
        "url.path",
    }
)
"""ECS says wildcard, or would: what is searched for a part of it."""

_TEXTS: Final = frozenset({"message", "trailwarden.triage.note"})
_WITH_TEXT: Final = frozenset(
    {
        "file.path",
        "file.target_path",
        "process.command_line",
        "process.executable",
        "process.name",
        "process.parent.command_line",
        "process.parent.executable",
        "process.parent.name",
        "process.working_directory",
        "user.audit.name",
        "user.name",
        "user.target.name",
        "user_agent.original",
    }
)
"""Keywords that ECS gives a ``.text`` beside."""

_ADDRESSES: Final = frozenset(
    {
        "destination.ip",
        "source.ip",
        "related.ip",
        "trailwarden.pod.addresses",
        "trailwarden.pod.host_address",
        "trailwarden.recalled.token_pod.addresses",
        "trailwarden.recalled.credential.minted_from",
        "trailwarden.recalled.human.address",
        "trailwarden.recalled.travel.from_address",
    }
)

_FINDING_KEYWORDS: Final = (
    "event.kind",
    "rule.id",
    "rule.name",
    "rule.description",
    "rule.category",
    "rule.ruleset",
    "rule.author",
    "rule.license",
    "rule.reference",
    "threat.framework",
    "threat.technique.id",
    "threat.technique.name",
    "threat.tactic.name",
    "message",
    "related.user",
    "related.ip",
    "related.hosts",
    "related.hash",
    "trailwarden.finding.id",
    "trailwarden.act.id",
    "trailwarden.severity",
    "trailwarden.rule_level",
    "trailwarden.severity_reasons",
    "trailwarden.next_steps",
    "trailwarden.false_positives",
    "trailwarden.evidence.event_ids",
    "trailwarden.evidence.audit_ids",
    "trailwarden.evidence.values",
    # What only people write (design: Findings).
    "trailwarden.triage.status",
    "trailwarden.triage.verdict",
    "trailwarden.triage.assignee",
    "trailwarden.triage.note",
    "trailwarden.correlation.type",
    "trailwarden.correlation.group",
    "trailwarden.correlation.values",
    "trailwarden.correlation.history",
)
_FINDING_OTHERS: Final[Mapping[str, Field]] = {
    "@timestamp": _TIME,
    "event.created": _TIME,
    "event.severity": _NUMBER,
    "trailwarden.triage.mute_until": _TIME,
    "trailwarden.correlation.count": _NUMBER,
    "trailwarden.correlation.timespan_s": _NUMBER,
    "trailwarden.episode.start": _TIME,
    # Written once, when an episode closes.
    "trailwarden.episode.end": _TIME,
    "trailwarden.episode.count": _NUMBER,
    "trailwarden.episode.closed": _FLAG,
}


def event_fields(features: Iterable[Feature]) -> dict[str, Field]:
    """Return dotted name -> definition of every event column, and of what may be recalled of it."""
    return {name: _column(name, dtype, set(features)) for name, dtype in KNOWN_DTYPES.items()}


def finding_fields(features: Iterable[Feature]) -> dict[str, Field]:
    """Return dotted name -> definition of every field of a finding, people's fields included."""
    offered = set(features)
    known = {name: DTYPES[name] for name in COPIED} | RECALLED_DTYPES | ANOMALY_DTYPES
    copied = {name: _column(name, dtype, offered) for name, dtype in known.items()}
    named = {name: _text(name, offered) for name in _FINDING_KEYWORDS}
    return copied | named | dict(_FINDING_OTHERS)


def nested(fields: Mapping[str, Field]) -> dict[str, Any]:
    """Return dotted names as the tree of ``properties`` that a mapping is made of."""
    root: dict[str, Any] = {}
    for name, definition in fields.items():
        *parents, leaf = name.split(".")
        place = root
        for parent in parents:
            place = place.setdefault(parent, {}).setdefault("properties", {})
        place.setdefault(leaf, {}).update(definition)
    return root


def dotted(properties: Mapping[str, Any], prefix: str = "") -> dict[str, Field]:
    """Return the opposite of `nested`: the leaves of a mapping by their dotted names."""
    found: dict[str, Field] = {}
    for name, definition in properties.items():
        if "properties" in definition:
            found |= dotted(definition["properties"], f"{prefix}{name}.")
        else:
            found[prefix + name] = definition
    return found


def _column(name: str, dtype: pl.DataType, offered: set[Feature]) -> Field:
    if dtype == TIME:
        return _TIME
    if dtype == FLAG:
        return _FLAG
    if dtype == REAL:
        return _REAL
    return _NUMBER if dtype in {NUMBER, NUMBERS} else _text(name, offered)


def _text(name: str, offered: set[Feature]) -> Field:
    if name in OBJECTS:
        return _OBJECT
    if name in _ADDRESSES:
        return _ADDRESS
    searched = {"type": "match_only_text" if Feature.MATCH_ONLY_TEXT in offered else "text"}
    if name in _TEXTS:
        return searched
    found = _LONG if name in _LONG_NAMES | _WILDCARDS else _KEYWORD
    if name in _WILDCARDS and Feature.WILDCARD in offered:
        found = {"type": "wildcard", "ignore_above": LONG_KEYWORD}
    return found | {"fields": {"text": searched}} if name in _WITH_TEXT else found
