"""Waiting for a server: a question goes in, the answer "ready" or a reason comes out.

Separate because both servers, and those that somebody else runs, are waited for in one way.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from worker.services.detached import POLL_S
from worker.services.errors import ServiceError

if TYPE_CHECKING:
    from worker.services.detached import Detached

Trouble = Callable[[], str | None]


def wait_until_ready(
    name: str, trouble: Trouble, timeout_s: float, process: Detached | None = None
) -> None:
    """Ask until ``trouble`` answers None.

    Raises
        ServiceError: the process ended, or the time is over; with the end of its log.
    """
    deadline = time.monotonic() + timeout_s
    while (reason := trouble()) is not None:
        if process is not None and process.running() is None:
            raise ServiceError(_said(f"{name} ended before it was ready", process))
        if time.monotonic() >= deadline:
            raise ServiceError(
                _said(f"{name} is not ready after {timeout_s:.0f} s: {reason}", process)
            )
        time.sleep(POLL_S)


def _said(text: str, process: Detached | None) -> str:
    return text if process is None else f"{text}\n{process.log_file} ends:\n{process.tail()}"
