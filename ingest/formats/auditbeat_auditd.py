"""An event of Auditbeat's auditd module in, the one event that it tells out.

Separate from auditd's own log because Auditbeat has sorted its fields into ECS already; what the
act was is told by the same module as for the log (ingest/formats/auditd_event.py), from the type of
the message, the system call's name and its paths, so that Auditbeat's own words for acts
(``executed``, ``opened-file``) need no table.

Format: elastic/beats auditbeat/module/auditd/audit_linux.go (buildMetricbeatEvent) and its samples
_meta/execve.json, accept.json, data.json; before version 7 ids stood in ``user.auid``,
``user.name_map``, ``process.ppid``, and the type in ``event.type``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ingest.formats import clock
from ingest.formats.auditd_event import fill_act, fill_who
from ingest.formats.auditd_fields import PATH_FIELDS, Values
from ingest.formats.auditd_parts import Parts
from ingest.formats.auditd_user import USER_ACTIONS, fill_user
from ingest.formats.reader import Reader
from ingest.formats.seen import Dataset, NotThisFormatError, Seen

if TYPE_CHECKING:
    from ingest.formats.reader import Document
    from ingest.formats.seen import Around, Fields

_MODULE: Final = "auditd"
_OUTCOMES: Final = {"success": "success", "fail": "failure", "failure": "failure"}
_USERS: Final = (
    ("uid", "UID", None),
    ("euid", "EUID", "effective"),
    ("auid", "AUID", "audit"),
)
"""auditd's ids and names, and where Auditbeat puts them."""

_ENDS: Final = ("source", "destination")


def recognizes(document: Document) -> bool:
    """Whether a document is of Auditbeat's auditd module."""
    event = document.get("event")
    if isinstance(event, dict) and "module" in event:
        return bool(event["module"] == _MODULE)
    return isinstance(document.get(_MODULE), dict) and "@timestamp" in document


def decode(document: Document, around: Around) -> list[Seen]:  # noqa: ARG001 - it has whole times
    """Return the one event of a document.

    Raises
        NotThisFormatError: it has neither a type nor a system call nor a process.
    """
    read = Reader()
    own, event = read.mapping(document, _MODULE), read.mapping(document, "event")
    data = read.mapping(own, "data")
    kind = _kind(own, event, data, read)
    if not kind and "process" not in document:
        raise NotThisFormatError("neither a type nor a process")
    fields: Fields = {
        "event.dataset": Dataset.AUDITD,
        "event.provider": "auditbeat",
        "event.code": kind or None,
        "@timestamp": clock.from_text(read.text(document, "@timestamp")),
        "host.name": _host(document, read),
    }
    values = _values(document, own, data, read)
    _fill(kind, values, own, fields, read)
    fields["event.outcome"] = _outcome(own, event, fields, read)
    _fill_sorted(document, fields, read)
    return [Seen(fields, read.issues, _identity(own, kind, fields, read))]


def _kind(own: Document, event: Document, data: Document, read: Reader) -> str:
    """Return the type of the message as auditd writes it."""
    kind = read.text(own, "message_type")
    if kind is None and isinstance(event.get("type"), str):
        kind = read.text(event, "type")
    return (kind or ("syscall" if "syscall" in data else "")).upper()


def _values(document: Document, own: Document, data: Document, read: Reader) -> Values:
    """Return what Auditbeat sorted as auditd had it."""
    values = {
        key: text
        for key in data
        if not isinstance(data[key], dict | list) and (text := read.text(data, key)) is not None
    }
    if "syscall" in values:
        values["SYSCALL"] = values.pop("syscall")
    user, process = read.mapping(document, "user"), read.mapping(document, "process")
    names = read.mapping(user, "name_map")
    for number, name, inner in _USERS:
        place = user if inner is None else read.mapping(user, inner)
        _put(values, number, read.text(place, "id") or read.text(user, number))
        _put(values, name, read.text(place, "name") or read.text(names, number))
    parent = read.mapping(process, "parent")
    _put(values, "pid", read.text(process, "pid"))
    _put(values, "ppid", read.text(parent, "pid") or read.text(process, "ppid"))
    _put(values, "comm", read.text(process, "name"))
    _put(values, "exe", read.text(process, "executable") or read.text(process, "exe"))
    _put(values, "ses", read.text(own, "session"))
    _put(values, "key", "\x01".join(read.texts(document, "tags")))
    source = read.mapping(document, "source")
    _put(values, "addr", read.text(source, "ip"))
    _put(values, "hostname", read.text(source, "domain"))
    return {key: text for key, text in values.items() if text != "(none)"}


def _put(values: Values, key: str, text: str | None) -> None:
    if text and text not in {"unset", "?"}:
        values.setdefault(key, text)


def _fill(kind: str, values: Values, own: Document, fields: Fields, read: Reader) -> None:
    """Tell the act as for auditd's log."""
    if kind in USER_ACTIONS:
        fields["event.outcome"] = "unknown"
        fill_who(values, fields)
        fill_user(kind, values, fields)
        return
    parts = Parts("", None, lambda path: _path(path, read))
    call = {key: values[key] for key in values if key in _CALL}
    parts.lines["SYSCALL"] = call if "SYSCALL" in values else {}
    if kind not in {"", "SYSCALL"}:
        parts.lines = {kind: values} | ({"SYSCALL": call} if "SYSCALL" in values else {})
    call["success"] = _RESULTS.get(read.text(own, "result") or "", "")
    parts.path_lines = list(read.mappings(own, "paths"))
    if parts.path_lines:
        parts.first_name = read.text(parts.path_lines[0], "name")
    fill_who(values, fields)
    fill_act(parts, kind or "SYSCALL", fields)
    _fill_unix(own, fields, read)


_RESULTS: Final = {"success": "yes", "fail": "no"}
_CALL: Final = frozenset(
    {
        *("arch", "exit", "a0", "a1", "a2", "a3", "SYSCALL", "tty", "pid", "ppid", "comm", "exe"),
        *("ses", "key", "uid", "UID", "euid", "EUID", "auid", "AUID"),
    }
)


def _path(path: Document, read: Reader) -> Values:
    found = ((key, read.text(path, key)) for key in PATH_FIELDS if key in path)
    return {key: text for key, text in found if text is not None}


def _fill_unix(own: Document, fields: Fields, read: Reader) -> None:
    data = own.get("data")
    address = data.get("socket") if isinstance(data, dict) else None
    if not isinstance(address, dict):
        return
    if path := read.text(address, "path"):
        fields["file.path"], fields["network.transport"] = path, "unix"


def _outcome(own: Document, event: Document, fields: Fields, read: Reader) -> str:
    text = read.text(event, "outcome") or read.text(own, "result") or ""
    return _OUTCOMES.get(text) or fields.get("event.outcome") or "unknown"


def _host(document: Document, read: Reader) -> str | None:
    host, agent = read.mapping(document, "host"), read.mapping(document, "agent")
    old = read.mapping(document, "beat")
    return read.text(host, "name") or read.text(agent, "hostname") or read.text(old, "hostname")


def _fill_sorted(document: Document, fields: Fields, read: Reader) -> None:
    """Fill what stands in ECS fields and is not told by the lines."""
    process = read.mapping(document, "process")
    fields["process.working_directory"] = read.text(process, "working_directory")
    if args := read.texts(process, "args"):
        fields["process.args"] = args
    elif title := read.text(process, "title"):
        fields.setdefault("process.command_line", title)
    for end in _ENDS:
        place = read.mapping(document, end)
        if address := read.text(place, "ip"):
            fields[f"{end}.ip"] = address
            fields[f"{end}.port"] = read.number(place, "port")
    fields["container.id"] = read.text(read.mapping(document, "container"), "id")
    if "kubernetes" in document:
        _fill_pod(read.mapping(document, "kubernetes"), fields, read)


def _fill_pod(place: Document, fields: Fields, read: Reader) -> None:
    """Fill what the processor add_kubernetes_metadata knows."""
    pod, container = read.mapping(place, "pod"), read.mapping(place, "container")
    fields["orchestrator.namespace"] = read.text(place, "namespace")
    if name := read.text(pod, "name"):
        fields["orchestrator.resource.type"], fields["orchestrator.resource.name"] = "pods", name
        fields["orchestrator.resource.id"] = read.text(pod, "uid")
    fields["container.name"] = read.text(container, "name")


def _identity(own: Document, kind: str, fields: Fields, read: Reader) -> tuple[str, ...] | None:
    """Return the kernel's number of the event: shippers add to a document on its way."""
    sequence, time = read.number(own, "sequence"), fields["@timestamp"]
    if sequence is None or time is None:
        return None
    pid = str(fields.get("process.pid"))
    return ("auditbeat", fields["host.name"] or "", time, str(sequence), kind, pid)
