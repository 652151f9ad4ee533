"""Canary records in, alarms about sources that went quiet out.

Separate and pure: time is passed in, nothing is sent from here. A source is known from its first
canary on; silence is counted in the time that this worker was reading, so that a worker which waits
for Elasticsearch, or whose clock is stepped, accuses nobody.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from ingest.envelope import Envelope, Format
from sinks.alarm import Alarm, AlarmName

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from worker.counts import Source

SOURCES: Final = 10_000
"""Sources remembered; beyond it the one not heard of for longest is forgotten, and counted."""

FORGET_S: Final = 24 * 3600.0
"""A source that has been gone for a day was taken out of service, or somebody knows by now."""


@dataclass(slots=True)
class _Sign:
    """When a source was last heard of: in reading time, and by its own clock; and where."""

    heard_s: float
    canary: datetime
    partition: int
    alarmed: bool = False


class SilenceWatch:
    """Watches the sources whose canaries come to this worker.

    Parameters
        silence_s: a source is silent after so much reading time without a canary.
        now_s: monotonic seconds.

    ``evicted`` counts sources forgotten for want of room.
    """

    __slots__ = ("_now_s", "_reading_s", "_signs", "_silence_s", "evicted")

    def __init__(self, silence_s: float, now_s: float) -> None:
        self._silence_s = silence_s
        self._now_s = now_s
        self._reading_s = 0.0
        self._signs: OrderedDict[Source, _Sign] = OrderedDict()
        self.evicted = 0

    def observe(self, source: Source, canary: datetime, partition: int = 0) -> Alarm | None:
        """Take a canary of ``source``; return the end of its alarm if there was one.

        Parameters
            canary: the canary's own time, or the record's received time where it has none.
            partition: where it came from; see `keep`.
        """
        before = self._signs.pop(source, None)
        self._signs[source] = _Sign(self._reading_s, canary, partition)
        if len(self._signs) > SOURCES:
            self._signs.popitem(last=False)
            self.evicted += 1
        if before is None or not before.alarmed:
            return None
        return _alarm(source, before.canary, "canary records come again", resolved=True)

    def due(self, now_s: float, *, reading: bool) -> list[Alarm]:
        """Return the alarms that are due; each silence is told once. Cost: the silent sources.

        Call it at every step. ``reading``: records were polled, or none were there, since the last
        call; False while partitions are paused.
        """
        self._reading_s += max(now_s - self._now_s, 0.0) if reading else 0.0
        self._now_s = now_s
        self._forget_gone()
        alarms = []
        for source, sign in self._signs.items():
            if self._reading_s - sign.heard_s < self._silence_s:
                break  # they stand in the order in which they were heard
            if not sign.alarmed:
                sign.alarmed = True
                detail = f"no canary record for {self._silence_s:g} s: source or collector is down"
                alarms.append(_alarm(source, sign.canary, detail, resolved=False))
        return alarms

    def keep(self, partitions: Collection[int]) -> list[Alarm]:
        """Forget the sources of all other partitions, which are another worker's; end their alarms.

        Call it before `due` with the partitions held: a source must not be called silent because
        its canaries go elsewhere. The next owner raises its alarm if it is silent there as well.
        """
        gone = [key for key, sign in self._signs.items() if sign.partition not in partitions]
        signs = [(source, self._signs.pop(source)) for source in gone]
        return [
            _alarm(source, sign.canary, "another worker watches it now", resolved=True)
            for source, sign in signs
            if sign.alarmed
        ]

    def silent(self) -> list[Source]:
        """Return the sources whose alarm is on."""
        return [source for source, sign in self._signs.items() if sign.alarmed]

    def __len__(self) -> int:
        return len(self._signs)

    def _forget_gone(self) -> None:
        while self._signs:
            source, sign = next(iter(self._signs.items()))
            if self._reading_s - sign.heard_s < FORGET_S:
                return
            del self._signs[source]


def _alarm(source: Source, since: datetime, detail: str, *, resolved: bool) -> Alarm:
    cluster = source[0]
    return Alarm(AlarmName.SOURCE_SILENT, cluster, subject_of(source), since, detail, resolved)


def subject_of(source: Source) -> str:
    """Return how an alarm names a source within its cluster."""
    return f"{source[1]} {source[2]}".strip()


def silence_record(
    source: Source, since: datetime, worker: str, now: datetime
) -> tuple[Envelope, bytes]:
    """Return the silence as a record for `raw`, keyed by its cluster: it moves the watermark.

    JSON {"time", "since", "collector", "source"}; ``time`` is when it was noticed.
    """
    cluster, collector, name = source
    told = {"time": now, "since": since, "collector": collector, "source": name}
    return Envelope(cluster, worker, Format.SILENCE, now, name), msgspec.json.encode(told)
