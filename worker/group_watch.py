"""How the workers' group stands in, an alarm that the workers are silent out.

Separate from the workers because it is for the other side: collectors run it, so that workers which
all are down, or hang, are told of by somebody who is not (P5). `GroupWatch` is pure,
`GroupWatcher` asks the broker on a thread.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol

from sinks.alarm import Alarm, AlarmName
from sinks.kafka_admin import GroupState, KafkaAdmin, KafkaAdminError
from worker import metric_list as m

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from worker.metrics import Sample

NO_MEMBERS_S: Final = 30.0
"""A group may be empty while it is restarted. With the session timeout of 45 s, after which the
broker takes a killed worker out, the alarm still comes within 90 s."""


class Alarms(Protocol):
    """Who is told: `sinks.notify.Notifier`."""

    def alarm(self, alarm: Alarm) -> None:
        """Take an alarm; does not wait."""


@dataclass(frozen=True, slots=True)
class _Progress:
    committed: int
    since_s: float


class GroupWatch:
    """Decides whether workers are silent: no members, or no commit while there is lag.

    A partition counts for itself: one worker that hangs stops its partitions only.

    Parameters
        silence_s: longest time without a commit; more than the workers' checkpoint interval.
        interval_s: time between two observations; alarms come early rather than late by it.
    """

    __slots__ = ("_alarm", "_empty_since_s", "_group", "_interval_s", "_progress", "_silence_s")

    def __init__(self, group: str, silence_s: float, interval_s: float) -> None:
        self._group = group
        self._silence_s = silence_s
        self._interval_s = interval_s
        self._progress: dict[int, _Progress] = {}
        self._empty_since_s: float | None = None
        self._alarm: Alarm | None = None

    @property
    def silent(self) -> bool:
        """Whether the alarm is on."""
        return self._alarm is not None

    def observe(self, state: GroupState, now_s: float, now: datetime) -> Alarm | None:
        """Return an alarm when silence begins and its end when it is over.

        Parameters
            now_s: monotonic seconds; ``now`` is for people only.
        """
        reason = self._reason(state, now_s)
        if reason and self._alarm is None:
            self._alarm = Alarm(AlarmName.WORKER_SILENT, "", self._group, now, reason)
            return self._alarm
        if not reason and self._alarm is not None:
            began, self._alarm = self._alarm.since, None
            detail = "the workers commit again"
            return Alarm(AlarmName.WORKER_SILENT, "", self._group, began, detail, resolved=True)
        return None

    def lost(self) -> None:
        """Say that the broker did not answer: what was not seen is held against nobody."""
        self._progress.clear()
        self._empty_since_s = None

    def _reason(self, state: GroupState, now_s: float) -> str:
        horizon_s = now_s + self._interval_s
        if state.members:
            self._empty_since_s = None
        elif self._empty_since_s is None:
            self._empty_since_s = now_s
        self._note(state, now_s)
        empty_s = min(NO_MEMBERS_S, self._silence_s)
        if self._empty_since_s is not None and horizon_s - self._empty_since_s >= empty_s:
            return f"group {self._group} has no members: no worker runs"
        stuck = [
            partition
            for partition, progress in self._progress.items()
            if horizon_s - progress.since_s >= self._silence_s
        ]
        if not stuck:
            return ""
        return (
            f"{len(stuck)} partitions have records but no checkpoint for "
            f"{self._silence_s:g} s, the first is {min(stuck)}"
        )

    def _note(self, state: GroupState, now_s: float) -> None:
        before, self._progress = self._progress, {}
        for partition, lag in state.lag.items():
            if not lag:
                continue
            committed = state.committed.get(partition, -1)
            known = before.get(partition)
            moved = known is None or known.committed != committed
            self._progress[partition] = (
                _Progress(committed, now_s) if moved or known is None else known
            )


_CLOSE_S: Final = 2.0
"""Longest wait for a question that is on its way when the watch ends."""


class GroupWatcher:
    """Runs a `GroupWatch` on a thread from construction until `close`.

    Parameters
        config: librdkafka's configuration of the connection.
        on_problem: told in one sentence when the broker cannot be asked, once per outage.
    """

    __slots__ = (
        "_admin", "_alarms", "_group", "_interval_s", "_on_problem", "_state", "_stopping",
        "_thread", "_topic", "_watch",
    )  # fmt: skip

    def __init__(
        self,
        config: Mapping[str, object],
        group: str,
        topic: str,
        alarms: Alarms,
        *,
        silence_s: float,
        interval_s: float = 10.0,
        on_problem: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._admin = KafkaAdmin(config, timeout_s=min(interval_s, 10.0))
        self._group, self._topic = group, topic
        self._alarms = alarms
        self._interval_s = interval_s
        self._on_problem = on_problem
        self._watch = GroupWatch(group, silence_s, interval_s)
        self._state: GroupState | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="group watch", daemon=True)
        self._thread.start()

    def samples(self) -> Iterator[Sample]:
        """Yield what was last seen, for `worker.metrics.metrics_registry`."""
        state = self._state
        if state is not None:
            yield m.GROUP_MEMBERS, (), state.members
            yield m.GROUP_LAG, (), sum(state.lag.values())
            yield m.GROUP_SILENT, (), float(self._watch.silent)

    def close(self) -> None:
        """Stop asking."""
        self._stopping.set()
        self._thread.join(_CLOSE_S)

    def _run(self) -> None:
        reachable = True
        while True:
            try:
                self._look()
            except KafkaAdminError as error:
                self._watch.lost()
                self._state = None
                if reachable:
                    self._on_problem(str(error))
                reachable = False
            else:
                reachable = True
            if self._stopping.wait(self._interval_s):
                return

    def _look(self) -> None:
        self._state = self._admin.group(self._group, self._topic)
        alarm = self._watch.observe(self._state, time.monotonic(), datetime.now(UTC))
        if alarm is not None:
            self._alarms.alarm(alarm)
