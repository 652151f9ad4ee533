"""What a Tetragon policy saw at one hook becomes an act: which one, on what, and how it went.

In goes the body of a kprobe, an LSM hook, a tracepoint, a uprobe or a USDT probe; out come the act,
its object and its outcome. Separate from the envelope because the kernel's functions are a subject
of their own. Arguments by type: cilium/tetragon docs concepts/tracing-policy/argument_types.md and
examples/tracingpolicy; which argument is which: the kernel's own signatures (include/linux/
lsm_hook_defs.h, the system calls' manual pages). A policy may leave out arguments, so they are told
by their types and their order, never by an index.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from ingest.formats.seen import Action
from ingest.formats.syscall_acts import IN_PROGRESS, opening_act
from ingest.formats.tetragon_arguments import Arguments, read_arguments, without_bytes
from ingest.formats.tetragon_functions import OPENING, act_of, bare_name

if TYPE_CHECKING:
    from ingest.formats.reader import Document, Reader
    from ingest.formats.seen import Fields

_BYTES_AT_MOST: Final = 64
_MAY: Final = ((4, "read"), (2, "write"), (8, "append"))
"""Bits of file_permission's mask in linux/fs.h; MAY_EXEC is 1."""

_PROTECTION: Final = ((1, "read"), (2, "write"))
"""Bits of mmap's protection: PROT_READ, PROT_WRITE."""

_BITS: Final = {"file_permission": _MAY, "mmap_file": _PROTECTION}
_MAP_SHARED: Final = 1
"""What is written to a mapping that is not shared does not reach the file (mmap(2))."""

_READS: Final = frozenset(("read", "pread64", "readv", "vfs_read"))
_WRITES: Final = frozenset(("write", "pwrite64", "pwrite", "writev", "pwritev", "vfs_write"))
_OF_DESCRIPTORS: Final = _READS | _WRITES | {"fsetxattr", "fremovexattr"}
"""Calls that have a descriptor for a file: their texts are contents and names of attributes."""

_OPEN_MODES: Final = (("read",), ("write",), ("read", "write"), ())
_OPEN_BITS: Final = ((0o1000, "truncate"), (0o2000, "append"))
"""Flags of open(2). O_CREAT says little: most programs give it for files that are there."""

_OPEN_FLAGS: Final = 0o3003
_READING_MODULE: Final = 2
"""enum kernel_read_file_id and kernel_load_data_id of linux/kernel_read_file.h."""

_BPF_PROG_LOAD: Final = 5
_MODE_BITS: Final = 0o7777
_MODE_CHANGES: Final = frozenset(("chmod", "fchmod", "fchmodat", "fchmodat2", "path_chmod"))
_NEW_NAME_FIRST: Final = frozenset(("path_symlink", "inode_symlink", "vfs_symlink"))
_OF_FILES: Final = frozenset(
    (
        Action.FILE_OPEN,
        Action.FILE_CREATE,
        Action.FILE_MODIFY,
        Action.FILE_DELETE,
        Action.FILE_RENAME,
        Action.FILE_LINK,
        Action.FILE_ATTRIBUTES,
    )
)
_OF_NETWORK: Final = frozenset(
    (Action.NETWORK_CONNECT, Action.NETWORK_ACCEPT, Action.NETWORK_LISTEN)
)
_POLICY: Final = (("policy_name", "trailwarden.tool.rule"), ("message", "message"))
_NO_ARGUMENTS: Final = Arguments()
_REFUSED: Final = "KPROBE_ACTION_OVERRIDE"
_NO_ACTION: Final = frozenset((None, "KPROBE_ACTION_UNKNOWN", "KPROBE_ACTION_POST"))


def read_hook(body: Document, read: Reader, fields: Fields, extra: dict[str, Any]) -> None:
    """Put what the hook saw into ``fields``, what has no column into ``extra``."""
    name = _name(body, read)
    if name is not None:
        fields["event.code"] = name
    bare, syscall = bare_name(name) if name and len(name) <= _BYTES_AT_MOST else (None, None)
    fields["trailwarden.syscall"] = syscall
    args = read.mappings(body, "args")
    arguments = read_arguments(args)
    returned = body.get("return")
    result = read_arguments([returned]) if isinstance(returned, dict) else _NO_ARGUMENTS
    action = _action(bare, syscall, arguments)
    fields["event.action"] = action
    _read_policy(body, read, fields)
    fields["event.outcome"] = _outcome(body, result)
    if action in _OF_FILES:
        _read_file(action, bare or "", arguments, fields)
    elif action in _OF_NETWORK or arguments.peers:
        _read_peer(action, (*result.peers, *arguments.peers), fields)
    elif action is Action.PROCESS_START:
        _read_execution(arguments, fields)
    else:
        _read_object(action, arguments, fields)
        _read_probe(body, read, fields, extra)
        if args:
            extra["args"] = without_bytes(args)
    if body.get("ima_hash"):
        _read_hash(body, read, fields)


def _name(body: Document, read: Reader) -> str | None:
    """Return the kernel function, or ``subsystem/event`` of a tracepoint; none of a uprobe."""
    name = read.text(body, "function_name")
    if name is not None or "subsys" not in body:
        return name
    return f"{read.text(body, 'subsys') or ''}/{read.text(body, 'event') or ''}"


def _action(bare: str | None, syscall: str | None, arguments: Arguments) -> Action:
    action = act_of(bare)
    if bare in _BITS or bare in OPENING:
        return opening_act(_access(Action.FILE_OPEN, bare, arguments))
    if action is Action.MODULE_LOAD and bare in {"kernel_read_file", "kernel_load_data"}:
        kind = arguments.numbers[0] if arguments.numbers else _READING_MODULE
        return action if kind == _READING_MODULE else Action.OTHER
    if bare == "bpf":
        loads = arguments.command == "BPF_PROG_LOAD" or arguments.numbers[:1] == [_BPF_PROG_LOAD]
        action = Action.BPF_LOAD if loads else None
    if action is Action.PROCESS_START and not (arguments.paths or arguments.texts):
        action = None
    return action or (Action.SYSCALL if syscall else Action.OTHER)


def _read_policy(body: Document, read: Reader, fields: Fields) -> None:
    read.copy(body, _POLICY, fields)
    if body.get("tags"):
        fields["trailwarden.tool.tags"] = read.texts(body, "tags")
    done = read.text(body, "action")
    if done in _NO_ACTION:
        done = read.text(body, "return_action") or done
    if done is not None:
        fields["trailwarden.tool.action"] = _word(done)


@lru_cache(64)
def _word(action: str) -> str:
    return action.removeprefix("KPROBE_ACTION_").capitalize()


def _outcome(body: Document, returned: Arguments) -> str:
    """Return how the call went: by its value, else unknown (a killed process may have done it)."""
    if body.get("action") == _REFUSED or body.get("return_action") == _REFUSED:
        return "failure"
    if returned.numbers:
        code = returned.numbers[0]
        return "success" if code >= 0 else "unknown" if code == IN_PROGRESS else "failure"
    return "success" if returned.peers else "unknown"


def _read_file(action: Action, bare: str, arguments: Arguments, fields: Fields) -> None:
    names = arguments.paths or ([] if bare in _OF_DESCRIPTORS else arguments.texts)
    if action is Action.FILE_LINK and arguments.paths and arguments.texts:
        names = [*arguments.paths, *arguments.texts]
    path = names[0] if names else None
    target = names[-1] if len(names) > 1 else None
    if action is Action.FILE_LINK and target is not None and bare not in _NEW_NAME_FIRST:
        path, target = target, path
    fields["file.path"] = path
    if action in {Action.FILE_RENAME, Action.FILE_LINK}:
        fields["file.target_path"] = target
    access = _access(action, bare, arguments)
    if access:
        fields["trailwarden.file.access"] = access
    _read_mode(action, bare, arguments, fields)


def _read_mode(action: Action, bare: str, arguments: Arguments, fields: Fields) -> None:
    before = arguments.mode
    if action is not Action.FILE_ATTRIBUTES:
        fields["file.mode"] = before
        return
    fields["trailwarden.file.mode_before"] = before
    if bare in _MODE_CHANGES and arguments.after_path is not None:
        fields["file.mode"] = f"{arguments.after_path & _MODE_BITS:04o}"
        fields["trailwarden.file.changed"] = ["mode"]


def _access(action: Action, bare: str, arguments: Arguments) -> list[str]:
    bits = arguments.after_path
    if bare in _BITS:
        asked = [name for bit, name in _BITS[bare] if (bits or 0) & bit]
        is_private = bare == "mmap_file" and not _is_shared(arguments.numbers)
        return [name for name in asked if name != "write"] if is_private else asked
    if bare in OPENING and bare != "creat":
        return [] if bits is None else list(_open_access(bits & _OPEN_FLAGS))
    if action is Action.FILE_MODIFY or bare in _READS:
        return ["truncate" if "truncate" in bare else "read" if bare in _READS else "write"]
    return ["write", "truncate"] if bare == "creat" else []


def _is_shared(numbers: list[int]) -> bool:
    """Whether a mapping is shared: its flags are the last number, its protection the first."""
    return len(numbers) > 1 and bool(numbers[-1] & _MAP_SHARED)


@lru_cache(64)
def _open_access(bits: int) -> tuple[str, ...]:
    return (*_OPEN_MODES[bits & 3], *(name for bit, name in _OPEN_BITS if bits & bit))


def _read_peer(action: Action, peers: tuple[Document, ...], fields: Fields) -> None:
    """Put the ends of a connection into place: the source is who connects, a listener is none.

    A socket's own address is ``saddr`` whichever side opened the connection; a ``sockaddr`` is the
    one address that the call was given: where to connect, or where to listen.
    """
    if not peers:
        return
    end = peers[0]
    incoming = action in {Action.NETWORK_ACCEPT, Action.NETWORK_LISTEN}
    if "path" in end:
        fields["file.path"] = end["path"]
    elif "addr" in end:
        fields["destination.ip"], fields["destination.port"] = end["addr"], end["port"]
    else:
        ours, theirs = ("destination", "source") if incoming else ("source", "destination")
        fields[f"{ours}.ip"], fields[f"{ours}.port"] = end.get("saddr"), end["sport"]
        if action is not Action.NETWORK_LISTEN:
            fields[f"{theirs}.ip"], fields[f"{theirs}.port"] = end.get("daddr"), end["dport"]
    fields["network.transport"] = end.get("transport")


def _read_execution(arguments: Arguments, fields: Fields) -> None:
    """Put the program that is about to run into the place of the one that starts it."""
    program = (arguments.paths or arguments.texts)[0]
    for name in ("pid", "entity_id", "executable", "command_line"):
        fields[f"process.parent.{name}"] = fields.get(f"process.{name}")
    starter = fields.get("process.executable")
    if starter is not None:
        fields["process.parent.name"] = name = starter.rpartition("/")[2]
        above = fields.get("trailwarden.process.ancestors") or []
        fields["trailwarden.process.ancestors"] = [name, *above]
    fields["process.entity_id"] = fields["process.command_line"] = None
    fields["process.executable"] = program


def _read_object(action: Action, arguments: Arguments, fields: Fields) -> None:
    names = arguments.paths or arguments.texts
    if action is Action.MOUNT and names:
        fields["file.path"] = names[0] if arguments.paths else names[:2][-1]
    elif arguments.paths:
        fields["file.path"] = arguments.paths[0]


def _read_probe(body: Document, read: Reader, fields: Fields, extra: dict[str, Any]) -> None:
    """Put the program that a uprobe or a USDT probe is in, and the probe's names, into place."""
    if "path" in body:
        fields["file.path"] = read.text(body, "path")
    for name in ("symbol", "provider", "name", "offset"):
        if body.get(name):
            extra[name] = read.text(body, name)


def _read_hash(body: Document, read: Reader, fields: Fields) -> None:
    kind, _, value = (read.text(body, "ima_hash") or "").partition(":")
    if kind in {"md5", "sha1", "sha256"} and value:
        fields[f"file.hash.{kind}"] = value
