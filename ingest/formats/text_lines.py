"""A line of text in, whether it is a record out: the first look, before anything is decoded.

Separate from the decoders of text because framing asks it of every line that is no JSON: a line
that none of these formats begins like is refused where it stands, as before there were any. It
looks at no more than how a line begins, so that it can be asked of the head of a line, and it is
a closed list: a log of something else must stay one refusal, not thousands of records.

Formats: auditd (audit-userspace's ``type=... msg=audit(``), syslog (RFC 3164 with or without
priority, RFC 5424, rsyslog's and journalctl's lines with ISO 8601 times), aws-iam-authenticator
(its decisions, as ingest/formats/eks_authenticator.py knows them: other daemons write logrus' text
too), audit events after one word (ingest/formats/prefixed_line.py), ``ctr events`` (containerd's
cmd/ctr/commands/events), and the lines of containers' logs around any of those or around JSON
(ingest/formats/container_line.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ingest.formats.container_line import container_line

if TYPE_CHECKING:
    from collections.abc import Callable

HEAD_BYTES: Final = 1 << 10
"""Bytes of a line that decide; more are not looked at."""

_MONTHS: Final = frozenset(
    {b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"}
)
_PRIORITY_DIGITS: Final = 3
_TYPE_BYTES: Final = 64
_NODE_BYTES: Final = 300  # a host name has 253 at most
_TIME_BYTES: Final = 64
_WORD_BYTES: Final = 253  # a node's name, or a time
_DECISIONS: Final = (b' msg="access granted"', b' msg="access denied', b' msg="STS response"')
_EVENT: Final = b' {"kind":"Event","apiVersion":"audit.k8s.io/'
_HOST_MARKS: Final = b".-_:[]%"
_SYSLOG_WORDS: Final = 3
_STAMP_BYTES: Final = 64
_STAMP_WORDS: Final = 4
_DAY_DIGITS: Final = 2
_YEAR_DIGITS: Final = 4
_LENGTH_DIGITS: Final = 9
_CLOCK_BYTES: Final = len("10:00:00")
_REPEATED: Final = b" last message repeated "
_CTR_WORDS: Final = 7
_JSON: Final = (b'{"', b"{}", b"[{", b"{ ")


def is_text_record(line: bytes) -> bool:
    """Whether a line (or its first ``HEAD_BYTES``) begins like a record of a text format.

    Cheap: a look-up by the first byte and a few comparisons. Never raises.
    """
    test = _BY_FIRST.get(line[:1])
    return test is not None and test(line)


def begins_record(content: bytes) -> bool:
    """Whether what a container wrote begins like a record, JSON or text."""
    return content.startswith(_JSON) or is_text_record(content)


def _is_auditd(line: bytes) -> bool:
    return line.startswith(b"type=") and line.find(b" msg=audit(", 5, _TYPE_BYTES) > 0


def _is_node(line: bytes) -> bool:
    if not line.startswith(b"node="):
        return False
    place = line.find(b" ", 0, _NODE_BYTES)
    return place > 0 and _is_auditd(line[place + 1 : place + 1 + _TYPE_BYTES])


def _is_authenticator(line: bytes) -> bool:
    """Whether a line of logrus logs a decision: who may log in, or what AWS said."""
    place = line.find(b'" level=', 6, _TIME_BYTES) if line.startswith(b'time="') else -1
    message = line.find(b" ", place + 8, place + _TIME_BYTES) if place > 0 else -1
    return message > 0 and line.startswith(_DECISIONS, message)


def _is_exported(line: bytes) -> bool:
    """Whether a line is the authenticator's with the time before it that an S3 export writes."""
    return line[10:11] == b"T" and _is_authenticator(line[:HEAD_BYTES].partition(b" ")[2])


def _is_prefixed(line: bytes) -> bool:
    """Whether one word and an audit event stand at the beginning of a line."""
    place = line.find(b" ", 1, _WORD_BYTES + 1)
    return place > 0 and line.startswith(_EVENT, place)


def _is_priority(line: bytes) -> bool:
    """Whether a line begins with a syslog priority and a header after it."""
    place = line.find(b">", 1, _PRIORITY_DIGITS + 2)
    if place < 0 or not line[1:place].isdigit():
        return False
    rest = line[place + 1 : place + 1 + HEAD_BYTES]
    if rest.startswith(b"1 "):
        return rest[2:3] == b"-" or rest[2:6].isdigit()
    return _is_month_day(rest) or _is_iso_syslog(rest) or _is_year_first(rest)


def _is_month_day(line: bytes) -> bool:
    """Whether a line begins like ``Nov 21 10:00:00`` and a blank.

    The day may be padded or not, a year may stand before the clock, a fraction and a colon after.
    """
    if line[:3] not in _MONTHS or line[3:4] != b" ":
        return False
    if line[6:7] == b" " and line[15:16] == b" " and _is_clock(line[7:15]):
        return line[5:6].isdigit()
    day, clock, *rest = *line[4:_STAMP_BYTES].split(b" ", _STAMP_WORDS), b"", b""
    if not day:
        day, clock, *rest = clock, *rest
    if len(clock) == _YEAR_DIGITS and clock.isdigit():
        clock, *rest = rest
    return day.isdigit() and len(day) <= _DAY_DIGITS and bool(rest[0]) and _is_clock(clock)


def _is_clock(text: bytes) -> bool:
    """Whether a text is ``10:00:00``, with a fraction or a colon after it or neither."""
    clock, mark, fraction = text.removesuffix(b":").partition(b".")
    return (
        len(clock) == _CLOCK_BYTES
        and clock[2:3] == clock[5:6] == b":"
        and (clock[:2] + clock[3:5] + clock[6:]).isdigit()
        and (not mark or fraction.isdigit())
    )


def _is_year_first(line: bytes) -> bool:
    """Whether a line begins like ``2026 Nov 21 10:00:00``."""
    return line[4:5] == b" " and line[:4].isdigit() and _is_month_day(line[5:])


def _is_framed(line: bytes) -> bool:
    """Whether a line begins with RFC 6587's length of a message, and a priority."""
    place = line.find(b" <", 1, _LENGTH_DIGITS + 2)
    return place > 0 and line[:place].isdigit() and _is_priority(line[place + 1 :])


def _is_dated(line: bytes) -> bool:
    """Whether a line that begins with a digit is of ``ctr``, of a container's log, or of syslog."""
    if line[4:5] != b"-" or line[7:8] != b"-":
        return _is_year_first(line) or _is_framed(line)
    if line[10:11] == b" ":
        return _is_ctr(line)
    if (inside := container_line(line[:HEAD_BYTES])) is not None:
        return begins_record(line[inside.place :])
    return _is_iso_syslog(line)


def _is_ctr(line: bytes) -> bool:
    words = line[:HEAD_BYTES].split(b" ", 6)
    return (
        len(words) == _CTR_WORDS
        and words[0].replace(b"-", b"").isdigit()
        and words[2][:1] in {b"+", b"-"}
        and words[5].startswith(b"/")
        and words[6].startswith(b"{")
    )


def _is_iso_syslog(line: bytes) -> bool:
    """Whether a line begins like ``2026-11-21T10:00:00+01:00 [host ]prog[pid]:``.

    Without a host only a process id tells it from the logs of other programs.
    """
    if line[10:11] != b"T" or not line[:4].isdigit() or line[13:14] != b":":
        return False
    words = line[:HEAD_BYTES].split(b" ", 3)
    if len(words) < _SYSLOG_WORDS:
        return False
    if words[1].endswith(b"]:"):
        return words[1][:-2].rpartition(b"[")[2].isdigit()
    is_tag = words[2].endswith(b":") or line[:HEAD_BYTES].count(_REPEATED) > 0
    return is_tag and words[1].translate(None, _HOST_MARKS).isalnum()


def _begins_with_digit(line: bytes) -> bool:
    return _is_dated(line) or _is_prefixed(line) or _is_exported(line)


_BY_FIRST: Final[dict[bytes, Callable[[bytes], bool]]] = {
    **{b"%c" % letter: _is_prefixed for letter in range(ord("a"), ord("z") + 1)},
    b"t": lambda line: _is_auditd(line) or _is_authenticator(line) or _is_prefixed(line),
    b"n": lambda line: _is_node(line) or _is_prefixed(line),
    b"<": _is_priority,
    **dict.fromkeys((b"J", b"F", b"M", b"A", b"S", b"O", b"N", b"D"), _is_month_day),
    **{b"%d" % digit: _begins_with_digit for digit in range(10)},
}
FIRST_BYTES: Final = frozenset(first[0] for first in _BY_FIRST)
"""What a record of text can begin with."""
