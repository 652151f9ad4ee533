"""Falco's fields and the columns they fill, one to one; names of an alert's fields in, layout out.

Separate from the decoder because it is a table. Names and meanings: falco.org, reference "Supported
Fields for Conditions and Outputs", and the k8smeta plugin's README (falcosecurity/plugins).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ingest.formats.reader import Document

TEXTS: Final = {
    "proc.name": "process.name",
    "proc.exepath": "process.executable",
    "proc.cmdline": "process.command_line",
    "proc.cwd": "process.working_directory",
    "proc.pname": "process.parent.name",
    "proc.pexepath": "process.parent.executable",
    "proc.pcmdline": "process.parent.command_line",
    "user.name": "user.name",
    "user.uid": "user.id",
    "user.loginname": "user.audit.name",
    "container.name": "container.name",
    "container.type": "container.runtime",
    "k8s.ns.name": "orchestrator.namespace",
    "k8smeta.ns.name": "orchestrator.namespace",
    "k8s.pod.name": "orchestrator.resource.name",
    "k8smeta.pod.name": "orchestrator.resource.name",
    "k8s.pod.uid": "orchestrator.resource.id",
    "k8smeta.pod.uid": "orchestrator.resource.id",
    "fd.sip.name": "destination.domain",
    "fd.cip.name": "source.domain",
}
"""Where two fill one column, the first that has a value does."""

NUMBERS: Final = {"proc.pid": "process.pid", "proc.ppid": "process.parent.pid"}

SPENT: Final = frozenset({"evt.time", "evt.time.iso8601", "evt.dir"})
"""Said elsewhere in the record, or of no use."""

WORKLOADS: Final = {
    "k8smeta.deployment.name": "Deployment",
    "k8s.deployment.name": "Deployment",
    "k8smeta.rs.name": "ReplicaSet",
    "k8s.rs.name": "ReplicaSet",
    "k8smeta.rc.name": "ReplicationController",
    "k8s.rc.name": "ReplicationController",
}
"""The highest first."""

CLASSES: Final = frozenset(
    {
        "evt",
        "proc",
        "thread",
        "user",
        "group",
        "container",
        "fd",
        "fdlist",
        "fs",
        "syslog",
        "k8s",
        "k8smeta",
        "ka",
        "jevt",
        "ct",
        "gcp",
        "okta",
        "github",
    }
)
"""First words of the fields that Falco and its plugins fill in; falcosidekick adds others."""

_ANCESTOR: Final = "proc.aname["
_GENERATIONS: Final = 3
"""Digits of the oldest generation that counts."""

_MOST_FIELDS: Final = 64
_MOST_CHARACTERS: Final = 4_096
"""Of all names together; more are laid out anew each time, not remembered."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the fields of an alert go, by name; `texts` and `numbers` with their columns.

    ``ancestors`` are in order, the parent first; ``own`` are those that Falco itself gives.
    """

    texts: tuple[tuple[str, str], ...]
    numbers: tuple[tuple[str, str], ...]
    ancestors: tuple[str, ...]
    others: tuple[str, ...]
    own: tuple[str, ...]


def layout_of(output: Document) -> Layout:
    """Return the layout of an alert's fields; a rule prints the same ones each time."""
    names = tuple(output)
    is_usual = len(names) <= _MOST_FIELDS and len("".join(names)) <= _MOST_CHARACTERS
    return _known(names) if is_usual else _layout(names)


def _layout(names: tuple[str, ...]) -> Layout:
    generations = {name: _generation(name) for name in names}
    ancestors = sorted((n for n in names if generations[n]), key=lambda name: generations[name])
    spent = SPENT | TEXTS.keys() | NUMBERS.keys()
    return Layout(
        texts=tuple((name, TEXTS[name]) for name in names if name in TEXTS),
        numbers=tuple((name, NUMBERS[name]) for name in names if name in NUMBERS),
        ancestors=tuple(ancestors),
        others=tuple(n for n in names if n not in spent and not n.startswith(_ANCESTOR)),
        own=tuple(n for n in names if n.partition(".")[0] in CLASSES and "[" not in n),
    )


_known = lru_cache(1_024)(_layout)


def _generation(name: str) -> int:
    """Return 2 of ``proc.aname[2]``, a process's grandparent; 0 of what is no ancestor's name."""
    number = name.removeprefix(_ANCESTOR).removesuffix("]")
    is_number = number.isascii() and number.isdigit() and len(number) <= _GENERATIONS
    return int(number) if is_number and name.startswith(_ANCESTOR) else 0
