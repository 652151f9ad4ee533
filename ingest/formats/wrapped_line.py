"""A runtime's JSON around a line in, the line out: ``{"log":"...","stream":"stdout","time":...}``.

Separate from the formats because what is in the line may be any of them. One level; a line that the
runtime cut into parts of 16 KiB (its ``log`` does not end in a line break) is not put together, as
each part is a line of its own: what is salvaged of the first is the record.

Format: Docker's json-file driver (moby daemon/logger/jsonfilelog/jsonlog: ``log``, ``stream``,
``attrs``, ``time``); Fluent Bit and Fluentd keep these keys and add theirs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ingest.formats.reader import Document

_STREAMS: Final = frozenset({"stdout", "stderr"})


def unwrap(document: Document) -> bytes | None:
    """Return the line within, without its line break; None if the document is no such wrapper."""
    line = document.get("log")
    if not isinstance(line, str):
        return None
    stream = document.get("stream")
    if (isinstance(stream, str) and stream in _STREAMS) or document.keys() <= {"log", "time"}:
        return line.rstrip("\r\n").encode(errors="replace")
    return None
