"""Objects of a store in, their records out to Kafka: each once, through crashes and absences.

Separate from its parts because here they meet in one order, and that order is the promise (P1): an
object is listed, read, its records are handed to the producer, and only when Kafka has all of them
does the checkpoint pass it. One thread, one step at a time; time is passed in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from ingest.collectors.canary import canary_record
from ingest.collectors.counts import CollectorCounts
from ingest.collectors.object_reader import ObjectReader, Reading
from ingest.collectors.outbox import Outbox
from ingest.collectors.producer import ProducerFullError
from ingest.unix_time import unix_us

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from ingest.collectors.checkpoint_file import CheckpointFile
    from ingest.collectors.object_reader import Listed, ObjectParcel, Store
    from ingest.collectors.outbox import Sender

STEP_BYTES: Final = 4 << 20
"""Bytes handed on in one step, so that answers are not kept waiting."""

FULL_WAIT_S: Final = 0.05
MOST_DONE: Final = 100_000
"""Objects remembered as done, 200 bytes each: an hourly export of 100 clusters for 40 days."""

SOURCE: Final = "objects"


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """An object as it was when Kafka had all of it; ``offset`` is where its next record begins.

    The place with an empty path says that whatever was last written before it is done.
    """

    path: str
    modified_us: int
    size_bytes: int = 0
    offset: int = 0


@dataclass(frozen=True, slots=True)
class ObjectsOptions:
    """What to empty and how. ``cluster`` is None where the clouds' envelopes name it."""

    cluster: str | None
    collector: str
    spool: Path
    interval_s: float = 60.0
    canary_interval_s: float = 30.0
    checkpoint_interval_s: float = 1.0


class Objects:
    """Empties one folder of a store, again and again; `step` does the work.

    Parameters
        sender: its queue bounds what is in memory; its messages should not time out.
        note: told of what happens to objects (an event's name and its fields, never content).
    """

    def __init__(
        self,
        options: ObjectsOptions,
        store: Store,
        sender: Sender,
        checkpoint: CheckpointFile[Done],
        *,
        note: Callable[..., None],
        counts: CollectorCounts | None = None,
    ) -> None:
        """Begin from the checkpoint. Raises BadCheckpointError."""
        self.counts = counts or CollectorCounts()
        self._options = options
        self._store = store
        self._sender = sender
        self._checkpoint = checkpoint
        self._note = note
        self._outbox = Outbox(sender, self.counts, options.spool, note)
        self._before_us = -1
        self._done: dict[str, Done] = {}
        for one in checkpoint.load():
            if one.path:
                self._done[one.path] = one
            else:
                self._before_us = one.modified_us
        self._reader = ObjectReader(
            store,
            options.cluster,
            options.collector,
            options.spool,
            note=note,
            counts=self.counts,
        )
        self._waiting: list[Listed] = []
        self._readings: list[Reading] = []
        self._parcels: Iterator[ObjectParcel] | None = None
        self._parcel: ObjectParcel | None = None
        self._list_at = self._save_at = self._canary_at = float("-inf")
        self._is_dirty = False

    @property
    def is_idle(self) -> bool:
        """Whether all that the last listing had is in Kafka."""
        return not (self._waiting or self._readings or self._outbox.troubled)

    def step(self, now: datetime, clock_s: float) -> float:
        """List, if it is time and all is read; send a part of what there is; save what is done.

        Parameters
            now: stands in the records as the time they were received.
            clock_s: monotonic.

        Returns
            how long the caller may wait (in the producer's `poll`) before the next step.

        Raises
            ProducerFailedError: from the producer.
        """
        self._sender.poll(0)
        if clock_s >= self._list_at and self.is_idle:
            self._list(clock_s)
        handed = self._outbox.resend(now, clock_s) and self._hand_on(now)
        self._settle()
        self._send_canaries(now, clock_s)
        self._save(clock_s)
        if handed and self._waiting:
            return 0.0
        return FULL_WAIT_S if self._readings else max(0.0, min(1.0, self._list_at - clock_s))

    def close(self, timeout_s: float) -> int:
        """Wait for what was handed on, save, close; return how many records Kafka did not take."""
        missing = self._sender.flush(timeout_s)
        self._settle()
        self._save(float("inf"))
        self._checkpoint.close()
        return missing

    def _list(self, clock_s: float) -> None:
        self._list_at = clock_s + self._options.interval_s
        if len(self._done) > MOST_DONE:
            self._forget()
        try:
            found = [one for one in self._store.objects() if self._is_new(one)]
        except OSError as error:
            self._note("not_listed", reason=str(error))
            return
        self._waiting = sorted(found, key=lambda one: (one.modified, one.path), reverse=True)

    def _is_new(self, one: Listed) -> bool:
        """Whether an object was never sent, or has grown or changed since."""
        if not one.size_bytes:
            return False
        done = self._done.get(one.path)
        if done is None:
            return unix_us(one.modified) > self._before_us
        return (done.size_bytes, done.modified_us) != (one.size_bytes, unix_us(one.modified))

    def _hand_on(self, now: datetime) -> bool:
        """Hand on about ``STEP_BYTES``; False if the producer has no room for more."""
        goal = self.counts.bytes + STEP_BYTES
        while self.counts.bytes < goal:
            if self._parcel is None:
                if self._parcels is None and not self._begin(now):
                    return True
                self._parcel = next(self._parcels, None) if self._parcels else None
                if self._parcel is None:
                    self._parcels = None
                    continue
            if not self._outbox.send(self._parcel, now):
                return False
            self._parcel = None
        return True

    def _begin(self, now: datetime) -> bool:
        """Open the next object; False if there is none."""
        if not self._waiting:
            return False
        found = self._waiting.pop()
        done = self._done.get(found.path)
        has_grown = done is not None and found.size_bytes > done.size_bytes
        reading = Reading(found, done.offset if done and has_grown else 0)
        self._readings.append(reading)
        self._parcels = self._reader.read(reading, now)
        return True

    def _settle(self) -> None:
        """Note as done what Kafka has all of; what the store did not give is read again."""
        for reading in [one for one in self._readings if one.is_read and not one.left]:
            self._readings.remove(reading)
            if reading.has_failed:
                continue
            found = reading.found
            self._done[found.path] = Done(
                path=found.path,
                modified_us=unix_us(found.modified),
                size_bytes=found.size_bytes,
                offset=reading.offset,
            )
            self._is_dirty = True

    def _forget(self) -> None:
        """Forget the oldest: what was last written before them counts as done.

        Only while nothing waits: an object of the same second may not be sent yet.
        """
        oldest = sorted(self._done.values(), key=lambda one: one.modified_us)
        oldest = oldest[: len(oldest) - MOST_DONE * 9 // 10]
        self._before_us = max(self._before_us, oldest[-1].modified_us)
        for one in oldest:
            del self._done[one.path]
        self._is_dirty = True

    def _send_canaries(self, now: datetime, clock_s: float) -> None:
        """Send signs of life. An export comes late by its nature: none says that it caught up."""
        if not self._options.canary_interval_s or clock_s < self._canary_at:
            return
        self._canary_at = clock_s + self._options.canary_interval_s
        for cluster in self._reader.clusters:
            record = canary_record(cluster, self._options.collector, SOURCE, now, caught_up=False)
            try:
                self._sender.send(*record, lambda error: self._count_canary(now, error))
            except ProducerFullError:
                return

    def _count_canary(self, now: datetime, error: str | None) -> None:
        if error is None:
            self.counts.canaries += 1
            self.counts.last_canary = now

    def _save(self, clock_s: float) -> None:
        if clock_s < self._save_at or not self._is_dirty:
            return
        self._save_at = clock_s + self._options.checkpoint_interval_s
        places = [Done(path="", modified_us=self._before_us), *self._done.values()]
        try:
            self._checkpoint.save(places)
        except OSError as error:  # a full disk: going on costs repeats after a crash, no more
            self._note("checkpoint_not_saved", reason=error.strerror or str(error))
        else:
            self._is_dirty = False
