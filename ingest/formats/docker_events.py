"""One event of the Docker engine in, what was done to a container, an image or a volume out.

As `docker events --format json` and the engine's API write it. Members ``status``, ``id`` and
``from`` repeat others and are gone since API 1.52; they are not read.

Sources: moby/moby api/types/events/events.go (shape), daemon/exec.go and daemon/monitor.go (the
command behind ``exec_create:``, ``exitCode``), docker/cli docs/reference/commandline/
system_events.md (actions), Docker's "Engine API version history"; labels of Kubernetes' containers
are attributes (dockershim and cri-dockerd, ``io.kubernetes.*``).

What is decided here: ``die`` is the end of a container; ``kill`` is a signal and ``stop`` follows
``die``, so both are something else. The engine tells what it has done, so an outcome is a success
but where an exit code says otherwise. No event names the host but the daemon's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ingest.formats.clock import from_nanoseconds, from_seconds
from ingest.formats.kubernetes_labels import read_labels
from ingest.formats.leftovers import leftovers
from ingest.formats.reader import Reader
from ingest.formats.seen import Action, Dataset, NotThisFormatError, Seen

if TYPE_CHECKING:
    from ingest.formats.reader import Document
    from ingest.formats.seen import Around, Fields

_ACTIONS: Final = {
    ("container", "create"): Action.CONTAINER_CREATE,
    ("container", "start"): Action.CONTAINER_START,
    ("container", "die"): Action.CONTAINER_STOP,
    ("container", "destroy"): Action.CONTAINER_DELETE,
    ("container", "exec_create"): Action.CONTAINER_EXEC,
    ("container", "exec_start"): Action.CONTAINER_EXEC,
    ("container", "exec_die"): Action.PROCESS_END,
    ("container", "commit"): Action.IMAGE_CHANGE,
    ("image", "pull"): Action.IMAGE_PULL,
    ("image", "create"): Action.IMAGE_CHANGE,
    ("image", "delete"): Action.IMAGE_CHANGE,
    ("image", "import"): Action.IMAGE_CHANGE,
    ("image", "load"): Action.IMAGE_CHANGE,
    ("image", "prune"): Action.IMAGE_CHANGE,
    ("image", "tag"): Action.IMAGE_CHANGE,
    ("image", "untag"): Action.IMAGE_CHANGE,
    ("volume", "mount"): Action.MOUNT,
}
_COMMANDS: Final = frozenset(("exec_create", "exec_start"))
_UNSURE: Final = frozenset(("oom", "health_status"))
_ENDS: Final = frozenset(("die", "exec_die"))
_KEPT: Final = ("driver", "propagation", "read/write", "type", "imageID", "comment")
_KEPT_OF_CONTAINERS: Final = {
    "exec_create": ("execID",),
    "exec_start": ("execID",),
    "exec_detach": ("execID",),
    "exec_die": ("execID",),
    "kill": ("signal",),
    "rename": ("oldName",),
    "commit": ("comment", "imageID"),
}
"""Attributes that are the engine's own; the others are labels, which anybody may set.

The engine lays a container's labels over all of them but name and image (moby/moby daemon/
events.go, copyAttributes), so each counts only of an event that has it."""


def _kept(kind: str, name: str) -> tuple[str, ...]:
    return _KEPT_OF_CONTAINERS.get(name, ()) if kind == "container" else _KEPT


def recognizes(document: Document) -> bool:
    """Say whether this is an event of the Docker engine: it has an actor that acts."""
    return (
        "Actor" in document
        and "Action" in document
        and "Type" in document
        and isinstance(document["Actor"], dict)
    )


def decode(document: Document, _around: Around) -> list[Seen]:
    """Return the one event of a record.

    Raises
        NotThisFormatError: it says neither of what nor what was done.
    """
    read = Reader()
    kind, said = read.text(document, "Type"), read.text(document, "Action")
    if kind is None or said is None:
        raise NotThisFormatError("docker: no type or no action")
    name, _, detail = said.partition(": ")
    actor = read.mapping(document, "Actor")
    attributes = read.mapping(actor, "Attributes")
    action = _ACTIONS.get((kind, name), Action.OTHER)
    fields: Fields = {
        "event.dataset": Dataset.DOCKER,
        "event.provider": "docker",
        "event.code": name,
        "event.action": action,
        "event.outcome": "unknown" if name in _UNSURE else "success",
        "@timestamp": _time(document, read),
    }
    extra: dict[str, Any] = {"type": kind} if action is Action.OTHER else {}
    _read_actor(kind, read.text(actor, "ID"), attributes, read, fields)
    if name in _ENDS and "exitCode" in attributes:
        code = fields["process.exit_code"] = read.number(attributes, "exitCode")
        fields["event.outcome"] = "unknown" if code is None else "failure" if code else "success"
    if name in _COMMANDS:
        fields["process.command_line"] = detail.strip() or None
    elif detail:
        extra["detail"] = detail
    kept = ((key, read.text(attributes, key)) for key in _kept(kind, name) if key in attributes)
    extra.update({key: value for key, value in kept if value is not None})
    fields["trailwarden.tool.fields"] = leftovers(extra)
    return [Seen(fields, read.issues, act=_act(fields, extra))]


def _time(document: Document, read: Reader) -> str | None:
    nanoseconds = read.number(document, "timeNano")
    if nanoseconds is not None:
        return from_nanoseconds(nanoseconds)
    return from_seconds(read.number(document, "time"))


def _read_actor(
    kind: str, identity: str | None, attributes: Document, read: Reader, fields: Fields
) -> None:
    name = read.text(attributes, "name")
    if kind == "container":
        fields["container.runtime"] = "docker"
        fields["container.id"], fields["container.name"] = identity, name
        fields["container.image.name"] = read.text(attributes, "image")
        read_labels(attributes, read, fields)
    elif kind == "image":
        is_digest = identity is None or identity.startswith("sha256:")
        fields["container.image.name"] = (name or identity) if is_digest else identity
    elif kind == "daemon":
        fields["host.name"] = name
    elif "container" in attributes:
        fields["container.runtime"] = "docker"
        fields["container.id"] = read.text(attributes, "container")
    if kind == "volume":
        fields["file.path"] = read.text(attributes, "destination")


def _act(fields: Fields, extra: dict[str, Any]) -> tuple[str, ...] | None:
    """Return what creation, start and end of one exec have in common."""
    container, exec_id = fields.get("container.id"), extra.get("execID")
    return None if container is None or exec_id is None else ("exec", container, exec_id)
