"""Named places at which a test can kill the worker: the hardest moments of a checkpoint.

Separate so that the list is closed and that nothing but this module knows how. Without the
environment variable a call is a comparison of two constants.
"""

from __future__ import annotations

import os
import signal
from enum import StrEnum
from threading import Timer
from typing import Final

VARIABLE: Final = "TRAILWARDEN_CRASH_AT"
"""``POINT`` or ``POINT:N``: die of SIGKILL at the Nth time (from 1) that POINT is reached."""


class CrashPoint(StrEnum):
    """Where a worker can be killed."""

    AFTER_POLL = "after-poll"
    AFTER_NORMALIZE = "after-normalize"
    AFTER_DETECT = "after-detect"
    BEFORE_BULK = "before-bulk"
    BULK_UNANSWERED = "bulk-unanswered"
    AFTER_ELASTICSEARCH = "after-elasticsearch"
    SIGNALS_ACKED = "signals-acked"
    AFTER_QUARANTINE = "after-quarantine"
    SEGMENT_LINKED = "segment-linked"
    IN_SNAPSHOT = "in-snapshot"
    AFTER_SNAPSHOT = "after-snapshot"
    BEFORE_COMMIT = "before-commit"
    AFTER_COMMIT = "after-commit"
    IN_REVOKE = "in-revoke"
    IN_ASSIGN = "in-assign"
    IN_RELOAD = "in-reload"


def _target() -> tuple[str, int] | None:
    name, _, times = os.environ.get(VARIABLE, "").partition(":")
    return (name, int(times or 1)) if name else None


_TARGET: Final = _target()
_reached = 0
_MOMENT_S: Final = 0.003
"""Less than Elasticsearch takes for a bulk request of a batch, more than it takes to send one."""


def reach(point: CrashPoint) -> None:
    """Die here if a test asked for it."""
    if _TARGET is not None and _TARGET[0] == point.value:
        _die_in_turn(_TARGET[1])


def reach_soon(point: CrashPoint) -> None:
    """Die a moment from now if a test asked for it: within the request that follows."""
    if _TARGET is not None and _TARGET[0] == point.value:
        Timer(_MOMENT_S, reach, [point]).start()


def _die_in_turn(turn: int) -> None:
    global _reached  # noqa: PLW0603 - a process dies once
    _reached += 1
    if _reached == turn:
        os.kill(os.getpid(), signal.SIGKILL)
