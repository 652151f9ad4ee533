"""A listening socket, a producer and limits in; a webhook that runs until it is told to stop.

Separate from the answers to requests because this is about time: what goes on beside them, what is
known of Kafka, and in which order everything ends.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from ingest.collectors.deliveries import Deliveries, Producer
from ingest.collectors.http_connections import Connections
from ingest.collectors.seen_clusters import SeenClusters
from ingest.collectors.webhook import Webhook, WebhookOptions

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable

    from ingest.collectors.counts import CollectorCounts
    from ingest.collectors.http_limits import HttpLimits
    from ingest.collectors.producer import ProducerFailedError
    from ingest.collectors.webhook_auth import Senders

BEAT_S: Final = 1.0
PROBE_S: Final = 5.0
"""Time between questions to the broker, and longest wait for an answer."""

FLUSH_S: Final = 2.0
"""At a stop, for records whose senders have been told already that they are not stored."""


@dataclass(frozen=True, slots=True)
class ServiceOptions:
    """``stop_s``: longest time to finish requests when told to stop."""

    webhook: WebhookOptions
    limits: HttpLimits
    canary_interval_s: float = 30.0
    stop_s: float = 15.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the service tells and asks others.

    ``beat``: the loop turns. ``on_bug``: an exception that a request met. ``probe``: blocks for
    at most so many seconds and returns why Kafka cannot be written to, or None.
    ``on_missing`` hears of each change of that.
    """

    beat: Callable[[], None]
    on_bug: Callable[[Exception], None]
    probe: Callable[[float], str | None]
    on_missing: Callable[[str | None], None]


class WebhookService:
    """One webhook; made within the running loop, run once."""

    __slots__ = (
        "_around",
        "_connections",
        "_deliveries",
        "_fatal",
        "_loop",
        "_missing",
        "_options",
        "_stopping",
        "_webhook",
    )

    def __init__(
        self,
        *,
        producer: Producer,
        senders: Senders,
        tls: ssl.SSLContext | None,
        counts: CollectorCounts,
        options: ServiceOptions,
        around: Surroundings,
    ) -> None:
        """Wire; nothing runs yet."""
        self._loop = asyncio.get_running_loop()
        self._options, self._around = options, around
        self._fatal: asyncio.Future[None] = self._loop.create_future()
        self._missing: str | None = "Kafka has not answered yet"
        self._stopping = False
        self._deliveries = Deliveries(producer, self._fail)
        seen = SeenClusters(senders.clusters, self._loop.time())
        self._webhook = Webhook(
            senders=senders,
            deliveries=self._deliveries,
            seen=seen,
            counts=counts,
            limits=options.limits,
            options=options.webhook,
            on_bug=around.on_bug,
        )
        self._connections = Connections(
            self._webhook.answer, options.limits, tls, self._webhook.refuse
        )

    async def run(self, listener: socket.socket, stop: asyncio.Event) -> int:
        """Serve until ``stop``, then end in order; return how many records are not acknowledged.

        Raises
            ProducerFailedError: the producer gave up for good; only a new process can go on.
        """
        self._deliveries.start()
        tasks: list[asyncio.Task[Any]] = [
            asyncio.create_task(self._connections.accept(listener)),
            asyncio.create_task(self._beat()),
            asyncio.create_task(self._probe()),
            asyncio.create_task(self._send_canaries()),
            asyncio.create_task(stop.wait()),
        ]
        done, _ = await asyncio.wait([*tasks, self._fatal], return_when=asyncio.FIRST_COMPLETED)
        missing = await self._end(listener, tasks)
        for finished in done:
            finished.result()
        return missing

    def not_ready(self) -> str | None:
        """Return why no API server should send here now; called from any thread."""
        if self._stopping:
            return "stopping"
        if self._deliveries.in_doubt(self._loop.time()):
            return "Kafka does not acknowledge"
        return self._missing

    async def _end(self, listener: socket.socket, tasks: list[asyncio.Task[Any]]) -> int:
        """Accept no more, finish what has begun, stop the rest, wait for Kafka."""
        self._stopping = True
        accepting, beating, *others = tasks
        for task in (accepting, *others):
            task.cancel()
        await asyncio.wait((accepting, *others))
        listener.close()
        await self._connections.close(self._options.stop_s)
        missing = await self._deliveries.stop(FLUSH_S)
        beating.cancel()
        return missing

    def _fail(self, error: ProducerFailedError) -> None:
        if not self._fatal.done():
            self._fatal.set_exception(error)

    async def _beat(self) -> None:
        while True:
            self._around.beat()
            await asyncio.sleep(BEAT_S)

    async def _probe(self) -> None:
        while True:
            missing = await asyncio.to_thread(self._around.probe, PROBE_S)
            if missing != self._missing:
                self._around.on_missing(missing)
            self._missing = missing
            await asyncio.sleep(PROBE_S)

    async def _send_canaries(self) -> None:
        if not self._options.canary_interval_s:
            await asyncio.Event().wait()
        while True:
            await self._webhook.send_canaries(datetime.now(UTC))
            await asyncio.sleep(self._options.canary_interval_s)
