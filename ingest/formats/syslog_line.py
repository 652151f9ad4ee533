"""One line of syslog becomes its parts: time, host, program, process and text.

Separate because what a line is made of has nothing to do with what its program says. Forms:

* RFC 3164 with and without priority, with and without a host, days padded by a blank, a zero or
  not at all, a year before the clock or before the month, a fraction (journalctl -o
  short-precise);
* RFC 5424, its structured data skipped;
* a time of ISO 8601 in RFC 3164's place (rsyslog's default since Debian 12, journalctl -o
  short-iso);
* any of them behind the length that RFC 6587 puts before a message on TCP.

RFC 3164 says neither year nor zone: the year is the latest that does not lie in the future of when
the line was received, and the clock counts as UTC, which ``time-without-zone`` says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from ingest.formats.clock import from_month_day, from_text
from ingest.formats.zoned_time import from_zoned

if TYPE_CHECKING:
    from ingest.formats.seen import Around

_MONTHS: Final = {
    name: f"{number:02}"
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1
    )
}
_MONTH_DAY: Final = len("Oct 11 22:14:15")
_HEAD: Final = 512
_PRIORITY_MOST: Final = 191
_PRIORITY_END: Final = 5
_SEVERITIES: Final = 8
_HEADER_PARTS: Final = 6
_YEAR_DIGITS: Final = 4
_LENGTH_DIGITS: Final = 9
_PID_DIGITS: Final = 18
_DATE: Final = len("2026-10-11")
_NIL: Final = "-"
_LOGIN: Final = " -- "
"""What login calls itself where getty started it, with a name behind it: `` -- root[2421]: ``."""
_NO_ZONE: Final = "time-without-zone"


class SyslogLine(NamedTuple):
    """The parts of a line; None for what is not in it. ``time`` is canonical."""

    time: str | None
    host: str | None
    program: str | None
    pid: int | None
    text: str
    facility: int | None
    severity: int | None
    issues: tuple[str, ...]


def is_syslog(line: str) -> bool:
    """Tell by its beginning whether a line is one of syslog."""
    head = line[:_HEAD]
    first = head[:1]
    if first == "<":
        return _priority_end(head) > 0
    if head[:3] in _MONTHS:
        return head[3:4] == " " and ":" in head[:21] and head[4:6].strip().isdigit()
    if not first.isdigit():
        return False
    if head[4:5] == "-" and head[_DATE : _DATE + 1] == "T":
        return _has_tag(head)
    word, _, rest = head.partition(" ")
    return word.isdigit() and (rest.startswith("<") or rest[:3] in _MONTHS)


def read_line(text: str, around: Around) -> SyslogLine | None:
    """Return the parts of a line; None if it is none of syslog."""
    line = _unframed(text.rstrip("\r\n\0"))
    if not is_syslog(line):
        return None
    priority = None
    issues: list[str] = []
    if line[0] == "<":
        end = _priority_end(line)
        priority, line = int(line[1:end]), line[end + 1 :]
        if priority > _PRIORITY_MOST:
            issues.append("out-of-range:PRI")
            priority = None
        if line.startswith("1 "):
            return _rfc5424(line, priority, issues)
    time, rest = _time(line, around, issues)
    origin, words = _origin(rest)
    return _line(time, origin, words, priority, issues)


def _line(
    time: str | None,
    origin: tuple[str | None, str | None, str],
    text: str,
    priority: int | None,
    issues: list[str],
) -> SyslogLine:
    host, program, pid = origin
    is_number = pid.isascii() and pid.isdigit() and len(pid) <= _PID_DIGITS
    facility, severity = (None, None) if priority is None else divmod(priority, _SEVERITIES)
    number = int(pid) if is_number else None
    return SyslogLine(time, host, program, number, text, facility, severity, tuple(issues))


def _unframed(line: str) -> str:
    """Take away RFC 6587's length before a priority."""
    at = line.find(" ", 0, _LENGTH_DIGITS + 1)
    return line[at + 1 :] if at > 0 and line[at + 1 : at + 2] == "<" else line


def _priority_end(line: str) -> int:
    """Return where ``<N>`` ends, -1 if a line does not begin so."""
    end = line.find(">", 2, _PRIORITY_END)
    return end if line[:1] == "<" and line[1:end].isdecimal() and line[1:end].isascii() else -1


def _has_tag(head: str) -> bool:
    """Tell syslog from the other logs that begin with such a time: a tag ends in a colon."""
    words = head.split(" ", 3)[1:3]
    return any(word.endswith(":") for word in words) or " last message repeated " in head


def _rfc5424(line: str, priority: int | None, issues: list[str]) -> SyslogLine | None:
    """``1 TIME HOST PROGRAM PID MSGID [DATA] TEXT``."""
    parts = line.split(" ", _HEADER_PARTS)
    if len(parts) <= _HEADER_PARTS:
        return None
    time, host, program, pid = (None if part == _NIL else part for part in parts[1:5])
    text = _after_data(parts[_HEADER_PARTS]).removeprefix(" ").removeprefix("\ufeff")
    when = None if time is None else _zoned(time, issues)
    return _line(when, (host, program, pid or ""), text, priority, issues)


def _after_data(text: str) -> str:
    """Return what follows the structured data: ``-``, or elements with quoted values in them."""
    if not text.startswith("["):
        return text.removeprefix(_NIL)
    at = 0
    while text[at : at + 1] == "[":
        end = _element_end(text, at)
        if end < 0:
            return text
        at = end + 1
    return text[at:]


def _element_end(text: str, at: int) -> int:
    """Return where the element at a bracket ends; a value's ``]`` and ``"`` are escaped."""
    while True:
        quote = text.find('"', at)
        end = text.find("]", at, quote if quote >= 0 else len(text))
        if end >= 0 or quote < 0:
            return end
        at = _value_end(text, quote + 1)
        if at < 0:
            return -1


def _value_end(text: str, at: int) -> int:
    """Return what follows the quote that ends a value."""
    while (quote := text.find('"', at)) >= 0:
        before = text[at:quote]
        if (len(before) - len(before.rstrip("\\"))) % 2 == 0:
            return quote + 1
        at = quote + 1
    return -1


def _time(line: str, around: Around, issues: list[str]) -> tuple[str | None, str]:
    """Split a line into its time and the rest; what follows a priority may have none."""
    if line[:3] in _MONTHS:
        return _month_day(line, around, issues)
    if line[4:5] == " " and line[5:8] in _MONTHS and _is_year(line[:4]):
        return _month_day(line[5:], around, issues, line[:4])
    if line[4:5] == "-" and line[_DATE : _DATE + 1] == "T":
        stamp, _, rest = line.partition(" ")
        return _zoned(stamp, issues), rest
    return None, line


def _is_year(text: str) -> bool:
    return len(text) == _YEAR_DIGITS and text.isascii() and text.isdigit()


def _zoned(stamp: str, issues: list[str]) -> str | None:
    clock = stamp[_DATE:]
    if not clock.endswith(("Z", "z")) and "+" not in clock and "-" not in clock:
        issues.append(_NO_ZONE)
    return from_zoned(stamp)


def _month_day(
    line: str, around: Around, issues: list[str], year: str = ""
) -> tuple[str | None, str]:
    """``Oct 11 22:14:15``; ``Oct 11 2026 22:14:15`` and ``2026 Oct 11 22:14:15`` say the year."""
    issues.append(_NO_ZONE)
    if not year and line[9:10] == ":" and line[_MONTH_DAY : _MONTH_DAY + 1] == " ":
        return _completed(line[:_MONTH_DAY], around, issues), line[_MONTH_DAY + 1 :]
    month, day, clock, *rest = *line.split(None, 3), "", "", ""
    if not year and _is_year(clock):
        year = clock
        clock, _, after = rest[0].partition(" ")
    else:
        after = rest[0]
    clock = clock.removesuffix(":")
    if not year:
        return _completed(f"{month} {day} {clock}", around, issues), after
    return from_text(f"{year}-{_MONTHS.get(month, '00')}-{day:0>2}T{clock}Z"), after


def _completed(stamp: str, around: Around, issues: list[str]) -> str | None:
    time = from_month_day(stamp, around.received)
    if time is None:
        issues.append("time-without-year" if around.received is None else "not-a-time")
    return time


def _origin(rest: str) -> tuple[tuple[str | None, str | None, str], str]:
    """Split ``[HOST ]PROGRAM[PID]: TEXT``; who writes to its own machine's socket names no host."""
    first, _, after = rest.lstrip(" ").partition(" ")
    if first.endswith(":"):
        return (None, *_tag(first)), after
    if after.startswith(_LOGIN):
        name, mark, text = after.removeprefix(_LOGIN).partition("]: ")
        if mark:
            return (first or None, "login", name.rpartition("[")[2]), text
    second, _, text = after.partition(" ")
    if second.endswith(":"):
        return (first or None, *_tag(second)), text
    return (first or None, None, ""), after


def _tag(word: str) -> tuple[str | None, str]:
    """``sshd[123]:``, ``su:``, ``gdm-password][123]:``."""
    name = word.removesuffix(":")
    if not name.endswith("]"):
        return name or None, ""
    program, mark, pid = name[:-1].rpartition("[")
    return (program or None, pid) if mark else (name, "")
