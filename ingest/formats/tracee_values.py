"""Arguments of a Tracee event in, name -> plain value out, however its version wrote them.

Separate because there are four ways: ``{"name", "type", "value"}`` of trace.Event;
``{"name", "value"}`` of v1beta1's own writer (api/v1beta1/event_json.go); one member named by the
type, ``{"name", "str"}`` or ``{"name", "strArray": {"value": []}}``, of protobuf's JSON; and
``{"name", "Value": {"Str"}}`` of Go's plain encoder.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ingest.formats.reader import Document, Reader

Arguments = dict[str, Any]

_META: Final = frozenset({"name", "type"})
_GO: Final = (
    "Str Int32 Int64 UInt32 UInt64 Bool StrArray Int32Array UInt64Array Sockaddr Credentials "
    "Timespec Struct Ipv4 Dns DnsQuestions DnsResponses PacketMetadata"
)
_WRAPPERS: Final = frozenset({"value", "Value", *_GO.split()})
"""Names of the one member of what wraps a value; those in capitals are Go's."""


def arguments(document: Document, key: str, read: Reader) -> Arguments:
    """Return the arguments under ``key``; what has no name is left out."""
    found: Arguments = {}
    for argument in read.mappings(document, key):
        name = argument.get("name")
        if isinstance(name, str):
            value = argument["value"] if "value" in argument else _value(argument)
            found[name] = plain(value) if isinstance(value, dict) else value
    return found


def _value(argument: Document) -> object:
    return next((value for key, value in argument.items() if key not in _META), None)


def plain(value: object) -> Any:
    """Take the wrappers off a value: ``{"value": 3}``, ``{"Str": "x"}``."""
    for _ in range(3):
        if not isinstance(value, dict) or len(value) != 1:
            return value
        (key, inner), *_ = value.items()
        if key not in _WRAPPERS:
            return value
        value = inner
    return value


def either(document: Document, name: str) -> Any:
    """Return the plain value of ``host_pid``, or of ``hostPid`` as protobuf's JSON spells it."""
    value = document[name] if name in document else document.get(_camel(name))
    return plain(value) if isinstance(value, dict) else value


@cache
def _camel(name: str) -> str:
    """Spell one of our own names as protobuf's JSON does."""
    head, *words = name.split("_")
    return head + "".join(word.title() for word in words)
