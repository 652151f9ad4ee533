"""Members of an envelope become typed values, at the speed of a typed decoder where all is well.

Separate from the clouds because all their envelopes are read alike: a wrong type costs a member and
is named, a list of a million nothings costs no memory, and nothing raises.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import msgspec
from msgspec import Raw
from msgspec.structs import fields

from ingest.formats.lenient import well_formed

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T", bound=msgspec.Struct)

NOTHING: Final = Raw()
"""A member that is not there."""

UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

MAX_ITEMS: Final = 20_000
"""Records in one envelope: PutLogEvents takes 10,000 log events, an Event Hub's batch is 1 MB."""

MAX_COMMAS: Final = 2_000_000
"""Bounds what a list takes before its length is known; 32 MB of audit events have 1.5 million."""

_INT64: Final = 2**63
_DIGITS: Final = 18

_decode_text = msgspec.json.Decoder(str).decode
_decode_members = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_list = msgspec.json.Decoder(list[Raw]).decode


class Top(msgspec.Struct, gc=False):
    """The members that tell an envelope of any cloud, unparsed: one look at a record for all.

    With them what tells the API server's events and GKE's entries from everything else.
    """

    auditID: Raw = NOTHING  # noqa: N815 - spelled as in the record
    kind: Raw = NOTHING
    apiVersion: Raw = NOTHING  # noqa: N815 - spelled as in the record
    stage: Raw = NOTHING
    protoPayload: Raw = NOTHING  # noqa: N815 - spelled as in the record
    proto_payload: Raw = NOTHING
    messageType: Raw = NOTHING  # noqa: N815 - spelled as in the record
    message_type: Raw = NOTHING
    owner: Raw = NOTHING
    logGroup: Raw = NOTHING  # noqa: N815 - spelled as in the record
    log_group: Raw = NOTHING
    logStream: Raw = NOTHING  # noqa: N815 - spelled as in the record
    log_stream: Raw = NOTHING
    logStreamName: Raw = NOTHING  # noqa: N815 - spelled as in the record
    logEvents: Raw = NOTHING  # noqa: N815 - spelled as in the record
    log_events: Raw = NOTHING
    events: Raw = NOTHING
    message: Raw = NOTHING
    ingestionTime: Raw = NOTHING  # noqa: N815 - spelled as in the record
    timestamp: Raw = NOTHING
    aws: Raw = NOTHING
    awslogs: Raw = NOTHING
    Records: Raw = NOTHING
    records: Raw = NOTHING
    receivedMessages: Raw = NOTHING  # noqa: N815 - spelled as in the record
    subscription: Raw = NOTHING
    category: Raw = NOTHING
    resourceId: Raw = NOTHING  # noqa: N815 - spelled as in the record
    searchedLogStreams: Raw = NOTHING  # noqa: N815 - spelled as in the record
    nextForwardToken: Raw = NOTHING  # noqa: N815 - spelled as in the record


@dataclass(slots=True)
class Elements(Generic[T]):
    """The elements of a list, None for what is no object; ``issues`` by their number."""

    values: list[T | None]
    issues: dict[int, tuple[str, ...]] = field(default_factory=dict)


def text_of(raw: Raw) -> str | None:
    """Return a text, None for anything else; what is no UTF-8 or code point in it is replaced."""
    if not raw:
        return None
    try:
        return _decode_text(raw)
    except UNREADABLE:
        text = bytes(raw)
    found: str | None = _mended(text, _decode_text, []) if text.startswith(b'"') else None
    return found


def typed(raw: Raw | bytes, type_: type[T]) -> tuple[T | None, tuple[str, ...]]:
    """Return an object, without the members that are of a wrong type; None for no object.

    Also returns what was wrong, as ``wrong-type:<member>``, ``not-utf-8`` or ``malformed-json``.
    """
    decode, decoders = _decoders(type_)
    try:
        return decode(raw), ()
    except UNREADABLE:
        pass
    try:
        members = _decode_members(raw)
    except UNREADABLE:
        return None, ()
    values: dict[str, Any] = {}
    issues: list[str] = []
    for name in decoders.keys() & members.keys():
        try:
            values[name] = decoders[name](members[name])
        except UNREADABLE:
            found = _mended(bytes(members[name]), decoders[name], issues)
            if found is None:
                issues.append(f"wrong-type:{name}")
            else:
                values[name] = found
    return type_(**values), tuple(sorted(issues))


def parts_of(raw: Raw) -> list[Raw] | None:
    """Return the elements of a list, unparsed; None for no list, or one of too many."""
    if bytes(raw).count(b",") > MAX_COMMAS:
        return None
    try:
        parts = _decode_list(raw)
    except UNREADABLE:
        return None
    return parts if len(parts) <= MAX_ITEMS else None


def elements(raw: Raw, type_: type[T]) -> Elements[T] | None:
    """Return the objects of a list; None where it is no list, or has too many elements."""
    if bytes(raw).count(b",") > MAX_COMMAS:
        return None
    try:
        values: list[T | None] = list(_list_decoder(type_)(raw))
        return Elements(values) if len(values) <= MAX_ITEMS else None
    except UNREADABLE:
        parts = parts_of(raw)
    if parts is None:
        return None
    found = [typed(part, type_) for part in parts]
    issues = {number: wrong for number, (_, wrong) in enumerate(found) if wrong}
    return Elements([value for value, _ in found], issues)


def _mended(raw: bytes, decode: Callable[[Any], Any], issues: list[str]) -> Any:
    """Decode what only lenient parsers take; None where that does not help either."""
    wrong: list[str] = []
    try:
        found = decode(well_formed(raw, wrong))
    except UNREADABLE:
        return None
    issues += wrong
    return found


def milliseconds(value: object) -> int | None:
    """Return a time as milliseconds since 1970: a number, digits, or RFC 3339; None for no time."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if 0 <= value < _INT64 else None
    if not isinstance(value, str):
        return None
    if value.isascii() and value.isdigit() and len(value) <= _DIGITS:
        return int(value)
    try:
        time = datetime.fromisoformat(value)
        return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


@cache
def _decoders(type_: type[T]) -> tuple[Callable[[Any], T], dict[str, Callable[[Any], Any]]]:
    members = {one.name: msgspec.json.Decoder(one.type).decode for one in fields(type_)}
    return msgspec.json.Decoder(type_).decode, members


@cache
def _list_decoder(type_: type[T]) -> Callable[[Any], list[T]]:
    return msgspec.json.Decoder(list[type_]).decode  # type: ignore[valid-type]
