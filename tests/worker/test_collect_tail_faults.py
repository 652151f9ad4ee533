"""F15: whatever happens to the files, and a tail that is killed at any moment, no line is lost."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from ingest.envelope import read_envelope
from tests.ingest.collectors.mock_broker import count, read

pytestmark = pytest.mark.integration
KILLS = 3
ROUNDS = 3
TAIL = """
import sys
from worker.collect_tail import collect_tail
from worker.configuration import Settings
sys.exit(collect_tail(Settings(), "test"))
"""


class Process:
    """A tail that is killed and started again until it may stop."""

    def __init__(self, environment: dict[str, str], root: Path, seed: int) -> None:
        self._environment = environment
        self._root = root
        self._random = random.Random(seed)
        self._process = self._start()
        self.kills = 0

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-c", TAIL],
            env=self._environment,
            cwd=self._root,
            stderr=subprocess.DEVNULL,
        )

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self.kills += 1
        self._process = self._start()

    def kill_at_random_moments(self, stop: threading.Event) -> None:
        while self.kills < KILLS and not stop.wait(self._random.uniform(0.3, 1.0)):
            self.kill()

    def stop(self) -> int:
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(20)
        finally:
            self._process.kill()


class Log:
    """A writer and its log's folder; every line is on record."""

    def __init__(self, folder: Path, checkpoint: Path) -> None:
        self.path = folder / "audit.log"
        self.checkpoint = checkpoint
        self.lines: set[bytes] = set()
        self.rotations = 0

    def line(self, size: int = 50) -> bytes:
        line = b'{"auditID":"%08d","pad":"%s"}' % (len(self.lines), b"x" * size)
        self.lines.add(line)
        return line

    def write(self, data: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(data)

    def write_some(self, size: int = 50) -> None:
        for _ in range(20):
            self.write(self.line(size) + b"\n")

    def rotated(self) -> Path:
        self.rotations += 1
        return self.path.with_name(f"audit-{self.rotations}.log")

    def wait_until_sent(self) -> None:
        """Wait until the checkpoint says that all of the file is in Kafka."""
        content, until = self.path.read_bytes(), time.monotonic() + 20
        while time.monotonic() < until:
            if self.checkpoint.exists():
                files = json.loads(self.checkpoint.read_bytes())["files"]
                if any(self._is_sent(file, content) for file in files):
                    return
            time.sleep(0.02)
        pytest.fail("it was not sent within 20 s")

    def _is_sent(self, file: dict[str, Any], content: bytes) -> bool:
        """Whether a place is that of this content, which an earlier one of the inode was not."""
        head = hashlib.sha256(content[: file["head_bytes"]]).hexdigest()
        place = file["inode"], file["offset"], file["head_sha256"]
        return place == (self.path.stat().st_ino, len(content), head)


def rename(log: Log) -> None:
    log.write_some()
    log.path.rename(log.rotated())
    log.write_some()


def compress(log: Log) -> None:
    log.write_some()
    rotated = log.rotated()
    log.path.rename(rotated)
    log.write_some()
    packed = rotated.with_name(f"{rotated.name}.gz")
    with rotated.open("rb") as source, gzip.open(packed, "wb") as target:
        shutil.copyfileobj(source, target)
    rotated.unlink()


def copy_and_truncate(log: Log) -> None:
    log.write_some()
    shutil.copyfile(log.path, log.rotated())
    os.truncate(log.path, 0)
    log.write_some()


def delete(log: Log) -> None:
    log.write_some()
    log.wait_until_sent()
    log.path.unlink()
    log.write_some()


def truncate(log: Log) -> None:
    log.write_some()
    log.wait_until_sent()
    os.truncate(log.path, 0)
    log.write_some()


def reuse_the_inode(log: Log) -> None:
    """The file gets another content and name within its inode, longer than before."""
    log.write_some()
    log.wait_until_sent()
    size = log.path.stat().st_size
    rotated = log.rotated()
    log.path.rename(rotated)
    log.path = rotated
    with log.path.open("r+b") as file:
        file.write(b"".join(log.line() + b"\n" for _ in range(size // 50)))
        file.truncate()


def half_lines(log: Log) -> None:
    for _ in range(10):
        line = log.line()
        log.write(line[:20])
        time.sleep(0.05)
        log.write(line[20:] + b"\n")


def large_lines(log: Log) -> None:
    for size in (1 << 20, 3 << 20):
        line = log.line(size)
        log.write(line[: size // 2])
        time.sleep(0.05)
        log.write(line[size // 2 :] + b"\n")


KINDS = (
    rename,
    compress,
    copy_and_truncate,
    delete,
    truncate,
    reuse_the_inode,
    half_lines,
    large_lines,
)


@pytest.fixture
def topic(kafka: str) -> Iterator[str]:
    admin = AdminClient({"bootstrap.servers": kafka})
    name = f"d-tail-{uuid.uuid4().hex[:8]}"
    config = {"max.message.bytes": str(9 << 20)}
    admin.create_topics([NewTopic(name, 1, 1, config=config)])[name].result(20)
    yield name
    admin.delete_topics([name])[name].result(20)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_no_line_is_lost_or_torn(
    kind: Callable[[Log], None], kafka: str, topic: str, tmp_path: Path, root: Path
) -> None:
    folder, checkpoint = tmp_path / "logs", tmp_path / "tail.json"
    folder.mkdir()
    environment = os.environ | {
        "TRAILWARDEN_KAFKA__BOOTSTRAP_SERVERS": kafka,
        "TRAILWARDEN_KAFKA__RAW_TOPIC": topic,
        "TRAILWARDEN_COLLECT__CANARY_INTERVAL_S": "0",
        "TRAILWARDEN_COLLECT__SPOOL": str(tmp_path / "spool"),
        "TRAILWARDEN_TAIL__CLUSTER": "prod",
        "TRAILWARDEN_TAIL__PATHS": json.dumps([str(folder / "audit*")]),
        "TRAILWARDEN_TAIL__CHECKPOINT_FILE": str(checkpoint),
        "TRAILWARDEN_TAIL__POLL_S": "0.1",
        "TRAILWARDEN_TELEMETRY__PORT": "0",
    }
    log = Log(folder, checkpoint)
    process = Process(environment, root, seed=KINDS.index(kind))
    done = threading.Event()
    killer = threading.Thread(target=process.kill_at_random_moments, args=(done,))
    killer.start()
    try:
        for _ in range(ROUNDS):
            kind(log)
        while process.kills < KILLS and killer.is_alive():
            log.write_some()
            time.sleep(0.05)
    finally:
        done.set()
        killer.join()
    log.write_some()
    log.wait_until_sent()
    assert process.stop() == 0
    found = read(kafka, topic, count(kafka, topic), timeout_s=20)
    values = [message.value() for message in found]
    assert set(values) == log.lines
    assert read_envelope(found[0].headers(), found[0].key(), 0).cluster == "prod"
    assert process.kills == KILLS
