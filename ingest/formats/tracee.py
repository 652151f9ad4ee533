"""An event or a detection of Tracee in, what was seen out; both generations of its JSON.

Separate from what its events mean (ingest/formats/tracee_acts.py): here is where each generation
keeps process, container, pod and threat.

Formats: aquasecurity/tracee types/trace/trace.go (until 0.23: ``eventName``, ``args``) and
api/v1beta1/event.proto with its own writer event_json.go (since then: ``name``, ``data``,
``workload``), docs/docs/outputs/event-structure.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from ingest.formats import clock
from ingest.formats.image_digest import image_digests
from ingest.formats.leftovers import leftovers
from ingest.formats.reader import Reader
from ingest.formats.seen import Dataset, NotThisFormatError, Seen
from ingest.formats.tracee_acts import action_of, outcome_of, tell
from ingest.formats.tracee_values import Arguments, arguments, either, plain

if TYPE_CHECKING:
    from ingest.formats.reader import Document
    from ingest.formats.seen import Around, Fields

_SEVERITIES: Final = ("INFO", "LOW", "MEDIUM", "HIGH", "CRITICAL")
"""api/v1beta1/threat.proto; numbers in one generation's JSON and in the other's metadata."""

_OLD_NUMBERS: Final = (
    ("hostProcessId", "process.pid"),
    ("hostParentProcessId", "process.parent.pid"),
)
_OLD_TEXTS: Final = (
    ("processName", "process.name"),
    ("syscall", "trailwarden.syscall"),
    ("userId", "user.id"),
    ("processEntityId", "process.entity_id"),
    ("parentEntityId", "process.parent.entity_id"),
)
_THREAD: Final = (("name", "process.name"), ("syscall", "trailwarden.syscall"))
_ENTITIES: Final = ("process.entity_id", "process.parent.entity_id")


def recognizes(document: Document) -> bool:
    """Whether a document has the members of either generation."""
    if "eventName" in document:
        return "args" in document and ("processName" in document or "processId" in document)
    return (
        "name" in document
        and "timestamp" in document
        and ("workload" in document or ("data" in document and "id" in document))
    )


def decode(document: Document, around: Around) -> list[Seen]:  # noqa: ARG001 - years are written
    """Return the one event of a record.

    Raises
        NotThisFormatError: an event without a name.
    """
    read = Reader()
    is_old = "eventName" in document
    name = read.text(document, "eventName" if is_old else "name")
    if name is None:
        raise NotThisFormatError("tracee: an event without a name")
    fields: Fields = {
        "event.dataset": Dataset.TRACEE,
        "event.provider": "tracee",
        "event.code": name,
    }
    told = (_tell_old if is_old else _tell_new)(document, fields, read)
    is_detection = "trailwarden.tool.rule" in fields
    origin, told = _origin(name, told, document, read) if is_detection else (name, told)
    syscall = fields.get("trailwarden.syscall")
    action = action_of(origin, told, is_detection=is_detection, syscall=syscall)
    code = _code(document, told, read)
    fields["event.action"] = action
    fields["event.outcome"] = outcome_of(origin, code, is_detection=is_detection)
    tell(origin, action, told, fields, read)
    left = {key: value for key, value in told.items() if value is not None}
    if origin != name:
        left["detected_from"] = origin
    fields["trailwarden.tool.fields"] = leftovers(left)
    return [Seen(fields, read.issues, None if is_old else _identity(document))]


def _identity(document: Document) -> tuple[str, ...] | None:
    """Two writers of one event may order labels and properties differently."""
    try:
        return (orjson.dumps(document, option=orjson.OPT_SORT_KEYS).decode(),)
    except (orjson.JSONEncodeError, RecursionError):
        return None


def _code(document: Document, told: Arguments, read: Reader) -> int | None:
    if "returnValue" in document:
        return read.number(document, "returnValue")
    return read.number({"returnValue": told.pop("returnValue", None)}, "returnValue")


def _origin(name: str, told: Arguments, document: Document, read: Reader) -> tuple[str, Arguments]:
    """Return the event that a detection was made from, with the arguments of both."""
    source = either(document, "detected_from")
    key = "data"
    for older in ("triggeredBy", "detectedFrom"):
        if source is None and older in told:
            source, key = told.pop(older), "args"
    if not isinstance(source, dict):
        return name, told
    return read.text(source, "name") or name, {**told, **arguments(source, key, read)}


def _tell_old(document: Document, fields: Fields, read: Reader) -> Arguments:
    """Fill the context of a trace.Event; return its arguments."""
    fields["@timestamp"] = _time(document.get("timestamp"))
    for key, column in _OLD_NUMBERS:
        fields[column] = read.number(document, key)
    if fields["process.pid"] is None:
        fields["process.pid"] = read.number(document, "processId")
    read.copy(document, _OLD_TEXTS, fields)
    for column in _ENTITIES:
        if fields.get(column) == "0":
            del fields[column]
    if document.get("executable"):
        fields["process.executable"] = read.text(read.mapping(document, "executable"), "path")
    _tell_old_place(document, fields, read)
    _tell_metadata(document, fields, read)
    return arguments(document, "args", read)


def _tell_old_place(document: Document, fields: Fields, read: Reader) -> None:
    """Fill container and pod, which the oldest records name beside the event."""
    if document.get("container") or document.get("containerId") or document.get("containerName"):
        container = read.mapping(document, "container")
        _fill_container(
            fields,
            read.text(container, "id") or read.text(document, "containerId"),
            read.text(container, "name") or read.text(document, "containerName"),
            read.text(container, "image") or read.text(document, "containerImage"),
        )
        _fill_digests(fields, [container.get("imageDigest")])
    if document.get("kubernetes") or document.get("podName"):
        pod = read.mapping(document, "kubernetes")
        _fill_pod(fields, *(read.text(pod, key) or read.text(document, key) for key in _OLD_POD))
    if fields.get("container.id") is None:  # within one it is the container's name for itself
        fields["host.name"] = read.text(document, "hostName")


_OLD_POD: Final = ("podNamespace", "podName", "podUID")


def _tell_metadata(document: Document, fields: Fields, read: Reader) -> None:
    """Fill what a signature says of itself; events have no metadata."""
    policies = read.texts(document, "matchedPolicies")
    if not document.get("metadata"):
        fields["trailwarden.tool.tags"] = policies or None
        return
    metadata = read.mapping(document, "metadata")
    properties = read.mapping(metadata, "Properties")
    rule = read.text(properties, "signatureName") or read.text(properties, "signatureID")
    if rule is None:
        fields["trailwarden.tool.tags"] = [text for text in policies if text] or None
        return
    technique, tactic = (read.text(properties, key) for key in ("external_id", "Category"))
    severity = _severity(properties.get("Severity"))
    _fill_threat(fields, rule, read.text(metadata, "Description"), severity)
    fields["trailwarden.tool.tags"] = [t for t in (technique, tactic, *policies) if t] or None


def _tell_new(document: Document, fields: Fields, read: Reader) -> Arguments:
    """Fill the context of a v1beta1 event; return its data."""
    fields["@timestamp"] = _time(document.get("timestamp"))
    workload = read.mapping(document, "workload")
    _tell_process(read.mapping(workload, "process"), fields, read)
    if workload.get("container"):
        container = read.mapping(workload, "container")
        name, image = read.text(container, "name"), read.mapping(container, "image")
        _fill_container(fields, read.text(container, "id"), name, read.text(image, "name"))
        _fill_digests(fields, read.texts(image, "repo_digests"))
    cluster = read.mapping(workload, "k8s")
    if cluster or "pod" in workload:
        pod = read.mapping(cluster if "pod" in cluster else workload, "pod")
        namespace = read.text(read.mapping(cluster, "namespace"), "name")
        _fill_pod(fields, namespace, read.text(pod, "name"), read.text(pod, "uid"))
    _tell_threat(document, fields, read)
    return arguments(document, "data", read)


def _tell_process(process: Document, fields: Fields, read: Reader) -> None:
    read.copy(read.mapping(process, "thread"), _THREAD, fields)
    fields["process.executable"] = _path(process, read)
    fields["process.pid"] = _pid(process, read)
    fields["process.entity_id"] = _text(process, "unique_id", read)
    user = "real_user" if "real_user" in process else "realUser"
    fields["user.id"] = _text(read.mapping(process, user), "id", read)
    ancestors = read.mappings(process, "ancestors")
    names = [_name(one, read) for one in ancestors]
    fields["trailwarden.process.ancestors"] = [name for name in names if name] or None
    for parent in ancestors[:1]:
        fields["process.parent.pid"] = _pid(parent, read)
        fields["process.parent.entity_id"] = _text(parent, "unique_id", read)
        fields["process.parent.executable"] = _path(parent, read)
        fields["process.parent.name"] = names[0]


def _name(process: Document, read: Reader) -> str | None:
    path = _path(process, read)
    return path.rpartition("/")[2] if path else read.text(read.mapping(process, "thread"), "name")


def _path(process: Document, read: Reader) -> str | None:
    return read.text(read.mapping(process, "executable"), "path")


def _pid(process: Document, read: Reader) -> int | None:
    for key in ("host_pid", "pid"):
        if (value := either(process, key)) is not None:
            return read.number({key: value}, key)
    return None


def _text(document: Document, key: str, read: Reader) -> str | None:
    value = either(document, key)
    return None if value is None else read.text({key: value}, key)


def _tell_threat(document: Document, fields: Fields, read: Reader) -> None:
    """Fill what a detector says of its detection."""
    tags: list[str | None] = []
    if document.get("policies"):
        tags += read.texts(read.mapping(document, "policies"), "matched")
    threat = read.mapping(document, "threat")
    if threat:
        mitre = read.mapping(threat, "mitre")
        technique = read.text(read.mapping(mitre, "technique"), "id")
        tags = [technique, read.text(read.mapping(mitre, "tactic"), "name"), *tags]
        rule = read.text(threat, "name") or read.text(document, "name") or ""
        severity = _severity(threat.get("severity"))
        _fill_threat(fields, rule, read.text(threat, "description"), severity)
    fields["trailwarden.tool.tags"] = [tag for tag in tags if tag] or None


def _fill_threat(fields: Fields, rule: str, description: str | None, severity: str | None) -> None:
    fields["trailwarden.tool.rule"], fields["message"] = rule, description
    fields["trailwarden.tool.severity"] = severity


def _severity(value: object) -> str | None:
    if type(value) is int and 0 <= value < len(_SEVERITIES):
        return _SEVERITIES[value]
    return value if isinstance(value, str) else None


def _fill_container(
    fields: Fields, container: str | None, name: str | None, image: str | None
) -> None:
    fields["container.id"] = None if container is None else container.rpartition("://")[2]
    fields["container.name"], fields["container.image.name"] = name, image


def _fill_digests(fields: Fields, references: list[Any]) -> None:
    if digests := image_digests(references):
        fields["trailwarden.pod.image_digests"] = digests


def _fill_pod(fields: Fields, namespace: str | None, pod: str | None, uid: str | None) -> None:
    fields["orchestrator.namespace"] = namespace
    if pod or uid:
        fields["orchestrator.resource.type"] = "pods"
        fields["orchestrator.resource.name"], fields["orchestrator.resource.id"] = pod, uid


def _time(value: Any) -> str | None:
    """Return the time of nanoseconds, of RFC 3339, or of protobuf's seconds and nanos."""
    if isinstance(value, int):
        return clock.from_nanoseconds(value)
    value = plain(value)
    if isinstance(value, dict):
        seconds, nanos = (Reader().number(value, key) or 0 for key in ("seconds", "nanos"))
        return clock.from_nanoseconds(seconds * 1_000_000_000 + nanos) if seconds else None
    if isinstance(value, str) and not value.isdigit():
        return clock.from_text(value)
    return clock.from_nanoseconds(value) if isinstance(value, int | str) else None
