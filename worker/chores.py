"""What a worker does beside its loop: watch sources, clocks, shares; alarms; retention.

Separate from the loop because nothing here touches a record or its order: if all of it failed, no
finding would be missing.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol

from ingest.collectors.canary import read_canary
from ingest.collectors.producer import ProducerFullError
from ingest.envelope import Format
from sinks.alarm import Alarm, AlarmName
from worker.clock_watch import ClockWatch
from worker.cluster_rate import ALARM_SHARE, ClusterRate
from worker.silence import SOURCES, SilenceWatch, silence_record, subject_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ingest.envelope import Envelope
    from ingest.sources.kafka import Record
    from worker.counts import Source, WorkerCounts

BLOCKED_AFTER_S: Final = 60.0
"""A sink that says wait for so long is an alarm, not a pause."""

RETENTION_EVERY_S: Final = 3_600.0
RETENTION_PARTITION: Final = 0
"""Its owner applies retention: one worker of the group, whichever it is."""


class QuarantineLimitError(Exception):
    """Most records are refused: a bad deploy or a wrong topic, not bad records. Stop."""


class Teller(Protocol):
    """Who is told of alarms."""

    def alarm(self, alarm: Alarm) -> None:
        """Tell of an alarm or its end; never waits."""


class Sender(Protocol):
    """Appends records to `raw`."""

    def send(
        self, envelope: Envelope, value: bytes, on_delivery: Callable[[str | None], None]
    ) -> None:
        """Hand a record over."""

    def poll(self, timeout_s: float) -> None:
        """Serve answers."""


class QuarantineLimit:
    """Counts refused records over windows; see `worker.configuration.Worker`."""

    def __init__(self, share: float, window: int) -> None:
        self._share, self._window = share, window
        self._records = self._refused = 0

    def observe(self, records: int, refused: int) -> None:
        """Count a batch.

        Raises
            QuarantineLimitError: the window is full and more than the share of it was refused.
        """
        self._records += records
        self._refused += refused
        if self._records < self._window:
            return
        refused, records = self._refused, self._records
        self._records = self._refused = 0
        if refused > self._share * records:
            raise QuarantineLimitError(
                f"{refused:,} of the last {records:,} records were refused, more than "
                f"worker.quarantine_share ({self._share:g}) allows. Nothing of them is committed "
                "that is not in quarantine. See `trailwarden quarantine list`."
            )


class Chores:
    """Watches of one worker."""

    def __init__(
        self,
        name: str,
        counts: WorkerCounts,
        teller: Teller,
        sender: Sender,
        *,
        silence_s: float,
        apply_retention: Callable[[], None],
        now_s: float,
    ) -> None:
        self._name = name
        self._counts = counts
        self._teller = teller
        self._sender = sender
        self._silence = SilenceWatch(silence_s, now_s)
        self._clocks = ClockWatch(now_s)
        self._rate = ClusterRate(now_s)
        self._apply_retention = apply_retention
        self._retention_s = now_s
        self._waiting: dict[str, tuple[float, Alarm | None]] = {}
        self._loaded: set[str] = set()
        self._sources: dict[Source, int] = {}

    def observe(self, records: Sequence[Record]) -> None:
        """Look at the envelopes of a batch."""
        for cluster, count in Counter(record.envelope.cluster for record in records).items():
            self._rate.observe(cluster, count)
        for record in records:
            if record.envelope.format is Format.CANARY:
                self._observe_canary(record)

    def _observe_canary(self, record: Record) -> None:
        envelope = record.envelope
        canary = read_canary(record.value)
        source = (envelope.cluster, envelope.collector, canary.source)
        time = canary.time or envelope.received
        self._counts.sources[source] = time
        if (over := self._silence.observe(source, time, record.partition)) is not None:
            self._tell(over)
        self._sources.pop(source, None)
        self._sources[source] = record.partition
        if len(self._sources) > SOURCES:
            self._drop(next(iter(self._sources)))
        stored = datetime.fromtimestamp(record.stored_ms / 1000, UTC)
        self._clocks.observe(envelope.cluster, envelope.collector, envelope.received, stored)

    def waiting(self, sink: str, reason: str, now_s: float) -> None:
        """Note that a sink takes nothing now; an alarm when that goes on."""
        since_s, alarm = self._waiting.get(sink, (now_s, None))
        if alarm is None and now_s - since_s >= BLOCKED_AFTER_S:
            detail = f"{sink} takes nothing for {now_s - since_s:.0f} s: {reason}"
            alarm = Alarm(
                AlarmName.ELASTICSEARCH_BLOCKED, "", sink, datetime.now(UTC), detail[:500]
            )
            self._tell(alarm)
        self._waiting[sink] = since_s, alarm

    def flowing(self) -> None:
        """Note that every sink took what was pending."""
        for _, alarm in self._waiting.values():
            if alarm is not None:
                detail = "it takes documents again"
                self._tell(Alarm(alarm.name, "", alarm.subject, alarm.since, detail, resolved=True))
        self._waiting.clear()

    def tick(self, now_s: float, partitions: Sequence[int], *, reading: bool) -> None:
        """Do what is due; called at every turn of the loop."""
        now = datetime.now(UTC)
        self._keep(partitions)
        for alarm in self._silence.due(now_s, reading=reading):
            self._tell(alarm)
            self._append_silence(alarm, now)
        offs, alarms = self._clocks.due(now_s, now)
        self._counts.clock_off_s.update(offs)
        for alarm in alarms:
            self._tell(alarm)
        self._tell_shares(self._rate.due(now_s, self._counts.busy_s), now)
        due = now_s - self._retention_s >= RETENTION_EVERY_S
        if due and RETENTION_PARTITION in partitions:
            self._retention_s = now_s
            self._apply_retention()

    def _keep(self, partitions: Sequence[int]) -> None:
        """Forget what another worker watches now."""
        for alarm in self._silence.keep(partitions):
            self._tell(alarm)
        for source in [s for s, number in self._sources.items() if number not in partitions]:
            self._drop(source)

    def _drop(self, source: Source) -> None:
        del self._sources[source]
        self._counts.sources.pop(source, None)
        self._counts.clock_off_s.pop(source[:2], None)

    def _append_silence(self, alarm: Alarm, now: datetime) -> None:
        """Append the silence to `raw`: it moves the cluster's watermark in place of canaries."""
        silent = [s for s in self._silence.silent() if subject_of(s) == alarm.subject]
        source = next((s for s in silent if s[0] == alarm.cluster), None)
        if source is None:
            return
        envelope, value = silence_record(source, alarm.since, self._name, now)
        try:
            self._sender.send(envelope, value, lambda _: None)
            self._sender.poll(0.0)
        except ProducerFullError:
            return  # the alarm itself was told; the next canary or alarm moves the watermark

    def _tell_shares(self, shares: dict[str, float] | None, now: datetime) -> None:
        if shares is None:
            return
        self._counts.cluster_share = shares
        loaded = {cluster for cluster, share in shares.items() if share >= ALARM_SHARE}
        for cluster in loaded ^ self._loaded:
            share = shares.get(cluster, 0.0)
            detail = (
                f"takes {share:.0%} of its worker's time; one cluster is one partition, so filter "
                "at the collector before it reaches 100 %"
            )
            over = cluster not in loaded
            self._tell(Alarm(AlarmName.CLUSTER_RATE, cluster, cluster, now, detail, resolved=over))
        self._loaded = loaded

    def _tell(self, alarm: Alarm) -> None:
        self._counts.alarms[alarm.name.value] += not alarm.resolved
        self._teller.alarm(alarm)
