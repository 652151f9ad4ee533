"""What a sensor leaves open about a process is worked out: names, words, what is hidden in them.

Separate from the decoders because it is the same for all of them, and because it costs more than
they do: command lines recur, so each is worked out once.
"""

from __future__ import annotations

import shlex
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson

from ingest.facets.command import decode_command
from ingest.facets.package import package_facet
from ingest.formats.image_digest import image_digest
from ingest.redact.command import redact_args

if TYPE_CHECKING:
    from ingest.formats.seen import Fields
    from ingest.redact.token import Redactor

_LINE: Final = "process.command_line"
_ARGS: Final = "process.args"
_PARENT_LINE: Final = "process.parent.command_line"
_REPEATING: Final = ("message", "trailwarden.tool.fields")
"""Texts in which tools repeat the command line as they got it."""

_NAMES: Final = (
    ("process.executable", "process.name"),
    ("process.parent.executable", "process.parent.name"),
)
_LONG: Final = 1_024
"""Characters of a command line that is remembered; longer ones do not recur, and 4,096 of them must
not fill a worker's memory: with what is worked out of each about 30 MB."""

_SPLIT_MAX: Final = 65_536


class Command(NamedTuple):
    """One command line: its words and itself, redacted, what it hides, and what it installs."""

    args: tuple[str, ...]
    line: str
    decoded: str
    package: tuple[tuple[str, object], ...]


def complete(fields: Fields, redactor: Redactor) -> Fields:
    """Return the fields of an event with what follows from them; changes what it is given."""
    if fields.get("orchestrator.resource.type") == "pods":
        _complete_pod(fields)
    for path, name in _NAMES:
        if (executable := fields.get(path)) and not fields.get(name):
            fields[name] = executable.rpartition("/")[2] or executable
    args, line = fields.get(_ARGS), fields.get(_LINE)
    if args or line:
        raw: str = line or " ".join(args or ())
        words = tuple(args) if args else None
        command = (_known if len(raw) <= _LONG else _command)(raw, words, redactor)
        fields[_ARGS], fields[_LINE] = list(command.args), command.line
        fields["trailwarden.exec.decoded"] = command.decoded
        fields.update(command.package)
        if command.line != raw:
            _repeat(fields, raw, command.line)
    if parent := fields.get(_PARENT_LINE):
        command = (_known if len(parent) <= _LONG else _command)(parent, None, redactor)
        fields[_PARENT_LINE] = command.line
        if command.line != parent:
            _repeat(fields, parent, command.line)
    return fields


def _complete_pod(fields: Fields) -> None:
    """Name the pod, and the image that runs in it, by what does not change as long as it runs."""
    fields["trailwarden.pod.uid"] = fields.get("orchestrator.resource.id")
    digest = image_digest(fields.get("container.image.name"))
    if digest is not None:
        fields.setdefault("trailwarden.pod.image_digests", [digest])


def _command(line: str, args: tuple[str, ...] | None, redactor: Redactor) -> Command:
    words = list(args) if args else _words(line)
    redacted = redact_args(words, redactor)
    if redacted != words:
        line = " ".join(redacted)
    package = package_facet(redacted)
    return Command(tuple(redacted), line, decode_command(redacted), tuple(package.items()))


_known = lru_cache(4_096)(_command)


def _words(line: str) -> list[str]:
    """Split a command line as a shell would, or at its blanks where that cannot be done."""
    if len(line) > _SPLIT_MAX or not any(mark in line for mark in "'\"\\"):
        return line.split()
    try:
        return shlex.split(line)
    except ValueError:
        return line.split()


def _repeat(fields: Fields, raw: str, redacted: str) -> None:
    """Take out of a tool's own words what its command line lost."""
    for name in _REPEATING:
        if text := fields.get(name):
            text = text.replace(raw, redacted)
            fields[name] = text.replace(_escaped(raw), _escaped(redacted))


def _escaped(text: str) -> str:
    return orjson.dumps(text.encode(errors="replace").decode())[1:-1].decode()
