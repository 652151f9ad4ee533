"""Falco's fields of an event in, what was done, to what, and whether it succeeded, out.

Separate from the rest of an alert because only system calls have acts: what plugins report is known
to their rules alone.

Arguments of system calls are named as in falcosecurity/libs driver/event_table.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ingest.formats.falco_connection import connect
from ingest.formats.reader import NOTHING_LENGTH
from ingest.formats.seen import Action
from ingest.formats.syscall_acts import (
    ACTS,
    FOLDERS,
    IN_PROGRESS,
    OPENING,
    PROGRAM_LOADS,
    access_of,
    mode_of,
    opening_act,
)

if TYPE_CHECKING:
    from ingest.formats.reader import Reader
    from ingest.formats.seen import Fields

Rest = dict[str, Any]
"""Fields of an alert that have not filled a column yet."""

_RESULTS: Final = {"SUCCESS": "success", "EINPROGRESS": "unknown"}
"""The second is of a connection that is not waited for: no failure, nor known to succeed."""

_PATHS: Final = (
    "evt.arg.path",
    "evt.arg.pathname",
    "evt.arg.filename",
    "evt.arg.name",
    "fd.name",
)
_OLD_AND_NEW: Final = {
    Action.FILE_RENAME: (
        ("fs.path.source", "evt.arg.oldpath"),
        ("fs.path.target", "evt.arg.newpath"),
    ),
    Action.FILE_LINK: (
        ("fs.path.source", "evt.arg.linkpath", "evt.arg.newpath"),
        ("fs.path.target", "evt.arg.target", "evt.arg.oldpath"),
    ),
    Action.MOUNT: (("fs.path.target", "evt.arg.dir"), ()),
}
_OF_FILES: Final = frozenset(action for action in Action if action.startswith("file-"))
_WITH_FILES: Final = _OF_FILES | _OLD_AND_NEW.keys()


def take(rest: Rest, read: Reader, *keys: str) -> str | None:
    """Return the first of these fields that has a value; it is then no longer left."""
    for key in keys:
        if key in rest:
            value = rest.pop(key)
            is_said = type(value) is str and len(value) > NOTHING_LENGTH
            if (text := value if is_said else read.text({key: value}, key)) is not None:
                return text
    return None


def tell_act(rest: Rest, fields: Fields, read: Reader, *, is_syscall: bool) -> None:
    """Fill action, outcome, and what the act was done to."""
    kind = take(rest, read, "evt.type") if is_syscall else None
    fields["event.outcome"] = _outcome(rest, read)
    action = Action.ALERT
    if kind == "container" or rest.get("evt.asynctype") == "container":
        action = Action.CONTAINER_START
    elif kind:
        fields["trailwarden.syscall"] = kind
        action = _action(kind, rest, fields, read)
    connect(action, rest, fields, read)
    if action in _OF_FILES and "destination.ip" in fields:
        action = Action.ALERT  # read or written was a connection, and no file
    elif action in _WITH_FILES:
        _tell_file(action, kind or "", rest, fields, read)
    fields["event.action"] = action


def _action(kind: str, rest: Rest, fields: Fields, read: Reader) -> Action:
    if kind not in OPENING:
        is_other = kind == "bpf" and str(rest.get("evt.arg.cmd", 5)) not in PROGRAM_LOADS
        return Action.ALERT if is_other else ACTS.get(kind, Action.ALERT)
    flags = rest.get("evt.arg.flags")
    access = access_of(flags if isinstance(flags, str) else None)
    for key, word in _OPENED:
        if key in rest and read.flag(rest, key) and word not in access:
            access.append(word)
    if kind == "creat" and "create" not in access:
        access += ["write", "create", "truncate"]
    fields["trailwarden.file.access"] = access or None
    for key, _ in _OPENED:
        rest.pop(key, None)
    return opening_act(access)


_OPENED: Final = (
    ("evt.is_open_read", "read"),
    ("evt.is_open_write", "write"),
    ("evt.is_open_create", "create"),
)


def _tell_file(action: Action, kind: str, rest: Rest, fields: Fields, read: Reader) -> None:
    if action in _OLD_AND_NEW:
        old, new = _OLD_AND_NEW[action]
        fields["file.path"] = take(rest, read, *old)
        fields["file.target_path"] = take(rest, read, *new)
        return
    path = take(rest, read, "fs.path.name") or fields.get("file.path")
    if path := path or take(rest, read, *_PATHS):
        fields["file.path"] = path
    if kind in FOLDERS:
        fields["file.type"] = "dir"
    if action is Action.FILE_ATTRIBUTES and (mode := mode_of(read.text(rest, "evt.arg.mode"))):
        fields["file.mode"] = mode
        del rest["evt.arg.mode"]


def _outcome(rest: Rest, read: Reader) -> str:
    result = take(rest, read, "evt.res")
    if result is not None:
        if result in _RESULTS:
            return _RESULTS[result]
        if result[0] == "E":
            rest["evt.res"] = result
            return "failure"
    number = read.number(rest, "evt.rawres") if "evt.rawres" in rest else None
    if number is not None:
        return "success" if number >= 0 else "unknown" if number == IN_PROGRESS else "failure"
    failed = read.flag(rest, "evt.failed") if "evt.failed" in rest else None
    return "unknown" if failed is None else "failure" if failed else "success"
