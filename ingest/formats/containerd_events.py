"""One event of containerd in, what was done to a container or an image out.

Three ways to write it: a line of `ctr events` (and of `nerdctl events`), which is time, namespace,
topic and JSON; `nerdctl events --format json`, whose ``Event`` is that JSON as a text; an envelope
whose ``Event`` is an object.

Sources: containerd/containerd cmd/ctr/commands/events/events.go (the line: a time as Go prints it),
api/events/*.proto (members; zeros are left out), containerd/nerdctl pkg/cmd/system/events.go
(``EventOut``).

What is decided here: containerd says of an exec that it was, not what it runs. ``/tasks/exit`` of
an exec is a process's end, that of the container's own process the container's. ``/images/create``
is what a pull ends in; it is the same for an import and a tag, which are not told apart.
``/tasks/create`` and ``/tasks/delete`` come beside start and exit and are something else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from ingest.formats.clock import from_nanoseconds, from_text
from ingest.formats.kubernetes_labels import read_labels
from ingest.formats.leftovers import leftovers
from ingest.formats.reader import Reader
from ingest.formats.seen import Action, Dataset, NotThisFormatError, Seen

if TYPE_CHECKING:
    from ingest.formats.reader import Document
    from ingest.formats.seen import Around, Fields

_ACTIONS: Final = {
    "/containers/create": Action.CONTAINER_CREATE,
    "/containers/delete": Action.CONTAINER_DELETE,
    "/tasks/start": Action.CONTAINER_START,
    "/tasks/exec-added": Action.CONTAINER_EXEC,
    "/tasks/exec-started": Action.CONTAINER_EXEC,
    "/images/create": Action.IMAGE_PULL,
    "/images/update": Action.IMAGE_CHANGE,
    "/images/delete": Action.IMAGE_CHANGE,
}
_EXIT: Final = "/tasks/exit"
_WORDS: Final = 7
_NANOSECONDS: Final = 1_000_000_000
_KEPT: Final = ("exec_id", "bundle", "checkpoint", "snapshot_key", "exit_reason", "key", "parent")


def recognizes(document: Document) -> bool:
    """Say whether this is an envelope of containerd's: its topic is a path."""
    topic = document.get("Topic") if "Topic" in document else document.get("topic")
    return (
        isinstance(topic, str)
        and topic.startswith("/")
        and ("Event" in document or "event" in document)
        and ("Namespace" in document or "namespace" in document)
    )


def recognizes_text(line: str) -> bool:
    """Say whether this is a line of `ctr events`."""
    if line[4:5] != "-" or line[10:11] != " ":
        return False
    words = line[:1024].split(" ", _WORDS - 1)
    return len(words) == _WORDS and words[5].startswith("/") and words[6].startswith("{")


def decode(document: Document, _around: Around) -> list[Seen]:
    """Return the one event of an envelope.

    Raises
        NotThisFormatError: it has no topic.
    """
    if "Topic" not in document:
        document = {name[:1].upper() + name[1:]: value for name, value in document.items()}
    read = Reader()
    topic = read.text(document, "Topic")
    if topic is None:
        raise NotThisFormatError("containerd: no topic")
    event = document.get("Event")
    body = _parsed(event, read) if isinstance(event, str) else read.mapping(document, "Event")
    time = document.get("Timestamp")
    when = _of_parts(time, read) if isinstance(time, dict) else read.text(document, "Timestamp")
    return [_seen(when, read.text(document, "Namespace"), topic, body, read)]


def decode_text(text: str, _around: Around) -> list[Seen]:
    """Return the one event of a line.

    Raises
        NotThisFormatError: it has fewer words than such a line.
    """
    words = text.strip().split(" ", _WORDS - 1)
    if len(words) < _WORDS:
        raise NotThisFormatError("containerd: fewer words than a line of ctr has")
    date, clock, offset, _, namespace, topic, event = words
    read = Reader()
    return [_seen(f"{date}T{clock}{offset}", namespace, topic, _parsed(event, read), read)]


def _parsed(text: str, read: Reader) -> Document | None:
    """Return the members of an event, none where there is none, None of what was cut off."""
    try:
        event = orjson.loads(text or "{}")
    except orjson.JSONDecodeError:
        event = None
    if isinstance(event, dict):
        return event
    read.issues.append("wrong-type:Event")
    return None


def _of_parts(time: Document, read: Reader) -> str | None:
    """Return the time of seconds and nanoseconds."""
    seconds, nanoseconds = read.number(time, "seconds"), read.number(time, "nanos")
    if seconds is None:
        return None
    return from_nanoseconds(seconds * _NANOSECONDS + (nanoseconds or 0))


def _seen(
    time: str | None, namespace: str | None, topic: str, body: Document | None, read: Reader
) -> Seen:
    event = {} if body is None else body
    container = read.text(event, "container_id")
    exec_id = read.text(event, "exec_id")
    if topic == _EXIT and exec_id is None and read.text(event, "id") != container:
        exec_id = read.text(event, "id")
    fields: Fields = {
        "event.dataset": Dataset.CONTAINERD.value,
        "event.provider": "containerd",
        "event.code": topic,
        "event.action": _action(topic, exec_id, body).value,
        "event.outcome": "unknown" if topic == "/tasks/oom" else "success",
        "@timestamp": from_text(time),
        "process.pid": read.number(event, "pid"),
    }
    if body is None:
        fields["event.outcome"], fields["trailwarden.truncated"] = "unknown", True
    elif topic == _EXIT:
        code = read.number(event, "exit_status") if "exit_status" in event else 0
        fields["process.exit_code"] = code
        fields["event.outcome"] = "unknown" if code is None else "failure" if code else "success"
    _read_object(topic, container, event, read, fields)
    extra: dict[str, Any] = {"namespace": namespace} if namespace is not None else {}
    extra.update({name: read.text(event, name) for name in _KEPT if name in event})
    if exec_id is not None:
        extra["exec_id"] = exec_id
    fields["trailwarden.tool.fields"] = leftovers(extra)
    is_exec = container is not None and exec_id is not None
    act = ("exec", namespace or "", container or "", exec_id or "") if is_exec else None
    return Seen(fields, read.issues, act=act)


def _action(topic: str, exec_id: str | None, event: Document | None) -> Action:
    if event is None:
        return Action.OTHER
    if topic == _EXIT:
        return Action.CONTAINER_STOP if exec_id is None else Action.PROCESS_END
    action = _ACTIONS.get(topic, Action.OTHER)
    name = event.get("name")
    if action is Action.IMAGE_PULL and isinstance(name, str) and name.startswith("sha256:"):
        return Action.IMAGE_CHANGE
    return action


def _read_object(
    topic: str, container: str | None, event: Document, read: Reader, fields: Fields
) -> None:
    if topic.startswith("/images/"):
        fields["container.image.name"] = read.text(event, "name")
        return
    if topic.startswith("/containers/"):
        container = read.text(event, "id")
        fields["container.image.name"] = read.text(event, "image")
        if event.get("labels"):
            read_labels(read.mapping(event, "labels"), read, fields)
    container = container or read.text(event, "sandbox_id")
    if container is not None:
        fields["container.id"], fields["container.runtime"] = container, "containerd"
