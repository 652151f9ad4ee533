"""A system call and its flags in, the act that it is out.

Separate because Falco and Tracee both name acts by system calls. What is not listed here is left to
their decoders: such a call says little without its arguments.

Sources: Linux man pages, section 2; flag names as falcosecurity/libs driver/flags_table.c writes
them (``O_F_CREATED`` is its own: the call created the file).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from ingest.formats.seen import Action

OPENING: Final = frozenset(
    {"open", "openat", "openat2", "open_by_handle_at", "creat", "security_file_open"}
)

_BY_ACT: Final = {
    Action.PROCESS_START: "execve execveat clone clone3 fork vfork",
    Action.PROCESS_END: "exit exit_group procexit",
    Action.FILE_CREATE: "mkdir mkdirat mknod mknodat",
    Action.FILE_DELETE: "unlink unlinkat rmdir",
    Action.FILE_RENAME: "rename renameat renameat2",
    Action.FILE_LINK: "link linkat symlink symlinkat",
    Action.FILE_MODIFY: "truncate ftruncate write writev pwrite pwrite64 pwritev fallocate",
    Action.FILE_ATTRIBUTES: "chmod fchmod fchmodat fchmodat2 chown lchown fchown fchownat utime "
    "utimes utimensat futimesat setxattr lsetxattr fsetxattr removexattr lremovexattr fremovexattr",
    Action.NETWORK_CONNECT: "connect sendto sendmsg sendmmsg",
    Action.NETWORK_ACCEPT: "accept accept4 recvfrom recvmsg recvmmsg",
    Action.NETWORK_LISTEN: "listen bind",
    Action.MOUNT: "mount move_mount fsmount",
    Action.PTRACE: "ptrace process_vm_readv process_vm_writev",
    Action.MODULE_LOAD: "init_module finit_module",
    Action.BPF_LOAD: "bpf",
    Action.CREDENTIALS_CHANGE: "setuid setgid setreuid setregid setresuid setresgid setfsuid "
    "setfsgid setgroups capset",
    Action.NAMESPACE_CHANGE: "setns unshare pivot_root",
}
ACTS: Final = {name: act for act, names in _BY_ACT.items() for name in names.split()}
"""System call -> act, but for those of `OPENING`."""

PROGRAM_LOADS: Final = frozenset(("BPF_PROG_LOAD", "5", 5))
"""Commands of bpf(2) that load a program, by name and number; the others make maps and the like."""

IN_PROGRESS: Final = -115
"""EINPROGRESS: a connection that is not waited for, no failure, nor known to succeed."""

FOLDERS: Final = frozenset({"mkdir", "mkdirat", "rmdir", "security_path_mkdir"})

_ACCESS: Final = (
    ("O_RDONLY", "read"),
    ("O_WRONLY", "write"),
    ("O_RDWR", "read"),
    ("O_RDWR", "write"),
    ("O_F_CREATED", "create"),
    ("O_TMPFILE", "create"),
    ("O_TRUNC", "truncate"),
    ("O_APPEND", "append"),
)
_FLAGS_LENGTH: Final = 512
"""All names of flags together are shorter; what is longer is none, and not to be remembered."""

_DIGITS: Final = 20
_CHANGES: Final = frozenset({"write", "truncate", "append"})
_MODES: Final = {
    "S_ISUID": 0o4000,
    "S_ISGID": 0o2000,
    "S_ISVTX": 0o1000,
    "S_IRUSR": 0o400,
    "S_IWUSR": 0o200,
    "S_IXUSR": 0o100,
    "S_IRGRP": 0o40,
    "S_IWGRP": 0o20,
    "S_IXGRP": 0o10,
    "S_IROTH": 0o4,
    "S_IWOTH": 0o2,
    "S_IXOTH": 0o1,
}


def access_of(flags: str | None) -> list[str]:
    """Return what ``O_WRONLY|O_CREAT`` asks for, in the words of trailwarden.file.access.

    Digits are the number of the flags. ``O_CREAT`` alone is not `create`: most programs give it for
    files that are there.
    """
    return list(_access_of(flags[:_FLAGS_LENGTH])) if flags else []


@lru_cache(1_024)
def _access_of(flags: str) -> tuple[str, ...]:
    if flags.isascii() and flags.isdigit():
        return tuple(access_of_bits(int(flags)) if len(flags) <= _DIGITS else ())
    names = {flag.strip() for flag in flags.split("|")}
    return tuple(dict.fromkeys(word for flag, word in _ACCESS if flag in names))


def access_of_bits(flags: int) -> list[str]:
    """Return the same of the number (asm-generic/fcntl.h: x86 and arm64 agree on these)."""
    names = ["O_RDONLY", "O_WRONLY", "O_RDWR", ""][flags & 0o3]
    names += "|O_TRUNC" if flags & 0o1000 else ""
    return access_of(names + ("|O_APPEND" if flags & 0o2000 else ""))


def opening_act(access: list[str]) -> Action:
    """Return what opening a file for such access is."""
    if "create" in access:
        return Action.FILE_CREATE
    return Action.FILE_OPEN if _CHANGES.isdisjoint(access) else Action.FILE_MODIFY


def mode_of(text: str | None) -> str | None:
    """Return ``S_ISUID|S_IRWXU`` or an octal number as four octal digits, None if it is neither."""
    return _mode_of(text) if text and len(text) <= _FLAGS_LENGTH else None


@lru_cache(1_024)
def _mode_of(text: str) -> str | None:
    bits = text.replace("S_IRWXU", "S_IRUSR|S_IWUSR|S_IXUSR")
    bits = bits.replace("S_IRWXG", "S_IRGRP|S_IWGRP|S_IXGRP")
    names = [name.strip() for name in bits.replace("S_IRWXO", "S_IROTH|S_IWOTH|S_IXOTH").split("|")]
    if any(name not in _MODES for name in names):
        return _octal(text)
    return f"{sum({_MODES[name] for name in names}):04o}"


def _octal(text: str) -> str | None:
    is_octal = text.startswith("0") and len(text) <= 8 and set(text) <= set("01234567")  # noqa: PLR2004
    return f"{int(text, 8) & 0o7777:04o}" if is_octal else None
