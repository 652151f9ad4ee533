"""What the lines of one audit event say, whoever wrote them down: auditd, or laurel as JSON.

Separate because both decoders make it and one module (ingest/formats/auditd_event.py) reads it: so
the same event in both forms is the same event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from msgspec import Struct, field

if TYPE_CHECKING:
    from collections.abc import Callable

    from ingest.formats.auditd_fields import Values

_OF_ACTS: Final = frozenset(
    {
        *("SYSCALL", "EXECVE", "CWD", "PATH", "PROCTITLE", "SOCKADDR", "EOE", "FD_PAIR"),
        *("OBJ_PID", "MMAP", "IPC", "IPC_SET_PERM", "MQ_OPEN", "CAPSET", "BPRM_FCAPS", "URINGOP"),
        *("SOCKETCALL", "OPENAT2"),
    }
)
"""Types of lines that only tell more about a system call."""


class Named(NamedTuple):
    """What is read of every PATH line: the file's name, what the call did to it, and the line."""

    name: str | None
    kind: str
    line: Any


class Parts(Struct, gc=False):
    """``event_id`` is ``seconds.milliseconds:serial``; ``node`` the machine, where it is said.

    ``lines`` has the first line of each type in order, but for PATH, whose lines are all in
    ``path_lines``: ``read_name`` reads of each what tells which file matters, ``read_path`` the
    rest of that one; ``first_name`` is the first one's. ``args`` are EXECVE's words, ``title``
    PROCTITLE's; ``command`` is a command line that is one text. ``address`` is SOCKADDR's.
    """

    event_id: str
    node: str | None
    read_name: Callable[[Any], Named]
    read_path: Callable[[Any], Values]
    lines: dict[str, Values] = field(default_factory=dict)
    path_lines: list[Any] = field(default_factory=list)
    first_name: str | None = None
    args: list[str] = field(default_factory=list)
    title: list[str] = field(default_factory=list)
    command: str | None = None
    address: bytes = b""

    @property
    def paths(self) -> list[Named]:
        """Read what tells the PATH lines apart."""
        return [self.read_name(line) for line in self.path_lines]

    @property
    def kind(self) -> str:
        """Return the type that names the event: one that is more than part of a call, if any."""
        for kind in self.lines:
            if kind not in _OF_ACTS:
                return kind
        return "SYSCALL" if "SYSCALL" in self.lines else next(iter(self.lines), "")
