"""Real workers as processes: started, killed, paused, restarted; read by their logs and ports.

Separate from what is asserted: a supervisor as systemd or Kubernetes would be, that restarts what
died and knows of each death what it was.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

ROOT: Final = Path(__file__).resolve().parents[2]
FAILED: Final = 1
CRASH: Final = "TRAILWARDEN_CRASH_AT"
POLL_S: Final = 0.05
STOP_S: Final = 120.0
PATIENCE_S: Final = 180.0
"""Machines that run tests are shared: this only ends a test that will never end."""


def wait_for(condition: Callable[[], Any], timeout_s: float, what: str) -> Any:
    """Return the first true value of ``condition``; fail after the deadline."""
    deadline = time.monotonic() + timeout_s
    while True:
        if value := condition():
            return value
        assert time.monotonic() < deadline, f"not within {timeout_s:.0f} s: {what}"
        time.sleep(POLL_S)


@dataclass(slots=True)
class Worker:
    """One process and its log."""

    slot: str
    process: subprocess.Popen[bytes]
    log: Path
    _port: int | None = None

    def lines(self, event: str | None = None) -> list[dict[str, Any]]:
        """Return what was logged, of one event if named."""
        found = []
        for line in self.log.read_bytes().splitlines():
            try:
                value = json.loads(line)
            except ValueError:  # torn by a kill, or a library's
                continue
            if isinstance(value, dict) and event in {None, value.get("event")}:
                found.append(value)
        return found

    @property
    def port(self) -> int | None:
        """Return the port of health and metrics once it is known."""
        if self._port is None and (started := self.lines("started")):
            self._port = int(started[0]["health_port"])
        return self._port

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None

    def status(self, page: str) -> int:
        """Return the HTTP status of a page, 0 if nobody answers."""
        if self.port is None:
            return 0
        try:
            with _direct().open(f"http://127.0.0.1:{self.port}/{page}", timeout=2) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code
        except OSError:
            return 0

    def metrics(self) -> dict[str, float]:
        """Return the samples of /metrics by name with labels; none if nobody answers."""
        if self.port is None:
            return {}
        try:
            with _direct().open(f"http://127.0.0.1:{self.port}/metrics", timeout=2) as answer:
                text = answer.read().decode()
        except OSError:
            return {}
        pairs = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in pairs if name}

    def in_flight(self) -> int:
        """Return how many records this worker has taken and not committed, as it says itself.

        What it has not committed since it took the partition over, it began where it folded to.
        """
        samples = self.metrics()
        start = {one["partition"]: one["committed"] for one in self.lines("folding")}
        total = 0
        for number, position in positions(samples).items():
            committed = samples.get(f'trailwarden_committed_offset{{partition="{number}"}}')
            began = start.get(number, position - 1)
            total += max(0, position - int(began if committed is None else committed))
        return total

    def resident_mb(self) -> float:
        """Return resident memory, MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024

    def until(
        self, condition: Callable[[Worker], Any], what: str, timeout_s: float = PATIENCE_S
    ) -> Any:
        """Return the first true value of ``condition``; fail if the worker ends before."""

        def asked() -> Any:
            assert self.is_alive, f"{self.slot} ended before {what}:\n{self.tail()}"
            return condition(self)

        return wait_for(asked, timeout_s, f"{self.slot}: {what}")

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        self.process.kill()
        self.process.wait()

    def tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])


def positions(samples: Mapping[str, float]) -> dict[int, int]:
    """Return the next offset to read by partition, from what /metrics said."""
    name = 'trailwarden_position_offset{partition="'
    found = {key: value for key, value in samples.items() if key.startswith(name)}
    return {int(key.removeprefix(name).rstrip('"}')): int(found[key]) for key in found}


def _direct() -> urllib.request.OpenerDirector:
    """Return an opener that knows no proxy: ports are on loopback."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(slots=True)
class Fleet:
    """Slots with one worker each at a time; a context manager that leaves none behind.

    ``deaths`` are the exit codes of all that ended, in order: (slot, code). A worker that stopped
    loudly for the reason that ``forgives`` is part of is restarted, as its supervisor would.
    """

    config: Path
    logs: Path
    command: Sequence[str] = (sys.executable, "-m", "trailwarden")
    roles: str = "detect"
    environment: Mapping[str, str] = field(default_factory=dict)
    is_static: bool = True
    forgives: str | None = None
    workers: dict[str, Worker] = field(default_factory=dict)
    deaths: list[tuple[str, int]] = field(default_factory=list)
    everyone: list[Worker] = field(default_factory=list)

    def __enter__(self) -> Self:
        self.logs.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.everyone:
            if worker.is_alive:
                worker.kill()

    def start(self, slot: str, crash_at: str | None = None) -> Worker:
        """Start a worker in a slot; returns at once."""
        log = self.logs / f"{len(self.everyone):04}-{slot}.log"
        environment = {**os.environ, **self.environment}
        environment.pop(CRASH, None)
        if crash_at is not None:
            environment[CRASH] = crash_at
        if self.is_static:
            environment["TRAILWARDEN_KAFKA__INSTANCE_ID"] = slot
        with log.open("wb") as opened:
            process = subprocess.Popen(
                [*self.command, "run", "--config", str(self.config), "--role", self.roles],
                env=environment,
                cwd=ROOT,
                stdout=subprocess.DEVNULL,
                stderr=opened,
            )
        worker = Worker(slot, process, log)
        self.workers[slot] = worker
        self.everyone.append(worker)
        return worker

    def tend(self) -> list[Worker]:
        """Restart whoever died, without a crash point; return the dead."""
        dead = [worker for worker in self.workers.values() if not worker.is_alive]
        for worker in dead:
            self.note(worker)
            self.start(worker.slot)
        return dead

    def note(self, worker: Worker) -> None:
        """Write a death down. Only a kill is expected: what ends by itself fails the test."""
        code = worker.process.wait()
        self.deaths.append((worker.slot, code))
        said = [str(one["reason"]) for one in worker.lines("stopped")]
        if code == FAILED and self.forgives and any(self.forgives in one for one in said):
            return
        assert code == -signal.SIGKILL, f"{worker.slot} ended with {code}:\n{worker.tail()}"

    def kill(self, slot: str) -> None:
        """Kill and forget a slot's worker."""
        worker = self.workers.pop(slot)
        worker.kill()
        self.note(worker)

    def stop(self, slot: str) -> None:
        """Ask a slot's worker to end; it must, with code 0."""
        worker = self.workers.pop(slot)
        worker.send(signal.SIGTERM)
        code = worker.process.wait(STOP_S)
        assert code == 0, f"{slot} ended with {code}:\n{worker.tail()}"

    def stop_all(self) -> None:
        for slot in list(self.workers):
            self.stop(slot)

    def logged(self, event: str) -> Iterator[dict[str, Any]]:
        """Return what all workers that ever ran logged of an event."""
        for worker in self.everyone:
            yield from worker.lines(event)
