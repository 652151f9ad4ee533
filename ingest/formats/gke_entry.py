"""Bytes of a Cloud Logging entry become the parts of it that a Kubernetes audit event is made of.

Separate from what the parts mean (ingest/formats/gke.py): here is only their shape, in both JSON
forms of the proto. Bodies and labels stay raw bytes. Members and their spelling: LogEntry and
AuditLog, cloud.google.com/logging/docs/reference; ``caller_ip`` and the like are the proto's own
names, which Log Analytics writes (``proto_payload.audit_log``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import msgspec
import orjson
from msgspec import Meta, Raw, Struct

from ingest.formats.audit_event import NO_BODY
from ingest.formats.lenient import load
from ingest.formats.reader import Reader
from ingest.formats.seen import NotThisFormatError

if TYPE_CHECKING:
    from ingest.formats.reader import Document

_Code = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]


class Identity(Struct, frozen=True, gc=False):
    """AuthenticationInfo: who asked, and who they acted as."""

    principalEmail: str | None = None  # noqa: N815 - spelled as in the record
    principalSubject: str | None = None  # noqa: N815 - spelled as in the record
    authoritySelector: str | None = None  # noqa: N815 - spelled as in the record


class Caller(Struct, frozen=True, gc=False):
    """RequestMetadata: where from and with what. Either form may stand in either form's entry."""

    callerIp: str | None = None  # noqa: N815 - spelled as in the record
    caller_ip: str | None = None
    callerSuppliedUserAgent: str | None = None  # noqa: N815 - spelled as in the record
    caller_supplied_user_agent: str | None = None


class Status(Struct, frozen=True, gc=False):
    """google.rpc.Status: how it ended; no code is 0, OK."""

    code: _Code | None = None
    message: str | None = None


class Operation(Struct, frozen=True, gc=False):
    """LogEntryOperation: the call that the entry belongs to."""

    id: str | None = None
    first: bool | None = None
    last: bool | None = None
    producer: str | None = None


class Place(Struct, frozen=True, gc=False):
    """Labels of the monitored resource ``k8s_cluster``."""

    cluster_name: str | None = None
    location: str | None = None
    project_id: str | None = None


class Resource(Struct, frozen=True, gc=False):
    """MonitoredResource."""

    labels: Place = Place()


class Payload(Struct, frozen=True, gc=False):
    """AuditLog."""

    serviceName: str | None = None  # noqa: N815 - spelled as in the record
    methodName: str | None = None  # noqa: N815 - spelled as in the record
    resourceName: str | None = None  # noqa: N815 - spelled as in the record
    authenticationInfo: Identity = Identity()  # noqa: N815 - spelled as in the record
    requestMetadata: Caller = Caller()  # noqa: N815 - spelled as in the record
    authorizationInfo: Raw = NO_BODY  # noqa: N815 - spelled as in the record
    status: Status | None = None
    request: Raw = NO_BODY
    response: Raw = NO_BODY


class Entry(Struct, frozen=True, gc=False):
    """LogEntry."""

    protoPayload: Payload  # noqa: N815 - spelled as in the record
    insertId: str | None = None  # noqa: N815 - spelled as in the record
    timestamp: str | None = None
    labels: Raw = NO_BODY
    operation: Operation = Operation()
    resource: Resource = Resource()


_decode: Final = msgspec.json.Decoder(Entry).decode
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_STRUCTS: Final = (Entry, Payload, Identity, Caller)


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


_SPELLINGS: Final = {_snake(name): name for struct in _STRUCTS for name in struct.__struct_fields__}
"""The proto's own name of a member -> the name that its usual JSON form has."""


def read_entry(raw: bytes) -> tuple[Entry, list[str]]:
    """Return the entry and what was not as it should be.

    Raises ``NotThisFormatError`` where nothing of an AuditLog is in it.
    """
    try:
        return _decode(raw), []
    except _UNREADABLE:
        return _read_tolerantly(raw)


def _read_tolerantly(raw: bytes) -> tuple[Entry, list[str]]:
    """Fill an entry member by member, whatever their types and in either form of the proto."""
    try:
        document, mended = load(raw)
    except (orjson.JSONDecodeError, RecursionError) as error:
        message = f"no JSON: {error}"
        raise NotThisFormatError(message) from error
    read = Reader()
    entry = _spelled(document) if isinstance(document, dict) else {}
    payload = _spelled(read.mapping(entry, "protoPayload"))
    if isinstance(payload.get("audit_log"), dict):
        payload = _spelled(read.mapping(payload, "audit_log"))
    if not payload:
        message = "no AuditLog in protoPayload"
        raise NotThisFormatError(message)
    found = Entry(
        protoPayload=_payload(payload, read),
        insertId=read.text(entry, "insertId"),
        timestamp=read.text(entry, "timestamp"),
        labels=_raw(entry, "labels", read),
        operation=_operation(read.mapping(entry, "operation"), read),
        resource=Resource(_place(read.mapping(entry, "resource"), read)),
    )
    return found, [*read.issues, *([mended] if mended else [])]


def _payload(payload: Document, read: Reader) -> Payload:
    identity = _spelled(read.mapping(payload, "authenticationInfo"))
    caller = _spelled(read.mapping(payload, "requestMetadata"))
    status = read.mapping(payload, "status")
    return Payload(
        serviceName=read.text(payload, "serviceName"),
        methodName=read.text(payload, "methodName"),
        resourceName=read.text(payload, "resourceName"),
        authenticationInfo=Identity(
            *(read.text(identity, name) for name in Identity.__struct_fields__)
        ),
        requestMetadata=Caller(*(read.text(caller, name) for name in Caller.__struct_fields__)),
        authorizationInfo=_raw(payload, "authorizationInfo", read),
        status=_status(status, read) if payload.get("status") is not None else None,
        request=_raw(payload, "request", read),
        response=_raw(payload, "response", read),
    )


def _status(status: Document, read: Reader) -> Status:
    """Fill a status; a code that is no number is no success, it counts as UNKNOWN, 2."""
    code = read.number(status, "code")
    if status.get("code") is not None and code is None:
        code = 2
    return Status(code, read.text(status, "message"))


def _operation(operation: Document, read: Reader) -> Operation:
    return Operation(
        read.text(operation, "id"),
        read.flag(operation, "first"),
        read.flag(operation, "last"),
        read.text(operation, "producer"),
    )


def _place(resource: Document, read: Reader) -> Place:
    labels = read.mapping(resource, "labels")
    return Place(*(read.text(labels, name) for name in Place.__struct_fields__))


def _spelled(document: Document) -> dict[str, object]:
    return {_SPELLINGS.get(name, name): value for name, value in document.items()}


def _raw(document: Document, name: str, read: Reader) -> Raw:
    value = document.get(name)
    if value is None:
        return NO_BODY
    try:
        return Raw(orjson.dumps(value))
    except (orjson.JSONEncodeError, RecursionError):
        read.issues.append(f"unreadable:{name}")
        return NO_BODY
