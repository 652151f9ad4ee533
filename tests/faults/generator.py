"""Planted records go into `raw` at a steady rate; what the broker acknowledged is the expectation.

Separate from the planting because it runs on a thread of its own, beside everything that is killed,
and because only what was acknowledged is promised (P1).
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

from ingest.collectors.producer import ProducerFullError, RecordProducer
from ingest.envelope import Envelope, Format
from tests.faults.planted import Planted, Planter

COLLECTOR: Final = "fault-generator"
_TICK_S: Final = 0.02
_LOOK_S: Final = 1.0
_AHEAD: Final = 10_000
_FLUSH_S: Final = 120.0


class Generator:
    """Sends records until it is stopped; a context manager.

    Parameters
        rate: records a second at most.
        lag: records that the workers have not done; it waits for them when there are too many, so
            that a slow machine tests the same in more time.
    """

    def __init__(
        self,
        config: dict[str, object],
        topic: str,
        planter: Planter,
        rate: int,
        lag: Callable[[], int | None] | None = None,
    ) -> None:
        self.sent: list[Planted] = []
        self.failed: list[str] = []
        self._config = config
        self._topic = topic
        self._planter = planter
        self._rate = rate
        self._lag = lag
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="generator", daemon=True)
        self._error: BaseException | None = None
        self._asked: deque[Planted] = deque()

    def __enter__(self) -> Self:
        self._producer = RecordProducer(self._config, self._topic)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Send no more; every record that was sent is acknowledged when this returns."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._thread.join()
        missing = self._producer.flush(_FLUSH_S)
        self._producer.close()
        assert self._error is None, self._error
        assert missing == 0, f"{missing} records are not acknowledged"
        assert not self.failed, self.failed[:3]

    def plant(self, planted: Planted) -> None:
        """Send a record of the caller's own soon, among the others."""
        self._asked.append(planted)

    def _send(self, planted: Planted) -> None:
        """Send one record, waiting for room."""
        now = datetime.now(UTC)
        envelope = Envelope(planted.cluster, COLLECTOR, Format.RECORD, now, "planted")
        while True:
            try:
                self._producer.send(envelope, planted.value, self._answered)
            except ProducerFullError:
                self._producer.poll(0.1)
            else:
                break
        self.sent.append(planted)

    def write(self, file: Path) -> None:
        """Note what was sent: a verdict a line."""
        lines = [json.dumps([p.cluster, p.verdict, p.rule, repr(p.value)]) for p in self.sent]
        file.write_text("\n".join(lines))

    def _answered(self, error: str | None) -> None:
        if error is not None:
            self.failed.append(error)

    def _run(self) -> None:
        last_s = looked_s = time.monotonic()
        try:
            while not self._stopping.wait(_TICK_S):
                now_s = time.monotonic()
                due, last_s = min(1.0, now_s - last_s) * self._rate, now_s
                if now_s - looked_s > _LOOK_S:
                    self._wait_for_workers()
                    looked_s = time.monotonic()
                for _ in range(int(due)):
                    self._send(self._planter.record(datetime.now(UTC)))
                while self._asked:
                    self._send(self._asked.popleft())
                self._producer.poll(0.0)
        except BaseException as error:  # noqa: BLE001 - told by the thread that stops this one
            self._error = error

    def _wait_for_workers(self) -> None:
        while self._lag is not None and (self._lag() or 0) > _AHEAD:
            self._producer.poll(0.0)
            if self._stopping.wait(_LOOK_S / 4):
                return
