"""The records of one request in, one answer out: Kafka has all of them, or it is not known to.

Separate because the producer answers record by record, on the thread that polls it, while a request
waits in an event loop for all of its records.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Final, Protocol

from ingest.collectors.producer import ProducerFailedError, ProducerFullError
from ingest.collectors.refusal import Refusal, RequestRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ingest.envelope import Envelope

POLL_S: Final = 0.1

DOUBT_S: Final = 30.0
"""After a failed delivery this collector is not ready for so long, unless one succeeds."""


class Producer(Protocol):
    """What is needed of `producer.RecordProducer`."""

    def send(
        self, envelope: Envelope, value: bytes, on_delivery: Callable[[str | None], None]
    ) -> None:
        """Hand a record over; the answer comes within ``poll`` or ``flush``."""

    def poll(self, timeout_s: float) -> None:
        """Serve answers."""

    def flush(self, timeout_s: float) -> int:
        """Wait for answers; return how many are missing."""


class Deliveries:
    """Hands records to a producer and waits for all their answers.

    ``last_success_s`` and ``last_failure_s`` are times of the loop's clock, None if never.
    """

    __slots__ = (
        "_loop",
        "_on_fatal",
        "_producer",
        "_stopped",
        "_thread",
        "last_failure_s",
        "last_success_s",
    )

    def __init__(self, producer: Producer, on_fatal: Callable[[ProducerFailedError], None]) -> None:
        """Prepare within a running loop.

        Parameters
            on_fatal: called once, in the loop, when the producer can send nothing any more.
        """
        self._loop = asyncio.get_running_loop()
        self._producer, self._on_fatal = producer, on_fatal
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="kafka-answers", daemon=True)
        self.last_success_s: float | None = None
        self.last_failure_s: float | None = None

    def start(self) -> None:
        """Begin to serve answers."""
        self._thread.start()

    async def stop(self, timeout_s: float) -> int:
        """Wait for outstanding answers at most so long; return how many are missing."""
        self._stopped.set()
        await asyncio.to_thread(self._thread.join)
        try:
            return await asyncio.to_thread(self._producer.flush, timeout_s)
        except ProducerFailedError as error:
            self._on_fatal(error)
            return 0

    async def deliver(self, records: Sequence[tuple[Envelope, bytes]], timeout_s: float) -> None:
        """Return when every in-sync replica has every record.

        Raises
            RequestRefusedError: the queue is full, one record failed, or the time is up. Some of
                the records may be in Kafka, or may still get there.
        """
        if not records:
            return
        receipt = _Receipt(self._loop, len(records))
        try:
            for envelope, value in records:
                self._producer.send(envelope, value, receipt.answer)
            async with asyncio.timeout(timeout_s):
                failed = await receipt.told
        except ProducerFullError as error:
            raise RequestRefusedError(Refusal.QUEUE_FULL) from error
        except (ProducerFailedError, TimeoutError) as error:
            self.last_failure_s = self._loop.time()
            raise RequestRefusedError(Refusal.NOT_ACKNOWLEDGED) from error
        if failed is not None:
            self.last_failure_s = self._loop.time()
            raise RequestRefusedError(Refusal.NOT_ACKNOWLEDGED)
        self.last_success_s = self._loop.time()

    def in_doubt(self, now_s: float) -> bool:
        """Whether the last delivery failed, not long ago."""
        if self.last_failure_s is None or now_s - self.last_failure_s > DOUBT_S:
            return False
        return self.last_success_s is None or self.last_success_s < self.last_failure_s

    def _poll(self) -> None:
        while not self._stopped.is_set():
            try:
                self._producer.poll(POLL_S)
            except ProducerFailedError as error:
                self._loop.call_soon_threadsafe(self._on_fatal, error)
                return


class _Receipt:
    """Counts the answers of one request's records; ``told`` gets the first error, or None."""

    __slots__ = ("_left", "_loop", "told")

    def __init__(self, loop: asyncio.AbstractEventLoop, records: int) -> None:
        self._loop = loop
        self._left = records
        self.told: asyncio.Future[str | None] = loop.create_future()

    def answer(self, error: str | None) -> None:
        """Take one record's answer, on the thread that polls."""
        self._left -= 1
        if self._left == 0 or error is not None:
            self._loop.call_soon_threadsafe(self._tell, error)

    def _tell(self, error: str | None) -> None:
        if not self.told.done():
            self.told.set_result(error)
