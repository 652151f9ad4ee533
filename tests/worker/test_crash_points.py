"""A process dies where it was told to, in its turn, and nowhere without being told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from worker.crash_points import VARIABLE, CrashPoint

THREE_TIMES = """
from worker.crash_points import CrashPoint, reach
for number in (1, 2, 3):
    print(number, flush=True)
    reach(CrashPoint.AFTER_POLL)
    reach(CrashPoint.BEFORE_COMMIT)
"""

SOON = """
import threading
from worker.crash_points import CrashPoint, reach_soon
reach_soon(CrashPoint.BULK_UNANSWERED)
print("went on", flush=True)
for thread in threading.enumerate():
    if thread is not threading.current_thread():
        thread.join(30)
print("lived", flush=True)
"""


def run(root: Path, program: str, target: str | None) -> tuple[int, list[str]]:
    environment = {key: value for key, value in os.environ.items() if key != VARIABLE}
    environment["PYTHONPATH"] = str(root)
    if target is not None:
        environment[VARIABLE] = target
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout.split("\n")[:-1]


@pytest.mark.parametrize("target", [None, "", "in-revoke", "no-such-point"])
def test_nobody_dies_who_was_not_told_to(root: Path, target: str | None) -> None:
    assert run(root, THREE_TIMES, target) == (0, ["1", "2", "3"])


@pytest.mark.parametrize(
    ("target", "turn"),
    [("after-poll", 1), ("after-poll:1", 1), ("before-commit:2", 2), ("after-poll:3", 3)],
)
def test_a_process_dies_of_kill_in_its_turn(root: Path, target: str, turn: int) -> None:
    code, lines = run(root, THREE_TIMES, target)
    assert code == -signal.SIGKILL
    assert len(lines) == turn


def test_a_turn_that_never_comes_kills_nobody(root: Path) -> None:
    assert run(root, THREE_TIMES, "after-poll:4")[0] == 0


def test_a_process_may_die_a_moment_later(root: Path) -> None:
    code, lines = run(root, SOON, "bulk-unanswered")
    assert code == -signal.SIGKILL
    assert "lived" not in lines
    assert run(root, SOON, "after-poll") == (0, ["went on", "lived"])


def test_names_are_those_that_an_environment_can_hold() -> None:
    assert all(point.replace("-", "").isalpha() and point.islower() for point in CrashPoint)
