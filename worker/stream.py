"""The worker's loop: poll, normalize, detect, write, quarantine; and every so often a checkpoint.

Separate from everything it calls, so that the order of its lines can be read at once: it is the
guarantee. A crash between any two of them loses nothing, because a record counts as done only when
its offset is committed, and repeats nothing that anybody sees, because ids name documents and
offsets name segments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from worker.continuity import continued
from worker.counts import StepStage
from worker.crash_points import CrashPoint, reach
from worker.drain import Drain, Wait
from worker.fold import Folded, fold
from worker.holdings import Holdings, Log
from worker.stages import Found, with_released
from worker.takeover import StoreMismatchError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ingest.sources.kafka import Committed, Record
    from worker.counts import WorkerCounts
    from worker.pace import Pace, Watch
    from worker.stages import Stages

_MEND_WAIT_S: Final = 2.0
"""Time before a partition is read again whose segment could not be written: disks are emptied by
people."""


class Source(Log, Protocol):
    """What the loop asks of `ingest.sources.kafka.KafkaSource`."""

    def poll(self, max_records: int, timeout_s: float) -> list[Record]:
        """Return the next records; may call the owner."""

    def idle(self, timeout_s: float) -> None:
        """Stay in the group without taking records; may call the owner."""

    def high(self, partition: int) -> int | None:
        """Return the end of a partition."""


class Outputs(Protocol):
    """Where findings, events and refused records leave to."""

    def add(self, found: Found, folded: Folded) -> None:
        """Take what a batch gives; nothing is sent yet."""

    def add_over_time(self, found: Found) -> None:
        """Take findings that became certain apart from any batch."""

    def add_passed(self, partition: int, watermark_us: int | None, *, is_whole: bool) -> None:
        """Take how far a partition came, for correlations across clusters.

        Parameters
            watermark_us: the time that its clusters have passed; None: it has no cluster.
            is_whole: whether it was read to its end.
        """

    def flush(self) -> Wait | None:
        """Send all that is pending; None when everything was answered for."""


class Worker:
    """One member of the group. It is told of its partitions by the source, as its owner."""

    def __init__(
        self, topic: str, stages: Stages, outputs: Outputs, holdings: Holdings, counts: WorkerCounts
    ) -> None:
        self.source: Source
        self.holdings = holdings
        self._topic = topic
        self._stages = stages
        self._outputs = outputs
        self._counts = counts
        self._pace: Pace = holdings.pace
        self._watch: Watch = holdings.watch
        self._way_out = Drain(outputs, counts, self._watch)
        self._checkpoint_s = self._watch.clock()

    def step(self) -> int:
        """Take one batch all the way; return how many records it had."""
        counts, timed = self._counts, self._counts.timed
        with timed(StepStage.POLL):
            polled = self.source.poll(self._pace.batch_records, self._pace.poll_s)
        records = continued(polled, self.holdings.partitions, self.source, self._watch)
        if not records:
            return 0
        counts.add_batch(len(records), self._watch.clock())
        reach(CrashPoint.AFTER_POLL)
        with timed(StepStage.NORMALIZE):
            normalized = self._stages.normalize(records)
            folded = fold(self._topic, records, normalized, self.holdings.partitions)
        reach(CrashPoint.AFTER_NORMALIZE)
        with timed(StepStage.DETECT):
            found = self._stages.detect(folded)
            found = with_released(
                found, self.holdings.release(self.holdings.partitions, whole=False)
            )
        reach(CrashPoint.AFTER_DETECT)
        with timed(StepStage.ARCHIVE):
            self.holdings.archive(folded.shares)
        with timed(StepStage.WRITE):
            self._outputs.add(found, folded)
            self.drain()
        self._account(folded)
        self._watch.batch(records, len(folded.refused))
        return len(records)

    def run_once(self) -> int:
        """Do a step, a checkpoint if one is due, and what a failure left to be mended."""
        self._watch.beat()
        count = self.step()
        if self.is_checkpoint_due():
            self.checkpoint()
        if self.holdings.failed:
            self.source.idle(_MEND_WAIT_S)
            self.holdings.mend(self.source)
        return count

    def drain(self) -> None:
        """Send what is pending; see `worker.drain.Drain`."""
        self._way_out.drain(self.source)

    def _account(self, folded: Folded) -> None:
        counts = self._counts
        counts.quarantined.update(one.reason.value for _, one in folded.refused)
        for share in folded.shares:
            for tally in share.tallies.values():
                counts.events += tally.events
                counts.repeats += tally.repeats
                counts.late += tally.late
                counts.canaries += tally.canaries
                counts.extra += tally.extra
                counts.unwanted += tally.unwanted
            number, position = share.partition.number, share.partition.position
            counts.position[number] = position
            if (high := self.source.high(number)) is not None:
                counts.lag[number] = high - position
        self.holdings.bound_memories()

    def is_checkpoint_due(self) -> bool:
        """Whether time or records since the last checkpoint ask for one."""
        records = sum(partition.records for partition in self.holdings.partitions.values())
        passed_s = self._watch.clock() - self._checkpoint_s
        return records >= self._pace.records or passed_s >= self._pace.interval_s

    def checkpoint(self) -> None:
        """Make the progress of all partitions safe: after this, a crash repeats nothing of it.

        1. Fold over time what the watermarks have passed; flush Elasticsearch, signals and
           quarantine: everything that these offsets make certain is written and answered for.
        2. Close and link the archive segments.
        3. Where due, write a snapshot of the state.
        4. Commit the next offsets, synchronously, each with the reference to its snapshot.
        5. Where rules reach over clusters, tell how far each partition came.
        """
        with self._counts.timed(StepStage.CHECKPOINT):
            self._release(self.holdings.partitions)
            self.drain()  # 1
            held = list(self.holdings.partitions)
            safe = self.holdings.make_safe(held, self.source, always_snapshot=False)  # 2, 3, 4
            if self.holdings.detecting.is_across:
                self._tell_passed()  # 5
        if safe:
            self._watch.log("checkpoint", partitions=safe, records=self._counts.records)
        self._counts.checkpoints += 1
        self._checkpoint_s = self._watch.clock()

    def _tell_passed(self) -> None:
        """Say of each partition that is wholly committed which time it has passed."""
        for number, one in self.holdings.partitions.items():
            if one.position == one.sinks_from:
                high = self.source.high(number)
                is_whole = high is not None and one.position >= high
                self._outputs.add_passed(number, one.passed_us(), is_whole=is_whole)
        self.drain()

    def _release(self, partitions: Iterable[int]) -> None:
        """Take what became certain over time to the outputs; nothing is sent yet."""
        if released := self.holdings.release(partitions, whole=True):
            self._outputs.add_over_time(with_released(Found(), released))

    def assign(self, committed: list[Committed]) -> dict[int, int]:
        """Take partitions over; see `ingest.sources.kafka.Owner`."""
        reach(CrashPoint.IN_ASSIGN)
        self._counts.rebalances += 1
        starts = {one.partition: self.holdings.take(one).position for one in committed}
        self._watch.log("assigned", partitions=sorted(starts))
        return starts

    def revoke(self, partitions: list[int]) -> None:
        """Checkpoint what is complete within the deadline, else abandon; see `Owner`."""
        reach(CrashPoint.IN_REVOKE)
        self._release(partitions)
        if (wait := self._way_out.drain_within(self._pace.revoke_deadline_s)) is not None:
            self._watch.log("abandoned", partitions=partitions, reason=wait.reason)
        else:
            self.holdings.make_safe(partitions, self.source, always_snapshot=True)
        self.holdings.lose(partitions)
        self._watch.log("revoked", partitions=sorted(partitions))

    def lose(self, partitions: list[int]) -> None:
        """Forget partitions that another member may have already; see `Owner`."""
        self.holdings.lose(partitions)
        self._watch.log("lost", partitions=sorted(partitions))

    def skip(self, partition: int, low: int) -> None:
        """Go on behind records that the topic's retention deleted; see `Owner`.

        Raises
            StoreMismatchError: the topic ends before our position: it was made anew or cut off.
        """
        held = self.holdings.partitions.get(partition)
        if held is None:
            return
        if low <= held.position:
            raise StoreMismatchError(
                f"partition {partition}: {held.position} is to be read, but the topic begins at "
                f"{low} and ends before it: it is not the one that was read so far"
            )
        undone = max(held.position, held.sinks_from)
        if low > undone:
            self.holdings.report_lost(partition, undone, low)
        held.gap_at = held.position
