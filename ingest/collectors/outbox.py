"""Records in, acknowledged records out: what Kafka refuses is sent again until it is taken.

Separate from the tail and the inbox because both must not lose a record whose place may be gone
when its delivery fails (a truncated file, another owner's partition): so it stays in memory, and
the producer's bounded queue bounds that.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from ingest.collectors.producer import ProducerFullError
from ingest.collectors.salvaging import HEAD_BYTES, shrink, spool

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from ingest.collectors.counts import CollectorCounts
    from ingest.collectors.producer import Answer
    from ingest.envelope import Envelope

RETRY_S: Final = 1.0
RETRY_MOST_S: Final = 30.0

TOO_LARGE: Final = "MSG_SIZE_TOO_LARGE"
"""How the producer's answer begins when the topic's limit is below ours."""


class Sender(Protocol):
    """What `RecordProducer` offers."""

    def send(self, envelope: Envelope, value: bytes, on_delivery: Answer) -> None:
        """Take a record. Raises ProducerFullError."""

    def poll(self, timeout_s: float) -> None:
        """Serve answers."""

    def flush(self, timeout_s: float) -> int:
        """Wait for answers; return how many are missing."""


class Parcel(Protocol):
    """One record on its way."""

    envelope: Envelope
    value: bytes

    def arrive(self) -> None:
        """Learn that Kafka has it."""


class Outbox:
    """Sends records and keeps those that Kafka refused, to send them again."""

    __slots__ = ("_counts", "_failed", "_note", "_pause_s", "_retry_at", "_sender", "_spool")

    def __init__(
        self, sender: Sender, counts: CollectorCounts, spool: Path, note: Callable[..., None]
    ) -> None:
        self._sender = sender
        self._counts = counts
        self._spool = spool
        self._note = note
        self._failed: deque[tuple[Parcel, str]] = deque()
        self._retry_at = 0.0
        self._pause_s = RETRY_S

    @property
    def troubled(self) -> bool:
        """Whether there are records that Kafka refused and that were not sent again yet."""
        return bool(self._failed)

    def send(self, parcel: Parcel, now: datetime) -> bool:
        """Send a record; False if the producer is full."""
        try:
            self._sender.send(parcel.envelope, parcel.value, partial(self._answer, parcel, now))
        except ProducerFullError:
            return False
        self._counts.records += 1
        self._counts.bytes += len(parcel.value)
        return True

    def resend(self, now: datetime, clock_s: float) -> bool:
        """Send what was refused, in its order, when it is time; True if nothing is left of it."""
        if not self._failed:
            return True
        if self._retry_at == 0.0:
            self._retry_at = clock_s + self._pause_s
            self._pause_s = min(self._pause_s * 2, RETRY_MOST_S)
            self._note("delivery_failed", records=len(self._failed), reason=self._failed[0][1])
        if clock_s < self._retry_at:
            return False
        while self._failed:
            self._fit(*self._failed[0])
            if not self.send(self._failed[0][0], now):
                return False
            self._failed.popleft()
        self._retry_at = 0.0
        return True

    def _fit(self, parcel: Parcel, reason: str) -> None:
        """Cut a record that the topic does not take; a small one only stood beside such a one."""
        if reason.startswith(TOO_LARGE) and len(parcel.value) > HEAD_BYTES:
            kept = spool(self._spool, parcel.value)
            fitted = shrink(parcel.value)
            salvage = parcel.envelope.salvage or fitted.salvage
            parcel.value, parcel.envelope = fitted.value, replace(parcel.envelope, salvage=salvage)
            self._counts.salvaged += 1
            self._note("too_large_for_the_topic", source=parcel.envelope.source, spooled=bool(kept))

    def _answer(self, parcel: Parcel, now: datetime, error: str | None) -> None:
        if error is not None:
            self._counts.failed += 1
            self._failed.append((parcel, error))
            return
        self._counts.acknowledged += 1
        self._counts.last_record = now
        self._pause_s = RETRY_S
        parcel.arrive()
