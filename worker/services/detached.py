"""A server as a detached process: a command goes in; a process file, a log and signals come out.

Separate because both servers are kept alike: each outlives the command that started it, is found
again by its process file, and is never confused with a process that got its number later.
"""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from worker.services.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

POLL_S: Final = 0.05
_TAIL_BYTES: Final = 64 << 10
# Fields of /proc/PID/stat after the name in brackets: proc_pid_stat(5).
_STATE, _START_TICKS = 0, 19


@dataclass(frozen=True, slots=True)
class Running:
    """A process that was started: its number, what tells it from its successors, its address."""

    pid: int
    identity: str
    address: str


def identity_of(pid: int) -> str | None:
    """Return what no other process of this number has, None if there is none or it is dead."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    # A first thread that is dead says nothing of the others: they still hold the ports.
    if fields[_STATE] in {"Z", "X"} and _threads(pid) <= 1:
        return None
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}:{fields[_START_TICKS]}"


def _threads(pid: int) -> int:
    try:
        return len(list(Path(f"/proc/{pid}/task").iterdir()))
    except (FileNotFoundError, ProcessLookupError):
        return 0


class Detached:
    """The one process of a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process_file = folder / "process.json"
        self.log_file = folder / "server.log"

    def running(self) -> Running | None:
        """Return the process if it lives; a stale file of a dead one counts as none."""
        try:
            found = Running(**json.loads(self.process_file.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None
        return found if identity_of(found.pid) == found.identity else None

    def start(self, command: Sequence[str], address: str, environment: Mapping[str, str]) -> None:
        """Start ``command`` in a session of its own, its output appended to the log."""
        self.folder.mkdir(parents=True, exist_ok=True)
        output = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        pid = os.posix_spawn(
            command[0],
            list(command),
            dict(environment),
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(self.log_file), output, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
            setsigmask=[],
            setsigdef=[signal.SIGINT, signal.SIGTERM],
        )
        identity = identity_of(pid)
        if identity is None:
            raise ServiceError(f"{command[0]}: ended at once:\n{self.tail()}")
        self._write(Running(pid, identity, address))

    def _write(self, started: Running) -> None:
        partial = self.process_file.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(started)))
        partial.replace(self.process_file)

    def stop(self, deadline_s: float) -> bool:
        """End the process: SIGTERM, and SIGKILL once ``deadline_s`` is over; False: none lived."""
        was = self.send(signal.SIGTERM)
        if was is not None and not self._ended(was, deadline_s):
            self.kill()
        self.process_file.unlink(missing_ok=True)
        return was is not None

    def kill(self, deadline_s: float = 10.0) -> None:
        """End the process as a power cut would, and wait until it is gone."""
        was = self.send(signal.SIGKILL)
        if was is not None and not self._ended(was, deadline_s):
            raise ServiceError(f"process {was.pid} outlived SIGKILL by {deadline_s} s")

    def send(self, number: signal.Signals) -> Running | None:
        """Send a signal to the process if it is still the one that was started."""
        found = self.running()
        if found is not None:
            with suppress(ProcessLookupError):  # it ended between the look and the signal
                os.kill(found.pid, number)
        return found

    def _ended(self, was: Running, deadline_s: float) -> bool:
        deadline = time.monotonic() + deadline_s
        while True:
            with suppress(ChildProcessError):  # somebody else's child: nothing to collect
                os.waitpid(was.pid, os.WNOHANG)
            if identity_of(was.pid) != was.identity:
                return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL_S)

    def tail(self, lines: int = 20) -> str:
        """Return the last lines of the log."""
        try:
            with self.log_file.open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - _TAIL_BYTES))
                text = log.read().decode(errors="replace")
        except FileNotFoundError:
            return f"({self.log_file} was not written)"
        return "\n".join(text.splitlines()[-lines:])
