"""PATH lines of one system call in, the file that it was about out: path, new path, bits, owner.

Separate because a call has up to six of them, and because a name is what a program passed: it is
made absolute with the working directory, unless the call was relative to a descriptor, whose folder
auditd does not tell; then it stays as it is.

Source: Linux kernel/auditsc.c (audit_log_name, audit_copy_inode): bits and owner are those at the
look-up, that is before the act, but for what the act created. open(2), chmod(2), chown(2) for the
arguments.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Final

from ingest.formats.file_mode import file_mode
from ingest.formats.seen import Action

if TYPE_CHECKING:
    from ingest.formats.auditd_fields import Values
    from ingest.formats.auditd_parts import Named, Parts
    from ingest.formats.seen import Fields

_CWD: Final = frozenset({"ffffff9c", "ffffffffffffff9c"})
"""AT_FDCWD: relative to the working directory."""

_TYPES: Final = {
    "01": "fifo",
    "02": "char_device",
    "04": "dir",
    "06": "block_device",
    "10": "file",
    "12": "symlink",
    "14": "socket",
}
_TYPE_DIGITS: Final = 6
_TOUCHED: Final = frozenset({"CREATE", "DELETE"})
_FOLDER_ARGUMENTS: Final = {
    "renameat": ("a0", "a2"),
    "renameat2": ("a0", "a2"),
    "linkat": ("a2", "a0"),
    "symlinkat": ("a1", "a1"),
}
"""Call -> arguments with the folders of ``file.path`` and ``file.target_path``."""

_FIRST: Final = ("a0", "a0")
_FROM_FOLDER: Final = frozenset(
    {
        *("openat", "openat2", "mkdirat", "mknodat", "unlinkat", "fchownat", "fchmodat"),
        *("fchmodat2", "futimesat", "utimensat", "newfstatat", "statx", "readlinkat", "faccessat"),
        *("faccessat2", "name_to_handle_at", "execveat", "setxattrat", "removexattrat"),
    }
)
_MODES: Final = {"chmod": "a1", "fchmod": "a1", "fchmodat": "a2", "fchmodat2": "a2"}
_OWNERS: Final = {
    "chown": ("a1", "a2"),
    "lchown": ("a1", "a2"),
    "fchown": ("a1", "a2"),
    "fchownat": ("a2", "a3"),
}
_KEPT: Final = frozenset({"ffffffff", "ffffffffffffffff"})
"""-1 in chown: leave it."""

_FLAGS: Final = {"open": "a1", "openat": "a2"}
_TRUNCATE, _APPEND = 0o1000, 0o2000
_WRITE_ONLY, _READ_WRITE, _ACCESS_BITS = 1, 2, 3


def fill_file(parts: Parts, call: str, action: Action, fields: Fields) -> None:
    """Fill the columns of the file that a call was about; nothing where no line names one."""
    named = [path for path in parts.paths if path.kind != "PARENT" and path.name]
    if not named:
        return
    where = _Where(parts, call)
    if action is Action.FILE_RENAME:
        chosen = next((path for path in named if path.kind == "DELETE"), named[0])
        fields["file.target_path"] = where.path(named[-1].name, 1)
    elif action is Action.FILE_LINK:
        chosen = next((path for path in named if path.kind == "CREATE"), named[-1])
        _fill_target(named, chosen, where, call, fields)
    else:
        chosen = next((path for path in named if path.kind in _TOUCHED), named[0])
    fields["file.path"] = where.path(chosen.name, 0)
    _fill_state(parts.read_path(chosen.line), action, fields)
    if fields["event.outcome"] == "success":
        _fill_change(parts.lines.get("SYSCALL", {}), call, fields)


def script_of(parts: Parts, call: str, executable: str | None) -> str | None:
    """Return the file that was executed, where it is not the program that runs: a script."""
    name = parts.first_name
    if name is None or executable is None or name == executable:
        return None
    is_same = name.rpartition("/")[2] == executable.rpartition("/")[2]
    return None if is_same else _Where(parts, call).path(name, 0)


def access_of(parts: Parts, call: str, *, success: bool) -> list[str]:
    """Return what a file was opened for, in the words of trailwarden.file.access."""
    created = success and any(path.kind == "CREATE" for path in parts.paths)
    found = ["create"] if created else []
    if call == "creat":
        return ["write", *found, "truncate"]
    flags = _number(parts.lines.get("SYSCALL", {}).get(_FLAGS.get(call, ""), ""))
    if flags is None:
        return found
    mode = flags & _ACCESS_BITS
    access = [word for word, on in (("read", mode != _WRITE_ONLY), ("write", mode > 0)) if on]
    more = (("truncate", flags & _TRUNCATE), ("append", flags & _APPEND))
    return [*access, *found, *(word for word, bits in more if bits)]


class _Where:
    """Makes names absolute for one call."""

    __slots__ = ("_cwd", "_folders")

    def __init__(self, parts: Parts, call: str) -> None:
        self._cwd = parts.lines.get("CWD", {}).get("cwd")
        arguments = _FOLDER_ARGUMENTS.get(call, _FIRST if call in _FROM_FOLDER else ())
        line = parts.lines.get("SYSCALL", {})
        self._folders = [line.get(argument) for argument in arguments]

    def path(self, name: str | None, which: int) -> str:
        name = name or ""
        if not name.startswith("/"):
            folder = self._folders[which] if self._folders else None
            if self._cwd is None or (folder is not None and folder not in _CWD):
                return name
            name = f"{self._cwd}/{name}"
        return posixpath.normpath(name).replace("//", "/") if _is_odd(name) else name


def _is_odd(path: str) -> bool:
    return "//" in path or "/." in path or (path.endswith("/") and path != "/")


def _fill_target(
    named: list[Named], chosen: Named, where: _Where, call: str, fields: Fields
) -> None:
    """Fill what a link leads to, where a line says it; a symbolic one's text is taken as it is."""
    other = next((path for path in named if path is not chosen), None)
    if other is not None:
        is_symbolic = call.startswith("symlink")
        fields["file.target_path"] = other.name if is_symbolic else where.path(other.name, 1)


def _fill_state(path: Values, action: Action, fields: Fields) -> None:
    mode = path.get("mode", "")
    if mode:
        fields["file.type"] = _TYPES.get(mode.zfill(_TYPE_DIGITS + 1)[-6:-4])
        if action is not Action.FILE_DELETE:
            fields["file.mode"] = file_mode(mode)
    fields["file.inode"] = path.get("inode")
    if action is not Action.FILE_DELETE:
        fields["file.uid"], fields["file.gid"] = path.get("ouid"), path.get("ogid")
        fields["file.owner"], fields["file.group"] = path.get("OUID"), path.get("OGID")


def _fill_change(line: Values, call: str, fields: Fields) -> None:
    """Fill what chmod and chown left behind, and what was there before."""
    plain = call.removesuffix("32")
    if plain in _MODES and (mode := _number(line.get(_MODES[plain], ""))) is not None:
        fields["trailwarden.file.mode_before"] = fields.get("file.mode")
        fields["file.mode"] = f"{mode & 0o7777:04o}"
    elif plain in _OWNERS:
        for argument, column in zip(_OWNERS[plain], ("uid", "gid"), strict=True):
            value = line.get(argument, "")
            number = None if value in _KEPT else _number(value)
            if number is None:
                continue
            if column == "uid":
                before = fields.get("file.owner") or fields.get("file.uid")
                fields["trailwarden.file.owner_before"] = before
            fields[f"file.{column}"] = str(number & 0xFFFFFFFF)
            fields["file.owner" if column == "uid" else "file.group"] = None


def _number(text: str) -> int | None:
    try:
        return int(text, 16) if text else None
    except ValueError:
        return None
