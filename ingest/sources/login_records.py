"""Login files (wtmp, btmp, utmp) in, one record of JSON text for each entry out.

Separate from framing because these files are arrays of C structures without any mark between them;
as text their entries travel, are counted and are refused like every other record. What an entry
means is the format's to say (ingest/formats/login_records.py).

The layout is not written in the file, so it is found by trying: glibc's ``struct utmp`` has 384
bytes with times of 32 bits (x86_64, 32-bit, ppc64le, riscv64: ``__WORDSIZE_TIME64_COMPAT32`` is 1)
and 400 with times of 64 (aarch64, s390x: it is 0; glibc ``bits/utmp.h`` and ``bits/wordsize.h``),
in the machine's byte order. ``lastlog`` is another structure and is left alone.

Entries of zeros were never written by login or sshd: whoever wipes an entry, or a disk that lost
it, leaves them. So a run of them is one record that says how many, with the time of the entry
before; nothing of it is skipped in silence.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Any, Final

import orjson

from ingest.record import InputProblem, Reason, sha256_hex
from ingest.sources.tray import Tray

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ingest.record import Records

HEAD_BYTES: Final = 400 * 4
"""Bytes by which a login file is told: a few entries, as far as there are any."""

_KINDS: Final = ("btmp", "wtmp", "utmp")
_LASTLOG: Final = "lastlog"
_TYPES: Final = 10
_MICROS: Final = 1_000_000
_LATEST_S: Final = 2**32
_EARLIEST_S: Final = 10**8
"""1973: an entry with a type and a time after it is no accident of another binary file."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How one entry lies in memory: ``size`` bytes with padding, ``unpack`` its members."""

    unpack: struct.Struct
    size: int


def _layout(order: str, times: str, padding: int) -> Layout:
    """Lay out a structure; ``times`` are the formats of session, seconds and microseconds."""
    members = struct.Struct(f"{order}h2xi32s4s32s256shh{times}16s20s")
    return Layout(members, members.size + padding)


_LAYOUTS: Final = (
    _layout("<", "iIi", 0),
    _layout("<", "qqq", 4),
    _layout(">", "qqq", 4),
    _layout(">", "iIi", 0),
)


def login_layout(head: bytes, path: str) -> Layout | None:
    """Return how the entries of a stream lie, None if it is no login file.

    Parameters
        head: the first ``HEAD_BYTES``, or all there are.
        path: a file of zeros is a login file only by its name; a ``lastlog`` is none.
    """
    name = path.rpartition("/")[2]
    if _LASTLOG in name:
        return None
    is_named = kind_of(path) is not None
    for layout in _LAYOUTS:
        places = range(0, len(head) - layout.size + 1, layout.size)
        entries = [head[place : place + layout.size] for place in places]
        is_sure = is_named or any(_is_typical(entry, layout) for entry in entries)
        if entries and is_sure and all(_is_sound(entry, layout) for entry in entries):
            return layout
    return None


def kind_of(path: str) -> str | None:
    """Return ``wtmp``, ``btmp`` or ``utmp``, by a file's name alone: their entries are alike."""
    name = path.rpartition("/")[2].lower()
    return next((kind for kind in _KINDS if kind in name), None)


def frame_logins(
    path: str, chunks: Iterable[bytes | InputProblem], layout: Layout
) -> Iterator[Records]:
    """Cut a login file into records.

    Parameters
        path: names the stream in what comes out; what kind of file it is is told by it.
        chunks: the stream, in chunks of any size.

    Returns
        chunks of records, offsets in bytes of the stream. An entry that cannot be one, and the
        part of one at the end, are refused. Never raises for what is in the stream.
    """
    tray, problems = Tray(path), list[InputProblem]()
    cutting = _Cutting(tray, layout, kind_of(path) or "unknown")
    for chunk in chunks:
        if isinstance(chunk, InputProblem):
            problems.append(chunk)
            continue
        cutting.feed(chunk)
        yield from tray.full()
    cutting.end()
    yield from tray.rest(problems)


class _Cutting:
    """Where in a login file we are: bytes of half an entry, and zeros not yet told of."""

    __slots__ = ("_empty", "_half", "_kind", "_last_us", "_layout", "_offset", "_tray")

    def __init__(self, tray: Tray, layout: Layout, kind: str) -> None:
        self._tray = tray
        self._layout = layout
        self._kind = kind
        self._half = b""
        self._offset = 0
        self._empty = 0
        self._last_us: int | None = None

    def feed(self, chunk: bytes) -> None:
        """Take the entries that are whole."""
        data, size = self._half + chunk, self._layout.size
        stop = len(data) - len(data) % size
        for place in range(0, stop, size):
            self._take(data[place : place + size])
            self._offset += size
        self._half = data[stop:]

    def end(self) -> None:
        """Tell of the zeros and of the half entry that the file ends with."""
        self._tell_empty()
        if half := self._half:
            why = f"the input ends within this login entry of {self._layout.size} bytes"
            self._refuse(Reason.TRUNCATED, half, why)

    def _take(self, entry: bytes) -> None:
        if not any(entry):
            self._empty += 1
            return
        self._tell_empty()
        if not _is_sound(entry, self._layout):
            self._refuse(Reason.NOT_AN_EVENT, entry, "no login entry: a type or time out of range")
            return
        members = _members(entry, self._layout)
        self._last_us = members["time_us"]
        self._lay(members, self._offset)

    def _tell_empty(self) -> None:
        if self._empty:
            start = self._offset - self._empty * self._layout.size
            self._lay({"type": 0, "erased": self._empty, "time_us": self._last_us}, start)
            self._empty = 0

    def _lay(self, members: dict[str, Any], offset: int) -> None:
        record = {"trailwarden": "login-record", "file": self._kind, **members}
        raw = orjson.dumps(record)
        self._tray.lay([raw], [offset], len(raw))

    def _refuse(self, reason: Reason, raw: bytes, why: str) -> None:
        self._tray.refuse(reason, self._offset, len(raw), sha256_hex(raw), why)


def _is_sound(entry: bytes, layout: Layout) -> bool:
    """Whether bytes can be an entry: the type is one, the time is one.

    No more is asked, and nothing of the texts: whoever fails to log in chooses some of them.
    """
    found = layout.unpack.unpack_from(entry)
    kind, seconds, micros = found[0], found[9], found[10]
    return bool(0 <= kind < _TYPES and 0 <= seconds < _LATEST_S and 0 <= micros < _MICROS)


def _is_typical(entry: bytes, layout: Layout) -> bool:
    """Whether bytes can hardly be anything but an entry."""
    found = layout.unpack.unpack_from(entry)
    kind, seconds, reserved = found[0], found[9], found[12]
    return bool(kind > 0 and seconds > _EARLIEST_S and not any(reserved))


def _members(entry: bytes, layout: Layout) -> dict[str, Any]:
    """Return what an entry says; what is empty is left out."""
    kind, pid, line, ident, user, host, term, code, session, seconds, micros, address, _ = (
        layout.unpack.unpack_from(entry)
    )
    members = {
        "line": _text(line),
        "id": _text(ident),
        "user": _text(user),
        "host": _text(host),
        "session": session,
        "address": _address(address),
        "termination": term,
        "exit": code,
    }
    given = {name: value for name, value in members.items() if value}
    return {"type": kind, "pid": pid, "time_us": seconds * _MICROS + micros, **given}


def _text(member: bytes) -> str:
    """Return a text up to its end; what is not UTF-8 is written in hexadecimal."""
    return member.partition(b"\0")[0].decode(errors="backslashreplace")


def _address(raw: bytes) -> str | None:
    """Return an address: IPv4 stands in the first four bytes (utmp(5))."""
    if not any(raw):
        return None
    if not any(raw[4:]):
        return str(IPv4Address(raw[:4]))
    address = IPv6Address(raw)
    return str(address.ipv4_mapped or address)  # whose text is not the same in all Pythons
