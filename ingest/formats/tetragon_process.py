"""The process of one Tetragon event, its parent, pod and container become columns.

Separate from the kinds of events because every kind but two has the same process, and it is the
larger part of a record. Members: cilium/tetragon api/v1/tetragon/tetragon.proto (Process, Pod).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ingest.formats.image_digest import image_digest

if TYPE_CHECKING:
    from ingest.formats.reader import Columns, Document, Reader
    from ingest.formats.seen import Fields

_UNSET: Final = 4_294_967_295
"""The login uid of a process that nobody logged in to start: 2**32 - 1."""

_ORDINARY: Final = frozenset(
    ("execve", "clone", "rootcwd", "nocwd", "auid", "dataFilename", "dataArgs", "inInitTree", "")
)
_CUT: Final = ("truncFilename", "truncArgs")


_PROCESS: Final[Columns] = (
    ("exec_id", "process.entity_id"),
    ("binary", "process.executable"),
    ("cwd", "process.working_directory"),
    ("uid", "user.id"),
    ("docker", "container.id"),
    ("parent_exec_id", "process.parent.entity_id"),
)
_POD: Final[Columns] = (
    ("namespace", "orchestrator.namespace"),
    ("name", "orchestrator.resource.name"),
    ("uid", "orchestrator.resource.id"),
    ("workload_kind", "trailwarden.workload.kind"),
    ("workload", "trailwarden.workload.name"),
)


def read_process(body: Document, read: Reader, fields: Fields, extra: dict[str, Any]) -> None:
    """Put the process and those above it into ``fields``, what has no column into ``extra``."""
    process = read.mapping(body, "process")
    read.copy(process, _PROCESS, fields)
    fields["process.pid"] = read.number(process, "pid")
    fields["process.command_line"] = _command_line(process, fields.get("process.executable"), read)
    login = process.get("auid")
    if login is not None and login != _UNSET:
        fields["user.audit.id"] = read.text(process, "auid")
    if process.get("user"):
        fields["user.name"] = read.text(read.mapping(process, "user"), "name")
    _read_parents(body, read, fields)
    if process.get("pod"):
        _read_pod(read.mapping(process, "pod"), read, fields, extra)
    _read_flags(process, read, fields, extra)
    _read_rights(process, read, fields, extra)


def _command_line(process: Document, binary: str | None, read: Reader) -> str | None:
    arguments = read.text(process, "arguments")
    if arguments is None:
        return binary
    return f"{binary or ''} {arguments.lstrip(' ')}".lstrip(" ")


def _read_parents(body: Document, read: Reader, fields: Fields) -> None:
    parent = body.get("parent")
    if not parent:
        return
    parent = read.mapping(body, "parent")
    binary = read.text(parent, "binary")
    if fields.get("process.parent.entity_id") is None:
        fields["process.parent.entity_id"] = read.text(parent, "exec_id")
    fields["process.parent.pid"] = read.number(parent, "pid")
    fields["process.parent.command_line"] = _command_line(parent, binary, read)
    above = []
    if binary is not None:
        fields["process.parent.executable"] = binary
        fields["process.parent.name"] = name = binary.rpartition("/")[2]
        above.append(name)
    if body.get("ancestors"):
        paths = [read.text(ancestor, "binary") for ancestor in read.mappings(body, "ancestors")]
        above += [path.rpartition("/")[2] for path in paths if path is not None]
    fields["trailwarden.process.ancestors"] = above or None


def _read_pod(pod: Document, read: Reader, fields: Fields, extra: dict[str, Any]) -> None:
    read.copy(pod, _POD, fields)
    if fields.get("orchestrator.resource.name") is not None:
        fields["orchestrator.resource.type"] = "pods"
    container = read.mapping(pod, "container")
    if not container:
        return
    fields["container.name"] = read.text(container, "name")
    identity = read.text(container, "id")
    if identity is not None:
        runtime, divided, rest = identity.partition("://")
        fields["container.id"] = rest if divided else identity
        if divided:
            fields["container.runtime"] = runtime
    image = read.mapping(container, "image")
    fields["container.image.name"] = read.text(image, "name")
    if digest := image_digest(image.get("id")):
        fields["trailwarden.pod.image_digests"] = [digest]
    if container.get("maybe_exec_probe") is True:
        extra["maybe_exec_probe"] = True
    context = container.get("security_context")
    if context and read.mapping(container, "security_context").get("privileged") is True:
        extra["privileged"] = True


def _read_flags(process: Document, read: Reader, fields: Fields, extra: dict[str, Any]) -> None:
    flags = read.text(process, "flags")
    if flags is None or _ORDINARY.issuperset(flags.split(" ")):
        return
    extra["flags"] = flags
    if any(name in flags for name in _CUT):
        fields["trailwarden.truncated"] = True


def _read_rights(process: Document, read: Reader, fields: Fields, extra: dict[str, Any]) -> None:
    """Keep who the process may act as, where Tetragon was told to report it."""
    if process.get("in_init_tree") is False:
        extra["in_init_tree"] = False
    if process.get("binary_properties"):
        extra["binary_properties"] = process["binary_properties"]
    if process.get("cap"):
        extra["capabilities"] = read.texts(read.mapping(process, "cap"), "effective")
    if process.get("ns"):
        spaces = read.mapping(process, "ns")
        extra["host_namespaces"] = [
            name for name in spaces if read.mapping(spaces, name).get("is_host") is True
        ]
    if process.get("process_credentials"):
        credentials = read.mapping(process, "process_credentials")
        real = read.text(credentials, "uid")
        if real is not None:
            fields["user.effective.id"] = read.text(credentials, "euid") or fields["user.id"]
            fields["user.id"] = real
        extra["credentials"] = {
            name: value for name, value in credentials.items() if name not in {"caps", "user_ns"}
        }
