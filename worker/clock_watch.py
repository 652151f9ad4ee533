"""When a collector took a record and when the broker did in, alarms about wrong clocks out.

Separate and pure. The broker's time is that of `raw` with message.timestamp.type=LogAppendTime
(`sinks.topics` sets it); of a topic that keeps the senders' time nothing can be told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sinks.alarm import Alarm, AlarmName

if TYPE_CHECKING:
    from datetime import datetime

LIMIT_S: Final = 300.0
"""reliability.md, F14; beyond it an event counts as received (design.md, 2, Time)."""

WINDOWS_BEHIND: Final = 2
"""Windows that a clock must seem behind: records that waited for the broker look the same."""

COLLECTORS: Final = 10_000


@dataclass(slots=True)
class _Clock:
    """The largest difference of this window: of the records, the one that waited least."""

    off_s: float | None = None
    behind: int = 0
    since: datetime | None = None


class ClockWatch:
    """Watches the clocks of the collectors whose records come to this worker."""

    __slots__ = ("_clocks", "_start_s", "_window_s")

    def __init__(self, now_s: float, window_s: float = 60.0) -> None:
        self._clocks: dict[tuple[str, str], _Clock] = {}
        self._start_s = now_s
        self._window_s = window_s

    def observe(self, cluster: str, collector: str, received: datetime, stored: datetime) -> None:
        """Take one record of a batch (the last will do; canaries are enough).

        Parameters
            received: when the collector took it, by its clock.
            stored: the message's LogAppendTime.
        """
        clock = self._clocks.get((cluster, collector))
        if clock is None:
            if len(self._clocks) >= COLLECTORS:
                return
            clock = self._clocks[cluster, collector] = _Clock()
        off_s = (received - stored).total_seconds()
        clock.off_s = off_s if clock.off_s is None else max(clock.off_s, off_s)

    def due(self, now_s: float, now: datetime) -> tuple[dict[tuple[str, str], float], list[Alarm]]:
        """Return by how much clocks are ahead and the alarms, once per window; else nothing."""
        if now_s - self._start_s < self._window_s:
            return {}, []
        self._start_s = now_s
        offs = {key: one.off_s for key, one in self._clocks.items() if one.off_s is not None}
        alarms = [alarm for key, off_s in offs.items() for alarm in self._judge(key, off_s, now)]
        for key in self._clocks.keys() - offs.keys():
            if self._clocks[key].since is None:
                del self._clocks[key]  # a collector that is gone
        for clock in self._clocks.values():
            clock.off_s = None
        return offs, alarms

    def _judge(self, key: tuple[str, str], off_s: float, now: datetime) -> list[Alarm]:
        clock = self._clocks[key]
        clock.behind = clock.behind + 1 if off_s < -LIMIT_S else 0
        wrong = off_s > LIMIT_S or clock.behind >= WINDOWS_BEHIND
        if wrong == (clock.since is not None) or (clock.since and clock.behind):
            return []
        since, clock.since = clock.since or now, now if wrong else None
        way = "ahead of" if off_s > 0 else "behind"
        detail = f"its clock is {abs(off_s):.0f} s {way} the broker's" if wrong else "it is right"
        cluster, collector = key
        name = AlarmName.SOURCE_CLOCK_OFF
        return [Alarm(name, cluster, collector, since, detail, resolved=not wrong)]
