"""Cases become the events of their records, all in one frame, and each case's apart.

Separate from a trial (detectors/trial.py), which answers for a detection as it is, because mutants
of detections, which are many, look at the same events.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.entities.ordered import Entities
from detectors.record_time import START
from detectors.site import HIDDEN, Site
from ingest.normalize import NormalizeSettings, normalize
from ingest.record import Records
from ingest.redact.token import Redactor
from ingest.unix_time import unix_us

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from detectors.cases import Case

CLUSTER: Final = "c"
"""Name of the cluster of a record whose case names none."""

_SETTINGS: Final = NormalizeSettings(CLUSTER, Redactor(b"of cases, which hold no secret"))
_START_US: Final = unix_us(START)
_NUMBER: Final = "log.offset"


class TrialError(ValueError):
    """A case is not what it seems: a record gives no event, or two records the same one."""


@dataclass(frozen=True, slots=True, eq=False)
class CaseEvents:
    """The events of several cases in one frame, and whose each row is."""

    events: pl.DataFrame
    cases: tuple[Case, ...]
    rows: tuple[tuple[int, ...], ...]
    """For each case its rows."""
    site: Site = field(default_factory=Site)
    """What the memory is told of it."""

    def of(self, number: int) -> pl.DataFrame:
        """Return the events of one case."""
        return self.events[list(self.rows[number])]


def events_of(cases: Sequence[Case], site: Site | None = None) -> CaseEvents:
    """Return the events of all records of ``cases``; raises ``TrialError`` if one gives none."""
    events = normalized(tuple(cases))
    owners = [number for number, case in enumerate(cases) for _ in case.records]
    rows: list[list[int]] = [[] for _ in cases]
    for row, record in enumerate(events[_NUMBER]):
        rows[owners[record]].append(row)
    return CaseEvents(events, tuple(cases), tuple(map(tuple, rows)), site or Site())


def with_memory(cases: CaseEvents) -> CaseEvents:
    """Return the same with what was known of each event, under RECALLED; of its own case alone."""
    site = cases.site
    parts = [_recalled(cases.of(number), rows, site) for number, rows in enumerate(cases.rows)]
    recalled = pl.concat(parts).sort("row").drop("row")
    return CaseEvents(cases.events.hstack(recalled), cases.cases, cases.rows, site)


def _recalled(events: pl.DataFrame, rows: Sequence[int], site: Site) -> pl.DataFrame:
    entities = Entities(hidden_networks=site.lists.get(HIDDEN, ()), geography=site.geography)
    entities.add(events)
    numbers = pl.Series("row", rows, dtype=pl.UInt32).to_frame()
    return numbers.hstack(entities.release(None, events))


@lru_cache(maxsize=32)
def normalized(cases: tuple[Case, ...]) -> pl.DataFrame:
    """Return the events of all records of ``cases``; ``log.offset`` is the record's number.

    Remembered, because mutants of a rule are tried on the same cases again and again. Raises
    ``TrialError`` if a record gives no event.
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


def end_us(case: Case) -> int | None:
    """Return the time up to which a case is watched; None: until everything is over."""
    if not case.watch_us:
        return None
    return _START_US + (case.records[-1].time_us or 0) + case.watch_us


def _name(cases: Iterable[Case], records: Sequence[int]) -> str:
    """Return the name of the case that the first of ``records``, by its number, belongs to."""
    names = [case.name for case in cases for _ in case.records]
    return f"case {names[records[0]]!r}" if records else "a case"
