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
from ingest.formats.auditd_parts import Named, Parts
from ingest.formats.auditd_user import USER_ACTIONS, fill_user
from ingest.formats.reader import Reader
from ingest.formats.seen import Dataset, NotThisFormatError, Seen

if TYPE_CHECKING:
    from ingest.formats.reader import Document
    from ingest.formats.seen import Around, Fields

_HOSTS: Final = (("host", "name"), ("agent", "hostname"), ("beat", "hostname"))
_MODULE: Final = "auditd"
_OUTCOMES: Final = {"success": "success", "fail": "failure", "failure": "failure"}
_NOTHING: Final = frozenset({"", "<NA>", "<nil>", "null", "N/A", "unset", "?", "(none)"})
"""What Auditbeat, or a shipper of it, writes where there is nothing."""

_PROCESS: Final = (("pid", "pid"), ("comm", "name"), ("exe", "executable"), ("exe", "exe"))
_USERS: Final = (
    ("uid", "UID", None),
    ("euid", "EUID", "effective"),
    ("auid", "AUID", "audit"),
)
"""auditd's ids and names, and where Auditbeat puts them."""

_ENDS: Final = (
    ("source", "source.ip", "source.port"),
    ("destination", "destination.ip", "destination.port"),
)


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
    values: Values = {}
    for key, value in data.items():
        if type(value) is str and value not in _NOTHING:
            values[key] = value
        elif not isinstance(value, dict | list) and (text := _said(data, key, read)) is not None:
            values[key] = text
    if "syscall" in values:
        values["SYSCALL"] = values.pop("syscall")
    if "user" in document:
        _put_users(values, read.mapping(document, "user"), read)
    if "process" in document:
        _put_process(values, read.mapping(document, "process"), read)
    _put(values, "ses", own, "session", read)
    if "tags" in document and (key := "\x01".join(read.texts(document, "tags"))):
        values.setdefault("key", key)
    if "source" in document:
        source = read.mapping(document, "source")
        _put(values, "addr", source, "ip", read)
        _put(values, "hostname", source, "domain", read)
    return values


def _put_users(values: Values, user: Document, read: Reader) -> None:
    names = read.mapping(user, "name_map") if "name_map" in user else {}
    for number, name, inner in _USERS:
        place = user
        if inner is not None:
            place = read.mapping(user, inner) if inner in user else {}
        _put(values, number, place, "id", read)
        _put(values, number, user, number, read)
        _put(values, name, place, "name", read)
        _put(values, name, names, number, read)


def _put_process(values: Values, process: Document, read: Reader) -> None:
    for key, name in _PROCESS:
        _put(values, key, process, name, read)
    if "parent" in process:
        _put(values, "ppid", read.mapping(process, "parent"), "pid", read)
    _put(values, "ppid", process, "ppid", read)


def _put(values: Values, key: str, place: Document, name: str, read: Reader) -> None:
    """Lay what ``place`` calls ``name``, unless there is nothing, or the field is there already."""
    if name in place and key not in values and (text := _said(place, name, read)) is not None:
        values[key] = text


def _said(place: Document, name: str, read: Reader) -> str | None:
    text = place[name]
    if type(text) is not str:
        text = read.text(place, name)
    return None if text in _NOTHING else text


def _fill(kind: str, values: Values, own: Document, fields: Fields, read: Reader) -> None:
    """Tell the act as for auditd's log."""
    fill_who(values, fields)
    if kind in USER_ACTIONS:
        fields["event.outcome"] = "unknown"
        fill_user(kind, values, fields)
        return
    parts = Parts("", None, lambda path: _name(path, read), lambda path: _path(path, read))
    if kind not in {"", "SYSCALL"}:
        parts.lines[kind] = values
    if "SYSCALL" in values:
        parts.lines["SYSCALL"] = values
        values["success"] = _RESULTS.get(read.text(own, "result") or "", "")
    elif not parts.lines:
        parts.lines["SYSCALL"] = {}
    if "paths" in own:
        parts.path_lines = list(read.mappings(own, "paths"))
        parts.first_name = _name(parts.path_lines[0], read).name if parts.path_lines else None
    fill_act(parts, kind or "SYSCALL", fields)
    _fill_unix(own, fields, read)


_RESULTS: Final = {"success": "yes", "fail": "no"}


def _name(path: Document, read: Reader) -> Named:
    kind = read.text(path, "nametype") or read.text(path, "objtype") or ""
    return Named(read.text(path, "name"), kind, path)


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
    for key, name in _HOSTS:
        if key in document and (found := read.text(read.mapping(document, key), name)):
            return found
    return None


def _fill_sorted(document: Document, fields: Fields, read: Reader) -> None:
    """Fill what stands in ECS fields and is not told by the lines."""
    if isinstance(process := document.get("process"), dict):
        fields["process.working_directory"] = read.text(process, "working_directory")
        if args := read.texts(process, "args"):
            fields["process.args"] = args
        elif title := read.text(process, "title"):
            fields.setdefault("process.command_line", title)
    for end, address_column, port_column in _ENDS:
        if end in document and (address := read.text(place := read.mapping(document, end), "ip")):
            fields[address_column] = address
            fields[port_column] = read.number(place, "port")
    if "container" in document:
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
