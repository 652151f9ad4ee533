"""The partitions in a worker's hands: taken over, made safe, given up.

Separate from the loop because the order here is the other half of the guarantee: nothing is
committed before its segment is linked, and nothing that another owner finished first is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from detectors.correlation.released import Released
from ingest.sources.kafka import Committed, Position
from sinks.archive import SegmentTakenError
from worker.counts import LearnedState
from worker.crash_points import CrashPoint, reach
from worker.partition import STATE_SCHEMA, Partition, SnapshotReference, write_reference
from worker.takeover import Detecting, Stores, take_over

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from detectors.ruleset import Ruleset
    from worker.counts import WorkerCounts
    from worker.fold import Share
    from worker.pace import Pace, Watch


MANY_ADDED: Final = 16_384
"""Events of all partitions since their last folds: beyond that the partition with most is folded,
however short the time. Each keeps 1.4 kB until then (the labelled recording, 2026-11-22)."""

_SHARE: Final = 10
"""Folds that come for the time alone take at most one in so many seconds."""


class Log(Protocol):
    """What is asked of the topic's group."""

    def commit(self, positions: list[Position]) -> dict[int, str]:
        """Commit; return the partitions that were refused, with the reason."""

    def committed(self, partition: int) -> Committed | None:
        """Return what is committed for a partition, None if it is not ours."""

    def seek(self, partition: int, offset: int) -> None:
        """Go on reading at another offset."""


class Holdings:
    """Partitions by number, and those that failed and are to be read again."""

    def __init__(
        self, stores: Stores, counts: WorkerCounts, pace: Pace, watch: Watch, *, begin_archive: bool
    ) -> None:
        self.partitions: dict[int, Partition] = {}
        self.failed: set[int] = set()
        self.detecting = Detecting()
        self._stores = stores
        self._counts = counts
        self.pace = pace
        self.watch = watch
        self._begin_archive = begin_archive

    def take(self, committed: Committed) -> Partition:
        """Take a partition over, with the state of the offset it is to be read from."""
        self.failed.discard(committed.partition)
        partition = take_over(
            committed,
            self._stores,
            self.detecting,
            begin_archive=self._begin_archive,
            now_s=self.watch.clock(),
        )
        self.partitions[committed.partition] = partition
        if partition.position < partition.sinks_from:
            self.watch.log(
                "folding",
                partition=partition.number,
                committed=committed.offset,
                folding_from=partition.position,
                archived=partition.archived,
            )
        if committed.offset is not None and committed.offset < committed.low:
            self.report_lost(partition.number, committed.offset, committed.low)
        return partition

    def report_lost(self, number: int, expected: int, low: int) -> None:
        """Say loudly that the topic's retention deleted records before they were read."""
        self._counts.lost_records += low - expected
        self.watch.log("records-lost", partition=number, expected=expected, low=low)

    def lose(self, numbers: Sequence[int]) -> None:
        """Forget partitions: whoever owns them now repeats at most one checkpoint."""
        for number in numbers:
            self._abandon(number)
            self.failed.discard(number)
            self._counts.forget(number)

    def archive(self, shares: Sequence[Share]) -> None:
        """Write a batch's events and counts to the open segments."""
        for share in shares:
            if share.tallies and self.partitions.get(share.partition.number) is share.partition:
                try:
                    self._write(share)
                except OSError as error:
                    self._fail(share.partition.number, str(error))

    def _write(self, share: Share) -> None:
        partition = share.partition
        if partition.writer is None:
            last = partition.last_segment
            partition.writer = self._stores.writer(
                partition.number, partition.archived, last.sha256 if last else None
            )
        partition.writer.write(share.events)
        for (cluster, hour), counts in share.counts.items():
            partition.writer.count(cluster, hour, counts)

    def release(self, numbers: Iterable[int], *, whole: bool) -> Released:
        """Fold over time what the watermarks have passed, where that is due.

        A fold of one event costs nearly as much as one of thousands, so it waits for many, or a
        moment: the longer, the more folds take of the worker's time (`Pace.release_most_s`).

        Parameters
            whole: fold everywhere, as before a commit: what an offset makes certain is told then.
        """
        out = Released()
        held = [self.partitions[number] for number in numbers if number in self.partitions]
        needed = [partition for partition in held if partition.remembered.is_needed]
        for partition in needed if whole else self._due(needed):
            start_s = self.watch.clock()
            out.extend(partition.release(start_s))
            partition.release_took_s = self.watch.clock() - start_s
            self._counts.note_evicted(partition.number, partition.remembered.evicted)
            if whole:
                self._note_learned(partition)
        for model, count in out.silent.items():
            self._counts.silent[model] += count
            self.watch.log("silent-findings", model=model, findings=count)
        return out

    def _due(self, partitions: Sequence[Partition]) -> Iterator[Partition]:
        """Yield those to be folded: for the time that passed, or for how much was added."""
        taken_s = _SHARE * sum(one.release_took_s for one in self.partitions.values())
        wait_s = max(self.pace.release_s, min(taken_s, self.pace.release_most_s))
        since_s = self.watch.clock() - wait_s
        left = sum(one.remembered.added for one in partitions)
        for partition in sorted(partitions, key=lambda one: -one.remembered.added):
            if partition.released_s <= since_s or left >= MANY_ADDED:
                left -= partition.remembered.added
                yield partition

    def _note_learned(self, partition: Partition) -> None:
        if learners := partition.remembered.learners:
            self._counts.note_verdicts(partition.number, learners.learned.verdicts.counted)
            self._counts.learned[partition.number] = LearnedState(
                learners.waiting, learners.rows, learners.thresholds(), learners.drift()
            )

    def take_rules(self, detecting: Detecting, rules: Ruleset) -> None:
        """Go on with other rules."""
        self.detecting = detecting
        for partition in self.partitions.values():
            partition.take_rules(rules)

    def make_safe(self, numbers: Sequence[int], log: Log, *, always_snapshot: bool) -> int:
        """Do steps 2 to 4 of a checkpoint: nothing of these partitions is pending anywhere.

        Returns how many partitions had anything to make safe.
        """
        held = [self.partitions[n] for n in numbers if n in self.partitions]
        linked = [one for one in held if one.is_dirty() and self._link_segment(one)]  # 2
        for partition in linked:  # 3
            passed_s = self.watch.clock() - partition.snapshot_time_s
            if always_snapshot or passed_s >= self.pace.snapshot_interval_s:
                self._save_snapshot(partition)
        if linked:
            reach(CrashPoint.BEFORE_COMMIT)
            self._commit(linked, log)  # 4
            reach(CrashPoint.AFTER_COMMIT)
        return len(linked)

    def _link_segment(self, partition: Partition) -> bool:
        """Publish the open segment; False if another owner was first or the disk refused."""
        writer, partition.writer = partition.writer, None
        if writer is None:
            return True
        try:
            partition.last_segment = writer.close(partition.position)
        except (SegmentTakenError, OSError) as error:
            self._fail(partition.number, str(error))
            return False
        partition.archived = partition.last_segment.next
        reach(CrashPoint.SEGMENT_LINKED)
        return True

    def _save_snapshot(self, partition: Partition) -> None:
        """Keep the state; without a snapshot the next owner folds more of the log, no harm."""
        data = partition.snapshot()
        reach(CrashPoint.IN_SNAPSHOT)
        try:
            name, sha256 = self._stores.save_snapshot(partition.number, partition.position, data)
        except OSError as error:
            self.watch.log("snapshot-failed", partition=partition.number, error=str(error))
            return
        partition.reference = SnapshotReference(
            name, partition.position, sha256, STATE_SCHEMA, self.detecting.pack
        )
        partition.snapshot_time_s = self.watch.clock()
        self._counts.state_bytes = len(data)
        reach(CrashPoint.AFTER_SNAPSHOT)

    def _commit(self, partitions: Sequence[Partition], log: Log) -> None:
        positions = [
            Position(p.number, p.position, write_reference(p.reference)) for p in partitions
        ]
        self.watch.asking(True)
        try:
            refused = log.commit(positions)
        finally:
            self.watch.asking(False)
        for one in partitions:
            if one.number in refused:
                reason = refused[one.number]
                self.watch.log("commit-refused", partition=one.number, reason=reason)
                continue
            one.sinks_from, one.records = one.position, 0
            self._counts.committed[one.number] = one.position

    def _fail(self, number: int, reason: str) -> None:
        """Give up what was not committed of a partition; `mend` reads it again."""
        self.watch.log("start-over", partition=number, reason=reason)
        self._abandon(number)
        self.failed.add(number)

    def mend(self, log: Log) -> None:
        """Take partitions that failed over again, as if they had just been assigned."""
        for number in sorted(self.failed):
            committed = log.committed(number)
            if committed is None:
                self.failed.discard(number)
            else:
                log.seek(number, self.take(committed).position)

    def _abandon(self, number: int) -> None:
        partition = self.partitions.pop(number, None)
        if partition is not None and partition.writer is not None:
            partition.writer.discard()

    def bound_memories(self) -> None:
        """Keep the ids remembered by all partitions within the worker's bound."""
        memories = [m for one in self.partitions.values() for m in one.memories.values()]
        held = sum(memory.held for memory in memories)
        while held > self.pace.max_ids:
            gone = max(memories, key=lambda memory: memory.held).evict()
            self._counts.evictions["event-ids"] += gone
            held -= gone
