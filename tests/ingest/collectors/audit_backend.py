"""A client that behaves as the API server's audit webhook backend, only quicker.

After kubernetes/apiserver, plugin/pkg/audit/webhook and buffered: a buffer of 10,000 events that
drops when it is full; batches of up to 400 events, each sent on its own; after any error but a 2xx
a retry with growing pauses, five tries in all, then the batch is lost (and counted). Mode blocking
sends each event alone while its caller waits.
"""

from __future__ import annotations

import http.client
import queue
import random
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.ingest.collectors.webhook_fakes import event_list

BUFFER = 10_000
BATCH = 400
TRIES = 5
FACTOR = 1.5
JITTER = 0.2


@dataclass
class AuditBackend:
    """Sends events to replicas in turn, as a Service would; ``acknowledged`` has their ids.

    ``outcomes`` counts answers by status, and errors of the connection by name.
    """

    ports: list[int]
    path: str = "/audit/prod"
    senders: int = 4
    first_pause_s: float = 0.1
    seed: int = 7
    acknowledged: set[str] = field(default_factory=set)
    dropped: set[str] = field(default_factory=set)
    outcomes: Counter[str] = field(default_factory=Counter)
    ended: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._buffer: queue.Queue[str] = queue.Queue(BUFFER)
        self._threads = [
            threading.Thread(target=self._send_batches, args=(number,))
            for number in range(self.senders)
        ]
        self._lock = threading.Lock()

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def process(self, audit_id: str) -> None:
        """Take an event in batch mode; drop it when the buffer is full."""
        try:
            self._buffer.put_nowait(audit_id)
        except queue.Full:
            with self._lock:
                self.dropped.add(audit_id)

    def end(self) -> None:
        """Send what is buffered, and end."""
        self.ended.set()
        for thread in self._threads:
            thread.join()

    def process_blocking(self, audit_id: str, seeded: random.Random) -> bool:
        """Send one event while the caller waits."""
        return self._send([audit_id], seeded)

    def _send_batches(self, number: int) -> None:
        seeded = random.Random(self.seed + number)
        while batch := self._batch():
            if batch != [""]:
                self._send(batch, seeded)

    def _batch(self) -> list[str]:
        """Up to 400 events; [""] when there were none for now, [] at the end."""
        try:
            batch = [self._buffer.get(timeout=0.05)]
        except queue.Empty:
            return [] if self.ended.is_set() else [""]
        try:
            while len(batch) < BATCH:
                batch.append(self._buffer.get_nowait())
        except queue.Empty:
            pass
        return batch

    def _send(self, batch: list[str], seeded: random.Random) -> bool:
        body = event_list(*map(event, batch))
        for pause_s in self._pauses(seeded):
            if self._post(body, seeded.choice(self.ports)):
                with self._lock:
                    self.acknowledged.update(batch)
                return True
            threading.Event().wait(pause_s)
        with self._lock:
            self.dropped.update(batch)
        return False

    def _pauses(self, seeded: random.Random) -> Iterator[float]:
        pause_s = self.first_pause_s
        for _ in range(TRIES):
            yield pause_s * (1 + JITTER * seeded.random())
            pause_s *= FACTOR

    def _post(self, body: bytes, port: int) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("POST", self.path, body)
            outcome = str(connection.getresponse().status)
        except (OSError, http.client.HTTPException) as error:
            outcome = type(error).__name__
        finally:
            connection.close()
        with self._lock:
            self.outcomes[outcome] += 1
        return outcome == "200"


def event(audit_id: str) -> bytes:
    return (
        f'{{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"{audit_id}"'
        f',"stage":"ResponseComplete","verb":"get","requestURI":"/api/v1/pods","x":"{"x" * 900}"}}'
    ).encode()
