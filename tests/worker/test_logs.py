"""Log lines: one record one line, whatever is in it; secrets never."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog
from pydantic import SecretStr

from worker.logs import configure_logs, context, log_uncaught

HOSTILE = [
    'x\n{"level": "info", "event": "all is well"}',
    "x\r\nforged",
    "\x1b[2J\x1b[31mred",
    "nul\x00bell\x07backspace\x08",
    "\u202etxt.exe",
    "line\u2028separator\u2029",
    "\udcff lone surrogate",
    "\x85next line\x0bvertical\x0cform",
    '"}, "forged": {"',
    "=cmd()|' /C calc'!A0",
]


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    hooks = sys.excepthook, threading.excepthook
    stream = io.StringIO()
    configure_logs("info", stream, terminal=False)
    yield stream
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)
    root.handlers, root.level = handlers, level
    sys.excepthook, threading.excepthook = hooks


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().split("\n")[:-1]]


def test_a_record_is_one_json_object_with_time_level_and_event(stream: io.StringIO) -> None:
    structlog.get_logger().info("started", partitions=[1, 2], took_s=1.5)
    (line,) = lines(stream)
    assert list(line)[:3] == ["time", "level", "event"]
    assert datetime.fromisoformat(line["time"]).tzinfo == UTC
    assert line["level"] == "info"
    assert (line["event"], line["partitions"], line["took_s"]) == ("started", [1, 2], 1.5)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_value_key_or_event_forges_a_line(stream: io.StringIO, text: str) -> None:
    structlog.get_logger().warning(text, value=text, nested={text: [text]}, error=ValueError(text))
    written = stream.getvalue()
    assert written.count("\n") == 1
    assert all(character == "\n" or " " <= character <= "~" for character in written)
    (line,) = lines(stream)
    assert line["level"] == "warning"
    assert line["event"] == line["value"] == line["error"] == text
    assert line["nested"] == {text: [text]}


@pytest.mark.parametrize("text", HOSTILE)
def test_the_terminal_shows_hostile_text_as_escapes(stream: io.StringIO, text: str) -> None:
    configure_logs("info", stream, terminal=True)
    structlog.get_logger().info(text, value=text, nested=[text])
    written = stream.getvalue()
    assert written.count("\n") == 1
    for colour in ("\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[32m", "\x1b[35m", "\x1b[36m"):
        written = written.replace(colour, "")
    assert written[:-1].isprintable()


def test_secrets_are_masked_by_key_by_type_and_by_shape(stream: io.StringIO) -> None:
    structlog.get_logger().info(
        "settings",
        password="hunter2-a",
        webhook_token="hunter2-b",
        headers={"Authorization": "Bearer hunter2-c", "X-Api-Key": "hunter2-d"},
        wrapped=SecretStr("hunter2-e"),
        url="https://user:hunter2-f@host/path?q and http://:hunter2-g@other",
        text="sent 'Authorization: Bearer hunter2-h' and Basic aHVudGVyMg==",
        error=ValueError("https://user:hunter2-i@host"),
        raw=b"hunter2-j",
    )
    written = stream.getvalue()
    assert "hunter2" not in written
    assert "aHVudGVyMg" not in written
    (line,) = lines(stream)
    assert line["url"] == "https://***@host/path?q and http://***@other"
    assert line["raw"] == "9 bytes"


def test_what_only_sounds_like_a_secret_can_be_read(stream: io.StringIO) -> None:
    structlog.get_logger().info("basic authentication failed", tokens_refused=3)
    (line,) = lines(stream)
    assert (line["event"], line["tokens_refused"]) == ("basic authentication failed", 3)


def test_an_exception_is_its_type_message_and_places_without_variables(
    stream: io.StringIO,
) -> None:
    planted = "local-" + "hunter2"

    def fail(secret: str) -> None:
        raise KeyError("no such\nthing") from OSError(f"disk {len(secret)}")

    try:
        fail(planted)
    except KeyError:
        structlog.get_logger().exception("failed")
    (line,) = lines(stream)
    assert line["level"] == "error"
    assert line["exception"]["type"] == "KeyError"
    assert line["exception"]["cause"] == "OSError: disk 13"
    assert line["exception"]["at"][0].startswith("test_logs.py:")
    assert planted not in stream.getvalue()


def test_context_is_added_within_its_block_only(stream: io.StringIO) -> None:
    log = structlog.get_logger()
    with context(partition=3):
        log.info("within")
    log.info("after")
    within, after = lines(stream)
    assert within["partition"] == 3
    assert "partition" not in after


def test_lines_below_the_level_are_not_written(stream: io.StringIO) -> None:
    configure_logs("warning", stream, terminal=False)
    structlog.get_logger().info("no")
    structlog.get_logger().warning("yes")
    assert [line["event"] for line in lines(stream)] == ["yes"]


def test_what_libraries_log_takes_the_same_way(stream: io.StringIO) -> None:
    logging.getLogger("urllib3").warning("retry %s", "x\ny")
    logging.getLogger("urllib3").info("chatter")
    (line,) = lines(stream)
    assert (line["event"], line["library"], line["level"]) == ("retry x\ny", "urllib3", "warning")


def test_values_are_bounded(stream: io.StringIO) -> None:
    deep: list[Any] = []
    for _ in range(1_000):
        deep = [deep]
    structlog.get_logger().info(
        "big",
        text="x" * 10**6,
        many=list(range(10**5)),
        deep=deep,
        path=Path("a"),
        nan=float("nan"),
    )
    assert len(stream.getvalue()) < 10_000
    (line,) = lines(stream)
    assert line["text"].endswith("... (1000000 characters)")
    assert (line["path"], line["nan"]) == ("a", "nan")


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError


class Full(io.StringIO):
    def write(self, _: str) -> int:
        raise OSError(28, "No space left on device")


def test_a_log_that_fails_does_not_stop_who_logs(stream: io.StringIO) -> None:
    structlog.get_logger().info("x", value=Unprintable())
    assert lines(stream)[0]["value"] == "<Unprintable>"
    configure_logs("info", Full(), terminal=False)
    structlog.get_logger().info("lost")


def test_what_nobody_caught_is_one_line_on_any_thread(stream: io.StringIO) -> None:
    log_uncaught()

    def fail() -> None:
        raise ValueError("on a\nthread")

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    sys.excepthook(KeyError, KeyError("main"), None)
    thrown, main = lines(stream)
    assert thrown["level"] == main["level"] == "critical"
    assert thrown["exception"]["message"] == "on a\nthread"
    assert main["exception"]["type"] == "KeyError"
