"""An event of a machine becomes words for a sentence: who, by which program, on which file, where.

Separate from the message because machines say these things in several columns, of which each sensor
fills others: a sentence made of single columns would be full of holes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ingest.formats.seen import Dataset

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Event = Mapping[str, object]

_OF_API_SERVERS: Final = frozenset({Dataset.AUDIT, Dataset.EKS_AUTHENTICATOR})
PLACE_OF_ORIGIN: Final = "trailwarden.recalled.origin.place"
_SHORT_ID: Final = 12
"""Digits of a container's id that Docker and crictl print."""


def is_of_machine(event: Event) -> bool:
    """Return whether a machine, container or sensor said it, and no API server."""
    dataset = event.get("event.dataset")
    return dataset is not None and dataset not in _OF_API_SERVERS


def somebody(event: Event) -> str:
    """Return who is meant where no user is named."""
    uid = _text(event, "user.id")
    return f"uid {uid}" if uid else "an unknown user"


def logged_in_as(event: Event) -> str:
    """Return whose session it is, if that is somebody else: ``root`` is often only the means."""
    name = _text(event, "user.audit.name")
    return "" if name == event.get("user.name") else name


def _program(event: Event) -> str:
    names = ("process.command_line", "process.executable", "process.name")
    return next((found for name in names if (found := _text(event, name))), "an unknown program")


def _file(event: Event) -> str:
    path = _text(event, "file.path") or "(unknown)"
    target = _text(event, "file.target_path")
    return f"{path} -> {target}" if target else path


def _what(event: Event) -> str:
    program = _program(event)
    return f"{_file(event)} with {program}" if event.get("file.path") else program


def _place(event: Event) -> str:
    parts = []
    container = _text(event, "container.name") or _text(event, "container.id")[:_SHORT_ID]
    pod = _text(event, "orchestrator.resource.name")
    if container:
        parts.append(f"in container {container}")
    if pod and (container or event.get("orchestrator.resource.type") == "pods"):
        namespace = _text(event, "orchestrator.namespace")
        name = f"{namespace}/{pod}" if namespace else pod
        parts.append(f"of pod {name}" if container else f"in pod {name}")
    host = _text(event, "host.name")
    if host or not parts:
        parts.append(f"on {host}" if host else "on a machine without a name")
    image = _text(event, "container.image.name").partition("@")[0]
    if image:
        parts.append(f"({image})")  # last: it may be long, and a sentence cuts what is too long
    return " ".join(parts)


def _origin(event: Event) -> str:
    """Return the address with its place, where the site has a database that knows it."""
    address = _text(event, "source.ip") or "(unknown)"
    place = _text(event, PLACE_OF_ORIGIN)
    return f"{address} ({place})" if place else address


def _text(event: Event, column: str) -> str:
    value = event.get(column)
    return value if isinstance(value, str) else ""


WORDS: Final[Mapping[str, Callable[[Event], str]]] = {
    "file": _file,
    "origin": _origin,
    "place": _place,
    "program": _program,
    "what": _what,
}
"""What a message may name besides columns, and how it is worked out."""

READ_BY_WORDS: Final[Mapping[str, str]] = {"origin": PLACE_OF_ORIGIN}
"""Word -> a column of what is remembered that it reads, besides those that each finding has."""
