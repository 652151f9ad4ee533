"""A batch is folded into its partitions' state: repeats go, lateness shows, everything is counted.

Separate from the stages because this is where order matters: each cluster's events are taken in log
order, canaries between them, and nothing but the log decides. What comes out is what is new: events
for detection and the archive, with the counts that the ledger compares.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import polars as pl

from ingest.collectors.canary import read_canary
from ingest.envelope import Format
from ingest.unix_time import unix_us
from sinks.archive import Counts, hour_of
from worker.cluster_memory import Marks, still_ids
from worker.stages import CONTROL, place_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ingest.normalize import Normalized
    from ingest.record import Refused
    from ingest.sources.kafka import Record
    from worker.partition import Partition

Hour = tuple[str, datetime]
"""Cluster, and the hour (UTC) in which records were received."""

_PATH: Final = "log.file.path"
_OFFSET: Final = "log.offset"
_CLUSTER: Final = "orchestrator.cluster.name"
_TIME: Final = "@timestamp"
_RECEIVED: Final = "event.created"


@dataclass(slots=True)
class Tally:
    """Counts while they are added up; see `sinks.archive.Counts`."""

    records: int = 0
    events: int = 0
    repeats: int = 0
    late: int = 0
    quarantined: int = 0
    canaries: int = 0
    extra: int = 0
    unwanted: int = 0


@dataclass(frozen=True, slots=True)
class Share:
    """What one partition has of a batch that its archive has not.

    ``events`` are no repeats; ``counts`` account for every record, by cluster and hour.
    """

    partition: Partition
    events: pl.DataFrame
    tallies: dict[Hour, Tally] = field(default_factory=dict)

    @property
    def counts(self) -> dict[Hour, Counts]:
        """Return what became of the records, as the archive keeps it."""
        return {hour: Counts(**asdict(tally)) for hour, tally in self.tallies.items()}


@dataclass(frozen=True, slots=True)
class Folded:
    """What a batch adds: events to detect in, refused records to quarantine, shares to archive.

    ``kept`` are the events that are no repeats, each partition's together; ``late`` says which lie
    behind their cluster's watermark, ``live`` which nobody has answered for yet. ``fresh`` are the
    live ones. ``rows`` are each partition's rows of ``kept``.
    """

    fresh: pl.DataFrame
    refused: list[tuple[Record, Refused]]
    shares: list[Share]
    kept: pl.DataFrame
    late: pl.Series
    live: pl.Series
    rows: list[tuple[Partition, range]] = field(default_factory=list)


def fold(
    topic: str,
    records: Sequence[Record],
    normalized: Normalized,
    partitions: Mapping[int, Partition],
) -> Folded:
    """Fold a batch.

    Parameters
        records: of the given partitions, each partition's in log order from its position on.
        normalized: what they became, by partition, cluster and offset.

    Changes the partitions' positions and memories.
    """
    events = normalized.events
    marks = _mark(topic, records, events, partitions)
    keep = pl.Series("keep", marks.keep, dtype=pl.Boolean)
    marked = events.select(_PATH, _OFFSET, _CLUSTER, _RECEIVED).with_columns(
        keep, pl.Series("late", marks.late, dtype=pl.Boolean)
    )
    ranges = _ranges(topic, events, partitions)
    refused = _with_records(topic, records, normalized.refused)
    held: dict[int, list[Record]] = defaultdict(list)
    for record in records:
        held[record.partition].append(record)
    for number, members in held.items():
        partitions[number].position = members[-1].offset + 1
        partitions[number].records += len(members)
    live = _live(marked, ranges, {n: p.sinks_from for n, p in partitions.items()})
    kept, live = events if keep.all() else events.filter(keep), live.filter(keep)
    shares = [
        _share(_Rows(partitions[n], members, ranges.get(n, range(0))), events, marked, refused)
        for n, members in held.items()
    ]
    return Folded(
        kept if live.all() else kept.filter(live),
        [
            (record, one)
            for record, one in refused
            if one.reason.is_fault and record.offset >= partitions[record.partition].sinks_from
        ],
        shares,
        kept,
        marked["late"].filter(keep),
        live,
        [(partitions[n], rows) for n, rows in _ranges(topic, kept, partitions).items()],
    )


def _with_records(
    topic: str, records: Sequence[Record], refused: Sequence[Refused]
) -> list[tuple[Record, Refused]]:
    if not refused:
        return []
    by_place = {(place_of(topic, r.partition), r.offset): r for r in records}
    return [(by_place[one.path, one.offset], one) for one in refused]


def _mark(
    topic: str,
    records: Sequence[Record],
    events: pl.DataFrame,
    partitions: Mapping[int, Partition],
) -> Marks:
    """Take each cluster's events in log order, its canaries between them."""
    marks = Marks()
    canaries: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for record in records:
        if record.envelope.format in CONTROL and (time_us := _time_us(record)) is not None:
            key = (place_of(topic, record.partition), record.envelope.cluster)
            canaries[key].append((record.offset, time_us))
    numbers = {place_of(topic, number): number for number in partitions}
    runs = events.group_by(_PATH, _CLUSTER, maintain_order=True).len().rows()
    ids, offsets = events["event.id"].to_list(), events[_OFFSET].to_list()
    still = still_ids(events)
    times = events[_TIME].to_physical().to_list()
    start = 0
    for path, cluster, length in runs:
        memory = partitions[numbers[path]].memory(cluster)
        end = start + length
        for offset, time_us in canaries.pop((path, cluster), ()):
            middle = bisect_left(offsets, offset, start, end)
            memory.mark(ids[start:middle], times[start:middle], marks, still)
            memory.advance(time_us)
            start = middle
        memory.mark(ids[start:end], times[start:end], marks, still)
        start = end
    for (path, cluster), moments in canaries.items():
        for _, time_us in moments:
            partitions[numbers[path]].memory(cluster).advance(time_us)
    return marks


def _time_us(record: Record) -> int | None:
    """Return the time up to which a canary says that its source was sent, None where it does not.

    A silence alarm moves the time of the cluster that fell silent, too.
    """
    canary = read_canary(record.value)
    if canary.time is None or not (canary.caught_up or record.envelope.format is Format.SILENCE):
        return None
    return unix_us(min(canary.time, record.envelope.received))


def _ranges(
    topic: str, events: pl.DataFrame, partitions: Mapping[int, Partition]
) -> dict[int, range]:
    """Return each partition's rows: they stand together."""
    numbers = {place_of(topic, number): number for number in partitions}
    found, start = {}, 0
    for path, height in events.group_by(_PATH, maintain_order=True).len().iter_rows():
        found[numbers[path]] = range(start, start + height)
        start += height
    return found


def _live(
    marked: pl.DataFrame, ranges: Mapping[int, range], limits: Mapping[int, int]
) -> pl.Series:
    """Return which events lie at or after their partition's limit."""
    first = [pl.repeat(limits[n], len(rows), eager=True) for n, rows in ranges.items()]
    return marked[_OFFSET] >= pl.concat(first) if first else pl.Series([], dtype=pl.Boolean)


@dataclass(frozen=True, slots=True)
class _Rows:
    """A partition's records of a batch, and the rows that their events have in its frames."""

    partition: Partition
    records: list[Record]
    rows: range

    def of(self, frame: pl.DataFrame) -> pl.DataFrame:
        return frame.slice(self.rows.start, len(self.rows))


def _share(
    mine: _Rows,
    events: pl.DataFrame,
    marked: pl.DataFrame,
    refused: Sequence[tuple[Record, Refused]],
) -> Share:
    archived = mine.partition.archived
    held, marks = mine.of(events), mine.of(marked)
    new = marks[_OFFSET] >= archived
    kept = new & marks["keep"]
    share = Share(mine.partition, held if kept.all() else held.filter(kept))
    if mine.records[-1].offset >= archived:
        _count_records(share, mine.records)
        _count_refused(share, refused)
        _count_events(share, marks.filter(new))
    return share


def _count_records(share: Share, records: Sequence[Record]) -> None:
    archived = share.partition.archived
    envelopes = [record.envelope for record in records if record.offset >= archived]
    found = Counter((e.cluster, _day_hour(e.received), e.format in CONTROL) for e in envelopes)
    for (cluster, (day, hour), is_control), count in found.items():
        received = datetime.fromordinal(day).replace(hour=hour, tzinfo=UTC)
        tally = _tally(share, cluster, received)
        tally.records += count
        tally.canaries += count * is_control
        tally.extra -= count * (not is_control)


def _day_hour(received: datetime) -> tuple[int, int]:
    """Return an hour as a key: an envelope's times are UTC."""
    return received.toordinal(), received.hour


def _count_refused(share: Share, refused: Sequence[tuple[Record, Refused]]) -> None:
    for record, one in refused:
        mine = record.partition == share.partition.number
        if mine and record.offset >= share.partition.archived:
            tally = _tally(share, record.envelope.cluster, record.envelope.received)
            tally.quarantined += one.reason.is_fault
            tally.unwanted += not one.reason.is_fault
            tally.extra += 1


def _count_events(share: Share, marked: pl.DataFrame) -> None:
    hour = pl.col(_RECEIVED).dt.truncate("1h")
    grouped = marked.group_by(_CLUSTER, hour).agg(
        pl.len().alias("all"),
        pl.col("keep").sum(),
        (pl.col("keep") & pl.col("late")).sum().alias("late"),
    )
    for cluster, received, height, kept, late in grouped.iter_rows():
        tally = _tally(share, cluster, received)
        tally.events += kept
        tally.repeats += height - kept
        tally.late += late
        tally.extra += height


def _tally(share: Share, cluster: str, received: datetime) -> Tally:
    return share.tallies.setdefault((cluster, hour_of(received)), Tally())
