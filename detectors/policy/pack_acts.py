"""A pack and its case files become the acts that an audit policy is judged by.

Separate from running rules over records, because it knows what a detection is: which are about API
servers at all, which rules a correlation joins, whose cases need a site list.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from detectors.cases import Cases, cases_file, load_cases
from detectors.policy.acts import Act, RecordedAct, acts_of
from detectors.policy.estimate import estimated_acts
from detectors.policy.record_cut import audit_record, request_of
from detectors.sigma.compiler import load_pack
from detectors.sigma.correlation import Correlation
from detectors.sigma.rule import Rule
from detectors.site import DEFAULT_LISTS, Site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from detectors.sigma.pack import Detection, Pack

_API_SERVER: Final = "kubernetes"
_LIKE_ENOUGH: Final = 8
"""Records of a sequence that are looked at for each kind of request: a count of thousands of the
same is logged as each one is."""

_Lists: TypeAlias = "tuple[tuple[str, tuple[str, ...]], ...]"


@dataclass(frozen=True, slots=True)
class PackActs:
    """What a policy is judged by, and for whom."""

    acts: tuple[Act, ...]
    detections: tuple[Detection, ...]
    """Those that are about API servers, in the order of the pack."""
    not_concerned: int
    """How many are about machines and containers only."""


def acts_of_pack(pack: Pack, bases_of: Callable[[Path], Path]) -> PackActs:
    """Return the acts of every detection of a pack that reports.

    Parameters
        bases_of: a rule's file -> the folder of the records that its cases are made of.

    Raises
        detectors.sigma.errors.InvalidRulesError: a case file is refused.
    """
    every = _Every(pack)
    reporting = [*pack.reporting, *(one for one in pack.waiting if one.id not in pack.silent)]
    concerned = [one for one in reporting if every.is_of_api_server(one)]
    with_cases = [one for one in concerned if cases_file(one.file).exists()]
    groups: dict[_Lists, list[RecordedAct]] = {}
    for detection in with_cases:
        cases = load_cases(detection.file, bases_of(detection.file))
        lists: _Lists = tuple(sorted((k, tuple(v)) for k, v in cases.lists.items()))
        groups.setdefault(lists, []).extend(_recorded(detection, cases, every))
    acts = [act for lists, own in groups.items() for act in _run(lists, own, every)]
    judged = {act.detection for act in acts}
    acts += _estimated([one for one in concerned if one.id not in judged], every)
    order = {one.id: place for place, one in enumerate(concerned)}
    return PackActs(
        tuple(sorted(acts, key=lambda act: order[act.detection])),
        tuple(concerned),
        len(reporting) - len(concerned),
    )


class _Every:
    """All detections of a pack by id, those included that wait or only serve others."""

    __slots__ = ("by_id",)

    def __init__(self, pack: Pack) -> None:
        every: tuple[Detection, ...] = (*pack.rules, *pack.correlations, *pack.waiting)
        self.by_id = {one.id: one for one in every}

    def rules_of(self, detection: Detection) -> list[Rule]:
        """Return the rules that see an act for a detection: itself, or all that it joins."""
        if isinstance(detection, Rule):
            return [detection]
        bases = [self.by_id[base.id] for base in detection.bases if base.id in self.by_id]
        return [rule for base in bases for rule in self.rules_of(base)]

    def files_of(self, detection: Detection) -> set[Path]:
        """Return all files that a detection needs to be loaded by itself."""
        files = {detection.file}
        if isinstance(detection, Correlation):
            bases = [self.by_id[base.id] for base in detection.bases if base.id in self.by_id]
            files |= {file for base in bases for file in self.files_of(base)}
        return files

    def is_of_api_server(self, detection: Detection) -> bool:
        """Return whether an audit policy matters to a detection."""
        return any(rule.logsource.product == _API_SERVER for rule in self.rules_of(detection))


def _recorded(detection: Detection, cases: Cases, every: _Every) -> list[RecordedAct]:
    own = frozenset(rule.id for rule in every.rules_of(detection))
    return [
        RecordedAct(detection.id, case.name, _enough([timed.raw for timed in case.records]), own)
        for case in cases.cases
        if case.expected
    ]


def _enough(raws: Sequence[bytes]) -> tuple[bytes, ...]:
    """Return the first few records of each kind of request; one alone as it is."""
    if len(raws) <= _LIKE_ENOUGH:
        return tuple(raws)
    counted: dict[object, int] = {}
    kept = []
    for raw in raws:
        record = audit_record(raw)
        if record is None:
            continue
        request = request_of(record)
        kind = request.verb, request.user, request.group, request.combined, request.namespace
        counted[kind] = counted.get(kind, 0) + 1
        if counted[kind] <= _LIKE_ENOUGH:
            kept.append(raw)
    return tuple(kept)


def _run(lists: _Lists, recorded: list[RecordedAct], every: _Every) -> list[Act]:
    own = {id_ for act in recorded for id_ in act.rules}
    rules = [one for one in every.by_id.values() if isinstance(one, Rule) and one.id in own]
    if lists:
        site = Site(lists={**DEFAULT_LISTS, **dict(lists)})
        files = {file for act in recorded for file in every.files_of(every.by_id[act.detection])}
        rules = [rule for rule in load_pack(sorted(files), site).rules if rule.id in own]
    return acts_of(recorded, rules)


def _estimated(detections: Iterable[Detection], every: _Every) -> list[Act]:
    found = []
    for detection in detections:
        rules = [one for one in every.rules_of(detection) if one.logsource.product == _API_SERVER]
        found += [
            Act(detection.id, act.name, act.sights, estimated=True) for act in estimated_acts(rules)
        ]
    return found
