"""Log files in, their records out to Kafka, through rotation, crashes and Kafka's absence.

Separate from its parts because here they meet in one order, and that order is the promise (P1): a
line is read, checked to be of the content it is taken for, handed to the producer, kept until Kafka
has it, and only then passed by the checkpoint. One thread, one step at a time; time is passed in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ingest.collectors.canary import canary_record
from ingest.collectors.counts import CollectorCounts
from ingest.collectors.outbox import Outbox
from ingest.collectors.producer import ProducerFullError
from ingest.collectors.tail_cut import Cutter
from ingest.collectors.tail_reader import DamagedError
from ingest.collectors.tail_streams import Streams

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from ingest.collectors.checkpoint_file import CheckpointFile
    from ingest.collectors.outbox import Sender
    from ingest.collectors.tail_checkpoint import Place
    from ingest.collectors.tail_stream import Entry, Stream

STEP_BYTES: Final = 4 << 20
"""Bytes handed on in one step, so that looks and answers are not kept waiting."""

FULL_WAIT_S: Final = 0.05
"""Longest wait for room in the producer."""

SOURCE: Final = "tail"
"""What a canary is the sign of: all files of this collector."""


@dataclass(frozen=True, slots=True)
class TailOptions:
    """What to follow and how.

    ``patterns`` should name rotated files as well (`audit*.log*`). A file that will not grow any
    more gives its last half line after ``settle_s`` if it was rotated before our eyes, else after
    ``idle_s``; an idle file is closed after ``idle_s``.
    """

    cluster: str
    collector: str
    patterns: tuple[str, ...]
    spool: Path
    poll_s: float = 0.5
    canary_interval_s: float = 30.0
    checkpoint_interval_s: float = 1.0
    settle_s: float = 5.0
    idle_s: float = 60.0


@dataclass(slots=True)
class _Hand:
    """Lines of one stream that were read and not all handed on; ``stop`` is behind the last."""

    stream: Stream
    entries: Iterator[Entry]
    stop: int
    entry: Entry | None = None


class Tail:
    """Follows files. ``counts`` and ``caught_up`` are for whoever reports; `step` does the work.

    Parameters
        sender: its queue bounds what is in memory; its messages should not time out.
        note: told of what happens to files (an event's name and its fields, never content).
    """

    def __init__(
        self,
        options: TailOptions,
        sender: Sender,
        checkpoint: CheckpointFile[Place],
        note: Callable[..., None],
        counts: CollectorCounts | None = None,
    ) -> None:
        """Begin from the checkpoint. Raises BadCheckpointError."""
        self.counts = counts or CollectorCounts()
        self._options = options
        self._sender = sender
        self._checkpoint = checkpoint
        self._saved: list[Place] = checkpoint.load()
        self._streams = Streams(options, self._saved, self.counts, note)
        self._outbox = Outbox(sender, self.counts, options.spool, note)
        self._cutter = Cutter(options.cluster, options.collector, options.spool, self.counts, note)
        self._note = note
        self._hand: _Hand | None = None
        self._look_at = self._save_at = self._canary_at = float("-inf")
        self._canary: tuple[datetime, float] | None = None
        self._unread: set[int] = set()
        self._is_saving = True

    @property
    def caught_up(self) -> bool:
        """Whether every file was read to its end, as far as was seen, and all of it is in Kafka."""
        busy = self._hand or self._outbox.troubled or self._streams.unreadable
        held = self._streams.holds_since(float("inf"))
        return not busy and not held and not any(self._streams.behind())

    def step(self, now: datetime, clock_s: float) -> float:
        """Look, if it is time; send a part of what there is; save how far Kafka has it.

        Parameters
            now: stands in the records as the time they were received.
            clock_s: monotonic.

        Returns
            how long the caller may wait (in the producer's `poll`) before the next step.

        Raises
            ProducerFailedError: from the producer.
        """
        if clock_s >= self._look_at:
            self._look(now, clock_s)
        self._sender.poll(0)
        handed = self._outbox.resend(now, clock_s) and self._hand_on(now, clock_s)
        self._send_canary(now, clock_s)
        self._save(clock_s)
        if handed and next(self._streams.readable(), None):
            return 0.0
        return max(0.0, min(self._look_at - clock_s, FULL_WAIT_S if self._hand else 1.0))

    def close(self, timeout_s: float) -> int:
        """Wait for what was handed on, save, close; return how many lines Kafka did not take."""
        missing = self._sender.flush(timeout_s)
        self._save(float("inf"))
        self._streams.close()
        self._checkpoint.close()
        return missing

    def _look(self, now: datetime, clock_s: float) -> None:
        self._look_at = clock_s + self._options.poll_s
        self._streams.look(clock_s)
        if self._options.canary_interval_s and clock_s >= self._canary_at and not self._canary:
            self._canary_at = clock_s + self._options.canary_interval_s
            self._canary = now, clock_s + self._options.canary_interval_s / 2
            self._unread = {stream.key for stream in self._streams.behind()}

    def _hand_on(self, now: datetime, clock_s: float) -> bool:
        """Hand on about ``STEP_BYTES``; False if the producer has no room for more."""
        goal = self.counts.bytes + STEP_BYTES
        while self.counts.bytes < goal:
            if self._hand is None and not self._take(now, clock_s):
                return True
            if self._hand and not self._empty(self._hand, now, clock_s):
                return False
        return True

    def _empty(self, hand: _Hand, now: datetime, clock_s: float) -> bool:
        """Hand on what was read; False if the producer is full."""
        send, stream = self._outbox.send, hand.stream
        try:
            while entry := hand.entry or next(hand.entries, None):
                hand.entry = entry
                if not send(entry, now):
                    return False
                stream.hand_on(entry)
                hand.entry = None
            stream.position = hand.stop
        except (OSError, DamagedError) as error:
            self._streams.give_up(stream, error, clock_s)
        self._hand = None
        return True

    def _take(self, now: datetime, clock_s: float) -> bool:
        """Read on where it is to be read on; False if nothing is left now."""
        held = next(self._streams.unfinished(clock_s), None)
        if held is not None:
            self._hand = _Hand(held, self._cutter.complete(held, now), held.position)
            return True
        stream = next(self._streams.readable(), None)
        if stream is None:
            return False
        try:
            piece = self._streams.take(stream, clock_s)
        except (OSError, DamagedError) as error:
            self._streams.give_up(stream, error, clock_s)
            return True
        if piece is None:
            self._look_at = float("-inf")
        elif piece.at_end:
            self._unread.discard(stream.key)
        else:
            self._hand = _Hand(stream, self._cutter.entries(stream, piece, now), piece.stop)
        return piece is not None

    def _send_canary(self, now: datetime, clock_s: float) -> None:
        """Send a canary as soon as all is in Kafka that the files held when it was due.

        Until half an interval later; then it is a sign of life only.
        """
        if self._canary is None:
            return
        due, deadline_s = self._canary
        behind = self._hand or self._unread & {one.key for one in self._streams.behind()}
        held = self._streams.holds_since(deadline_s - self._options.canary_interval_s / 2)
        done = not (behind or held or self._outbox.troubled or self._streams.unreadable)
        done = done and self._sender.flush(1.0) == 0 and not self._outbox.troubled
        if not done and clock_s < deadline_s:
            return
        time = due if done else now
        options = self._options
        record = canary_record(options.cluster, options.collector, SOURCE, time, done)
        try:
            self._sender.send(*record, lambda error: self._count_canary(now, error))
        except ProducerFullError:
            return
        self._canary = None

    def _count_canary(self, now: datetime, error: str | None) -> None:
        if error is None:
            self.counts.canaries += 1
            self.counts.last_canary = now

    def _save(self, clock_s: float) -> None:
        """Save what Kafka has, if it has changed."""
        if clock_s < self._save_at:
            return
        self._save_at = clock_s + self._options.checkpoint_interval_s
        places = self._streams.places()
        if places == self._saved:
            return
        try:
            self._checkpoint.save(places)
        except OSError as error:  # a full disk: going on costs repeats after a crash, no more
            if self._is_saving:
                self._note("checkpoint_not_saved", reason=error.strerror or str(error))
            self._is_saving = False
        else:
            self._saved, self._is_saving = places, True
