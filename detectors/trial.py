"""A detection and its cases become verdicts: which of the cases it matches, as the service would.

Raw records go through normalize, the engine and the fold over time, so that a case tries all that
stands between a log and a finding. Separate from the test suite, because people try their own rules
with it (``trailwarden rules test``), and mutants of rules are told by it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.correlation.fold import OverTime
from detectors.correlation.plan import plan_for
from detectors.engine import detect
from detectors.finding import findings
from detectors.record_time import START
from detectors.sigma.pack import Pack
from detectors.sigma.rule import Rule
from ingest.normalize import NormalizeSettings, normalize
from ingest.record import Records
from ingest.redact.token import Redactor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from detectors.cases import Case
    from detectors.correlation.plan import Plan
    from detectors.finding import Finding
    from detectors.sigma.correlation import Correlation
    from detectors.sigma.pack import Detection

CLUSTER: Final = "c"
"""Name of the cluster of a record whose case names none."""

_NUMBER: Final = "log.offset"
_SETTINGS: Final = NormalizeSettings(CLUSTER, Redactor(b"of cases, which hold no secret"))
_START_US: Final = int(START.timestamp()) * 1_000_000


class TrialError(ValueError):
    """A case is not what it seems: a record gives no event, or two records the same one."""


def verdicts(pack: Pack, detection: Detection, cases: Sequence[Case]) -> list[bool]:
    """Return for each of ``cases`` whether ``detection``, which is of ``pack``, matches it.

    One that names a number of findings is matched only by exactly so many. Raises ``TrialError``.
    """
    events = _events(tuple(cases))
    if isinstance(detection, Rule) and all(case.findings is None for case in cases):
        return _hit(events, detection, cases)
    return [
        _is_met(case, len(_findings(pack, detection, case, own)))
        for case, own in zip(cases, _by_case(events, cases), strict=True)
    ]


def findings_of(pack: Pack, detection: Detection, case: Case) -> list[Finding]:
    """Return the findings of ``detection`` in the records of ``case``; raises ``TrialError``."""
    return _findings(pack, detection, case, _events((case,)))


def _hit(events: pl.DataFrame, rule: Rule, cases: Sequence[Case]) -> list[bool]:
    """Return which cases a rule has a hit in: all in one batch, as a row's verdict is its own."""
    owners = [number for number, case in enumerate(cases) for _ in case.records]
    rows = detect(events, [rule])["row"]
    hit = {owners[record] for record in events[_NUMBER].gather(rows)}
    return [number in hit for number in range(len(cases))]


def _by_case(events: pl.DataFrame, cases: Sequence[Case]) -> Iterator[pl.DataFrame]:
    first = 0
    for case in cases:
        last = first + len(case.records) - 1
        yield events.filter(pl.col(_NUMBER).is_between(first, last))
        first = last + 1


def _findings(pack: Pack, detection: Detection, case: Case, events: pl.DataFrame) -> list[Finding]:
    if isinstance(detection, Rule):
        found = findings(events, detect(events, [detection]), [detection])
        return list({finding.id: finding for finding in found}.values())
    if events["event.id"].is_duplicated().any():
        raise TrialError(f"case {case.name!r}: two records are the same event, and one is dropped")
    part, plan = _part(pack, detection)
    over_time = OverTime(plan)
    over_time.add(events, detect(events, part.rules))
    found = [] if not case.watch_us else over_time.release(_end_us(case)).findings
    found += over_time.release(None).findings
    return [finding for finding in found if finding.document["rule.id"] == detection.id]


def _is_met(case: Case, found: int) -> bool:
    return found > 0 if case.findings is None else found == case.findings


@lru_cache(maxsize=32)
def _events(cases: tuple[Case, ...]) -> pl.DataFrame:
    """Return the events of all records of ``cases``; ``log.offset`` is the record's number.

    Remembered, because mutants of a rule are tried on the same cases again and again.
    """
    records = [record for case in cases for record in case.records]
    chunks: dict[str, Records] = {}
    for number, record in enumerate(records):
        cluster = record.cluster or CLUSTER
        chunk = chunks.setdefault(cluster, Records("cases", [], [], cluster=cluster))
        chunk.raws.append(record.raw)
        chunk.offsets.append(number)
    batch = normalize(list(chunks.values()), _SETTINGS)
    lost = sorted(set(range(len(records))) - set(batch.events[_NUMBER]))
    if batch.refused or lost:
        why = ", ".join(refused.detail for refused in batch.refused)
        raise TrialError(f"{_name(cases, lost)}: a record gives no event: {why}")
    return batch.events


def _name(cases: Iterable[Case], records: Sequence[int]) -> str:
    """Return the name of the case that the first of ``records``, by its number, belongs to."""
    names = [case.name for case in cases for _ in case.records]
    return f"case {names[records[0]]!r}" if records else "a case"


@lru_cache(maxsize=256)
def _part(pack: Pack, correlation: Correlation) -> tuple[Pack, Plan]:
    """Return what of a pack one correlation needs, and the plan for it."""
    wanted = {correlation.id}
    for one in reversed(pack.correlations):
        if one.id in wanted:
            wanted |= {base.id for base in one.bases}
    part = Pack(
        rules=tuple(rule for rule in pack.rules if rule.id in wanted),
        correlations=tuple(one for one in pack.correlations if one.id in wanted),
        silent=frozenset(wanted - {correlation.id}),
    )
    return part, plan_for(part, across_clusters=correlation.across_clusters)


def _end_us(case: Case) -> int:
    """Return until when the case is watched, in microseconds of Unix time."""
    return _START_US + (case.records[-1].time_us or 0) + case.watch_us
