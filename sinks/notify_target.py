"""Bodies in, HTTP POSTs to one address out, on a thread of its own.

Separate from what is said because each target waits, retries and gives up for itself: a webhook
that hangs must delay neither the worker nor Alertmanager. Memory is bounded: what finds no room is
dropped and counted.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from urllib3 import PoolManager, Timeout
from urllib3.exceptions import HTTPError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

QUEUED: Final = 1_000
QUEUED_BYTES: Final = 8 << 20
ATTEMPTS: Final = 6
URGENT_ATTEMPTS: Final = 20
"""With back-off: half a minute for findings, which are stored anyway; nine minutes for alarms."""

BACKOFF_MAX_S: Final = 30.0
REQUEST_TIMEOUT_S: Final = 10.0
RETRY_AFTER_MAX_S: Final = 60.0
_TOO_MANY: Final = 429
_SERVER_ERROR: Final = 500
_REDIRECT: Final = 300


@dataclass(slots=True)
class TargetCounts:
    """What became of notifications: raised after the answer, never before."""

    sent: int = 0
    failed: int = 0
    dropped: int = 0
    retried: int = 0


@dataclass(frozen=True, slots=True)
class Body:
    """One request's JSON; urgent ones go first and are tried longer."""

    data: bytes
    urgent: bool = False


class NotifyTarget:
    """Posts to one URL until closed.

    Parameters
        headers: may hold a token; they are sent to this URL only, redirects are not followed.
        on_problem: told in one sentence, on this target's thread, what failed or was dropped; it
            names the host, never the path or a header: both may be secrets.
        repeat: asked every ``repeat_s`` for a body to send again, None if there is none.
        backoff_s: first wait between attempts, doubled each time.
    """

    __slots__ = (
        "_backoff_s",
        "_bytes",
        "_headers",
        "_next_repeat",
        "_on_problem",
        "_ordinary",
        "_pool",
        "_repeat",
        "_repeat_s",
        "_stopping",
        "_thread",
        "_urgent",
        "_url",
        "_work",
        "counts",
        "name",
    )

    def __init__(
        self,
        name: str,
        url: str,
        headers: Mapping[str, str],
        on_problem: Callable[[str], None],
        repeat: Callable[[], bytes | None] = lambda: None,
        *,
        repeat_s: float = 60.0,
        backoff_s: float = 1.0,
    ) -> None:
        self.name = f"{name} ({urlsplit(url).hostname})"
        self.counts = TargetCounts()
        self._url = url
        self._headers = {"Content-Type": "application/json", "User-Agent": "trailwarden", **headers}
        self._on_problem = on_problem
        self._repeat, self._repeat_s, self._backoff_s = repeat, repeat_s, backoff_s
        self._next_repeat = time.monotonic() + repeat_s
        self._urgent: deque[Body] = deque()
        self._ordinary: deque[Body] = deque()
        self._bytes = 0
        self._stopping = threading.Event()
        self._work = threading.Condition()
        self._pool = PoolManager(
            num_pools=1, maxsize=1, timeout=Timeout(REQUEST_TIMEOUT_S), retries=False
        )
        self._thread = threading.Thread(target=self._run, name=f"notify {name}", daemon=True)
        self._thread.start()

    def put(self, body: Body) -> None:
        """Queue a body; never waits."""
        with self._work:
            queue = self._urgent if body.urgent else self._ordinary
            room = len(queue) < QUEUED and self._bytes + len(body.data) <= QUEUED_BYTES
            if room and not self._stopping.is_set():
                queue.append(body)
                self._bytes += len(body.data)
                self._work.notify()
                return
            self.counts.dropped += 1
            first = self.counts.dropped == 1
        if first:  # the counter tells how many more
            self._on_problem(f"{self.name}: more notifications than can be sent; dropping some")

    def close(self, timeout_s: float) -> int:
        """Send what is queued for at most ``timeout_s``; return how many were given up."""
        deadline = time.monotonic() + timeout_s
        with self._work:
            while (self._urgent or self._ordinary) and time.monotonic() < deadline:
                self._work.wait(max(deadline - time.monotonic(), 0))
            left = len(self._urgent) + len(self._ordinary)
            self._urgent.clear()
            self._ordinary.clear()
            self.counts.dropped += left
            self._stopping.set()
            self._work.notify_all()
        self._thread.join(max(deadline - time.monotonic(), 0) + REQUEST_TIMEOUT_S)
        self._pool.clear()
        return left

    def _run(self) -> None:
        while (body := self._next()) is not None:
            self._deliver(body)

    def _next(self) -> Body | None:
        with self._work:
            while not self._stopping.is_set():
                queue = self._urgent or self._ordinary
                if queue:
                    body = queue.popleft()
                    self._bytes -= len(body.data)
                    self._work.notify_all()
                    return body
                if time.monotonic() >= self._next_repeat:
                    self._next_repeat = time.monotonic() + self._repeat_s
                    if (again := self._repeat()) is not None:
                        return Body(again)
                self._work.wait(max(self._next_repeat - time.monotonic(), 0))
        return None

    def _deliver(self, body: Body) -> None:
        delay_s, problem = self._backoff_s, ""
        for attempt in range(URGENT_ATTEMPTS if body.urgent else ATTEMPTS):
            if attempt:
                self.counts.retried += 1
            problem, wait_s = self._post(body.data)
            if not problem:
                self.counts.sent += 1
                return
            if wait_s is None or self._stopping.wait(max(wait_s, delay_s)):
                break
            delay_s = min(delay_s * 2, BACKOFF_MAX_S)
        self.counts.failed += 1
        self._on_problem(f"{self.name}: not notified: {problem}")

    def _post(self, data: bytes) -> tuple[str, float | None]:
        """Return what went wrong (empty: nothing), and how long to wait (None: never again)."""
        try:
            answer = self._pool.request(
                "POST",
                self._url,
                body=data,
                headers=self._headers,
                redirect=False,
                preload_content=False,
            )
            answer.close()  # its body is not read: it may be endless
        except HTTPError as error:
            return type(error).__name__, 0.0
        if answer.status < _REDIRECT:
            return "", None
        problem = f"HTTP {answer.status}"
        if answer.status == _TOO_MANY or answer.status >= _SERVER_ERROR:
            return problem, _retry_after_s(answer.headers.get("Retry-After"))
        return problem, None


def _retry_after_s(text: str | None) -> float:
    """Read seconds; a date or nonsense counts as none."""
    if text is None or not (text.isascii() and text.isdigit()):
        return 0.0
    return min(float(text[:6]), RETRY_AFTER_MAX_S)
