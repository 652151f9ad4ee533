"""Events and findings of a scan in, documents in Elasticsearch out: ids and indices of the service.

Separate from the scan, which needs no server: only one that is told to deliver loads this. Unlike
a worker, a scan has nothing else to do: where Elasticsearch says wait, it waits, and says so.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sinks.elasticsearch.bulk import BulkWriter
from sinks.elasticsearch.documents import event_documents, finding_document
from sinks.elasticsearch.setup_check import checker
from sinks.elasticsearch.transport import NotAllowedError, SetupMissingError
from sinks.quarantine import poisoned_document
from worker.scan import DeliveryFailedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    import polars as pl

    from detectors.finding import Finding
    from sinks.elasticsearch.bulk import BulkCounts
    from sinks.elasticsearch.connection import Client
    from sinks.elasticsearch.documents import Document
    from worker.configuration import Settings

PENDING: Final = 10_000
"""Documents gathered before they are sent: tens of megabytes."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How a delivery waits: ``tell`` gets one line for people before each wait.

    ``clock`` gives monotonic seconds.
    """

    tell: Callable[[str], None]
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic


class Delivery:
    """Writes events (as ``elasticsearch.events`` says) and findings of one scan.

    Parameters
        received: when the scan began; it is the collector here.
    """

    def __init__(
        self, client: Client, settings: Settings, received: datetime, patience: Patience
    ) -> None:
        elastic = settings.elasticsearch
        self._writer = BulkWriter(
            client,
            elastic.bulk_bytes,
            check=checker(client, elastic.prefix),
            clock=patience.clock,
        )
        self._check = checker(client, elastic.prefix)
        self._prefix = elastic.prefix
        self._events = elastic.events
        self._retention_days = settings.worker.retention_days
        self._received = received
        self._patience = patience

    @property
    def counts(self) -> BulkCounts:
        """What became of the documents so far."""
        return self._writer.counts

    def begin(self) -> None:
        """See to it that Elasticsearch is there and set up, before anything is read.

        Raises
            DeliveryFailedError: it is not.
        """
        with self._failing():
            if refusal := self._check():
                raise DeliveryFailedError(f"Elasticsearch does not answer: {refusal.reason}")

    def add(self, events: pl.DataFrame, rows: pl.Series) -> None:
        """See `worker.scan.Delivery`."""
        evidence = events[rows.unique().sort()]
        chosen = {"all": events, "findings": evidence, "none": events.clear()}[self._events]
        self._take_events(chosen)

    def add_evidence(self, events: pl.DataFrame) -> None:
        """See `worker.scan.Delivery`; where all events go there they are there already."""
        if self._events == "findings":
            self._take_events(events)

    def _take_events(self, events: pl.DataFrame) -> None:
        self._take(event_documents(events, self._prefix, self._retention_days, self._received))

    def add_findings(self, found: Sequence[Finding]) -> None:
        """See `worker.scan.Delivery`."""
        days = self._retention_days
        self._take(finding_document(one, self._received, self._prefix, days) for one in found)

    def finish(self) -> list[dict[str, Any]]:
        """See `worker.scan.Delivery`."""
        self._send()
        return [poisoned_document(poisoned) for poisoned in self._writer.poisoned()]

    def _take(self, documents: Iterable[Document]) -> None:
        for document in documents:
            self._writer.add(document)
        if self._writer.pending >= PENDING:
            self._send()

    def _send(self) -> None:
        with self._failing():
            while wait := self._writer.flush():
                self._patience.tell(
                    f"Elasticsearch says to wait: {wait.reason}. Trying again in "
                    f"{wait.seconds:.0f} s; {self._writer.pending:,} documents are waiting."
                )
                self._patience.sleep(wait.seconds)

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Turn what stops a worker into what ends a scan."""
        try:
            yield
        except (NotAllowedError, SetupMissingError) as error:
            counts = self.counts
            done = f"{counts.created:,} documents written, {counts.repeated:,} were there already"
            raise DeliveryFailedError(f"{error} ({done})") from error
