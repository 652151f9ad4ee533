"""osquery's rows about people who come and go: user_events and logged_in_users.

Separate from the other tables because a user event is a record of the audit framework whose words
have to be taken apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ingest.formats.login_kinds import peer
from ingest.formats.seen import Action

if TYPE_CHECKING:
    from ingest.formats.reader import Document, Reader
    from ingest.formats.seen import Fields

_ACTIONS: Final = {
    1100: Action.AUTHENTICATE,
    1102: Action.ACCOUNT_CHANGE,
    1105: Action.SESSION_START,
    1106: Action.SESSION_END,
    1108: Action.ACCOUNT_CHANGE,
    1112: Action.LOGIN,
    1113: Action.LOGOUT,
    1114: Action.ACCOUNT_CREATE,
    1115: Action.ACCOUNT_DELETE,
    1116: Action.GROUP_CHANGE,
    1117: Action.GROUP_CHANGE,
    1123: Action.RUN_AS,
}
"""Record types of linux/audit.h: USER_AUTH, USER_MGMT, USER_START, USER_END, USER_CHAUTHTOK,
USER_LOGIN, USER_LOGOUT, ADD_USER, DEL_USER, ADD_GROUP, DEL_GROUP, USER_CMD."""

_OF_ACCOUNTS: Final = frozenset(
    {Action.ACCOUNT_CHANGE, Action.ACCOUNT_CREATE, Action.ACCOUNT_DELETE}
)
_OUTCOMES: Final = {"success": "success", "1": "success", "failed": "failure", "0": "failure"}
_UNSET: Final = frozenset({"-1", "4294967295"})
_HEX: Final = frozenset("0123456789ABCDEF")


def read_user_event(read: Reader, row: Document, fields: Fields, kept: dict[str, Any]) -> Action:
    """Read a record of the audit framework about a user."""
    kind = read.number(row, "type")
    action = _ACTIONS.get(kind or 0, Action.OTHER)
    message = read.text(row, "message") or ""
    account = _said(message, "acct")
    target = action in _OF_ACCOUNTS
    fields["user.target.name" if target else "user.name"] = account
    fields["user.id"] = read.text(row, "uid") if target or action is Action.RUN_AS else None
    login = read.text(row, "auid")
    fields["user.audit.id"] = None if login in _UNSET else login
    fields["process.pid"] = read.number(row, "pid")
    executable = read.text(row, "path") or _said(message, "exe")
    fields["process.executable"] = executable
    fields["trailwarden.session.service"] = (executable or "").rpartition("/")[2] or None
    fields["trailwarden.session.terminal"] = _known(read.text(row, "terminal"))
    host = _known(_said(message, "hostname"))
    address = _known(read.text(row, "address"))
    fields["source.ip"], fields["source.domain"] = peer(host, address)
    fields["event.outcome"] = _OUTCOMES.get(_result(message), "unknown")
    if action is Action.RUN_AS:
        fields["process.command_line"] = _said(message, "cmd")
        fields["process.working_directory"] = _said(message, "cwd")
    if action is Action.GROUP_CHANGE:
        fields["group.name"] = _said(message, "grp")
    kept["type"] = kind
    kept["op"] = _said(message, "op")
    return action


def read_logged_in(read: Reader, row: Document, fields: Fields, kept: dict[str, Any]) -> Action:
    """Read a session that there is; types other than ``user`` are no people."""
    fields["user.name"] = read.text(row, "user")
    fields["process.pid"] = read.number(row, "pid")
    fields["trailwarden.session.terminal"] = read.text(row, "tty")
    fields["source.ip"], fields["source.domain"] = peer(read.text(row, "host"))
    kept["type"] = kind = read.text(row, "type")
    return Action.LOGIN if kind in {None, "user"} else Action.OTHER


def _result(message: str) -> str:
    """Return the record's last word: what stands before it may hold a name with such a word."""
    return message.rpartition("res=")[2].strip(" '")


def _said(message: str, key: str) -> str | None:
    """Return the value of a word ``key=value``; what is not quoted may be hexadecimal."""
    start = message.find(f" {key}=")
    if start < 0:
        if not message.startswith(f"{key}="):
            return None
        start = -1
    value = message[start + len(key) + 2 :]
    if value.startswith('"'):
        return value[1:].partition('"')[0] or None
    value = value.partition(" ")[0].rstrip("'")
    if (
        key in {"acct", "cmd", "cwd", "exe", "grp"}
        and _HEX.issuperset(value)
        and not len(value) % 2
    ):
        value = bytes.fromhex(value).decode(errors="backslashreplace").rstrip("\0")
    return value or None


def _known(text: str | None) -> str | None:
    return None if text == "?" else text
