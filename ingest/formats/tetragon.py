"""One event of Tetragon's export (JSON, one a line) becomes what a process did on a machine.

Source: the protocol and its reference (cilium/tetragon api/v1/tetragon/{tetragon,events}.proto,
docs reference/grpc-api.md), its encoder (pkg/encoder: protojson with ``UseProtoNames``, so names
are in snake case; zero values are left out, 64-bit integers are texts) and docs
concepts/cgroup-rate.md for throttling. Who converts the gRPC stream by protojson's defaults gets
camel case, which is accepted, too.

What is decided here:

* ``process_exec`` with the flag ``procFS`` is a process that ran before Tetragon did: no start.
* ``arguments`` is one text in which an argument with a blank stands in double quotes and nothing is
  escaped; it is handed on as it is, behind the binary.
* ``docker`` holds the first 31 characters of a container's id; the pod's own id is preferred.
* ``cluster_name`` and ``node_labels`` are left out: the cluster is what the collector says.
* A throttle says that events of a control group are no longer posted: a loss. Its end is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ingest.formats.clock import from_text
from ingest.formats.leftovers import leftovers
from ingest.formats.reader import Reader
from ingest.formats.seen import Action, Dataset, NotThisFormatError, Seen
from ingest.formats.tetragon_hooks import read_hook
from ingest.formats.tetragon_process import read_process

if TYPE_CHECKING:
    from collections.abc import Callable

    from ingest.formats.reader import Document
    from ingest.formats.seen import Around, Fields

_KINDS: Final = (
    "process_exec",
    "process_exit",
    "process_kprobe",
    "process_lsm",
    "process_tracepoint",
    "process_uprobe",
    "process_usdt",
    "process_loader",
    "process_throttle",
    "rate_limit_info",
)
_CAMEL: Final = frozenset(
    first + rest.title().replace("_", "") for first, _, rest in (k.partition("_") for k in _KINDS)
)
_NAMES: Final = frozenset((*_KINDS, *_CAMEL))
_DEEPEST: Final = 8
"""Levels of a camel-case record that are read; the members used are at most six deep."""

_HEX: Final = frozenset("0123456789abcdef")
_ID_LENGTH: Final = 64


def recognizes(document: Document) -> bool:
    """Say whether this is an event of Tetragon's: one of its kinds is a member and an object."""
    if _NAMES.isdisjoint(document) or "auditID" in document:
        return False
    return any(isinstance(document[name], dict) for name in _NAMES.intersection(document))


def decode(document: Document, _around: Around) -> list[Seen]:
    """Return the one event of a record.

    Raises
        NotThisFormatError: no kind of Tetragon's is there, or the kind says nothing at all.
    """
    if _NAMES.isdisjoint(document):
        raise NotThisFormatError("no event of Tetragon's")
    if not _CAMEL.isdisjoint(document):
        document = _snake(document, _DEEPEST)
    for kind in _KINDS:
        body = document.get(kind)
        if body and isinstance(body, dict):
            return [_seen(document, kind, body)]
    raise NotThisFormatError("an event of Tetragon's that says nothing")


def _seen(document: Document, kind: str, body: Document) -> Seen:
    read = Reader()
    time = read.text(document, "time")
    fields: Fields = {
        "event.dataset": Dataset.TETRAGON,
        "event.provider": "tetragon",
        "event.code": kind,
        "event.outcome": "success",
        "@timestamp": from_text(time),
        "host.name": read.text(document, "node_name"),
    }
    extra: dict[str, Any] = {}
    if "process" in body:
        read_process(body, read, fields, extra)
    _READERS[kind](body, read, fields, extra)
    counted = document.get("aggregation_info")
    if counted:
        extra["aggregation_info"] = counted
    fields["trailwarden.tool.fields"] = leftovers(extra)
    return Seen(fields, read.issues, act=_act(kind, fields))


def _act(kind: str, fields: Fields) -> tuple[str, ...] | None:
    """Return what all events of one act have in common.

    An act is a process's start, its end, or what one hook saw it do to one thing: a file is read by
    many calls.
    """
    process = fields.get("process.entity_id")
    if process is None:
        return None
    if kind in {"process_exec", "process_exit"}:
        return (process, kind)
    path, address = fields.get("file.path"), fields.get("destination.ip")
    if path is None and address is None:
        return None
    return (
        process,
        kind,
        fields["event.code"],
        fields["event.action"],
        str(path),
        str(fields.get("file.target_path")),
        str(address),
        str(fields.get("destination.port")),
    )


def _read_exec(_body: Document, _read: Reader, fields: Fields, extra: dict[str, Any]) -> None:
    ran_before = "procFS" in extra.get("flags", "").split()
    fields["event.action"] = Action.OTHER if ran_before else Action.PROCESS_START


def _read_exit(body: Document, read: Reader, fields: Fields, extra: dict[str, Any]) -> None:
    fields["event.action"] = Action.PROCESS_END
    signal = read.text(body, "signal")
    status = read.number(body, "status") if "status" in body else 0
    if signal is None:
        fields["process.exit_code"] = status
        fields["event.outcome"] = "unknown" if status is None else _outcome(status)
    else:
        extra["signal"], fields["event.outcome"] = signal, "failure"
    time = fields["@timestamp"] = fields["@timestamp"] or from_text(read.text(body, "time"))
    begun = read.text(read.mapping(body, "process"), "start_time")
    if begun is not None and time is not None:
        fields["event.start"], fields["event.end"] = from_text(begun), time


def _outcome(status: int) -> str:
    return "failure" if status else "success"


def _read_loader(body: Document, read: Reader, fields: Fields, extra: dict[str, Any]) -> None:
    fields["event.action"] = Action.FILE_OPEN
    fields["file.path"] = read.text(body, "path")
    fields["trailwarden.file.access"] = ["read"]
    build = read.text(body, "buildid")
    if build is not None:
        extra["buildid"] = build


def _read_throttle(body: Document, read: Reader, fields: Fields, extra: dict[str, Any]) -> None:
    what, group = read.text(body, "type"), read.text(body, "cgroup")
    fields["event.outcome"] = "unknown"
    ended = what == "THROTTLE_STOP"
    fields["event.action"] = Action.OTHER if ended else Action.SENSOR_LOSS
    extra["type"], extra["cgroup"] = what, group
    if group is not None:
        name = group.removesuffix(".scope").rpartition("-")[2]
        if len(name) == _ID_LENGTH and _HEX.issuperset(name):
            fields["container.id"] = name


def _read_rate_limit(body: Document, read: Reader, fields: Fields, _extra: dict[str, Any]) -> None:
    fields["event.action"], fields["event.outcome"] = Action.SENSOR_LOSS, "unknown"
    fields["trailwarden.sensor.lost"] = read.number(body, "number_of_dropped_process_events")


_READERS: Final[dict[str, Callable[[Document, Reader, Fields, dict[str, Any]], None]]] = {
    "process_exec": _read_exec,
    "process_exit": _read_exit,
    "process_kprobe": read_hook,
    "process_lsm": read_hook,
    "process_tracepoint": read_hook,
    "process_uprobe": read_hook,
    "process_usdt": read_hook,
    "process_loader": _read_loader,
    "process_throttle": _read_throttle,
    "rate_limit_info": _read_rate_limit,
}


def _snake(value: Any, levels: int) -> Any:
    """Return a copy whose members are named in snake case; below ``levels`` nothing is renamed."""
    if not levels:
        return value
    if isinstance(value, list):
        return [_snake(element, levels - 1) for element in value]
    if not isinstance(value, dict):
        return value
    return {_snake_name(name): _snake(within, levels - 1) for name, within in value.items()}


def _snake_name(name: str) -> str:
    if name.islower() or not name[:1].islower():
        return name
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
