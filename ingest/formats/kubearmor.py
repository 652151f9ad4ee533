"""One alert or log of KubeArmor in, what a process did, and whether it was let, out.

Two spellings of one record: `karmor logs --json` and the relay's standard output write the names of
the protocol (``HostName``), KubeArmor's own log file those of its Go type (``hostName``).

Sources: kubearmor/KubeArmor getting-started/kubearmor-events.md and alert_throttling.md (shape),
types/types.go (names in the file), monitor/logUpdate.go and enforcer/bpflsm (what stands in Data
and Resource), feeder/feeder.go (what is written where).

What is decided here: a uid that is left out beside a process id is 0 (the protocol leaves out
zeros); process ids are the host's; ``ClusterName`` is left out: the cluster is what the collector
says; ``container_namespace`` is what KubeArmor calls a container without a pod.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ingest.formats.clock import from_seconds, from_text
from ingest.formats.kubearmor_acts import Told, tell_act
from ingest.formats.leftovers import leftovers
from ingest.formats.reader import Reader
from ingest.formats.seen import Action, Dataset, NotThisFormatError, Seen

if TYPE_CHECKING:
    from ingest.formats.reader import Document
    from ingest.formats.seen import Around, Fields

_ODD: Final = {
    "hostPPid": "HostPPID",
    "hostPid": "HostPID",
    "ppid": "PPID",
    "pid": "PID",
    "uid": "UID",
    "atags": "ATags",
    "tty": "TTY",
}
"""Names of the file that are not the protocol's with a small first letter."""

_NO_POD: Final = "container_namespace"
_PASSED: Final = "Passed"
_UNSET: Final = frozenset((-1, 4_294_967_295))
_TEXTS: Final = (
    ("Type", "event.code"),
    ("HostName", "host.name"),
    ("PolicyName", "trailwarden.tool.rule"),
    ("Severity", "trailwarden.tool.severity"),
    ("Action", "trailwarden.tool.action"),
    ("Message", "message"),
    ("ContainerID", "container.id"),
    ("ContainerName", "container.name"),
    ("ContainerImage", "container.image.name"),
    ("TTY", "trailwarden.process.terminal"),
)
_KEPT: Final = (
    ("Data", "data"),
    ("Enforcer", "enforcer"),
)
_LIMITS: Final = (
    ("MaxAlertsPerSec", "alerts_a_second"),
    ("DroppingAlertsInterval", "dropping_s"),
)


def recognizes(document: Document) -> bool:
    """Say whether this is an alert, a log or an event of KubeArmor's own."""
    kind = document.get("Type") if "Operation" in document else None
    if kind is None and "operation" in document and "hostName" in document:
        kind = document.get("type")
    return isinstance(kind, str) and (
        kind.startswith("Matched") or kind in {"ContainerLog", "HostLog", "SystemEvent"}
    )


def decode(document: Document, _around: Around) -> list[Seen]:
    """Return the one event of a record.

    Raises
        NotThisFormatError: it says of no operation.
    """
    if "Operation" not in document:
        document = {
            _ODD.get(name) or name[:1].upper() + name[1:]: document[name] for name in document
        }
    read = Reader()
    operation = read.text(document, "Operation")
    if operation is None:
        raise NotThisFormatError("kubearmor: no operation")
    result = read.text(document, "Result")
    fields: Fields = {
        "event.dataset": Dataset.KUBEARMOR,
        "event.provider": "kubearmor",
        "event.outcome": "unknown" if result is None else _outcome(result),
        "@timestamp": _time(document, read),
    }
    read.copy(document, _TEXTS, fields)
    _read_tags(document, read, fields)
    _read_place(document, read, fields)
    told = Told(operation, read.text(document, "Resource"), _facts(document, read))
    tell_act(told, fields)
    if fields["event.action"] == Action.SENSOR_LOSS:
        fields["event.outcome"] = "unknown"
    else:
        _read_process(document, read, fields)
    fields["trailwarden.tool.fields"] = leftovers(_left(document, result, told, read))
    return [Seen(fields, read.issues)]


def _outcome(result: str) -> str:
    return "success" if result == _PASSED else "failure"


def _time(document: Document, read: Reader) -> str | None:
    time = read.text(document, "UpdatedTime")
    if time is not None:
        return from_text(time)
    return from_seconds(read.number(document, "Timestamp"))


def _read_tags(document: Document, read: Reader, fields: Fields) -> None:
    if document.get("ATags"):
        fields["trailwarden.tool.tags"] = read.texts(document, "ATags")
    elif document.get("Tags"):
        tags = read.text(document, "Tags") or ""
        fields["trailwarden.tool.tags"] = [tag for tag in tags.split(",") if tag] or None


def _read_place(document: Document, read: Reader, fields: Fields) -> None:
    if document.get("Owner"):
        owner = read.mapping(document, "Owner")
        kind, name = ("ref", "name") if "ref" in owner or "name" in owner else ("Ref", "Name")
        fields["trailwarden.workload.kind"] = read.text(owner, kind)
        fields["trailwarden.workload.name"] = read.text(owner, name)
    namespace = read.text(document, "NamespaceName")
    if namespace is None or namespace == _NO_POD:
        return
    fields["orchestrator.namespace"] = namespace
    pod = read.text(document, "PodName")
    if pod is not None:
        fields["orchestrator.resource.type"] = "pods"
        fields["orchestrator.resource.name"] = pod


def _facts(document: Document, read: Reader) -> dict[str, str]:
    """Return Data's ``key=value`` pairs by small keys; the first of a key counts.

    Data is made of what a process chose, so a pair that comes late may be a forged one. Newer
    versions say the same in EventData, made from Data and Resource (split at blanks, so that the
    commas of a lookup stay in one value): it tells only what Data does not.
    """
    data = read.text(document, "Data") or ""
    facts: dict[str, str] = {}
    for pair in data.split(" ") if data[:6] != "kfunc=" else _of_a_lookup(data):
        key, divided, value = pair.partition("=")
        if divided:
            facts.setdefault(key.lower(), value)
    if document.get("EventData"):
        said = read.mapping(document, "EventData")
        for key, value in said.items():
            if isinstance(value, str):
                facts.setdefault(key.lower(), value)
    return facts


def _of_a_lookup(data: str) -> list[str]:
    """Return the pairs of ``kfunc=,domain=,daddr=,qtype=``, first those that are certain.

    Commas may be in the name that is asked for: certain are the pairs before it and the last ones.
    """
    head, asked, tail = data.partition(",domain=")
    pairs = head.split(",")
    return [*pairs, *reversed(f"domain={tail}".split(","))] if asked else pairs


def _read_process(document: Document, read: Reader, fields: Fields) -> None:
    """Put the actor into place: of a program's start the program, else who did it."""
    pid = read.number(document, "HostPID") or read.number(document, "PID")
    parent = read.number(document, "HostPPID") or read.number(document, "PPID")
    fields["process.pid"], fields["process.parent.pid"] = pid, parent
    user = read.number(document, "UID")
    if user not in _UNSET and (user is not None or pid is not None):
        fields["user.id"] = str(user or 0)
    fields["process.executable"] = read.text(document, "ProcessName")
    starter = read.text(document, "ParentProcessName")
    if starter is not None:
        fields["process.parent.executable"] = starter
        fields["process.parent.name"] = starter.rpartition("/")[2]
    starts = fields["event.action"] == Action.PROCESS_START
    fields["process.command_line"] = read.text(document, "Resource" if starts else "Source")
    folder = read.text(document, "Cwd")
    if folder is not None:
        fields["process.working_directory"] = folder.rstrip("/") or "/"


def _left(document: Document, result: str | None, told: Told, read: Reader) -> dict[str, Any]:
    left: dict[str, Any] = {}
    read.copy(document, _KEPT, left)
    for name, short in _LIMITS:
        if name in document and (number := read.number(document, name)) is not None:
            left[short] = number
    if not told.is_spent and told.resource is not None:
        left["resource"] = told.resource
    if result is not None and result != _PASSED:
        left["result"] = result
    return left
