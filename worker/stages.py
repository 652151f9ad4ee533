"""Records of the topic become events, events become findings: the stages as the worker calls them.

Separate from the loop because both functions are pure, are the ones that `scan` and replay use,
and can be replaced where only the loop itself is tested.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING, Final, Protocol

import polars as pl
import pyarrow as pa

from detectors.correlation.documents import shown_columns
from detectors.correlation.sent import sent
from detectors.engine import hits_within
from detectors.ruleset import look
from ingest.envelope import Format
from ingest.normalize import NormalizeSettings, normalize
from ingest.received import ARRIVALS, stamp
from ingest.record import Reason, Records, Refused, Stage, sha256_hex
from ingest.schema import empty_events
from sinks.elasticsearch.documents import own_times
from worker.takeover import Detecting

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from detectors.correlation.episode import Closed
    from detectors.correlation.released import Released
    from detectors.correlation.sent import Sent
    from detectors.finding import Finding
    from detectors.ruleset import Looked, Ruleset
    from ingest.normalize import Normalized
    from ingest.sources.kafka import Record
    from worker.fold import Folded
    from worker.partition import Partition

CHUNK: Final = 500
"""Records decoded at once (docs/decisions/0001)."""

_TIME: Final = pa.timestamp("us", tz="UTC")
"""Arrow turns datetimes into a column three times as fast as Polars."""

CONTROL: Final = frozenset({Format.CANARY, Format.SILENCE})
"""Formats that move time and become no events."""


@dataclass(frozen=True, slots=True)
class Found:
    """Findings of a batch, each act once, and the events that they rest on.

    ``received`` says by finding id when the evidence was received; ``undated`` are the findings
    whose evidence has no time of its own that is believed. The index of a day depends on both.
    """

    findings: list[Finding] = field(default_factory=list)
    received: dict[str, datetime] = field(default_factory=dict)
    undated: frozenset[str] = frozenset()
    evidence: pl.DataFrame = field(default_factory=empty_events)
    closed: tuple[Closed, ...] = ()
    """Episodes that ended: their findings get their end and their count."""
    excepted: Counter[str] = field(default_factory=Counter)
    """Findings that an exception held back, by its place."""
    signals: Sent | None = None
    """For correlations across clusters, which another folds; None: there are none."""


def with_released(found: Found, released: Released) -> Found:
    """Return what a batch gives with what became certain over time."""
    if not released:
        return found
    return Found(
        [*found.findings, *released.findings],
        found.received | released.received,
        found.undated | released.undated,
        # Of what was recalled each brings the columns that its rules asked for.
        pl.concat([found.evidence, *released.evidence], how="diagonal"),
        (*found.closed, *released.closed),
        found.excepted + released.excepted,
        found.signals,
    )


class Stages(Protocol):
    """What the worker asks of the stages."""

    def normalize(self, records: Sequence[Record]) -> Normalized:
        """Return the events of records (by partition, cluster, offset), and what was refused."""

    def detect(self, folded: Folded) -> Found:
        """Return what the rules find in a batch; signals go to the state of each partition."""


def place_of(topic: str, partition: int) -> str:
    """Return how events and refused records name a partition."""
    return f"{topic}/{partition}"


class RealStages:
    """Normalize and the rules."""

    def __init__(self, topic: str, rules: Ruleset, settings: NormalizeSettings) -> None:
        self.rules = rules
        """Replaced as a whole when rules are loaded anew."""
        self._topic = topic
        self._settings = settings

    def detecting(self) -> Detecting:
        """Return what a partition that is taken over begins its state over time with."""
        is_across = bool(self.rules.across.feeds)
        return Detecting(self.rules.hash, self.rules.remembered, self._fold_archived, is_across)

    def _fold_archived(self, partition: Partition, events: pl.DataFrame, late: pl.Series) -> None:
        looked = look(events, self.rules)
        partition.remembered.add(events, looked.hits, late, looked.flagged)

    def normalize(self, records: Sequence[Record]) -> Normalized:
        """See `Stages`. A message that holds an empty list is refused: all are accounted for."""
        records = [record for record in records if record.envelope.format not in CONTROL]
        found = normalize(self._chunks(records), self._settings)
        events = stamp(found.events, self._arrivals(records)) if records else found.events
        found.refused.extend(self._empty(records, events, found.refused))
        return type(found)(events, found.refused)

    def detect(self, folded: Folded) -> Found:
        """See `Stages`."""
        if not folded.kept.height:
            return Found()
        looked = look(folded.kept, self.rules, folded.live)
        for partition, rows in folded.rows:
            partition.remembered.add(*_part_of(folded, looked.hits, rows), looked.flagged)
        found = self._found(folded, looked)
        signals = self._signals(folded, looked.hits) if self.rules.across.feeds else None
        return found if signals is None else replace(found, signals=signals)

    def _signals(self, folded: Folded, hits: pl.DataFrame) -> Sent | None:
        """Return what nobody has sent yet, and is not late, for correlations across clusters."""
        timely = folded.live & ~folded.late
        across = self.rules.across
        columns = shown_columns(across, self.rules.exceptions)
        found = sent(folded.kept, hits.filter(timely.gather(hits["row"])), across, columns)
        return found if found.signals.height else None

    def _found(self, folded: Folded, looked: Looked) -> Found:
        reported = looked.reported
        first: dict[str, Finding] = {}
        for finding in sorted(reported.findings, key=lambda one: one.order):
            first.setdefault(finding.id, finding)
        evidence = folded.kept[looked.evidence.filter(folded.live.gather(looked.evidence))]
        if not first:
            return Found(evidence=evidence, excepted=reported.excepted)
        rows = evidence.select("event.id", own_times(evidence), "event.created").iter_rows()
        times = {identifier: (time, received) for identifier, time, received in rows}
        found = {finding.id: times[finding.order[1]] for finding in first.values()}
        received = {identifier: received for identifier, (_, received) in found.items()}
        undated = frozenset(identifier for identifier, (time, _) in found.items() if time is None)
        return Found(list(first.values()), received, undated, evidence, excepted=reported.excepted)

    def _chunks(self, records: Sequence[Record]) -> Iterator[Records]:
        """Group records by partition and cluster, each group in log order."""

        def group(record: Record) -> tuple[int, str]:
            return record.partition, record.envelope.cluster

        def run(record: Record) -> tuple[int, str, bool]:
            return *group(record), record.envelope.format is Format.VERDICT

        for (partition, cluster, are_verdicts), members in groupby(
            sorted(records, key=group), key=run
        ):
            held = list(members)
            for start in range(0, len(held), CHUNK):
                chunk = held[start : start + CHUNK]
                yield Records(
                    place_of(self._topic, partition),
                    [record.value for record in chunk],
                    [record.offset for record in chunk],
                    salvaged={
                        r.offset: r.envelope.salvage
                        for r in chunk
                        if r.envelope.salvage is not None
                    },
                    cluster=cluster,
                    received=[record.envelope.received for record in chunk],
                    are_verdicts=are_verdicts,
                )

    def _arrivals(self, records: Sequence[Record]) -> pl.DataFrame:
        received = [record.envelope.received for record in records]
        places = {
            number: place_of(self._topic, number) for number in {r.partition for r in records}
        }
        return pl.DataFrame(
            {
                "log.file.path": [places[record.partition] for record in records],
                "log.offset": [record.offset for record in records],
                "event.created": pl.Series(pa.array(received, _TIME)),
                "agent.name": [record.envelope.collector or None for record in records],
            },
            schema=ARRIVALS,
        )

    def _empty(
        self, records: Sequence[Record], events: pl.DataFrame, refused: Sequence[Refused]
    ) -> Iterator[Refused]:
        """Refuse the messages that became neither an event nor anything refused."""
        if len(records) <= events.height + len(refused) and len(records) == _places(
            events, refused
        ):
            return
        places = set(zip(events["log.file.path"], events["log.offset"], strict=True))
        places |= {(one.path, one.offset) for one in refused}
        for record in records:
            path = place_of(self._topic, record.partition)
            if (path, record.offset) not in places:
                size, digest = len(record.value), sha256_hex(record.value)
                yield Refused(
                    Stage.DECODE, Reason.NOT_AN_EVENT, path, record.offset, size, digest, "is empty"
                )


def _part_of(
    folded: Folded, hits: pl.DataFrame, rows: range
) -> tuple[pl.DataFrame, pl.DataFrame, pl.Series]:
    """Return one partition's events, hits and late marks."""
    if len(rows) == folded.kept.height:
        return folded.kept, hits, folded.late
    start, length = rows.start, len(rows)
    own = hits_within(hits, rows)
    return folded.kept.slice(start, length), own, folded.late.slice(start, length)


def _places(events: pl.DataFrame, refused: Sequence[Refused]) -> int:
    """Return how many messages events and refused records come from."""
    held = events.select(pl.struct("log.file.path", "log.offset").n_unique()).item()
    others = {(one.path, one.offset) for one in refused}
    return int(held) + len(others)
