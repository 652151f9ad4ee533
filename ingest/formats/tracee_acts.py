"""Name and arguments of a Tracee event in, the act and what it was done to out.

Separate from the context of an event because that differs between Tracee's versions, and this does
not. Names and arguments: aquasecurity/tracee docs/docs/events/builtin and
pkg/events/core.go; system calls have the names of their man pages' parameters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ingest.formats.file_mode import file_mode
from ingest.formats.seen import Action
from ingest.formats.syscall_acts import (
    ACTS,
    FOLDERS,
    IN_PROGRESS,
    OPENING,
    PROGRAM_LOADS,
    access_of,
    access_of_bits,
    opening_act,
)
from ingest.formats.tracee_network import tell_connection, tell_lookup, tell_packet
from ingest.formats.tracee_values import either

if TYPE_CHECKING:
    from ingest.formats.reader import Reader
    from ingest.formats.seen import Fields
    from ingest.formats.tracee_values import Arguments

_BY_ACT: Final = {
    Action.PROCESS_START: "sched_process_exec sched_process_fork security_bprm_check "
    "process_execute_failed",
    Action.PROCESS_END: "sched_process_exit do_exit",
    Action.FILE_CREATE: "security_inode_mknod security_path_mkdir",
    Action.FILE_MODIFY: "vfs_write vfs_writev kernel_write magic_write file_modification "
    "do_truncate",
    Action.FILE_DELETE: "security_inode_unlink",
    Action.FILE_RENAME: "security_inode_rename",
    Action.FILE_LINK: "security_inode_link security_inode_symlink security_inode_symlink_event_id",
    Action.FILE_ATTRIBUTES: "chmod_common vfs_utimes",
    Action.NETWORK_CONNECT: "security_socket_connect net_tcp_connect",
    Action.NETWORK_ACCEPT: "security_socket_accept socket_accept",
    Action.NETWORK_LISTEN: "security_socket_listen security_socket_bind",
    Action.NAME_LOOKUP: "net_packet_dns net_packet_dns_request net_packet_dns_response",
    Action.MODULE_LOAD: "module_load do_init_module",
    Action.BPF_LOAD: "security_bpf security_bpf_prog bpf_attach",
    Action.MOUNT: "security_sb_mount",
    Action.CREDENTIALS_CHANGE: "commit_creds",
    Action.CAPABILITY_USE: "cap_capable",
    Action.NAMESPACE_CHANGE: "switch_task_ns",
    Action.CONTAINER_CREATE: "container_create",
    Action.CONTAINER_DELETE: "container_remove",
    Action.ALERT: "hooked_syscall hooked_seq_ops hooked_proc_fops hidden_kernel_module ftrace_hook "
    "suspicious_syscall_source stack_pivot dirty_pipe_splice symbols_collision mem_prot_alert",
}
_ACTS: Final = {**ACTS, **{name: act for act, names in _BY_ACT.items() for name in names.split()}}
_READS: Final = frozenset({"security_kernel_read_file", "security_post_read_file"})
_FORK: Final = "sched_process_fork"
_DONE: Final = frozenset({"sched_process_exec", _FORK, "sched_process_exit"})

_SECRET: Final = ("env", "envp", "bytes")
"""Environments and what was written to a file hold passwords and say little; both are left out."""

_PROGRAMS: Final = frozenset({"bpf", "security_bpf"})
"""The system call and its hook: loads of programs by their command alone."""

_PATHS: Final = ("pathname", "file_path", "file_name", "filename", "path", "dir_name")
_OLD_AND_NEW: Final = {
    Action.FILE_RENAME: (("old_path", "oldpath", "oldname"), ("new_path", "newpath", "newname")),
    Action.FILE_LINK: (("linkpath", "newpath", "new_path"), ("target", "oldpath", "old_path")),
}
_NETWORK: Final = frozenset({Action.NETWORK_CONNECT, Action.NETWORK_ACCEPT, Action.NETWORK_LISTEN})


def action_of(name: str, told: Arguments, *, is_detection: bool, syscall: str | None) -> Action:
    """Return what an event of this name is; a detection of nothing that is listed is an alert."""
    if name in OPENING:
        return opening_act(_access(told.get("flags")))
    if name in _READS and _is_module(told.get("type")):
        return Action.MODULE_LOAD
    is_other = (name in _PROGRAMS and not _loads(told.get("cmd"))) or _is_thread(name, told)
    if name in _ACTS and not is_other:
        return _ACTS[name]
    if is_detection:
        return Action.ALERT
    return Action.SYSCALL if name == syscall else Action.OTHER


def tell(name: str, action: Action, told: Arguments, fields: Fields, read: Reader) -> None:
    """Fill the columns that the act has; what fills one is taken out of ``told``."""
    for secret in _SECRET:
        told.pop(secret, None)
    if name == _FORK and action is Action.PROCESS_START:
        _tell_child(told, fields, read)
    elif action is Action.PROCESS_START:
        _tell_program(name, told, fields, read)
    elif action in _OLD_AND_NEW:
        old, new = _OLD_AND_NEW[action]
        fields["file.path"] = taken(told, read, *old)
        fields["file.target_path"] = taken(told, read, *new)
    elif action.startswith("file-") or action in {Action.MODULE_LOAD, Action.MOUNT}:
        _tell_file(name, action, told, fields, read)
    elif action in _NETWORK:
        tell_connection(action, told, fields, read)
    elif action is Action.NAME_LOOKUP:
        tell_lookup(told, fields, read)
    elif action is Action.CREDENTIALS_CHANGE:
        _tell_credentials(told, fields, read)
    elif name.startswith("net_packet_"):
        tell_packet(name, told, fields, read)


def outcome_of(name: str, code: int | None, *, is_detection: bool) -> str:
    """Return the outcome; the 0 of a hook that is asked before the act says nothing of the act."""
    if name == "process_execute_failed":
        return "failure"
    if name in _DONE:
        return "success"
    if code is not None and code < 0:
        return "unknown" if code == IN_PROGRESS else "failure"
    is_before = is_detection or name.startswith(("security_", "net_"))
    return "unknown" if code is None or is_before else "success"


def taken(told: Arguments, read: Reader, *names: str) -> str | None:
    """Return the first of these arguments that has a text; it is then no longer there."""
    for name in names:
        if name in told and (text := read.text({name: told.pop(name)}, name)) is not None:
            return text
    return None


def _access(flags: object) -> list[str]:
    if isinstance(flags, str):
        return access_of(flags)
    is_bits = isinstance(flags, int) and not isinstance(flags, bool)
    return access_of_bits(flags) if is_bits else []  # type: ignore[arg-type]  # an int


def _loads(command: object) -> bool:
    return command is None or (isinstance(command, str | int) and command in PROGRAM_LOADS)


def _is_thread(name: str, told: Arguments) -> bool:
    """Whether a fork's child is another thread of the process: its id is not that of the thread."""
    process, thread = told.get("child_pid"), told.get("child_tid")
    return name == _FORK and None not in (process, thread) and process != thread


def _is_module(kind: object) -> bool:
    return kind in ("kernel-module", 2)


def _tell_program(name: str, told: Arguments, fields: Fields, read: Reader) -> None:
    """Fill the program that is started; until it runs, the process has its caller's name."""
    path = taken(told, read, "pathname")
    if path is None:
        return
    fields["process.executable"] = path
    if argv := read.texts(told, "argv"):
        fields["process.args"] = argv
        del told["argv"]
    if name != "sched_process_exec":
        told["processName"] = fields.pop("process.name", None)


def _tell_child(told: Arguments, fields: Fields, read: Reader) -> None:
    """Put the child into the place of the process that forks, which is its parent."""
    for name in ("pid", "entity_id", "name", "executable"):
        fields[f"process.parent.{name}"] = fields.get(f"process.{name}")
    fields["process.entity_id"] = None
    child = told.pop("child_pid", None)
    fields["process.pid"] = read.number({"child_pid": child}, "child_pid")


def _tell_file(name: str, action: Action, told: Arguments, fields: Fields, read: Reader) -> None:
    fields["file.path"] = taken(told, read, *_PATHS)
    fields["file.inode"] = taken(told, read, "inode")
    if name in FOLDERS:
        fields["file.type"] = "dir"
    if name in OPENING:
        fields["trailwarden.file.access"] = _access(told.get("flags")) or None
    if action is Action.FILE_ATTRIBUTES and "mode" in told:
        _tell_mode(told, fields)


def _tell_mode(told: Arguments, fields: Fields) -> None:
    mode: Any = told["mode"]
    text = f"{mode:o}" if isinstance(mode, int) and not isinstance(mode, bool) else mode
    if isinstance(text, str) and (bits := file_mode(text)):
        fields["file.mode"] = bits
        del told["mode"]


def _tell_credentials(told: Arguments, fields: Fields, read: Reader) -> None:
    new = read.mapping(told, "new_cred")
    for key in ("Euid", "euid"):
        if (value := either(new, key)) is not None:
            fields["user.effective.id"] = read.text({key: value}, key)
