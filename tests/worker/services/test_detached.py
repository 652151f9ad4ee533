"""A process is found again, ended within its deadline, and never confused with a later one."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from worker.services.detached import Detached, identity_of
from worker.services.errors import ServiceError
from worker.services.readiness import wait_until_ready

OBEDIENT = "import time; print('here', flush=True); time.sleep(600)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "print('here', flush=True); time.sleep(600)"
)
LAST_WORDS = "print('cannot open the box', flush=True)"


@pytest.fixture
def detached(tmp_path: Path) -> Iterator[Detached]:
    process = Detached(tmp_path / "server")
    yield process
    process.kill()


def start(process: Detached, script: str) -> int:
    process.start([sys.executable, "-c", script], "127.0.0.1:1", os.environ)
    until(lambda: process.running() is None or "here" in process.tail())
    found = process.running()
    return 0 if found is None else found.pid


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_another_object_finds_the_process(detached: Detached) -> None:
    pid = start(detached, OBEDIENT)
    found = Detached(detached.folder).running()
    assert found is not None
    assert (found.pid, found.address) == (pid, "127.0.0.1:1")


def test_it_has_a_session_of_its_own(detached: Detached) -> None:
    assert os.getsid(start(detached, OBEDIENT)) != os.getsid(0)


def test_stopping_ends_it_and_forgets_it(detached: Detached) -> None:
    pid = start(detached, OBEDIENT)
    assert detached.stop(10)
    assert identity_of(pid) is None
    assert not detached.process_file.exists()
    assert not detached.stop(10)


def test_what_ignores_the_signal_is_killed_after_the_deadline(detached: Detached) -> None:
    pid = start(detached, STUBBORN)
    begin = time.monotonic()
    assert detached.stop(0.2)
    assert time.monotonic() - begin >= 0.2
    assert identity_of(pid) is None


def test_a_later_process_of_the_same_number_is_left_alone(detached: Detached) -> None:
    pid = start(detached, OBEDIENT)
    record = json.loads(detached.process_file.read_text())
    earlier = Detached(detached.folder.parent / "earlier")
    earlier.folder.mkdir()
    earlier.process_file.write_text(json.dumps({**record, "identity": "boot:1"}))
    assert earlier.running() is None
    earlier.kill()
    assert not earlier.stop(10)
    assert identity_of(pid) == record["identity"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', "null"])
def test_a_process_file_that_says_nothing_counts_as_none(detached: Detached, text: str) -> None:
    detached.folder.mkdir()
    detached.process_file.write_text(text)
    assert detached.running() is None


def test_a_dead_process_counts_as_none(detached: Detached) -> None:
    pid = start(detached, OBEDIENT)
    os.kill(pid, signal.SIGKILL)
    until(lambda: detached.running() is None)
    assert detached.process_file.exists()


def test_waiting_for_one_that_ended_says_its_last_words(detached: Detached) -> None:
    start(detached, LAST_WORDS)
    with pytest.raises(ServiceError, match="Box ended before it was ready") as caught:
        wait_until_ready("Box", lambda: "no answer", 20, detached)
    assert "cannot open the box" in str(caught.value)


def test_waiting_ends_with_the_reason(detached: Detached) -> None:
    start(detached, OBEDIENT)
    with pytest.raises(ServiceError, match=r"Box is not ready after 0 s: no answer\n.*server.log"):
        wait_until_ready("Box", lambda: "no answer", 0, detached)


def test_waiting_ends_with_the_first_good_answer(detached: Detached) -> None:
    start(detached, OBEDIENT)
    answers = iter(["not yet", "not yet", None])
    wait_until_ready("Box", lambda: next(answers), 20, detached)
    assert next(answers, "all asked") == "all asked"


def test_the_tail_is_the_end_of_the_log(detached: Detached) -> None:
    detached.folder.mkdir()
    detached.log_file.write_text("".join(f"line {n}\n" for n in range(100_000)))
    assert detached.tail(2) == "line 99998\nline 99999"
