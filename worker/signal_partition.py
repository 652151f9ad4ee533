"""One partition of `signals` in a member's hands: the state of the groups that live there.

Separate from `worker.partition`, which is of `raw`: here nothing is archived, time is that of all
clusters, and messages say both what happened and how far everybody is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from detectors.correlation.fold import OverTime
from detectors.correlation.plan import plan_for
from detectors.correlation.released import Released
from detectors.correlation.sent import taken
from detectors.correlation.state import SavedOverTime, restore, save
from detectors.sigma.pack import Pack
from sinks.signals import Passed, Signal, read_message, signal_frames
from worker.partition import SnapshotReference, read_reference
from worker.raw_progress import RawProgress, SavedProgress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from detectors.ruleset import Ruleset
    from ingest.sources.kafka import Committed, Record
    from worker.counts import SignalOutcomes

SIGNALS_SCHEMA: Final = 1
"""Raised whenever the snapshot's layout or meaning changes: an older one is then not loaded."""


class SignalSnapshot(msgspec.Struct, array_like=True):
    """A partition's state after all messages before ``offset``."""

    schema: int
    offset: int
    progress: SavedProgress
    over_time: SavedOverTime


class Snapshots(Protocol):
    """Where snapshots are kept; see `worker.takeover.Stores`."""

    def save_snapshot(self, partition: int, offset: int, data: bytes) -> tuple[str, str]:
        """Keep a snapshot durably; return its name and sha256. Raises OSError."""

    def load_snapshot(self, partition: int, name: str, sha256: str) -> bytes | None:
        """Return a snapshot, None if it is missing or torn."""

    def earlier_snapshots(self, partition: int, before: int) -> Iterable[tuple[str, bytes]]:
        """Yield whole snapshots of offsets up to and with ``before``, the newest first."""


@dataclass(slots=True)
class SignalPartition:
    """A partition between two checkpoints; below ``sinks_from`` messages only fold."""

    number: int
    position: int
    sinks_from: int
    over_time: OverTime = field(default_factory=lambda: OverTime(plan_for(Pack())))
    progress: RawProgress = field(default_factory=RawProgress)
    reference: SnapshotReference | None = None
    snapshot_time_s: float = 0.0
    released_s: float = 0.0
    records: int = 0
    gap_at: int | None = None

    def fold(self, records: Sequence[Record], outcomes: SignalOutcomes) -> None:
        """Take messages in log order: what is behind the time of its place is late, for all."""
        timely: list[Signal] = []
        for record in records:
            message = read_message(record.value)
            if isinstance(message, Passed):
                self.progress.hear(message)
            elif message is None:
                outcomes.unreadable += 1
            elif message.time < self.progress.watermark_us:
                outcomes.late += 1
            else:
                timely.append(message)
        if timely:
            self._take(timely, outcomes)
        self.position = records[-1].offset + 1
        self.records += len(records)

    def _take(self, signals: Sequence[Signal], outcomes: SignalOutcomes) -> None:
        rows, documents = signal_frames(signals)
        known = taken(rows, self.over_time.plan)
        fresh = self.over_time.take(known, documents)
        outcomes.unknown += rows.height - known.height
        outcomes.repeated += known.height - fresh
        outcomes.folded += fresh

    def release(self, now_s: float) -> Released:
        """Fold what all have passed; nothing of it where others answered for it."""
        self.released_s = now_s
        released = self.over_time.release(self.progress.watermark_us)
        return released if self.position > self.sinks_from else Released()

    def snapshot(self) -> bytes:
        """Return the state as bytes: equal states give equal bytes."""
        return msgspec.msgpack.encode(
            SignalSnapshot(
                SIGNALS_SCHEMA, self.position, self.progress.save(), save(self.over_time)
            )
        )

    def restore(self, data: bytes) -> bool:
        """Take the state over from a snapshot; False if it is of another schema or none."""
        try:
            found = msgspec.msgpack.decode(data, type=SignalSnapshot)
        except msgspec.MsgspecError:
            return False
        if found.schema != SIGNALS_SCHEMA:
            return False
        self.position = found.offset
        self.progress = RawProgress.restore(found.progress)
        restore(found.over_time, self.over_time)
        return True

    def take_rules(self, rules: Ruleset) -> None:
        """Go on with other rules: what is still the same keeps its state."""
        new = rules.over_clusters()
        restore(save(self.over_time), new)
        self.over_time = new

    def is_dirty(self) -> bool:
        """Whether anything was done that a checkpoint would make safe."""
        return self.position > self.sinks_from


def take_over_signals(
    committed: Committed, stores: Snapshots, new_state: Callable[[], OverTime], now_s: float
) -> SignalPartition:
    """Return a partition with the state of the offset to read from.

    The committed snapshot, else the one before, else nothing: all the topic still has is then
    folded, for signals are small and kept as long as records.
    """
    start = max(committed.low, committed.offset or 0)
    partition = SignalPartition(
        committed.partition, start, start, new_state(), snapshot_time_s=now_s
    )
    reference = read_reference(committed.metadata)
    if reference and reference.schema == SIGNALS_SCHEMA:
        data = stores.load_snapshot(partition.number, reference.snapshot, reference.sha256)
        if data is not None and _fits(partition, data, committed.low, start):
            partition.reference = reference
            return partition
    for name, data in stores.earlier_snapshots(partition.number, start):
        if _fits(partition, data, committed.low, start):
            digest = sha256(data).hexdigest()
            partition.reference = SnapshotReference(
                name, partition.position, digest, SIGNALS_SCHEMA, ""
            )
            return partition
    partition.position = committed.low
    partition.over_time, partition.progress = new_state(), RawProgress()
    return partition


def _fits(partition: SignalPartition, data: bytes, low: int, start: int) -> bool:
    """Restore a snapshot if the topic still has every message between it and ``start``."""
    return partition.restore(data) and low <= partition.position <= start
