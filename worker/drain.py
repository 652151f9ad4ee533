"""What is pending goes out; while a sink says wait, its process stays in the group, idle.

Separate from the loops because there are two, of records and of signals, and both must wait alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from worker.counts import WorkerCounts
    from worker.pace import Watch

_IDLE_S: Final = 2.0
"""Longest that a loop is idle without a beat."""


class Stopped(Exception):  # noqa: N818 - no error: somebody asked for it
    """The worker was told to stop while a sink asks to wait."""


@dataclass(frozen=True, slots=True)
class Wait:
    """A sink cannot take more now; ask again after so long."""

    sink: str
    seconds: float
    reason: str


class Sinks(Protocol):
    """What is drained."""

    def flush(self) -> Wait | None:
        """Send all that is pending; None when everything was answered for."""


class Member(Protocol):
    """Who must stay in its group meanwhile."""

    def idle(self, timeout_s: float) -> None:
        """Stay in the group without taking records; may call the owner."""


class Drain:
    """The way out of one loop."""

    def __init__(self, sinks: Sinks, counts: WorkerCounts, watch: Watch) -> None:
        self._sinks = sinks
        self._counts = counts
        self._watch = watch

    def drain(self, member: Member) -> None:
        """Send what is pending.

        Everything of a batch was handed over before: a partition that is revoked meanwhile is
        either made safe whole or abandoned.

        Raises
            Stopped: somebody asked for it; what is pending will be repeated.
        """
        while (wait := self._flush()) is not None:
            self._tell(wait)
            self._idle(member, wait.seconds)
        self._watch.flowing()

    def drain_within(self, limit_s: float) -> Wait | None:
        """Send what is pending, idle or not; return what a sink said if it takes longer."""
        deadline_s = self._watch.clock() + limit_s
        while (wait := self._flush()) is not None:
            self._tell(wait)
            if self._watch.clock() + wait.seconds > deadline_s:
                return wait
            self._watch.sleep(wait.seconds)
        return None

    def _idle(self, member: Member, seconds: float) -> None:
        """Wait in pieces: a sink may ask for longer than a heart may be still, or a stop wait."""
        left_s = seconds
        while True:
            if self._watch.stopping():
                raise Stopped
            self._watch.beat()
            self._watch.idling()
            piece_s = min(left_s, _IDLE_S)
            member.idle(piece_s)
            left_s -= piece_s
            if left_s <= 0:
                return

    def _flush(self) -> Wait | None:
        self._watch.asking(True)
        try:
            return self._sinks.flush()
        finally:
            self._watch.asking(False)

    def _tell(self, wait: Wait) -> None:
        self._counts.add_wait(wait.sink, wait.seconds)
        self._watch.waiting(wait.sink, wait.seconds, wait.reason)
