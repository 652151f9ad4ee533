"""An alert of Falco in, what it is about out; also as falcosidekick forwards it.

Separate because Falco's fields are those that each rule prints, and nothing else: an event has what
its rule's author thought of.

Formats: falcosecurity/falco userspace/engine/formats.cpp (alerts), falco_outputs.cpp and
event_drops.cpp (its own messages, source `internal`); falcosecurity/falcosidekick handlers.go and
types/types.go (`uuid`, custom fields, sorted tags, texts over 512 bytes cut); fs.path.*:
falco.org, "Accessing File System Paths in Falco Rules".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from ingest.formats import clock
from ingest.formats.falco_act import Rest, take, tell_act
from ingest.formats.falco_columns import WORKLOADS, layout_of
from ingest.formats.image_digest import image_digest
from ingest.formats.leftovers import leftovers
from ingest.formats.reader import Reader
from ingest.formats.seen import Action, Dataset, NotThisFormatError, Seen

if TYPE_CHECKING:
    from ingest.formats.falco_columns import Layout
    from ingest.formats.reader import Document
    from ingest.formats.seen import Around, Fields

_SYSCALLS: Final = frozenset({None, "syscall", "syscalls"})
"""Values of `source` that are system calls; falcosidekick puts the plural for none."""

_TEXTS: Final = (("hostname", "host.name"), ("priority", "trailwarden.tool.severity"))
_INTERNAL: Final = "Falco internal: "
_LOSSES: Final = frozenset({"syscall event drop", "timeouts notification"})
_NO_CONTAINER: Final = "host"
_NOBODY: Final = frozenset({"-1", "4294967295"})
_NOTHING: Final = ("", "<NA>")
"""Falco's words for nothing. A process may well be named `null`."""

_PARENT: Final = "proc.aname[1]"

_CERTAIN_CHARACTERS: Final = 126
"""falcosidekick cuts at 507 bytes; so many characters are no more in UTF-8."""


def recognizes(document: Document) -> bool:
    """Whether a document has the members that Falco always writes."""
    return (
        "rule" in document
        and "priority" in document
        and ("output_fields" in document or "output" in document or "message" in document)
    )


def decode(document: Document, around: Around) -> list[Seen]:  # noqa: ARG001 - Falco writes years
    """Return the one event of an alert.

    Raises
        NotThisFormatError: neither a rule nor any field nor a text.
    """
    read = Reader()
    output = read.mapping(document, "output_fields")
    rule = read.text(document, "rule")
    message = read.text(document, "message") or read.text(document, "output")
    if not rule and not output and not message:
        raise NotThisFormatError("falco: no rule, no fields, no text")
    fields: Fields = {
        "event.dataset": Dataset.FALCO,
        "event.provider": "falco",
        "event.action": Action.ALERT,
        "event.outcome": "unknown",
        "@timestamp": _time(document, output, read),
        "message": message,
        "trailwarden.tool.rule": rule,
        "trailwarden.tool.tags": read.texts(document, "tags") or None,
    }
    read.copy(document, _TEXTS, fields)
    layout = layout_of(output)
    identity = _identity(fields, output, layout.own)
    rest = _spread(output, layout, fields, read)
    source = read.text(document, "source")
    if rule is not None and rule[: len(_INTERNAL)] == _INTERNAL:
        _tell_of_itself(rule, rest, fields)
    else:
        tell_act(rest, fields, read, is_syscall=source in _SYSCALLS)
    if source not in _SYSCALLS:
        rest.setdefault("source", source)
    fields["trailwarden.tool.fields"] = leftovers(rest)
    return [Seen(fields, read.issues, identity)]


def _time(document: Document, output: Document, read: Reader) -> str | None:
    time = read.text(document, "time")
    if time is not None:
        return clock.from_text(time)
    value = output.get("evt.time", output.get("evt.time.iso8601"))
    return clock.from_nanoseconds(value) if isinstance(value, int | str) else None


def _identity(fields: Fields, output: Document, names: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return what Falco's and falcosidekick's delivery of one alert have in common.

    That is time, rule, host and the fields of Falco's own names, as far as no text of them is cut.
    Not the same are deliveries where falcosidekick's custom fields have names of Falco's classes.
    """
    own = {
        key: value[:_CERTAIN_CHARACTERS] if type(value) is str else value
        for key in names
        if (value := output[key]) is not None
    }
    try:
        told = orjson.dumps(own, option=orjson.OPT_SORT_KEYS).decode()
    except (orjson.JSONEncodeError, RecursionError):
        return None
    words = "" if output else fields["message"] or ""
    rule, host = fields["trailwarden.tool.rule"] or "", fields.get("host.name") or ""
    return (fields["@timestamp"] or "", rule, host, told, words)


def _spread(output: Document, layout: Layout, fields: Fields, read: Reader) -> Rest:
    """Fill the columns that one field fills; return the fields that are left."""
    for key, column in layout.texts:
        value = output[key]
        text = value if type(value) is str else read.text(output, key)
        if text is not None and text not in _NOTHING and column not in fields:
            fields[column] = text
    for key, column in layout.numbers:
        fields[column] = read.number(output, key)
    others = ((key, output[key]) for key in layout.others)
    rest = {key: value for key, value in others if value is not None and value not in _NOTHING}
    _complete_process(fields, _ancestors(output, layout, fields), rest, read)
    _complete_place(fields, rest, read)
    return rest


def _ancestors(output: Document, layout: Layout, fields: Fields) -> list[str]:
    """Return the names of the processes above this one, the nearest first."""
    names = [name for key in layout.ancestors if type(name := output[key]) is str]
    parent = fields.get("process.parent.name")
    if parent is not None and layout.ancestors[:1] != (_PARENT,):
        names.insert(0, parent)
    return [name for name in names if name not in _NOTHING]


def _complete_process(fields: Fields, ancestors: list[str], rest: Rest, read: Reader) -> None:
    """Fill what the process is beside its own fields."""
    if ancestors:
        fields["trailwarden.process.ancestors"] = ancestors
    if "proc.tty" in rest and (terminal := take(rest, read, "proc.tty")) != "0":
        fields["trailwarden.process.terminal"] = terminal
    if "user.loginuid" in rest and (login := take(rest, read, "user.loginuid")) not in _NOBODY:
        fields["user.audit.id"] = login


def _complete_place(fields: Fields, rest: Rest, read: Reader) -> None:
    """Fill container, pod and workload; `host` is Falco's word for no container."""
    container = take(rest, read, "container.id")
    if container == _NO_CONTAINER:
        for column in ("container.name", "container.runtime"):
            fields.pop(column, None)
    elif container is not None:
        fields["container.id"] = container.rpartition("://")[2]
    if image := _image(rest, read):
        fields["container.image.name"] = image
    if digest := image_digest(rest.get("container.image.digest")):
        del rest["container.image.digest"]
        fields["trailwarden.pod.image_digests"] = [digest]
    if "orchestrator.resource.name" in fields or "orchestrator.resource.id" in fields:
        fields["orchestrator.resource.type"] = "pods"
    if WORKLOADS.keys().isdisjoint(rest):
        return
    for key, kind in WORKLOADS.items():
        if name := take(rest, read, key):
            fields["trailwarden.workload.kind"], fields["trailwarden.workload.name"] = kind, name
            return


def _image(rest: Rest, read: Reader) -> str | None:
    repository = take(rest, read, "container.image.repository")
    tag = take(rest, read, "container.image.tag")
    image = f"{repository}:{tag}" if repository and tag else repository
    return image or take(rest, read, "container.image")


def _tell_of_itself(rule: str, rest: Rest, fields: Fields) -> None:
    """Fill what Falco says of its own health."""
    kind = rule.removeprefix(_INTERNAL)
    lost = Reader().number(rest, "n_drops")
    if kind == "metrics snapshot":
        now, before = (Reader().number(rest, f"scap.n_drops{end}") for end in ("", "_prev"))
        lost = now - before if now is not None and before is not None and now > before else None
    is_loss = kind in _LOSSES or bool(lost)
    fields["event.action"] = Action.SENSOR_LOSS if is_loss else Action.OTHER
    fields["trailwarden.sensor.lost"] = lost if is_loss else None
