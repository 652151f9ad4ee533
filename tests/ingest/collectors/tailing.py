"""A tail with a fake broker: deliveries are answered when and how a test says."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ingest.collectors.checkpoint_file import CheckpointFile
from ingest.collectors.producer import Answer, ProducerFailedError, ProducerFullError
from ingest.collectors.tail import Tail, TailOptions
from ingest.collectors.tail_checkpoint import Place
from ingest.envelope import Envelope, Format

START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class FakeBroker:
    """Holds what was acknowledged; outlives the producers. ``up``: answers at each poll."""

    def __init__(self, room: int = 1_000_000) -> None:
        self.taken: list[tuple[Envelope, bytes]] = []
        self.on_the_way: deque[tuple[Envelope, bytes, Answer]] = deque()
        self.up = True
        self.error: str | None = None
        self.fatal: str | None = None
        self.room = room

    def send(self, envelope: Envelope, value: bytes, on_delivery: Answer) -> None:
        if self.fatal:
            raise ProducerFailedError(self.fatal)
        if len(self.on_the_way) >= self.room:
            raise ProducerFullError("full")
        self.on_the_way.append((envelope, value, on_delivery))

    def poll(self, _timeout_s: float) -> None:
        if self.up:
            self.answer(len(self.on_the_way))

    def flush(self, _timeout_s: float) -> int:
        self.poll(0)
        return len(self.on_the_way)

    def answer(self, count: int) -> None:
        for _ in range(min(count, len(self.on_the_way))):
            envelope, value, on_delivery = self.on_the_way.popleft()
            if self.error is None:
                self.taken.append((envelope, value))
            on_delivery(self.error)

    def crash(self, written: int) -> None:
        """Lose the producer: of what was on its way some was written, nobody hears which."""
        self.taken += [(e, v) for e, v, _ in list(self.on_the_way)[:written]]
        self.on_the_way.clear()

    @property
    def lines(self) -> list[bytes]:
        return [value for envelope, value in self.taken if envelope.format != Format.CANARY]

    @property
    def canaries(self) -> list[bytes]:
        return [value for envelope, value in self.taken if envelope.format == Format.CANARY]


class Bench:
    """A folder of logs, a tail that follows it, a clock that only moves when told."""

    def __init__(self, folder: Path, *patterns: str, broker: FakeBroker | None = None) -> None:
        self.folder = folder / "logs"
        self.folder.mkdir()
        self.state = folder / "state"
        self.patterns = patterns or ("*",)
        self.broker = broker or FakeBroker()
        self.clock_s = 0.0
        self.notes: list[tuple[str, dict[str, Any]]] = []
        self.options: dict[str, Any] = {}
        self.tail = self._start()

    def _start(self) -> Tail:
        patterns = tuple(str(self.folder / pattern) for pattern in self.patterns)
        options = TailOptions("prod", "node", patterns, self.state / "spool", **self.options)
        checkpoint = CheckpointFile(self.state / "tail.json", Place)
        try:
            return Tail(options, self.broker, checkpoint, self._note)
        except BaseException:
            checkpoint.close()
            raise

    def _note(self, event: str, **fields: Any) -> None:
        self.notes.append((event, fields))

    @property
    def log(self) -> Path:
        return self.folder / "audit.log"

    def write(self, data: bytes, name: str = "audit.log") -> None:
        with (self.folder / name).open("ab") as file:
            file.write(data)

    def step(self, passed_s: float = 0.0) -> float:
        self.clock_s += passed_s
        return self.tail.step(START + timedelta(seconds=self.clock_s), self.clock_s)

    def poll(self, passed_s: float = 1.0) -> None:
        """Look once, and work until there is nothing to do."""
        wait_s = self.step(passed_s)
        for _ in range(1_000):
            if wait_s > 0:
                break
            wait_s = self.step()
        else:
            raise AssertionError("it does not come to rest")
        self.step()

    def crash(self, written: int = 0) -> None:
        """Kill the tail: files are closed, nothing is saved."""
        self.broker.crash(written)
        self.tail._streams.close()
        self.tail._checkpoint.close()

    def restart(self) -> None:
        self.tail = self._start()

    def stop(self) -> int:
        return self.tail.close(1.0)

    def offsets(self) -> dict[str, int]:
        checkpoint = CheckpointFile(self.state / "other.json", Place)
        (self.state / "other.json").write_bytes((self.state / "tail.json").read_bytes())
        places = checkpoint.load()
        checkpoint.close()
        return {Path(place.path).name: place.offset for place in places if place.inode}
