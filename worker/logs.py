"""Logs: one JSON line per record on stderr, or readable text on a terminal.

Separate because every long-running command configures it once, and because a log line is where a
hostile name could forge another (ASVS 5.0, 16.4.1): all text is made plain here, whoever logged it.
Secrets are masked by the name of their key and by their usual shapes; that is the last line of
defence, not the first: nobody logs records or settings' secrets.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

import structlog
from structlog.contextvars import bound_contextvars, merge_contextvars

from worker.log_values import plain_members

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping
    from types import TracebackType

FRAMES_LIMIT: Final = 20
"""Places of an exception that are told, the innermost."""

context = bound_contextvars
"""``with context(partition=3):`` adds to all lines of this thread within."""


def configure_logs(level: str, stream: TextIO | None = None, terminal: bool | None = None) -> None:
    """Send all logs, ours and the libraries', to ``stream``.

    Parameters
        level: debug, info, warning or error.
        stream: stderr when None.
        terminal: readable text instead of JSON; None: when ``stream`` is a terminal.
    """
    target = stream or sys.stderr
    readable = target.isatty() if terminal is None else terminal
    least = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper("iso", utc=True, key="time"),
            _explain_exception,
            _make_plain,
            _terminal_renderer() if readable else _render_json,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=lambda *_: _Line(target),
        cache_logger_on_first_use=False,
    )
    logging.getLogger("elastic_transport").setLevel(logging.ERROR)  # each answer is told by us
    root = logging.getLogger()
    root.handlers = [_ToStructlog()]
    # Below warning the libraries tell request bodies and paths that hold tokens: never.
    root.setLevel(max(least, logging.WARNING))
    logging.captureWarnings(capture=True)


def log_uncaught() -> None:
    """Make what nobody caught, on any thread, one log line (ASVS 16.5.4) instead of a traceback."""

    def uncaught(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
        else:
            structlog.get_logger().critical("uncaught", exc_info=(kind, error, trace))

    def uncaught_on_thread(args: threading.ExceptHookArgs) -> None:
        if not issubclass(args.exc_type, SystemExit) and args.exc_value is not None:
            uncaught(args.exc_type, args.exc_value, args.exc_traceback)

    sys.excepthook = uncaught
    threading.excepthook = uncaught_on_thread


class _Line:
    """Writes one line at a time; a log that cannot be written must not stop the worker."""

    __slots__ = ("_stream",)
    _lock: Final = threading.Lock()

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def msg(self, line: str) -> None:
        try:
            with self._lock:
                self._stream.write(line + "\n")
                self._stream.flush()
        except (OSError, ValueError):
            return  # a full disk, a closed pipe

    debug = info = warning = warn = error = critical = fatal = exception = log = msg


class _ToStructlog(logging.Handler):
    """What libraries log through the standard library (it is made to be inherited from)."""

    def emit(self, record: logging.LogRecord) -> None:
        """Pass one record on."""
        try:
            text = record.getMessage()
        except (TypeError, ValueError):
            text = str(record.msg)
        logger = structlog.get_logger(library=record.name)
        logger.log(record.levelno, text, exc_info=record.exc_info)


def _explain_exception(_: Any, __: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Keep an exception's type, message and places; never the values of variables."""
    given = event.pop("exc_info", None)
    if given is True:
        given = sys.exc_info()
    error = given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        event["exception"] = {
            "type": type(error).__qualname__,
            "message": str(error),
            "at": _places(error.__traceback__),
        }
        if error.__cause__ is not None:
            cause = error.__cause__
            event["exception"]["cause"] = f"{type(cause).__qualname__}: {cause}"
    return event


def _places(trace: TracebackType | None) -> list[str]:
    places: list[str] = []
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{Path(code.co_filename).name}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return places[-FRAMES_LIMIT:]


def _make_plain(_: Any, __: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    return plain_members(event)


def _render_json(_: Any, __: str, event: MutableMapping[str, Any]) -> str:
    """ASCII only: a newline, an escape sequence or a bidi mark of a value stays an escape."""
    first = {name: event.pop(name) for name in ("time", "level", "event") if name in event}
    return json.dumps({**first, **event}, ensure_ascii=True)


def _terminal_renderer() -> structlog.types.Processor:
    console = structlog.dev.ConsoleRenderer(
        colors=True, timestamp_key="time", pad_event_to=30, sort_keys=False
    )

    def render(logger: Any, name: str, event: MutableMapping[str, Any]) -> Any:
        return console(logger, name, {_visible(k): _visible(v) for k, v in event.items()})

    return render


def _visible(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.isprintable() else json.dumps(value)[1:-1]
    return value if isinstance(value, int | float | None) else json.dumps(value)
