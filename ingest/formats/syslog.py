"""A line of syslog in, the logins and sessions that it tells of out.

Separate from what the programs say (ingest/formats/logins.py) because journald carries the same.
The line's own parts are read in ingest/formats/syslog_line.py.

What a daemon folded into ``message repeated N times: [ TEXT ]`` (rsyslog, on in Ubuntu's settings)
happened N more times: it becomes N events, ``_MOST`` at most, so that counting failed logins
counts them; all say the number in ``trailwarden.tool.fields``. ``last message repeated N times``
(BSD, busybox) does not say which message it was: one event `other` with the number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from ingest.formats.logins import login_fields
from ingest.formats.seen import Action, Dataset, NotThisFormatError, NotWantedError, Seen
from ingest.formats.syslog_line import is_syslog, read_line

if TYPE_CHECKING:
    from ingest.formats.seen import Around, Fields
    from ingest.formats.syslog_line import SyslogLine

_REPEATED: Final = "message repeated "
_LAST_REPEATED: Final = "last message repeated "
_TIMES: Final = " times"
_MOST: Final = 50
"""Events of one line: above what rules of repeated failures wait for, and no way to flood them."""
_COUNT_DIGITS: Final = 9
_FORMAT: Final = "syslog"


def recognizes_text(line: str) -> bool:
    """Tell whether a line begins as one of syslog, whatever its program."""
    return is_syslog(line)


def decode_text(text: str, around: Around) -> list[Seen]:
    """Return the events of one line.

    Raises NotThisFormatError for lines of programs that do not log logins; they are refused.
    """
    line = read_line(text, around)
    if line is None:
        raise NotThisFormatError("no line of syslog")
    count, words = _repetition(line.text)
    if line.program is None:
        return [_unknown_repetition(line)]
    issues = list(line.issues)
    fields = login_fields(line.program, words, issues)
    _surround(fields, line)
    if count is None:
        return [Seen(fields, issues)]
    _note(fields, count)
    if count > _MOST:
        issues.append("repeated-more-often")
    return [
        Seen(dict(fields), list(issues), (_FORMAT, text, str(number)), (_FORMAT, text))
        for number in range(max(1, min(count, _MOST)))
    ]


def _surround(fields: Fields, line: SyslogLine) -> None:
    if line.time is not None:
        fields["@timestamp"] = line.time
    if line.host is not None:
        fields["host.name"] = line.host
    if line.pid is not None:
        fields["process.pid"] = line.pid


def _repetition(text: str) -> tuple[int | None, str]:
    """Split ``message repeated N times: [ TEXT]``; a text of another form is itself."""
    if not text.startswith(_REPEATED):
        return None, text
    count, mark, rest = text.removeprefix(_REPEATED).partition(f"{_TIMES}: [")
    if not mark or not _is_count(count):
        return None, text
    return int(count), rest.removesuffix("]").strip()


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _COUNT_DIGITS


def _note(fields: Fields, count: int) -> None:
    """Add the number to what the program's own message left there."""
    kept = orjson.loads(fields.get("trailwarden.tool.fields", "{}"))
    fields["trailwarden.tool.fields"] = orjson.dumps({**kept, "repeated": count}).decode()


def _unknown_repetition(line: SyslogLine) -> Seen:
    count = line.text.removeprefix(_LAST_REPEATED).partition(_TIMES)[0]
    if not line.text.startswith(_LAST_REPEATED) or not _is_count(count):
        raise NotWantedError("a line of syslog that names no program")
    fields: Fields = {
        "event.dataset": Dataset.AUTH,
        "event.action": Action.OTHER,
        "event.outcome": "unknown",
        "event.provider": "syslogd",
        "message": line.text,
    }
    _surround(fields, line)
    _note(fields, int(count))
    return Seen(fields, [*line.issues, "repeated-message-unknown"])
