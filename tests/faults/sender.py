"""Chosen records go into a topic, in the order given, with chosen times of receipt.

Separate from the generator, which has its own pace and its own thread: here a test says what comes.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final, Self

from ingest.collectors.canary import canary_record
from ingest.collectors.producer import ProducerFullError, RecordProducer
from ingest.envelope import Envelope, Format
from tests.faults.planted import Planted

_FLUSH_S: Final = 120.0


class Sender:
    """A context manager; at its end the broker has acknowledged everything, in ``sent``."""

    def __init__(self, config: dict[str, object], topic: str) -> None:
        self.sent: list[Planted] = []
        self._failed: list[str] = []
        self._producer = RecordProducer(config, topic)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        missing = self._producer.flush(_FLUSH_S)
        self._producer.close()
        assert (missing, self._failed[:3]) == (0, [])

    def send(self, planted: Planted, received: datetime | None = None) -> None:
        """Send a record, waiting for room."""
        time = received or datetime.now(UTC)
        self._send(
            Envelope(planted.cluster, "sender", Format.RECORD, time, "chosen"), planted.value
        )
        self.sent.append(planted)

    def send_canary(self, cluster: str, time: datetime) -> None:
        """Say that a cluster's records up to a time were sent."""
        envelope, value = canary_record(cluster, "sender", "chosen", time, caught_up=True)
        self._send(envelope, value)

    def _send(self, envelope: Envelope, value: bytes) -> None:
        while True:
            try:
                self._producer.send(envelope, value, self._answered)
            except ProducerFullError:
                self._producer.poll(0.1)
            else:
                return

    def send_all(self, records: Iterable[Planted], received: datetime | None = None) -> None:
        for planted in records:
            self.send(planted, received)

    def _answered(self, error: str | None) -> None:
        if error is not None:
            self._failed.append(error)
