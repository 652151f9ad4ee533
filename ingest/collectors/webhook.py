"""Requests of API servers and sensors in, records in Kafka out, 200 only when they are there.

Separate from the HTTP server because this is the promise (P1): what is answered with 200 is in
Kafka; whatever is doubtful is not, the API server sends it again, and the ids of events make the
repeat invisible.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from aiohttp import hdrs, web

from ingest.collectors.canary import canary_record
from ingest.collectors.event_list import NotJsonError, TooManyEventsError
from ingest.collectors.http_body import read_body
from ingest.collectors.http_limits import HeldBytes, HeldShare, HttpLimits
from ingest.collectors.intake import AUDIT, Intake
from ingest.collectors.refusal import NOT_NOW, STATUS, Refusal, RequestRefusedError
from ingest.collectors.salvaging import fit, head_of, spool
from ingest.envelope import Envelope, Format
from ingest.salvage import MAX_RECORD_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ingest.collectors.counts import CollectorCounts
    from ingest.collectors.deliveries import Deliveries
    from ingest.collectors.seen_clusters import SeenClusters
    from ingest.collectors.webhook_auth import Senders

RETRY_AFTER_S: Final = 1
"""client-go waits so long itself, ten times at most, before the backend's own retries begin."""

Record = tuple[Envelope, bytes]


@dataclass(frozen=True, slots=True)
class WebhookOptions:
    """Name of this collector, where originals over the size limit go, how long Kafka may take."""

    collector: str
    spool: Path
    acknowledge_s: float
    intake: Intake = AUDIT


class Webhook:
    """Takes one request at a time, any number of them together, within one event loop."""

    __slots__ = (
        "_counts",
        "_deliveries",
        "_held",
        "_limits",
        "_on_bug",
        "_options",
        "_seen",
        "_senders",
    )

    def __init__(
        self,
        *,
        senders: Senders,
        deliveries: Deliveries,
        seen: SeenClusters,
        counts: CollectorCounts,
        limits: HttpLimits,
        options: WebhookOptions,
        on_bug: Callable[[Exception], None],
    ) -> None:
        """Wire; ``on_bug`` hears of exceptions that nothing here expects, answered with 500."""
        self._senders, self._deliveries, self._seen = senders, deliveries, seen
        self._counts, self._limits, self._options = counts, limits, options
        self._on_bug = on_bug
        self._held = HeldBytes(limits.held_bytes)

    async def answer(self, request: web.BaseRequest, working: Callable[[], None]) -> web.Response:
        """Answer a request; as `http_connections.Answer`."""
        self._counts.requests += 1
        try:
            await self._take(request, working)
        except RequestRefusedError as error:
            return self._refuse(error.reason)
        except Exception as error:  # noqa: BLE001 - one bad request must not end the service
            self._on_bug(error)
            return self._refuse(Refusal.BUG)
        return web.Response()

    async def send_canaries(self, now: datetime) -> None:
        """Send a sign of life of each cluster; one that does not get through is not counted."""
        now_s = asyncio.get_running_loop().time()
        records = [
            canary_record(
                cluster,
                self._options.collector,
                self._options.intake.source,
                now,
                caught_up=self._seen.is_caught_up(cluster, now_s),
            )
            for cluster in self._seen.names
        ]
        try:
            await self._deliveries.deliver(records, self._options.acknowledge_s)
        except RequestRefusedError as error:
            self._counts.refused[error.reason.value] += 1
            return
        self._counts.canaries += len(records)
        self._counts.last_canary = now if records else self._counts.last_canary

    def refuse(self, reason: Refusal) -> None:
        """Count what was refused, also a connection without a request."""
        self._counts.refused[reason.value] += 1

    def _refuse(self, reason: Refusal) -> web.Response:
        self.refuse(reason)
        status = STATUS[reason]
        headers = {}
        if reason in NOT_NOW:
            headers[hdrs.RETRY_AFTER] = str(RETRY_AFTER_S)
        elif reason is Refusal.METHOD:
            headers[hdrs.ALLOW] = hdrs.METH_POST
        elif reason is Refusal.UNAUTHORIZED:
            headers[hdrs.WWW_AUTHENTICATE] = "Bearer"
        return web.Response(status=status, text=f"{reason.value}\n", headers=headers)

    async def _take(self, request: web.BaseRequest, working: Callable[[], None]) -> None:
        cluster = self._sender(request)
        try:
            with self._held.share() as held:
                body = await self._read(request, held)
                working()
                await self._send(cluster, body)
        except RequestRefusedError as error:
            if error.reason in NOT_NOW:
                self._seen.refused(cluster, asyncio.get_running_loop().time())
            raise
        self._seen.taken(cluster)

    def _sender(self, request: web.BaseRequest) -> str:
        path = request.raw_path
        if not path.startswith(self._options.intake.root):
            raise RequestRefusedError(Refusal.PATH)
        if request.method != hdrs.METH_POST:
            raise RequestRefusedError(Refusal.METHOD)
        transport = request.transport
        certificate = None if transport is None else transport.get_extra_info("peercert")
        return self._senders.cluster_of(path, request.headers.get(hdrs.AUTHORIZATION), certificate)

    async def _read(self, request: web.BaseRequest, held: HeldShare) -> bytes:
        size_bytes = request.content_length
        if (size_bytes or 0) > self._limits.body_bytes:
            raise RequestRefusedError(Refusal.TOO_LARGE)
        if request.headers.get(hdrs.EXPECT, "").lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        encoding = request.headers.get(hdrs.CONTENT_ENCODING, "")
        return await read_body(request.content, size_bytes, encoding, self._limits, held)

    async def _send(self, cluster: str, body: bytes) -> None:
        now = datetime.now(UTC)
        records = await self._records(cluster, body, now)
        size_bytes = sum(len(value) for _, value in records)
        try:
            await self._deliveries.deliver(records, self._options.acknowledge_s)
        except RequestRefusedError as error:
            if error.reason is Refusal.NOT_ACKNOWLEDGED:
                self._count_handed_on(len(records), size_bytes)
                self._counts.failed += len(records)
            raise
        self._count_handed_on(len(records), size_bytes)
        self._counts.acknowledged += len(records)
        self._counts.last_record = now

    def _count_handed_on(self, records: int, size_bytes: int) -> None:
        self._counts.records += records
        self._counts.bytes += size_bytes

    async def _records(self, cluster: str, body: bytes, now: datetime) -> list[Record]:
        intake = self._options.intake
        try:
            raws = intake.split(body)
            if raws is None:
                raws = await asyncio.to_thread(intake.scan, body)
        except NotJsonError as error:
            raise RequestRefusedError(Refusal.NOT_JSON) from error
        except TooManyEventsError as error:
            raise RequestRefusedError(Refusal.TOO_MANY) from error
        form, collector = Format.RECORD, self._options.collector
        envelope = Envelope(cluster, collector, form, now, intake.source)
        return [
            (envelope, raw) if len(raw) <= MAX_RECORD_BYTES else await self._shorten(envelope, raw)
            for raw in raws
        ]

    async def _shorten(self, envelope: Envelope, raw: bytes) -> Record:
        """Keep the head of a record that fits no message; the original goes to the spool."""
        fitted = await asyncio.to_thread(fit, raw) or head_of(raw)
        self._counts.salvaged += 1
        await asyncio.to_thread(spool, self._options.spool, raw)
        return replace(envelope, salvage=fitted.salvage), fitted.value
