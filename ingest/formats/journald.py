"""An entry of systemd's journal in, the logins and sessions that it tells of out.

Separate from syslog because the journal knows who wrote an entry. Members whose names begin with
``_`` are journald's own; all others are the writer's word: ``logger -t sshd`` may say what it
likes (systemd.journal-fields(7)). Two issues tell what the claimed name is worth:

* ``identifier-not-trusted``: journald saw another program, or the right one where anybody could
  have put it, or a user where only root can be. Nothing that such an entry claims is told as an
  act: it is `other`, with the text that was claimed in ``message`` and what journald saw;
* ``identifier-unproven``: journald could not see the program (``_EXE`` is missing, as of processes
  that end at once), so that nothing backs the name. ``_COMM`` and the unit do not: a process sets
  its own ``_COMM``, and whatever a login or a job starts stays in the unit of sshd or cron without
  pam_systemd.

``event.provider`` is the claimed name all the same, so that no rule is blind to a program in an
unusual place; ``process.executable`` is what journald saw. Where a command was logged for somebody
(sudo, cron) both columns of the program are left to that command.

Forms: ``journalctl -o json`` (systemd docs/JOURNAL_EXPORT_FORMATS: null for what is too long,
numbers for bytes that are no printable UTF-8, a list for what was given more than once); Fluent
Bit's systemd input, whose names are the journal's own unless strip_underscores is set (then
nothing can be trusted, and entries are not recognized); Vector's journald source (``message``,
``host``, ``timestamp`` beside the journal's own names: src/sources/journald.rs); Filebeat's
journald input (renamed: filebeat/input/journald/pkg/journalfield/default.go).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ingest.formats.clock import from_nanoseconds, from_seconds, from_text
from ingest.formats.login_event import other
from ingest.formats.logins import login_fields, program_name
from ingest.formats.reader import Reader
from ingest.formats.seen import Action, Dataset, NotWantedError, Seen

if TYPE_CHECKING:
    from ingest.formats.reader import Document
    from ingest.formats.seen import Around, Fields

_NOT_TRUSTED: Final = "identifier-not-trusted"
_UNPROVEN: Final = "identifier-unproven"
_SYSTEM_FOLDERS: Final = ("/usr/", "/sbin/", "/bin/", "/lib/", "/nix/store/", "/opt/")
"""Where only root puts programs; /usr/local is root's as well."""
_OTHER_NAMES: Final = {
    "sshd": ("sshd", "sshd-session", "sshd-auth"),
    "CRON": ("cron", "crond"),
    "(systemd)": ("systemd", "systemd-executor"),
}
"""Executables of a name that are not called so themselves."""
_GDM: Final = "gdm-"
_GDM_WORKER: Final = ("gdm-session-worker",)
_ROOTS_OWN: Final = frozenset(
    {
        *("sshd", "sshd-session", "sshd-auth", "systemd-logind", "useradd", "usermod", "userdel"),
        *("groupadd", "groupmod", "groupdel"),
    }
)
"""Programs that never log as another user; sudo, su and passwd run with their caller's real uid."""

_OF_SESSIONS: Final = (
    *("Disconnected from user ", "Received disconnect from "),
    *("Starting session: ", "Close session: user "),
)
"""What sshd says when it runs as who has logged in (openssh-portable sshd.c, privsep_postauth)."""

_CLAIMED: Final = ("event.dataset", "event.provider", "message", "trailwarden.truncated")
"""What is left of an entry that somebody else wrote in a program's name."""
_ROOT: Final = ("0", None)
_COMM_MOST: Final = 15
_NO_LOGIN: Final = "4294967295"
_MARKS: Final = ("__REALTIME_TIMESTAMP", "_BOOT_ID", "_SOURCE_REALTIME_TIMESTAMP")
_NANOS: Final = 1_000
_FILEBEAT: Final = (
    ("_PID", ("journald", "pid")),
    ("_UID", ("journald", "uid")),
    ("_COMM", ("journald", "process", "name")),
    ("_EXE", ("journald", "process", "executable")),
    ("_CMDLINE", ("journald", "process", "command_line")),
    ("_AUDIT_LOGINUID", ("journald", "audit", "login_uid")),
    ("_AUDIT_SESSION", ("journald", "audit", "session")),
    ("_SYSTEMD_SESSION", ("systemd", "session")),
    ("_HOSTNAME", ("host", "hostname")),
    ("SYSLOG_IDENTIFIER", ("syslog", "identifier")),
    ("SYSLOG_PID", ("syslog", "pid")),
    ("MESSAGE", ("message",)),
    ("@timestamp", ("@timestamp",)),
)


def recognizes(document: Document) -> bool:
    """Tell whether a document is an entry of a journal."""
    if "MESSAGE" in document:
        return any(mark in document for mark in _MARKS)
    if "message" not in document:
        return False
    return isinstance(document.get("journald"), dict) or any(m in document for m in _MARKS)


def decode(document: Document, _around: Around) -> list[Seen]:
    """Return the event of one entry.

    Raises NotThisFormatError for entries of programs that do not log logins; they are refused.
    """
    read = Reader()
    entry = _as_written(document)
    tag = _text(entry, "SYSLOG_IDENTIFIER", read) or _text(entry, "_COMM", read)
    if tag is None:
        raise NotWantedError("an entry of the journal that names no program")
    issues: list[str] = []
    fields = _said(tag, entry, read, issues)
    executable = _executable(entry, read)
    doubt = _doubt(program_name(tag), fields, executable, entry, read)
    if doubt is not None:
        issues.append(doubt)
    if doubt == _NOT_TRUSTED:
        fields = {name: fields[name] for name in _CLAIMED if name in fields} | other()
    _surround(fields, executable, entry, read)
    return [Seen(fields, issues + list(dict.fromkeys(read.issues)))]


def _as_written(document: Document) -> Document:
    """Give back the journal's own names to an entry that Filebeat or Vector wrote."""
    if "MESSAGE" in document:
        return document
    if isinstance(document.get("journald"), dict):
        return {
            name: found for name, path in _FILEBEAT if (found := _at(document, path)) is not None
        }
    return {"_HOSTNAME": document.get("host"), **document, "MESSAGE": document["message"]}


def _at(document: Document, path: tuple[str, ...]) -> Any:
    found: Any = document
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _said(tag: str, entry: Document, read: Reader, issues: list[str]) -> Fields:
    """Return the message's columns; one that was left out for its length is not lost."""
    text = _text(entry, "MESSAGE", read)
    if text is not None:
        return login_fields(tag, text, issues)
    fields = login_fields(tag, "", issues)
    del fields["message"]
    issues.append("message-missing")
    return fields | {
        "event.dataset": Dataset.AUTH,
        "event.action": Action.OTHER,
        "event.outcome": "unknown",
        "trailwarden.truncated": True,
    }


def _text(entry: Document, key: str, read: Reader) -> str | None:
    """Return a member as text: bytes are decoded, of several values the first counts."""
    value = entry.get(key)
    if isinstance(value, str):
        return value or None
    if not isinstance(value, list):
        return read.text(entry, key)
    if not value:
        return None
    if isinstance(value[0], int):
        return _decoded(value, key, read)
    read.issues.append(f"repeated:{key}")
    return _text({key: value[0]}, key, read) if not _is_nested(value[0]) else None


def _is_nested(value: object) -> bool:
    return isinstance(value, list) and bool(value) and not isinstance(value[0], int)


def _decoded(numbers: list[Any], key: str, read: Reader) -> str | None:
    try:
        return bytes(numbers).decode()
    except UnicodeDecodeError:
        read.issues.append(f"not-utf8:{key}")
        return bytes(numbers).decode(errors="replace")
    except (TypeError, ValueError, OverflowError):
        read.issues.append(f"wrong-type:{key}")
        return None


def _surround(fields: Fields, executable: str | None, entry: Document, read: Reader) -> None:
    found: Fields = {
        "@timestamp": _time(entry, read),
        "host.name": _text(entry, "_HOSTNAME", read),
        "process.pid": read.number(entry, "_PID" if "_PID" in entry else "SYSLOG_PID"),
        "user.audit.id": _login_uid(entry, read),
    }
    if "trailwarden.session.id" not in fields:
        found["trailwarden.session.id"] = _text(entry, "_SYSTEMD_SESSION", read)
    if "process.command_line" not in fields and "process.args" not in fields:
        found["process.executable"] = executable
        if executable is None:
            found["process.name"] = _text(entry, "_COMM", read)
        if fields["event.action"] in _BY_COMMAND:
            found["process.command_line"] = _text(entry, "_CMDLINE", read)
    for name, value in found.items():
        if value is not None:
            fields[name] = value


_BY_COMMAND: Final = frozenset(
    {Action.ACCOUNT_CREATE, Action.ACCOUNT_CHANGE, Action.ACCOUNT_DELETE, Action.GROUP_CHANGE}
)
"""What a command line of the program itself says more about; sshd's is a title with names in it."""


def _time(entry: Document, read: Reader) -> str | None:
    for key in _MARKS[::2]:
        if key in entry:
            micros = read.number(entry, key)
            return None if micros is None else from_nanoseconds(micros * _NANOS)
    if "date" in entry:  # Fluent Bit's json output
        value = entry["date"]
        return from_seconds(value) if isinstance(value, int | float) else from_text(_date(value))
    return from_text(read.text(entry, "@timestamp") or read.text(entry, "timestamp"))


def _date(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _login_uid(entry: Document, read: Reader) -> str | None:
    number = _text(entry, "_AUDIT_LOGINUID", read)
    return None if number in {_NO_LOGIN, "-1"} else number


def _executable(entry: Document, read: Reader) -> str | None:
    found = _text(entry, "_EXE", read)
    return None if found is None else found.removesuffix(" (deleted)")


def _is_of_session(name: str, fields: Fields) -> bool:
    return name.startswith("sshd") and fields.get("message", "").startswith(_OF_SESSIONS)


def _doubt(
    name: str, fields: Fields, executable: str | None, entry: Document, read: Reader
) -> str | None:
    """Return what speaks against the claimed name, as an issue."""
    expected = _GDM_WORKER if name.startswith(_GDM) else _OTHER_NAMES.get(name) or (name,)
    if (
        name in _ROOTS_OWN
        and _text(entry, "_UID", read) not in _ROOT
        and not _is_of_session(name, fields)
    ):
        return _NOT_TRUSTED
    if executable is not None:
        is_known = executable.rpartition("/")[2] in expected
        return None if is_known and executable.startswith(_SYSTEM_FOLDERS) else _NOT_TRUSTED
    comm = _text(entry, "_COMM", read)
    if comm is not None and comm not in {other[:_COMM_MOST] for other in expected}:
        return _NOT_TRUSTED
    return _UNPROVEN
