"""A raw record becomes the same record at another time: what a case over time is made of.

Separate from the cases, because every source writes time its own way; a time is written as the one
that stands there, with as many digits.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from detectors.json_path import Json, PathError, get_at, set_at
from ingest.unix_time import unix_us

if TYPE_CHECKING:
    from collections.abc import Iterable

    from detectors.json_path import Steps

START: Final = datetime(2026, 11, 21, 10, tzinfo=UTC)
"""When a sequence of a case begins."""

AUDIT_ID: Final = "auditID"
_OF_AUDIT: Final = (("requestReceivedTimestamp",), ("stageTimestamp",))
_USUAL: Final = (
    ("time",),
    ("timestamp",),
    ("@timestamp",),
    ("Timestamp",),
    ("UpdatedTime",),
    ("unixTime",),
)
"""Where Falco, Tetragon, Tracee, Wazuh, Auditbeat, KubeArmor and osquery write it."""

_SECONDS: Final = "%Y-%m-%dT%H:%M:%S"
_LENGTH: Final = len("2026-11-21T10:00:00")
_UTC: Final = frozenset({"Z", "+00:00", "+0000"})
_PER_SECOND: Final = ((10**17, 10**9), (10**14, 10**6), (10**11, 10**3), (0, 1))
"""From which number on a count since 1970 is one of nanoseconds, micro-, milliseconds, seconds."""
_AUDITD: Final = "msg=audit("
_LOGRUS: Final = ' time="'


class TimeError(Exception):
    """A record does not say where its time is, or writes it in no known way."""


def at(time_us: int) -> datetime:
    """Return the time so many microseconds after the start of a sequence."""
    return START + timedelta(microseconds=time_us)


def put_in_json(record: Json, time: datetime, number: int, paths: Iterable[Steps]) -> None:
    """Write ``time`` into a record, in place, and where it has an audit id one of its own.

    Parameters
        number: of the record in its sequence.
        paths: where its times are; empty: where its kind of record usually has them.

    Raises ``TimeError``.
    """
    if not isinstance(record, dict):
        raise TimeError("the record is no object")
    if AUDIT_ID in record:
        record[AUDIT_ID] = f"00000000-0000-4000-8000-{number:012d}"
    places = list(paths) or _usual(record)
    if not places:
        raise TimeError("nothing says where the time of this record is: name it in 'time_at'")
    for steps in places:
        try:
            set_at(record, steps, _rewritten(get_at(record, steps), time))
        except PathError as error:
            raise TimeError(error.message) from error


def put_in_text(text: str, time: datetime, number: int) -> str:
    """Return lines with ``time`` instead of their own; raises ``TimeError`` if they have none."""
    if _AUDITD in text:
        before, *rest = text.split(_AUDITD)
        if not all(")" in part for part in rest):
            raise TimeError("a time of auditd does not end")
        stamp = f"{time.timestamp():.3f}:{10_000 + number}"
        return _AUDITD.join([before, *(stamp + part[part.index(")") :] for part in rest)])
    first, space, rest_of = text.partition(" ")
    moved = _iso(first, time) + space + rest_of
    head, mark, tail = moved.partition(_LOGRUS)
    if mark:
        inner, quote, end = tail.partition('"')
        return head + mark + _iso(inner, time) + quote + end
    return moved


def _usual(record: dict[str, Json]) -> list[Steps]:
    if AUDIT_ID in record:
        return list(_OF_AUDIT)
    return [steps for steps in _USUAL if isinstance(record.get(steps[0]), int | float | str)]


def _rewritten(old: Json, time: datetime) -> Json:
    if isinstance(old, str):
        return _iso(old, time)
    if isinstance(old, bool) or not isinstance(old, int | float) or old < 0:
        raise TimeError(f"{old!r} is no time")
    per_second = next(factor for least, factor in _PER_SECOND if old >= least)
    time_us = unix_us(time)
    exact = time_us * per_second // 10**6
    return exact if isinstance(old, int) else time_us / 10**6


def _iso(old: str, time: datetime) -> str:
    fraction, zone = "", old[_LENGTH:]
    if zone.startswith("."):
        digits = len(zone[1:]) - len(zone[1:].lstrip("0123456789"))
        fraction = "." + f"{time:%f}".ljust(digits, "0")[:digits]
        zone = zone[1 + digits :]
    if zone not in _UTC:
        raise TimeError(f"{old[:40]!r} is no time as in 2026-11-21T10:00:00Z, in UTC")
    return f"{time:{_SECONDS}}{fraction}{zone}"
