"""What sudo and pkexec say in one line becomes the columns of a command run as somebody else.

Separate because a command line is the caller's own text and stands in the same line as the fields
that say who ran it: only fields before the first ``COMMAND=`` count, and everything from there on
is the command, whole. The working directory and the added environment stand before it and may be
forged as well (a folder named ``x ; USER=bob ; COMMAND=ls``): the last ``USER=`` before ``ENV=``
is sudo's own, and a line with more than one reading has the issue ``ambiguous:sudo``. For the same
reason an exit status at a line's end is left in the command.

Texts: sudo lib/eventlog/eventlog.c (new_logline, do_syslog_sudo, format_json,
eventlog_store_json): ``HOST= TTY= CHROOT= PWD= USER= GROUP= TSID= ENV= COMMAND=`` in that order,
long lines cut into ``(command continued)``, and ``@cee:{"sudo":{...}}`` with log_format=json;
polkit src/programs/pkexec.c. The environment's values are in no column: they may be secrets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from ingest.formats.login_event import REASON, SERVICE, SESSION, TERMINAL, became, event, other
from ingest.formats.peer import peer
from ingest.formats.reader import Reader
from ingest.formats.seen import Action

if TYPE_CHECKING:
    from ingest.formats.reader import Document
    from ingest.formats.seen import Fields

_KEYS: Final = frozenset({"HOST", "TTY", "CHROOT", "PWD", "USER", "GROUP", "TSID", "ENV"})
_COLUMNS: Final = (
    ("TTY", TERMINAL),
    ("PWD", "process.working_directory"),
    ("TSID", SESSION),
)
_COMMAND: Final = "COMMAND="
_QUESTIONS: Final = frozenset({"list", "validate"})
"""What stands for a command where none was run: ``sudo -l`` and ``sudo -v``. Commands are paths."""

_CONTINUED: Final = "(command continued) "
_JSON: Final = "@cee:"
_JSON_OUTCOMES: Final = {"accept": "success", "reject": "failure", "alert": "failure"}
_JSON_COLUMNS: Final = (
    ("submituser", "user.name"),
    ("runuid", "user.effective.id"),
    ("uuid", SESSION),
    ("reason", REASON),
)


def sudo_columns(text: str, issues: list[str]) -> Fields:
    """Return the columns of one message of sudo; a message of no known form is `other`."""
    if text.startswith(_JSON):
        fields = _json_columns(text.removeprefix(_JSON), issues)
    else:
        fields = _line_columns(text, issues)
    fields[SERVICE] = "sudo"
    return fields


def _line_columns(text: str, issues: list[str]) -> Fields:
    name, mark, rest = text.strip().partition(" : ")
    if not mark:
        return other()
    if rest.startswith(_CONTINUED):
        fields = event(Action.RUN_AS, "unknown")
        fields["process.command_line"] = rest.removeprefix(_CONTINUED)
        return fields | {"user.name": name}
    before, command = _command(rest)
    said, reason = _said(before)
    question = (command or "").partition(" ")[0]
    is_run = command is not None and question not in _QUESTIONS
    fields = event(Action.RUN_AS if is_run else Action.OTHER, "success")
    fields["user.name"] = name
    if reason:
        fields["event.outcome"], fields[REASON] = "failure", reason
    elif command is None:
        fields["event.outcome"] = "unknown"
    if is_run and command:
        fields["process.command_line"] = command
    elif question:
        fields["event.code"] = question
    _fill(fields, said)
    if _is_ambiguous(before, command or ""):
        issues.append("ambiguous:sudo")
    return fields


def _command(text: str) -> tuple[str, str | None]:
    """Split at the first ``COMMAND=``."""
    if text.startswith(_COMMAND):
        return "", text.removeprefix(_COMMAND)
    before, mark, command = text.partition(f" ; {_COMMAND}")
    return before, command if mark else None


def _said(before: str) -> tuple[dict[str, str], str]:
    """Return the fields that sudo wrote before the command, and why it refused."""
    said: dict[str, str] = {}
    reasons = []
    last = ""
    for part in before.split(" ; "):
        key, mark, value = part.partition("=")
        if mark and key in _KEYS:
            if key == "ENV":
                break
            said[last := key] = value
        elif last:  # a folder may be called so
            said[last] += f" ; {part}"
        elif part:
            reasons.append(part)
    return said, " ; ".join(reasons)


def _fill(fields: Fields, said: dict[str, str]) -> None:
    fields.update(became(said.get("USER", "")))
    for key, column in _COLUMNS:
        if said.get(key) and said[key] != "unknown":
            fields[column] = said[key]
    if said.get("CHROOT"):
        fields["trailwarden.tool.fields"] = orjson.dumps({"chroot": said["CHROOT"]}).decode()


def _is_ambiguous(before: str, command: str) -> bool:
    """Tell whether the fields could also be read another way."""
    return (
        before.count("; USER=") > 1
        or " ; USER=" in command
        or f" ; {_COMMAND}" in command
        or (" ; ENV=" in before and "; USER=" in before.partition(" ; ENV=")[2])
    )


def _json_columns(text: str, issues: list[str]) -> Fields:
    """Read ``{"sudo": {"accept"|"reject"|"alert"|"exit": {...}}}``."""
    try:
        document = orjson.loads(text)
    except (orjson.JSONDecodeError, RecursionError):
        issues.append("not-json:sudo")
        return event(Action.RUN_AS, "unknown")
    read = Reader()
    outer = read.mapping(document, "sudo") if isinstance(document, dict) else {}
    kind = next(iter(outer), "")
    members = read.mapping(outer, kind)
    fields = event(Action.RUN_AS, _JSON_OUTCOMES.get(kind, "unknown"))
    if kind == "exit":
        fields |= event(Action.PROCESS_END, "success")
        fields["process.exit_code"] = read.number(members, "exit_value")
    for key, column in _JSON_COLUMNS:
        fields[column] = read.text(members, key)
    _fill_json(fields, members, read)
    issues += read.issues
    return {name: value for name, value in fields.items() if value is not None}


def _fill_json(fields: Fields, members: Document, read: Reader) -> None:
    fields.update(became(read.text(members, "runuser") or ""))
    command = read.text(members, "command")
    arguments = read.texts(members, "runargv")
    if command:
        fields["process.args"] = [command, *arguments[1:]]
    terminal = read.text(members, "ttyname")
    fields[TERMINAL] = terminal.removeprefix("/dev/") if terminal else None
    folder = read.text(members, "runcwd") or read.text(members, "submitcwd")
    fields["process.working_directory"] = folder
    fields.update(peer(read.text(members, "peeraddr") or ""))
    chroot = read.text(members, "runchroot")
    if chroot:
        fields["trailwarden.tool.fields"] = orjson.dumps({"chroot": chroot}).decode()


def pkexec_columns(text: str, _issues: list[str]) -> Fields:
    """Read ``NAME: MESSAGE [USER=root] [TTY=unknown] [CWD=/home/x] [COMMAND=/bin/x]``."""
    name, mark, rest = text.partition(": ")
    message, inner, members = rest.partition(" [USER=")
    if not mark or not inner:
        return other() | {SERVICE: "pkexec"}
    is_run = message == "Executing command"
    fields = event(Action.RUN_AS, "success" if is_run else "failure")
    target, _, members = members.partition("] [TTY=")
    terminal, _, members = members.partition("] [CWD=")
    folder, _, command = members.partition(f"] [{_COMMAND}")
    _fill(fields, {"USER": target, "TTY": terminal.removeprefix("/dev/"), "PWD": folder})
    fields["process.command_line"] = command.removesuffix("]")
    if not is_run:
        fields[REASON] = message
    return fields | {"user.name": name, SERVICE: "pkexec"}
