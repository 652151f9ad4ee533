"""A line of a container's log in, what the container wrote out: the CRI's own log format.

Separate because the line is only a carrier: what a container wrote may be a record of any format.
Format: ``<RFC 3339 time> stdout|stderr <tags> <content>``, tags divided by colons and the first of
them ``P`` (a part of a line, more follows) or ``F`` (a whole line or its last part); runtimes cut
lines at about 16 KiB. Source: Kubernetes design proposal "CRI: log management for container stdout
and stderr streams" and kubelet's ``pkg/kubelet/kuberuntime/logs``.
"""

from __future__ import annotations

from typing import Final, NamedTuple

_STREAMS: Final = frozenset({b"stdout", b"stderr"})
_PARTS: Final = 4
_CLOCK_PLACE: Final = 10


class ContainerLine(NamedTuple):
    """One line: ``place`` is where its content begins; ``is_part`` says that more follows."""

    stream: bytes
    is_part: bool
    place: int


def container_line(line: bytes) -> ContainerLine | None:
    """Take a line of a container's log apart; None for any other line."""
    if line[_CLOCK_PLACE : _CLOCK_PLACE + 1] != b"T":
        return None
    words = line.split(b" ", 3)
    if len(words) < _PARTS or words[1] not in _STREAMS:
        return None
    kind = words[2].partition(b":")[0]
    if kind not in {b"F", b"P"}:
        return None
    return ContainerLine(words[1], kind == b"P", len(line) - len(words[3]))
