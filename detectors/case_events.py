"""Cases become the events of their records, each case's apart: what mutants are told by.

Separate from a trial (detectors/trial.py), which answers once for a detection as it is: mutants are
many, and all of them look at the same events.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from detectors.record_time import START
from detectors.trial import CLUSTER, TrialError
from ingest.normalize import NormalizeSettings, normalize
from ingest.record import Records
from ingest.redact.token import Redactor

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from detectors.cases import Case

_SETTINGS: Final = NormalizeSettings(CLUSTER, Redactor(b"of cases, which hold no secret"))
_START_US: Final = int(START.timestamp()) * 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class CaseEvents:
    """The events of several cases in one frame, and whose each row is."""

    events: pl.DataFrame
    cases: tuple[Case, ...]
    rows: tuple[tuple[int, ...], ...]
    """For each case its rows."""

    def of(self, number: int) -> pl.DataFrame:
        """Return the events of one case."""
        return self.events[list(self.rows[number])]


def events_of(cases: Sequence[Case]) -> CaseEvents:
    """Return the events of all records of ``cases``; raises ``TrialError`` if one gives none."""
    owners = [number for number, case in enumerate(cases) for _ in case.records]
    events = _normalized(cases)
    rows: list[list[int]] = [[] for _ in cases]
    for row, record in enumerate(events["log.offset"]):
        rows[owners[record]].append(row)
    lost = [case.name for case, own in zip(cases, rows, strict=True) if not own]
    if lost:
        raise TrialError(f"case {lost[0]!r}: no record gives an event")
    return CaseEvents(events, tuple(cases), tuple(map(tuple, rows)))


def end_us(case: Case) -> int | None:
    """Return the time up to which a case is watched; None: until everything is over."""
    if not case.watch_us:
        return None
    return _START_US + (case.records[-1].time_us or 0) + case.watch_us


def _normalized(cases: Sequence[Case]) -> pl.DataFrame:
    """Return the events; ``log.offset`` is the record's number."""
    chunks: dict[str | None, Records] = {}
    for number, record in enumerate(record for case in cases for record in case.records):
        chunk = chunks.setdefault(
            record.cluster, Records("cases", [], [], cluster=record.cluster or CLUSTER)
        )
        chunk.raws.append(record.raw)
        chunk.offsets.append(number)
    return normalize(list(chunks.values()), _SETTINGS).events
