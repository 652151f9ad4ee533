"""Changes of files as Auditbeat's file_integrity module and Elastic's FIM integration report them.

In goes one ECS document, out one event. Separate because Elastic's documents need hardly more than
the choice of one action and a few older spellings.

Facts: elastic/beats ``auditbeat/module/file_integrity`` (``event.go``, ``action.go``,
``_meta/data.json``, ``_meta/docs.md``), elastic/integrations ``packages/fim`` (sample_event.json,
test-etw-backend.json). ``event.action`` is a list in the order of the acts, as far as Auditbeat can
know it; hashes stood at the top level before 8.0, ``uid`` and ``gid`` were numbers. ``process`` and
its user are there only with the eBPF, kprobes and ETW backends.

Of several actions in one document the one that says most is ``event.action``, in the order of
`_ACTIONS`; all of them are ``event.code``. What says that nothing was done to the file, the first
scan (``initial_scan``) and another list of hashes (``config_change``), is ``other``: its hashes are
worth having. What was changed of a file is not told, so ``trailwarden.file.changed`` stays empty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ingest.formats.clock import from_text
from ingest.formats.file_mode import file_mode, with_special
from ingest.formats.leftovers import leftovers
from ingest.formats.member_columns import fill_texts
from ingest.formats.reader import Reader
from ingest.formats.seen import Action, Dataset, Fields, NotThisFormatError, Seen

if TYPE_CHECKING:
    from ingest.formats.reader import Document
    from ingest.formats.seen import Around

_ACTIONS: Final = {
    "created": Action.FILE_CREATE,
    "deleted": Action.FILE_DELETE,
    "moved": Action.FILE_RENAME,
    "updated": Action.FILE_MODIFY,
    "attributes_modified": Action.FILE_ATTRIBUTES,
}
_FILE: Final = {
    "target_path": "file.target_path",
    "type": "file.type",
    "inode": "file.inode",
    "uid": "file.uid",
    "gid": "file.gid",
    "owner": "file.owner",
    "group": "file.group",
}
_HASHES: Final = {
    "md5": "file.hash.md5",
    "sha1": "file.hash.sha1",
    "sha256": "file.hash.sha256",
}
_PROCESS: Final = {
    "name": "process.name",
    "executable": "process.executable",
    "entity_id": "process.entity_id",
    "command_line": "process.command_line",
    "working_directory": "process.working_directory",
}
_USER: Final = {"name": "user.name", "id": "user.id"}
_OTHERS: Final = ("origin", "selinux", "posix_acl_access", "attributes", "fork_name")
"""Members of ``file`` without a column; all but the first are of one operating system."""

_MOST_PARTS: Final = 6


def recognizes(document: Document) -> bool:
    """Whether this is a document of the module or the integration, nested or with dotted keys."""
    event = document.get("event")
    if isinstance(event, dict):
        return _is_ours(event.get("module"), event.get("dataset"))
    return _is_ours(document.get("event.module"), document.get("event.dataset"))


def decode(document: Document, around: Around) -> list[Seen]:  # noqa: ARG001 - times are whole
    """Return the change of a file.

    Raises
        NotThisFormatError: it names no file; caught where formats are told apart.
    """
    read = Reader()
    if "." in "".join(document):
        document = _nested(document)
    event = read.mapping(document, "event")
    file = read.mapping(document, "file")
    path = read.text(file, "path")
    if path is None:
        raise NotThisFormatError("a file integrity event without file.path")
    words = read.texts(event, "action")
    action = next((found for word, found in _ACTIONS.items() if word in words), Action.OTHER)
    is_agent = "elastic_agent" in document or event.get("dataset") == "fim.event"
    fields: Fields = {
        "event.dataset": Dataset.FILE_INTEGRITY,
        "event.action": action,
        "event.outcome": "unknown" if action is Action.OTHER else "success",
        "event.provider": "elastic-agent" if is_agent else "auditbeat",
        "event.code": ",".join(words) or None,
        "@timestamp": from_text(read.text(document, "@timestamp")),
        "host.name": _host(read, document),
        "file.path": path,
    }
    _read_file(read, file, fields)
    hashes = read.mapping(file, "hash") or read.mapping(document, "hash")
    others: dict[str, Any] = {key: file[key] for key in _OTHERS if key in file}
    for name, value in hashes.items():
        if name in _HASHES:
            fields[_HASHES[name]] = read.text(hashes, name)
        else:
            others["hash." + name] = value
    if "process" in document or "user" in document:
        _read_process(read, document, fields)
    if "container" in document:
        _read_container(read, document, fields)
    if "error" in document:
        others["error"] = document["error"]
    if others:
        fields["trailwarden.tool.fields"] = leftovers(others)
    return [Seen(fields, read.issues)]


def _is_ours(module: object, dataset: object) -> bool:
    return module == "file_integrity" or dataset == "fim.event"


def _nested(document: Document) -> dict[str, Any]:
    """Return a document whose dotted keys are opened; what stands in the way of one is kept."""
    found: dict[str, Any] = {}
    for key, value in document.items():
        *folders, name = key.split(".", _MOST_PARTS)
        place = found
        for folder in folders:
            inner = place.get(folder)
            if not isinstance(inner, dict):
                inner = {}
            place[folder] = place = dict(inner)
        known = place.get(name)
        if isinstance(known, dict) and isinstance(value, dict):
            value = {**known, **value}  # noqa: PLW2901 - the document itself stays as it is
        place[name] = value
    return found


def _host(read: Reader, document: Document) -> str | None:
    """Return the machine; Auditbeat before 7.0 had it in ``beat``."""
    host = read.mapping(document, "host")
    name = read.text(host, "name") or read.text(host, "hostname")
    if name is None and "beat" in document:
        beat = read.mapping(document, "beat")
        name = read.text(beat, "hostname") or read.text(beat, "name")
    return name


def _read_file(read: Reader, file: Document, fields: Fields) -> None:
    fill_texts(read, file, _FILE, fields)
    fields["file.size"] = read.number(file, "size")
    fields["file.mtime"] = from_text(read.text(file, "mtime"))
    mode = file_mode(read.text(file, "mode") or "")
    if mode is not None and ("setuid" in file or "setgid" in file):
        setuid, setgid = read.flag(file, "setuid"), read.flag(file, "setgid")
        mode = with_special(mode, setuid=bool(setuid), setgid=bool(setgid))
    fields["file.mode"] = mode


def _read_process(read: Reader, document: Document, fields: Fields) -> None:
    process = read.mapping(document, "process")
    fill_texts(read, process, _PROCESS, fields)
    if "args" in process:
        fields["process.args"] = read.texts(process, "args")
    fields["process.pid"] = read.number(process, "pid")
    if "parent" in process:
        parent = read.mapping(process, "parent")
        fields["process.parent.pid"] = read.number(parent, "pid")
        fields["process.parent.name"] = read.text(parent, "name")
        fields["process.parent.executable"] = read.text(parent, "executable")
    user = read.mapping(process, "user") or read.mapping(document, "user")
    fill_texts(read, user, _USER, fields)


def _read_container(read: Reader, document: Document, fields: Fields) -> None:
    container = read.mapping(document, "container")
    fields["container.id"] = (read.text(container, "id") or "").rpartition("//")[2] or None
    fields["container.name"] = read.text(container, "name")
    fields["container.runtime"] = read.text(container, "runtime")
    fields["container.image.name"] = read.text(read.mapping(container, "image"), "name")
