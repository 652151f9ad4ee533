"""What the lines of an audit event say in, the event's columns out.

Separate from the decoders because raw lines and laurel's JSON tell the same (auditd_parts.py), and
from messages of user space (auditd_user.py), which have fields of their own.

The act is the system call's, unless a line of the kernel's own names it: a module's name, a BPF
program, the login uid, a rule. What SELinux and AppArmor decided about a call goes with the call.
An operation of io_uring is no system call, and has a line of its own; its act is that of the call
that does the same.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from ingest.formats import clock
from ingest.formats.auditd_fields import UNSET, account
from ingest.formats.auditd_files import access_of, fill_file, script_of
from ingest.formats.auditd_socket import fill_socket
from ingest.formats.auditd_syscalls import syscall_name
from ingest.formats.auditd_user import USER_ACTIONS, fill_user
from ingest.formats.leftovers import leftovers
from ingest.formats.seen import Action, Dataset, Seen
from ingest.formats.syscall_acts import ACTS, OPENING, opening_act

if TYPE_CHECKING:
    from ingest.formats.auditd_fields import Values
    from ingest.formats.auditd_parts import Parts
    from ingest.formats.seen import Fields

PROVIDER: Final = "auditd"

_KERNEL_ACTIONS: Final = {
    "LOGIN": Action.CREDENTIALS_CHANGE,
    "CONFIG_CHANGE": Action.AUDIT_CHANGE,
    "FEATURE_CHANGE": Action.AUDIT_CHANGE,
    "KERN_MODULE": Action.MODULE_LOAD,
    "BPF": Action.BPF_LOAD,
    "SECCOMP": Action.ALERT,
}
_ALERTS: Final = ("ANOM_", "INTEGRITY_", "RESP_")
_BY_CALL: Final = frozenset({"AVC", "SELINUX_ERR", "MAC_TASK_CONTEXTS", "MAC_OBJ_CONTEXTS"})
"""Types that say how a call was judged: the act is the call's."""

_RING_NUMBERS: Final = (
    "9:sendmsg 10:recvmsg 13:accept 16:connect 17:fallocate 18:openat 28:openat2 35:renameat "
    "36:unlinkat 37:mkdirat 38:symlinkat 39:linkat 41:fsetxattr 42:setxattr 48:sendmsg"
)
_RING_CALLS: Final = dict(pair.split(":") for pair in _RING_NUMBERS.split())
"""Number of an operation of io_uring -> system call (audit-userspace lib/uringop_table.h)."""

_IN_PROGRESS: Final = frozenset({"-115", "EINPROGRESS"})
"""A connection that does not block is under way when connect(2) returns."""

_OUTCOMES: Final = {
    **dict.fromkeys(("yes", "success", "1"), "success"),
    **dict.fromkeys(("no", "failed", "fail", "0"), "failure"),
}
_DECISIONS: Final = {"denied": "failure", "granted": "success"}
_TOLD: Final = frozenset(
    {
        *("pid", "ppid", "auid", "uid", "gid", "euid", "suid", "fsuid", "egid", "sgid", "fsgid"),
        *("tty", "ses", "comm", "exe", "subj", "key", "success", "res", "arch", "syscall", "items"),
        "exit",
    }
)
_WITH_ARGUMENTS: Final = frozenset(
    {
        *(Action.PTRACE, Action.NAMESPACE_CHANGE, Action.CREDENTIALS_CHANGE, Action.BPF_LOAD),
        *(Action.SYSCALL, Action.MOUNT),
    }
)
_NO_FILE: Final = frozenset(
    {
        *(Action.PROCESS_START, Action.PROCESS_END, Action.NETWORK_CONNECT, Action.NETWORK_ACCEPT),
        *(Action.NETWORK_LISTEN, Action.PTRACE),
    }
)
_NUMBERS: Final = (
    ("uid", "user.id"),
    ("euid", "user.effective.id"),
    ("auid", "user.audit.id"),
    ("ses", "trailwarden.session.id"),
)
_NAMES: Final = (
    ("UID", "user.name"),
    ("EUID", "user.effective.name"),
    ("AUID", "user.audit.name"),
)
_DIGITS_MAX: Final = 18


def seen_of(parts: Parts) -> Seen:
    """Return the one event of an audit event's lines; never raises."""
    kind = parts.kind
    values = parts.lines.get(kind, {})
    call = parts.lines.get("SYSCALL", {})
    fields: Fields = {
        "event.dataset": Dataset.AUDITD,
        "event.provider": PROVIDER,
        "event.code": kind,
        "host.name": parts.node,
        "@timestamp": time_of(parts.event_id),
    }
    if kind in USER_ACTIONS:
        fields["event.outcome"] = _outcome(values)
        fill_who(values, fields)
        fill_user(kind, values, fields)
    else:
        fill_who(call if kind == "SYSCALL" else values | call, fields)
        fill_act(parts, kind, fields)
    seen = Seen(fields, identity=_identity(parts, kind, values, call))
    if fields["@timestamp"] is None:
        seen.issues.append("bad-time:audit")
    return seen


def fill_act(parts: Parts, kind: str, fields: Fields) -> None:
    """Fill the columns of what the kernel saw; who did it is filled already."""
    values, line = parts.lines.get(kind, {}), parts.lines.get("SYSCALL", {})
    if kind == "URINGOP" and not line:
        line = parts.lines["SYSCALL"] = values
    name = _call_name(line)
    fields["trailwarden.syscall"] = name
    judged = _judged(values) if kind == "AVC" else None
    fields["event.outcome"] = judged or _outcome(line or values)
    action = _action(parts, kind, name or "", fields)
    fields["event.action"] = action
    if parts.address:
        fill_socket(parts.address, action, fields)
    if parts.path_lines and action not in _NO_FILE:
        fill_file(parts, name or "", action, fields)
    _fill_command(parts, name or "", action, fields)
    fields["trailwarden.tool.fields"] = leftovers(_rest(parts, kind, action, fields))


def fill_who(values: Values, fields: Fields) -> None:
    """Fill process, user, session and rule from a line's common fields."""
    get = values.get
    for number, column in _NUMBERS:
        if (found := get(number)) is not None and found not in UNSET:
            fields[column] = found
    for name, column in _NAMES:
        if (found := get(name)) is not None and account(found) is not None:
            fields[column] = found
    fields["process.pid"] = whole(get("pid"))
    fields["process.parent.pid"] = whole(get("ppid"))
    fields["process.name"] = get("comm")
    fields["process.executable"] = get("exe")
    fields["trailwarden.process.terminal"] = get("tty")
    if key := get("key"):
        fill_rules(key, fields)


def fill_rules(key: str, fields: Fields) -> None:
    """Fill the keys of the rules that an event fell under; several have a byte between them."""
    if "\x01" not in key:
        fields["trailwarden.tool.rule"] = key
        return
    rules = [rule for rule in key.split("\x01") if rule]
    fields["trailwarden.tool.rule"] = rules[0] if rules else None
    if len(rules) > 1:
        fields["trailwarden.tool.tags"] = rules


def whole(text: str | None) -> int | None:
    """Return a whole number that fits 64 bits, None for anything else."""
    if text is None or len(text) > _DIGITS_MAX or not text.isascii():
        return None
    return int(text) if text.isdigit() or text.removeprefix("-").isdigit() else None


def time_of(event_id: str) -> str | None:
    """Return the time of ``1490137971.011:50406``."""
    seconds, mark, rest = event_id.partition(".")
    millis = rest.partition(":")[0]
    if not mark or not (millis.isascii() and millis.isdigit() and len(millis) == 3):  # noqa: PLR2004
        return clock.from_seconds(event_id.partition(":")[0])
    whole_seconds = _second(seconds)
    return None if whole_seconds is None else f"{whole_seconds}.{millis}000Z"


@lru_cache(1_024)
def _second(seconds: str) -> str | None:
    text = clock.from_seconds(seconds)
    return None if text is None else text.partition(".")[0]


def _identity(parts: Parts, kind: str, values: Values, call: Values) -> tuple[str, ...] | None:
    """Return what tells the event from all others; None for lines torn from their event.

    A torn event's pieces have one id and must not pass for repetitions of each other.
    """
    pid = call.get("pid") or values.get("pid")
    if pid is None:
        return None
    path = call.get("exe") or values.get("exe") or ""
    return ("audit", parts.node or "", parts.event_id, kind, pid, path)


def _call_name(line: Values) -> str | None:
    if name := line.get("SYSCALL"):
        return None if name.startswith("unknown") else name
    number = line.get("syscall")
    if number is None:
        return _RING_CALLS.get(line.get("uring_op", ""))
    return syscall_name(line.get("arch", ""), number)


def _outcome(values: Values) -> str:
    text = values.get("success") or values.get("res") or ""
    if text == "no" and values.get("exit") in _IN_PROGRESS:
        return "unknown"
    return _OUTCOMES.get(text.rstrip("'"), "unknown")


def _judged(values: Values) -> str | None:
    """Return what SELinux or AppArmor decided."""
    if "apparmor" in values:
        return "failure" if values["apparmor"] == "DENIED" else "success"
    decision = values.get("avc", "").partition(" ")[0]
    return _DECISIONS.get(decision)


def _action(parts: Parts, kind: str, name: str, fields: Fields) -> Action:
    if kind != "SYSCALL" and (told := _named_act(parts, kind)) is not None:
        return told
    if name in OPENING:
        access = access_of(parts, name, success=fields["event.outcome"] == "success")
        fields["trailwarden.file.access"] = access or None
        return opening_act(access)
    if name or "SYSCALL" in parts.lines:
        return ACTS.get(name) or ACTS.get(name.removesuffix("32")) or Action.SYSCALL
    return Action.ALERT if kind in _BY_CALL else Action.OTHER


def _named_act(parts: Parts, kind: str) -> Action | None:
    """Return the act that a line of the kernel's own names, None where it is the call's."""
    if kind == "BPF" and parts.lines[kind].get("op", "LOAD") != "LOAD":
        return Action.OTHER
    if kind == "AVC" and parts.lines[kind].get("apparmor") == "STATUS":
        return Action.OTHER  # a profile was loaded, and nothing judged
    return Action.ALERT if kind.startswith(_ALERTS) else _KERNEL_ACTIONS.get(kind)


def _fill_command(parts: Parts, name: str, action: Action, fields: Fields) -> None:
    fields["process.working_directory"] = parts.lines.get("CWD", {}).get("cwd")
    if parts.args:
        fields["process.args"] = parts.args
    elif parts.command or parts.title:
        fields["process.args"] = None if parts.command else parts.title
        fields["process.command_line"] = parts.command
    if action is Action.PROCESS_START:
        fields["file.path"] = script_of(parts, name, fields["process.executable"])
    elif name in {"exit", "exit_group"}:
        code = parts.lines.get("SYSCALL", {}).get("a0", "")
        fields["process.exit_code"] = int(code, 16) & 0xFF if _is_hex(code) else None


def _is_hex(text: str) -> bool:
    return 0 < len(text) <= _DIGITS_MAX and set(text) <= set("0123456789abcdef")


def _rest(parts: Parts, kind: str, action: Action, fields: Fields) -> dict[str, str]:
    """Return what has no column: a call's arguments where they tell the act, and its error."""
    rest: dict[str, str] = {}
    line = parts.lines.get("SYSCALL", {})
    if fields["event.outcome"] == "failure" and (code := line.get("exit")):
        rest["exit"] = code
    if action in _WITH_ARGUMENTS:
        rest |= {key: line[key] for key in ("a0", "a1", "a2", "a3") if key in line}
    if kind != "SYSCALL" and kind in parts.lines:
        told = parts.lines[kind].items()
        rest |= {key: text for key, text in told if key not in _TOLD and not key.isupper()}
    if target := parts.lines.get("OBJ_PID"):
        rest |= {key: target[key] for key in ("opid", "ocomm") if key in target}
    return rest
