"""Rules and the acts that their cases record become a table: at which level each act is seen.

Separate from verdicts because it is the only part that runs rules, and because its result holds for
every policy: whether an act is seen depends on what is logged of it, not on why.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import orjson

from detectors.engine import detect
from detectors.policy.api_groups import groups_of
from detectors.policy.audit_policy import LOGGED, AuditLevel, Request, Stage
from detectors.policy.kin import kin_of
from detectors.policy.record_cut import (
    Record,
    audit_record,
    cut,
    request_of,
    stages_of,
)
from detectors.possible import possible
from ingest.normalize import NormalizeSettings, normalize
from ingest.record import Records

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import polars as pl

    from detectors.sigma.rule import Rule

_CHUNK: Final = 500
_CLUSTER: Final = "policy"
_NOTHING: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Variant:
    """One way in which a request may be logged."""

    level: AuditLevel
    stage: Stage


@dataclass(frozen=True, slots=True)
class Sight:
    """One request of an act: which rules see it, for each way to log it."""

    request: Request
    stages: tuple[Stage, ...]
    """Stages that the request passes, the one that was recorded first."""
    wanted: frozenset[str]
    """Ids of the rules that have to see it."""
    seen: Mapping[Variant, frozenset[str]]

    def is_seen(self, variant: Variant) -> bool:
        """Return whether all that have to see it do, if it is logged so."""
        return self.wanted <= self.seen.get(variant, _NOTHING)


@dataclass(frozen=True, slots=True)
class RecordedAct:
    """One must-match case: whose, its name, and its records."""

    detection: str
    name: str
    records: tuple[bytes, ...]
    rules: frozenset[str]
    """Ids of the rules that may see it: the detection's own, or those that it joins."""
    likewise: bool = False
    """Whether it is none of the cases, but like one."""


@dataclass(frozen=True, slots=True)
class Act:
    """One act that a detection must find: it does if every request of it is seen."""

    detection: str
    name: str
    sights: tuple[Sight, ...]
    likewise: bool = False
    """Whether no case records it: it is like one that a case records."""
    estimated: bool = False
    """Whether it was worked out from the rule's condition, no record of it being there."""


def acts_of(recorded: Sequence[RecordedAct], rules: Sequence[Rule]) -> list[Act]:
    """Run the rules over every variant of every record and return what is seen of each act.

    Acts of which no request is an API server's are left out, and so are requests that no rule
    needs. To each act of one request are added those that do the same by another verb or on a
    resource like it, as far as the rule sees them. Cost: six short records for each one recorded,
    and the tries.
    """
    records = _parsed(recorded)
    plain = _seen(recorded, records, rules)
    likewise = _likewise(records, rules)
    more = _seen(likewise, _parsed(likewise), rules)
    order = {act.detection: place for place, act in enumerate(plain)}
    kept = [act for act in more if act.detection in order]
    return sorted([*plain, *kept], key=lambda act: order[act.detection])


def _parsed(recorded: Sequence[RecordedAct]) -> list[tuple[RecordedAct, bytes, Record]]:
    return [
        (act, raw, _at_home(record))
        for act in recorded
        for raw in act.records
        if (record := audit_record(raw)) is not None
    ]


def _at_home(record: Record) -> Record:
    """Return a record whose resource is in a group that has it: a case may change one alone."""
    request = request_of(record)
    homes = groups_of(request.resource)
    if not homes or request.group in homes:
        return record
    return record | {"objectRef": record["objectRef"] | {"apiGroup": homes[0]}}


def _seen(
    recorded: Sequence[RecordedAct],
    records: list[tuple[RecordedAct, bytes, Record]],
    rules: Sequence[Rule],
) -> list[Act]:
    variants = [_variants(record) for _, _, record in records]
    raws = [raw for _, raw, _ in records]
    raws += [orjson.dumps(one) for found in variants for one in found.values()]
    hits = _hits(raws, rules)
    sights: dict[int, list[Sight]] = {}
    first = len(records)
    for row, ((act, _, record), found) in enumerate(zip(records, variants, strict=True)):
        seen = {variant: hits[first + n] & act.rules for n, variant in enumerate(found)}
        first += len(found)
        wanted = hits[row] & act.rules
        if wanted:
            sight = Sight(request_of(record), stages_of(record), wanted, seen)
            sights.setdefault(id(act), []).append(sight)
    return [
        Act(act.detection, act.name, tuple(sights[id(act)]), act.likewise)
        for act in recorded
        if id(act) in sights
    ]


def _likewise(
    records: list[tuple[RecordedAct, bytes, Record]],
    rules: Sequence[Rule],
) -> list[RecordedAct]:
    """Return acts like those recorded that their rules see: one for each kind of request."""
    known = {(act.detection, *_kind(record)) for act, _, record in records}
    tries = [
        (act, kin)
        for act, _, record in records
        if len(act.records) == 1
        for kin in kin_of(record)
        if (act.detection, *_kind(kin)) not in known
    ]
    raws = [orjson.dumps(kin) for _, kin in tries]
    found: dict[tuple[str, ...], RecordedAct] = {}
    for (act, kin), raw, hits in zip(tries, raws, _hits(raws, rules), strict=True):
        if hits & act.rules:
            name = f"{act.name}: {kin['verb']} {request_of(kin).combined}"
            one = RecordedAct(act.detection, name, (raw,), act.rules, likewise=True)
            found.setdefault((act.detection, *_kind(kin)), one)
    return list(found.values())


def _kind(record: Record) -> tuple[str, str, str]:
    request = request_of(record)
    return request.verb, request.group, request.combined


def _variants(record: Record) -> dict[Variant, Record]:
    return {
        Variant(level, stage): cut(record, level, stage)
        for level in LOGGED
        for stage in stages_of(record)
    }


def _hits(raws: Sequence[bytes], rules: Sequence[Rule]) -> list[frozenset[str]]:
    """Return which rules match each record, by their ids."""
    chunks = [
        Records(_CLUSTER, list(raws[n : n + _CHUNK]), list(range(len(raws)))[n : n + _CHUNK])
        for n in range(0, len(raws), _CHUNK)
    ]
    events = normalize(chunks, NormalizeSettings(_CLUSTER)).events
    found: list[set[str]] = [set() for _ in raws]
    offsets = events["log.offset"]
    for row, rule in _pairs(detect(events, [possible(rule) for rule in rules])):
        found[offsets[row]].add(rules[rule].id)
    return [frozenset(one) for one in found]


def _pairs(hits: pl.DataFrame) -> Iterable[tuple[int, int]]:
    return zip(hits["row"].to_list(), hits["rule"].to_list(), strict=True)
