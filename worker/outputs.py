"""What a batch gives leaves: findings and events, signals for others, refused records.

Separate from the loop because only here is it known which sinks there are. Nothing waits here: a
sink that cannot take more says so, and the loop stays in its group meanwhile.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol

from sinks.elasticsearch.documents import closing_document, event_documents, finding_document
from sinks.quarantine import Place, poisoned_document, refused_document
from worker.crash_points import CrashPoint, reach, reach_soon
from worker.drain import Wait

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import polars as pl

    from detectors.correlation.sent import Sent
    from detectors.finding import Finding
    from sinks.elasticsearch.bulk import BulkWriter
    from worker.configuration import Elasticsearch
    from worker.counts import WorkerCounts
    from worker.fold import Folded
    from worker.stages import Found

_TOPIC_S: Final = 5.0
"""Longest wait for the broker's answer before the loop is asked to wait: less than any session."""

_AGAIN_S: Final = 1.0
_FRESH: Final = timedelta(minutes=10)
"""A finding that was there already is told all the same while its record is so young: the worker
that wrote it may have died before it told anybody."""


class Quarantine(Protocol):
    """The topic of refused records."""

    def add(self, document: Mapping[str, Any]) -> None:
        """Take a document."""

    def flush(self, timeout_s: float) -> bool:
        """Return whether all were acknowledged within the time."""


class Signals(Protocol):
    """The topic of correlations across clusters."""

    def add(self, found: Sent) -> None:
        """Take a batch's signals."""

    def add_passed(self, partition: int, watermark_us: int | None, *, is_whole: bool) -> None:
        """Take how far a partition came."""

    def flush(self, timeout_s: float) -> bool:
        """Return whether all were acknowledged within the time."""


@dataclass(frozen=True, slots=True)
class _Told:
    finding: Finding
    received: datetime


class ServiceOutputs:
    """Elasticsearch, the topics of signals and quarantine, and whoever is told of findings."""

    def __init__(
        self,
        bulk: BulkWriter,
        quarantine: Quarantine,
        settings: Elasticsearch,
        retention_days: int,
        *,
        counts: WorkerCounts,
        tell: Callable[[Mapping[str, Any]], None],
        topic: str = "raw",
        signals: Signals | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._bulk = bulk
        self._quarantine = quarantine
        self._prefix = settings.prefix
        self._events = settings.events
        self._retention_days = retention_days
        self._counts = counts
        self._tell = tell
        self._topic = topic
        self._signals = signals
        self._now = now
        self._sent: dict[str, _Told] = {}

    def add(self, found: Found, folded: Folded) -> None:
        """Take what a batch gives; nothing is sent yet.

        ``tell`` is called for each finding that is new, at least once: it drops what it was told
        before.
        """
        self.add_over_time(found)
        if self._events == "all":
            self._add_events(folded.fresh)
        if self._signals is not None and found.signals is not None:
            self._signals.add(found.signals)
        self._add_refused(folded)

    def add_passed(self, partition: int, watermark_us: int | None, *, is_whole: bool) -> None:
        """Take how far a partition came; see `worker.stream.Outputs`."""
        if self._signals is not None:
            self._signals.add_passed(partition, watermark_us, is_whole=is_whole)

    def add_over_time(self, found: Found) -> None:
        """Take findings, their evidence, and ends of episodes; see `worker.stream.Outputs`."""
        self._counts.excepted.update(found.excepted)
        for finding in found.findings:
            received, dated = found.received[finding.id], finding.id not in found.undated
            self._bulk.add(
                finding_document(finding, received, self._prefix, self._retention_days, dated=dated)
            )
            self._sent[finding.id] = _Told(finding, received)
        for closed in found.closed:
            self._bulk.add(closing_document(closed, self._prefix, self._retention_days))
        if self._events == "findings":
            self._add_events(found.evidence)

    def _add_events(self, events: pl.DataFrame) -> None:
        if events.height:
            for document in event_documents(events, self._prefix, self._retention_days):
                self._bulk.add(document)

    def _add_refused(self, folded: Folded) -> None:
        positions: Counter[tuple[int, int]] = Counter()
        for record, refused in folded.refused:
            position = positions[record.partition, record.offset]
            positions[record.partition, record.offset] += 1
            place = Place(self._topic, record.partition, record.offset, position)
            self._quarantine.add(refused_document(refused, record.envelope, place))

    def flush(self) -> Wait | None:
        """Send what is pending; quarantine last, for it takes what Elasticsearch refuses."""
        reach(CrashPoint.BEFORE_BULK)
        reach_soon(CrashPoint.BULK_UNANSWERED)
        wait = self._bulk.flush()
        for poisoned in self._bulk.poisoned():
            self._counts.quarantined["refused-by-elasticsearch"] += 1
            self._quarantine.add(poisoned_document(poisoned))
        self._tell_created()
        if wait is not None:
            return Wait("elasticsearch", wait.seconds, wait.reason)
        reach(CrashPoint.AFTER_ELASTICSEARCH)
        self._tell_repeated()
        if self._signals is not None and not self._signals.flush(_TOPIC_S):
            return Wait("signals", _AGAIN_S, "the broker does not acknowledge")
        reach(CrashPoint.SIGNALS_ACKED)
        if not self._quarantine.flush(_TOPIC_S):
            return Wait("quarantine", _AGAIN_S, "the broker does not acknowledge")
        reach(CrashPoint.AFTER_QUARANTINE)
        return None

    def _tell_created(self) -> None:
        for identifier in self._bulk.created():
            if (sent := self._sent.pop(identifier, None)) is not None:
                self._counts.findings[sent.finding.document["rule.id"]] += 1
                self._tell(sent.finding.document)

    def _tell_repeated(self) -> None:
        """Of findings that were there before, tell those that nobody may have told."""
        limit = self._now() - _FRESH
        for sent in self._sent.values():
            if sent.received > limit:
                self._tell(sent.finding.document)
        self._sent.clear()
