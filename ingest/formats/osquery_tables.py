"""Rows of osquery's tables become columns of an event: which table a row is of, and what it says.

Separate from the envelope because a result does not name its table: the query's name is free, and
a query selects, renames and joins columns as it likes. So a row is of the first table of `TABLES`
all of whose ``needs`` it has, and one of its ``hints`` if there are any; ``name`` and ``version``
alone fit many, there the end of the query's name decides.

Facts: osquery/osquery ``specs/*.table`` (columns), ``osquery/events/linux/inotify.cpp`` (actions of
file_events), ``osquery/tables/events/linux/{process_file_events,user_events,socket_events}.cpp``,
``docs/wiki/deployment/process-auditing.md`` (status of a connection); record types of user_events
are those of linux/audit.h. ``env`` holds secrets and is left out.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from ingest.formats.clock import from_seconds
from ingest.formats.file_mode import file_mode
from ingest.formats.login_kinds import entry_action, kind_name, peer
from ingest.formats.member_columns import fill_texts
from ingest.formats.osquery_logins import read_logged_in, read_user_event
from ingest.formats.seen import Action, Fields

if TYPE_CHECKING:
    from collections.abc import Callable

    from ingest.formats.reader import Document, Reader

    Fill = Callable[[Reader, Document, Fields, dict[str, Any]], Action]


@dataclass(frozen=True, slots=True)
class Table:
    """One table: how its rows are told, and how they are read.

    ``fill`` reads a row and returns what its coming (``added``) means; ``removed`` is what its
    going means. Of a table of ``events`` rows come whenever something happens and go without
    meaning; the rows of others are what there is, and only their differences are acts.
    """

    name: str
    needs: frozenset[str]
    fill: Fill
    hints: frozenset[str] = frozenset()
    events: bool = False
    removed: Action = Action.OTHER


_FILE_ACTIONS: Final = {
    "CREATED": Action.FILE_CREATE,
    "UPDATED": Action.FILE_MODIFY,
    "DELETED": Action.FILE_DELETE,
    "ATTRIBUTES_MODIFIED": Action.FILE_ATTRIBUTES,
    "MOVED_FROM": Action.FILE_RENAME,
    "MOVED_TO": Action.FILE_RENAME,
    "OPENED": Action.FILE_OPEN,
    "ACCESSED": Action.FILE_OPEN,
}
_OPERATIONS: Final = {
    "rename": Action.FILE_RENAME,
    "link": Action.FILE_LINK,
    "symlink": Action.FILE_LINK,
    "unlink": Action.FILE_DELETE,
    "write": Action.FILE_MODIFY,
    "open+truncate": Action.FILE_MODIFY,
    "open": Action.FILE_OPEN,
    "read": Action.FILE_OPEN,
}
_ACCESS: Final = {
    "write": ["write"],
    "open+truncate": ["truncate"],
    "read": ["read"],
    "ACCESSED": ["read"],
}
_SOCKET_ACTIONS: Final = {
    "connect": Action.NETWORK_CONNECT,
    "bind": Action.NETWORK_LISTEN,
    "listen": Action.NETWORK_LISTEN,
    "accept": Action.NETWORK_ACCEPT,
    "accept4": Action.NETWORK_ACCEPT,
}
_OUTCOMES: Final = {"succeeded": "success", "failed": "failure", "1": "success", "0": "failure"}
_FILE: Final = {
    "target_path": "file.path",
    "inode": "file.inode",
    "uid": "file.uid",
    "gid": "file.gid",
    "md5": "file.hash.md5",
    "sha1": "file.hash.sha1",
    "sha256": "file.hash.sha256",
}
_PROCESS: Final = {
    "path": "process.executable",
    "cmdline": "process.command_line",
    "syscall": "trailwarden.syscall",
    "username": "user.name",
}
_SUBJECT: Final = {
    "cwd": "process.working_directory",
    "uid": "user.id",
    "euid": "user.effective.id",
    "auid": "user.audit.id",
}
_TRANSPORTS: Final = {6: "tcp", 17: "udp"}
_UNIX: Final = 1
_SECONDS_DIGITS: Final = 20
_IN_PROGRESS: Final = -115
"""EINPROGRESS: how a connection that nobody waits for ended is not known yet."""
_UNSET: Final = frozenset({"-1", "4294967295"})


def instant(text: str | None) -> str | None:
    """Return the time of seconds since 1970: of the rows of a second it is worked out once."""
    if text is None or len(text) > _SECONDS_DIGITS:
        return from_seconds(text)
    return _second(text)


_second = lru_cache(4_096)(from_seconds)


def table_of(row: Document, query: str) -> Table | None:
    """Return the table that a row is of, None for any other."""
    names = row.keys()
    for table in TABLES:
        if table.needs <= names and (not table.hints or not table.hints.isdisjoint(names)):
            return table
    return next((table for table in TABLES if query.endswith(table.name)), None)


def _file_event(read: Reader, row: Document, fields: Fields, kept: dict[str, Any]) -> Action:
    action = read.text(row, "action") or ""
    fill_texts(read, row, _FILE, fields)
    fields["file.mode"] = file_mode(read.text(row, "mode") or "")
    fields["file.size"] = read.number(row, "size")
    fields["file.mtime"] = instant(read.text(row, "mtime"))
    if action in _ACCESS:
        fields["trailwarden.file.access"] = _ACCESS[action]
    fields["trailwarden.tool.tags"] = read.texts(row, "category") or None
    kept["action"] = action
    return _FILE_ACTIONS.get(action, Action.OTHER)


def _process_file_event(
    read: Reader, row: Document, fields: Fields, kept: dict[str, Any]
) -> Action:
    operation = read.text(row, "operation") or ""
    path, other = read.text(row, "path"), read.text(row, "dest_path")
    action = _OPERATIONS.get(operation, Action.OTHER)
    if action is Action.FILE_LINK:  # `path` is what the new link leads to
        path, other = other, path
    fields["file.path"], fields["file.target_path"] = path, other
    fields["trailwarden.file.access"] = _ACCESS.get(operation)
    fields["process.executable"] = read.text(row, "executable")
    fields["process.parent.pid"] = _pid(read, row, "ppid")
    _subject(read, row, fields)
    kept["operation"] = operation
    return action


def _process_event(read: Reader, row: Document, fields: Fields, kept: dict[str, Any]) -> Action:
    fill_texts(read, row, _PROCESS, fields)
    fields["process.parent.pid"] = _pid(read, row, "parent")
    _subject(read, row, fields)
    if "event_type" in row:
        kept["event_type"] = kind = read.text(row, "event_type")
        if kind == "exit":
            fields["process.exit_code"] = read.number(row, "exit_code")
            return Action.PROCESS_END
    elif "exit_code" in row:
        _syscall_outcome(read, row, fields)
    return Action.PROCESS_START


def _socket_event(read: Reader, row: Document, fields: Fields, kept: dict[str, Any]) -> Action:
    name = read.text(row, "action") or read.text(row, "syscall") or ""
    action = _SOCKET_ACTIONS.get(name, Action.OTHER)
    local = peer(read.text(row, "local_address"))[0]
    remote = peer(read.text(row, "remote_address"))[0]
    local_port, remote_port = read.number(row, "local_port"), read.number(row, "remote_port")
    if action is Action.NETWORK_ACCEPT:
        ends = remote, remote_port, local, local_port
    else:
        ends = local, local_port or None, remote, remote_port
    if action is Action.NETWORK_LISTEN:
        ends = *ends[:2], None, None
    for column, value in zip(_ENDS, ends, strict=True):
        fields[column] = value
    family = read.number(row, "family")
    transport = _TRANSPORTS.get(read.number(row, "protocol") or 0)
    fields["network.transport"] = "unix" if family == _UNIX else transport
    fields["process.executable"] = read.text(row, "path")
    fields["process.parent.pid"] = _pid(read, row, "parent")
    _subject(read, row, fields)
    if "exit_code" in row:
        _syscall_outcome(read, row, fields)
    else:
        status = read.text(row, "status") or read.text(row, "success") or ""
        fields["event.outcome"] = _OUTCOMES.get(status, "unknown")
    if "socket" in row:
        kept["socket"] = read.text(row, "socket")
    fields["trailwarden.syscall"] = name or None
    return action


_ENDS: Final = ("source.ip", "source.port", "destination.ip", "destination.port")


def _last(read: Reader, row: Document, fields: Fields, kept: dict[str, Any]) -> Action:
    kind, user = read.number(row, "type"), read.text(row, "username")
    fields["user.name"] = user
    fields["process.pid"] = read.number(row, "pid")
    fields["trailwarden.session.terminal"] = read.text(row, "tty")
    fields["source.ip"], fields["source.domain"] = peer(read.text(row, "host"))
    kept["type"] = kind_name(kind)
    return entry_action(kind, user)


def _user(read: Reader, row: Document, fields: Fields, kept: dict[str, Any]) -> Action:
    fields["user.target.name"] = read.text(row, "username")
    for key in ("uid", "gid", "directory", "shell"):
        if key in row:
            kept[key] = read.text(row, key)
    return Action.ACCOUNT_CREATE


def _group(read: Reader, row: Document, fields: Fields, kept: dict[str, Any]) -> Action:
    fields["group.name"] = read.text(row, "groupname")
    kept["gid"] = read.text(row, "gid")
    return Action.GROUP_CHANGE


def _authorized_key(read: Reader, row: Document, fields: Fields, kept: dict[str, Any]) -> Action:
    fields["file.path"] = read.text(row, "key_file")
    fields["file.uid"] = read.text(row, "uid")
    kept["fingerprint"] = _fingerprint(read.text(row, "key") or "")
    for key in ("algorithm", "comment", "options"):
        if key in row:
            kept[key] = read.text(row, key)
    return Action.FILE_MODIFY


def _fingerprint(key: str) -> str | None:
    """Return what ssh-keygen(1) prints of a public key, None of what is none."""
    try:
        blob = base64.b64decode(key, validate=True)
    except ValueError:
        return None
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return f"SHA256:{digest}" if blob else None


def _cron_line(read: Reader, row: Document, fields: Fields, _: dict[str, Any]) -> Action:
    words = (read.text(row, key) for key in (*_WHEN, "command"))
    fields["message"] = " ".join(word for word in words if word) or None
    fields["file.path"] = read.text(row, "path")
    return Action.FILE_MODIFY


_WHEN: Final = ("event", "minute", "hour", "day_of_month", "month", "day_of_week")


def _suid_file(read: Reader, row: Document, fields: Fields, kept: dict[str, Any]) -> Action:
    fields["file.path"] = read.text(row, "path")
    fields["file.owner"] = read.text(row, "username")
    fields["file.group"] = read.text(row, "groupname")
    fields["trailwarden.file.changed"] = ["mode"]
    kept["permissions"] = read.text(row, "permissions")
    return Action.FILE_ATTRIBUTES


def _package(manager: str) -> Fill:
    def fill(read: Reader, row: Document, fields: Fields, kept: dict[str, Any]) -> Action:
        fields["package.name"] = read.texts(row, "name") or None
        fields["trailwarden.package.manager"] = manager
        kept["version"] = read.text(row, "version")
        return Action.OTHER

    return fill


def _source_list(read: Reader, row: Document, fields: Fields, kept: dict[str, Any]) -> Action:
    fields["file.path"] = read.text(row, "source")
    for key in ("name", "base_uri", "baseurl", "gpgcheck"):
        if key in row:
            kept[key] = read.text(row, key)
    return Action.FILE_MODIFY


def _module(read: Reader, row: Document, _: Fields, kept: dict[str, Any]) -> Action:
    kept["module"] = read.text(row, "name")
    return Action.MODULE_LOAD


def _subject(read: Reader, row: Document, fields: Fields) -> None:
    """Read who acts, as the tables of the audit framework name it."""
    fields["process.pid"] = read.number(row, "pid")
    fill_texts(read, row, _SUBJECT, fields)
    if fields.get("user.audit.id") in _UNSET:
        del fields["user.audit.id"]


def _pid(read: Reader, row: Document, key: str) -> int | None:
    number = read.number(row, key)
    return None if number is None or number < 0 else number


def _syscall_outcome(read: Reader, row: Document, fields: Fields) -> None:
    code = read.number(row, "exit_code")
    if code is not None:
        outcome = "failure" if code < 0 else "success"
        fields["event.outcome"] = "unknown" if code == _IN_PROGRESS else outcome


_F = frozenset
TABLES: Final = (
    Table("process_file_events", _F({"operation", "path"}), _process_file_event, events=True),
    Table("file_events", _F({"target_path", "action"}), _file_event, events=True),
    Table(
        "process_events",
        _F({"cmdline", "pid"}),
        _process_event,
        hints=_F({"time", "ntime", "syscall", "event_type", "eid", "uptime"}),
        events=True,
    ),
    Table(
        "socket_events",
        _F({"remote_address", "pid"}),
        _socket_event,
        hints=_F({"action", "syscall"}),
        events=True,
    ),
    Table(
        "user_events",
        _F({"message", "type"}),
        read_user_event,
        hints=_F({"terminal", "address"}),
        events=True,
    ),
    Table("last", _F({"username", "tty", "type"}), _last, events=True),
    Table(
        "logged_in_users",
        _F({"user", "tty"}),
        read_logged_in,
        hints=_F({"host", "type"}),
        removed=Action.LOGOUT,
    ),
    Table(
        "users",
        _F({"username", "uid"}),
        _user,
        hints=_F({"shell", "directory"}),
        removed=Action.ACCOUNT_DELETE,
    ),
    Table(
        "authorized_keys",
        _F({"key_file"}),
        _authorized_key,
        hints=_F({"key", "algorithm"}),
        removed=Action.FILE_MODIFY,
    ),
    Table(
        "crontab",
        _F({"command"}),
        _cron_line,
        hints=_F({"minute", "day_of_week"}),
        removed=Action.FILE_MODIFY,
    ),
    Table("suid_bin", _F({"path", "permissions"}), _suid_file, removed=Action.FILE_ATTRIBUTES),
    Table(
        "apt_sources",
        _F({"source", "base_uri"}),
        _source_list,
        removed=Action.FILE_MODIFY,
    ),
    Table("yum_sources", _F({"baseurl"}), _source_list, removed=Action.FILE_MODIFY),
    Table(
        "deb_packages",
        _F({"name", "version"}),
        _package("dpkg"),
        hints=_F({"revision", "admindir", "maintainer"}),
    ),
    Table("rpm_packages", _F({"name", "version", "release"}), _package("rpm")),
    Table("kernel_modules", _F({"name", "used_by"}), _module),
    Table(
        "groups",
        _F({"groupname", "gid"}),
        _group,
        removed=Action.GROUP_CHANGE,
    ),
)
"""The commonest first. ``process_events`` stands for bpf_ and es_process_events, too, and
``socket_events`` for bpf_socket_events: their names end so."""
