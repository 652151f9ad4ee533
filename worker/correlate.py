"""The loop of the role `correlate`: signals of all clusters in, findings across clusters out.

Separate from `worker.stream`, whose guarantee it repeats with less to do: nothing is normalized,
archived or refused here. A crash between any two lines loses nothing, because a signal counts as
done only when its offset is committed, and repeats nothing that anybody sees: ids name findings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from detectors.correlation.released import Released
from ingest.sources.kafka import Position
from worker.continuity import continued
from worker.counts import SignalOutcomes, StepStage
from worker.crash_points import CrashPoint, reach
from worker.drain import Drain
from worker.partition import SnapshotReference, write_reference
from worker.signal_partition import SIGNALS_SCHEMA, SignalPartition, take_over_signals
from worker.stages import Found, with_released
from worker.takeover import StoreMismatchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from detectors.correlation.fold import OverTime
    from detectors.ruleset import Ruleset
    from ingest.sources.kafka import Committed
    from worker.counts import WorkerCounts
    from worker.drain import Wait
    from worker.pace import Pace, Watch
    from worker.signal_partition import Snapshots
    from worker.stream import Source

SUFFIX: Final = "-correlate"
"""The group of those who correlate is the workers' with this."""


class FindingOutputs(Protocol):
    """Where findings leave to."""

    def add_over_time(self, found: Found) -> None:
        """Take findings and the ends of episodes; nothing is sent yet."""

    def flush(self) -> Wait | None:
        """Send all that is pending; None when everything was answered for."""


class Correlator:
    """One member of the group. It is told of its partitions by the source, as its owner."""

    def __init__(
        self,
        rules: Ruleset,
        outputs: FindingOutputs,
        stores: Snapshots,
        counts: WorkerCounts,
        *,
        pace: Pace,
        watch: Watch,
    ) -> None:
        self.source: Source
        self.partitions: dict[int, SignalPartition] = {}
        self.outcomes = SignalOutcomes()
        self._rules = rules
        self._outputs = outputs
        self._stores = stores
        self._counts = counts
        self._pace = pace
        self._watch = watch
        self._way_out = Drain(outputs, counts, watch)
        self._checkpoint_s = watch.clock()
        self._missing: list[int] = []

    @property
    def _new_state(self) -> Callable[[], OverTime]:
        return self._rules.over_clusters

    def take_rules(self, rules: Ruleset) -> None:
        """Go on with other rules: what is still the same keeps its state."""
        self._rules = rules
        for partition in self.partitions.values():
            partition.take_rules(rules)

    def run_once(self) -> int:
        """Do a step, and a checkpoint if one is due."""
        self._watch.beat()
        count = self.step()
        if self.is_checkpoint_due():
            self.checkpoint()
        return count

    def step(self) -> int:
        """Take one batch all the way; return how many messages it had."""
        with self._counts.timed(StepStage.POLL):
            polled = self.source.poll(self._pace.batch_records, self._pace.poll_s)
        records = continued(polled, self.partitions, self.source, self._watch)
        if not records:
            return 0
        self._counts.add_batch(len(records), self._watch.clock())
        with self._counts.timed(StepStage.DETECT):
            for number in dict.fromkeys(record.partition for record in records):
                mine = [record for record in records if record.partition == number]
                self.partitions[number].fold(mine, self.outcomes)
            self._release(self.partitions, whole=False)
        with self._counts.timed(StepStage.WRITE):
            self._way_out.drain(self.source)
        self._account()
        return len(records)

    def _release(self, numbers: Iterable[int], *, whole: bool) -> None:
        """Take what became certain to the outputs, where a fold is due; nothing is sent yet."""
        now_s = self._watch.clock()
        out = Released()
        for number in numbers:
            partition = self.partitions.get(number)
            if partition and (whole or now_s - partition.released_s >= self._pace.release_s):
                out.extend(partition.release(now_s))
                self._counts.note_evicted(number, partition.over_time.evicted)
        if out:
            self._outputs.add_over_time(with_released(Found(), out))

    def _account(self) -> None:
        for number, partition in self.partitions.items():
            self._counts.position[number] = partition.position
            if (high := self.source.high(number)) is not None:
                self._counts.lag[number] = high - partition.position
        times = [one.progress.watermark_us for one in self.partitions.values()]
        self.outcomes.watermark_us = min(times, default=0)

    def is_checkpoint_due(self) -> bool:
        """Whether time or messages since the last checkpoint ask for one."""
        records = sum(partition.records for partition in self.partitions.values())
        passed_s = self._watch.clock() - self._checkpoint_s
        return records >= self._pace.records or passed_s >= self._pace.interval_s

    def checkpoint(self) -> None:
        """Make the progress of all partitions safe: after this, a crash repeats nothing of it.

        1. Fold what all clusters have passed; flush Elasticsearch: everything that these offsets
           make certain is written and answered for.
        2. Where due, write a snapshot of the state.
        3. Commit the next offsets, synchronously, each with the reference to its snapshot.
        """
        with self._counts.timed(StepStage.CHECKPOINT):
            self._release(self.partitions, whole=True)
            self._way_out.drain(self.source)  # 1
            self._make_safe(list(self.partitions), always_snapshot=False)  # 2, 3
        self._tell_missing()
        self._counts.checkpoints += 1
        self._checkpoint_s = self._watch.clock()

    def _make_safe(self, numbers: Sequence[int], *, always_snapshot: bool) -> None:
        held = [self.partitions[number] for number in numbers if number in self.partitions]
        dirty = [one for one in held if one.is_dirty()]
        for one in dirty:
            passed_s = self._watch.clock() - one.snapshot_time_s
            if always_snapshot or passed_s >= self._pace.snapshot_interval_s:
                self._save_snapshot(one)
        if dirty:
            reach(CrashPoint.BEFORE_COMMIT)
            self._commit(dirty)
            reach(CrashPoint.AFTER_COMMIT)

    def _save_snapshot(self, partition: SignalPartition) -> None:
        """Keep the state; without a snapshot the next owner folds more of the topic, no harm."""
        data = partition.snapshot()
        reach(CrashPoint.IN_SNAPSHOT)
        try:
            name, sha256 = self._stores.save_snapshot(partition.number, partition.position, data)
        except OSError as error:
            self._watch.log("snapshot-failed", signals=partition.number, error=str(error))
            return
        partition.reference = SnapshotReference(
            name, partition.position, sha256, SIGNALS_SCHEMA, self._rules.hash
        )
        partition.snapshot_time_s = self._watch.clock()
        self._counts.state_bytes = len(data)
        reach(CrashPoint.AFTER_SNAPSHOT)

    def _commit(self, partitions: Sequence[SignalPartition]) -> None:
        positions = [
            Position(one.number, one.position, write_reference(one.reference)) for one in partitions
        ]
        self._watch.asking(True)
        try:
            refused = self.source.commit(positions)
        finally:
            self._watch.asking(False)
        for one in partitions:
            if one.number in refused:
                reason = refused[one.number]
                self._watch.log("commit-refused", signals=one.number, reason=reason)
                continue
            one.sinks_from, one.records = one.position, 0
            self._counts.committed[one.number] = one.position

    def _tell_missing(self) -> None:
        """Say which partitions of `raw` hold time up for want of somebody who speaks for them."""
        found = {number for one in self.partitions.values() for number in one.progress.missing()}
        self.outcomes.missing = len(found)
        if sorted(found) != self._missing:
            self._missing = sorted(found)
            self._watch.log("nobody-reads", raw_partitions=self._missing)

    def assign(self, committed: list[Committed]) -> dict[int, int]:
        """Take partitions over; see `ingest.sources.kafka.Owner`."""
        reach(CrashPoint.IN_ASSIGN)
        self._counts.rebalances += 1
        now_s = self._watch.clock()
        for one in committed:
            taken = take_over_signals(one, self._stores, self._new_state, now_s)
            self.partitions[one.partition] = taken
            if one.offset is not None and one.offset < one.low:
                self._report_lost(one.partition, one.offset, one.low)
        starts = {one.partition: self.partitions[one.partition].position for one in committed}
        self._watch.log("assigned", signals=sorted(starts))
        return starts

    def revoke(self, partitions: list[int]) -> None:
        """Checkpoint what is complete within the deadline, else abandon; see `Owner`."""
        reach(CrashPoint.IN_REVOKE)
        self._release(partitions, whole=True)
        if (wait := self._way_out.drain_within(self._pace.revoke_deadline_s)) is not None:
            self._watch.log("abandoned", signals=partitions, reason=wait.reason)
        else:
            self._make_safe(partitions, always_snapshot=True)
        self._forget(partitions)
        self._watch.log("revoked", signals=sorted(partitions))

    def lose(self, partitions: list[int]) -> None:
        """Forget partitions that another member may have already; see `Owner`."""
        self._forget(partitions)
        self._watch.log("lost", signals=sorted(partitions))

    def skip(self, partition: int, low: int) -> None:
        """Go on behind messages that the topic's retention deleted; see `Owner`.

        Raises
            StoreMismatchError: the topic ends before our position: it was made anew or cut off.
        """
        held = self.partitions.get(partition)
        if held is None:
            return
        if low <= held.position:
            raise StoreMismatchError(
                f"signals, partition {partition}: {held.position} is to be read, but the topic "
                f"begins at {low} and ends before it: it is not the one that was read so far"
            )
        undone = max(held.position, held.sinks_from)
        if low > undone:
            self._report_lost(partition, undone, low)
        held.gap_at = held.position

    def _report_lost(self, number: int, expected: int, low: int) -> None:
        self._counts.lost_records += low - expected
        self._watch.log("signals-lost", signals=number, expected=expected, low=low)

    def _forget(self, partitions: Sequence[int]) -> None:
        for number in partitions:
            self.partitions.pop(number, None)
            self._counts.forget(number)
