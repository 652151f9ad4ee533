"""Entries of wtmp, btmp and utmp, as our own reader writes them (ingest/sources/login_records.py).

In goes one entry as JSON, out one event. Separate from the reader because a collector may send the
same text by way of Kafka, and what an entry means is said in one place.

Facts: utmp(5), wtmp(5), last(1). Every entry of btmp is a failed login, whatever its type (sshd
writes LOGIN_PROCESS there, login(1) USER_PROCESS), and its user name may be a password that was
typed at the wrong prompt. Of a file that is named neither, nobody knows whether its logins
succeeded. The entry of a boot has the kernel's version in the place of the peer. Which machine it
was is written nowhere: it is the collector's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ingest.formats.clock import from_microseconds
from ingest.formats.leftovers import leftovers
from ingest.formats.login_kinds import USER_PROCESS, entry_action, kind_name, peer
from ingest.formats.reader import Reader
from ingest.formats.seen import Action, Dataset, Fields, NotThisFormatError, Seen

if TYPE_CHECKING:
    from ingest.formats.reader import Document
    from ingest.formats.seen import Around

_MARK: Final = "login-record"
_FAILED: Final = "btmp"
_KNOWN: Final = frozenset({"wtmp", "utmp"})
_SSH_LINES: Final = frozenset({"ssh:notty", "ssh"})
_OF_PEOPLE: Final = frozenset({Action.LOGIN, Action.LOGOUT})
_KEPT: Final = ("id", "termination", "exit")


def recognizes(document: Document) -> bool:
    """Whether this is an entry of a login file."""
    return document.get("trailwarden") == _MARK


def decode(document: Document, around: Around) -> list[Seen]:  # noqa: ARG001 - times are whole
    """Return what an entry says.

    Raises
        NotThisFormatError: it has no type; caught where formats are told apart.
    """
    read = Reader()
    kind = read.number(document, "type")
    if kind is None:
        raise NotThisFormatError("a login entry without its type")
    file = read.text(document, "file") or "unknown"
    fields: Fields = {
        "event.dataset": Dataset.LOGIN_RECORDS,
        "event.provider": file,
        "event.code": kind_name(kind),
        "@timestamp": from_microseconds(read.number(document, "time_us")),
    }
    if "erased" in document:
        fields["event.action"], fields["event.outcome"] = Action.SENSOR_LOSS, "unknown"
        fields["trailwarden.sensor.lost"] = read.number(document, "erased")
        return [Seen(fields, read.issues)]
    user = read.text(document, "user")
    action = Action.LOGIN if file == _FAILED else entry_action(kind, user)
    fields["event.action"] = action
    fields["event.outcome"] = _outcome(file, action)
    fields["process.pid"] = read.number(document, "pid")
    kept: dict[str, Any] = {key: document[key] for key in _KEPT if key in document}
    if action in _OF_PEOPLE or kind == USER_PROCESS:
        _read_session(read, document, user, fields)
    else:
        kept |= {key: document[key] for key in ("user", "line", "host") if key in document}
    fields["trailwarden.tool.fields"] = leftovers(kept)
    return [Seen(fields, read.issues)]


def _outcome(file: str, action: Action) -> str:
    if file == _FAILED:
        return "failure"
    return "success" if file in _KNOWN and action is not Action.OTHER else "unknown"


def _read_session(read: Reader, document: Document, user: str | None, fields: Fields) -> None:
    line = read.text(document, "line")
    fields["user.name"] = user
    fields["trailwarden.session.terminal"] = line
    fields["trailwarden.session.id"] = read.text(document, "session")
    fields["trailwarden.session.service"] = "sshd" if line in _SSH_LINES else None
    host, address = read.text(document, "host"), read.text(document, "address")
    fields["source.ip"], fields["source.domain"] = peer(host, address)
