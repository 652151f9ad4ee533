"""Whatever happens to the files, to Kafka and to the tail: no line is lost, torn, or passed by.

A model against a fake broker. What is lost by nature is excused, and nothing else: lines that no
file holds any more and that the tail, killed, had in memory only; lines that were cut off or
deleted before a look found them.
"""

from __future__ import annotations

import gzip
import os
import shutil
import tempfile
from collections import Counter
from pathlib import Path

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from ingest.collectors.tail_plan import Head
from tests.ingest.collectors.tailing import Bench, FakeBroker


class Following(RuleBasedStateMachine):
    """What a log's writer, rotation, Kafka and a killer may do between two steps of a tail."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="tail-model-"))
        self.bench: Bench | None = None
        self.number = 0
        self.written: set[bytes] = set()
        self.excused: set[bytes] = set()
        self.since_poll: set[bytes] = set()
        self.half = self.half_line = b""
        self.crashed = False
        self.rotations = 0

    @initialize(room=st.sampled_from([3, 1_000]))
    def begin(self, room: int) -> None:
        self.bench = Bench(self.folder, "audit*", broker=FakeBroker(room))

    # The files

    @property
    def at(self) -> Bench:
        assert self.bench is not None
        return self.bench

    def _line(self, size: int) -> bytes:
        self.number += 1
        line = b'{"auditID":"%06d","pad":"%s"}' % (self.number, b"x" * size)
        self.written.add(line)
        self.since_poll.add(line)
        return line

    def _finish_half(self) -> None:
        if self.half:
            self.at.write(self.half + b"\n")
            self.half = b""

    def _rotated(self) -> list[Path]:
        return sorted(path for path in self.at.folder.iterdir() if path.name != "audit.log")

    def _name(self) -> Path:
        self.rotations += 1
        return self.at.folder / f"audit-{self.rotations}.log"

    def _content(self, path: Path) -> bytes:
        data = path.read_bytes()
        return gzip.decompress(data) if path.suffix == ".gz" else data

    def _on_disk(self) -> set[bytes]:
        return {
            line for path in self.at.folder.iterdir() for line in self._content(path).split(b"\n")
        }

    def _handed(self) -> set[bytes]:
        broker = self.at.broker
        failed = {entry.value for entry, _ in self.at.tail._outbox._failed}
        return set(broker.lines) | {value for _, value, _ in broker.on_the_way} | failed

    @rule(sizes=st.lists(st.sampled_from([0, 40, 300, 2_000]), min_size=1, max_size=4))
    def write(self, sizes: list[int]) -> None:
        self._finish_half()
        self.at.write(b"".join(self._line(size) + b"\n" for size in sizes))

    @rule(cut=st.integers(1, 30))
    def write_half_a_line(self, cut: int) -> None:
        self._finish_half()
        line = self._line(40)
        self.at.write(line[:cut])
        self.half_line, self.half = line, line[cut:]

    @precondition(lambda self: self.bench and self.at.log.exists())
    @rule(terminated=st.booleans(), again=st.booleans())
    def rename(self, terminated: bool, again: bool) -> None:
        self._finish_half()
        if not terminated and b"\n" in self.at.log.read_bytes():
            self.at.write(self._line(40))
        self.at.log.rename(self._name())
        if again:
            self.at.log.touch()

    @precondition(lambda self: self.bench and self.at.log.exists())
    @rule(cut=st.floats(0, 1), looks=st.integers(0, 2))
    def copy_and_truncate(self, cut: float, looks: int) -> None:
        self._finish_half()
        data, copy = self.at.log.read_bytes(), self._name()
        begun = int(len(data) * cut)
        copy.write_bytes(data[:begun])
        for _ in range(looks):
            self.poll(1)
        with copy.open("ab") as file:
            file.write(data[begun:])
        os.truncate(self.at.log, 0)
        self.since_poll |= set(data.split(b"\n"))  # no look has found them in the copy yet

    @precondition(lambda self: self.bench and self.at.log.exists())
    @rule()
    def truncate(self) -> None:
        self._finish_half()
        lines = set(self.at.log.read_bytes().split(b"\n"))
        os.truncate(self.at.log, 0)
        self.excused |= lines - self._handed() - self._on_disk()

    @precondition(lambda self: self.bench and any(p.suffix != ".gz" for p in self._rotated()))
    @rule(data=st.data(), looks=st.integers(0, 1))
    def compress(self, data: st.DataObject, looks: int) -> None:
        path = data.draw(st.sampled_from([p for p in self._rotated() if p.suffix != ".gz"]))
        packed = gzip.compress(path.read_bytes(), mtime=0)
        target = path.with_name(f"{path.name}.gz")
        target.write_bytes(packed[: len(packed) // 2])
        for _ in range(looks):
            self.poll(1)
        target.write_bytes(packed)
        path.unlink()

    @precondition(lambda self: bool(self.bench and list(self.at.folder.iterdir())))
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        path = data.draw(st.sampled_from(sorted(self.at.folder.iterdir())))
        if path == self.at.log and self.half:
            self.since_poll.add(
                self.half_line
            )  # whole only now, and nobody looks before it is gone
            self._finish_half()
        lines = set(self._content(path).split(b"\n"))
        path.unlink()
        self.excused |= (lines & self.since_poll) - self._on_disk()

    @precondition(lambda self: bool(self.bench and self._rotated()))
    @rule(data=st.data())
    def move(self, data: st.DataObject) -> None:
        path = data.draw(st.sampled_from(self._rotated()))
        path.rename(self._name().with_suffix(path.suffix))

    # The tail

    @rule(passed_s=st.sampled_from([0.5, 1, 6, 61]))
    def poll(self, passed_s: float) -> None:
        self.at.poll(passed_s)
        self.since_poll.clear()

    @rule(written=st.integers(0, 5))
    def crash(self, written: int) -> None:
        self.crashed = True
        self.at.crash(written)
        self.excused |= self.written - set(self.at.broker.lines) - self._on_disk()
        if self.half:
            self.excused.discard(self.half_line)
        self.since_poll = set(self.written)
        self.at.restart()

    @rule()
    def stop_and_start(self) -> None:
        missing = self.at.stop()
        self.at.broker.on_the_way.clear()
        if missing or self.at.broker.error or self.at.broker.room == 3:
            self.excused |= self.written - set(self.at.broker.lines) - self._on_disk()
            if self.half:
                self.excused.discard(self.half_line)
            self.crashed = True
        self.since_poll = set(self.written)
        self.at.restart()

    # Kafka

    @rule(up=st.booleans())
    def go_away_or_come_back(self, up: bool) -> None:
        self.at.broker.up = up

    @rule(count=st.integers(1, 5))
    def answer_some(self, count: int) -> None:
        self.at.broker.answer(count)

    @rule(error=st.sampled_from([None, "TOPIC_AUTHORIZATION_FAILED: no"]))
    def refuse_or_take(self, error: str | None) -> None:
        self.at.broker.error = error

    # What holds

    @invariant()
    def nothing_is_torn(self) -> None:
        if self.bench:
            assert set(self.at.broker.lines) <= self.written

    @invariant()
    def no_checkpoint_passes_an_unacknowledged_line(self) -> None:
        saved = self.folder / "state" / "tail.json"
        if self.bench is None or not saved.exists():
            return
        taken = set(self.at.broker.lines)
        for place in msgspec.json.decode(saved.read_bytes())["files"]:
            head = Head(place["head_bytes"], place["head_sha256"])
            for path in self.at.folder.iterdir():
                content = b"" if path.name.endswith(".gz") else path.read_bytes()
                if head.begins(content) and len(content) >= place["offset"]:
                    sent = content[: place["offset"]].split(b"\n")
                    assert {line for line in sent if line} <= taken

    def teardown(self) -> None:
        try:
            if self.bench:
                self._finish()
        finally:
            shutil.rmtree(self.folder)

    def _finish(self) -> None:
        self._finish_half()
        self.at.write(self._line(40) + b"\n")  # so that no other file may still be written on
        broker = self.at.broker
        broker.up, broker.error, broker.room = True, None, 1_000
        for passed_s in (1, 40, 1, 6, 61, 1, 61, 1):
            self.at.poll(passed_s)
        self.at.stop()
        taken = Counter(broker.lines)
        missing = self.written - self.excused - set(taken)
        assert not missing, (missing, self.at.notes)
        if not self.crashed:
            twice = [line for line, count in taken.items() if count > 1]
            assert not twice, (twice, self.at.notes)


TestFollowing = Following.TestCase
TestFollowing.settings = settings(
    max_examples=int(os.environ.get("TRAILWARDEN_TEST_EXAMPLES", "60")),
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
