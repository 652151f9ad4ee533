"""A Cloud Logging entry of GKE becomes the audit event that it was made from, as far as it says.

Separate from the API server's own form because GKE writes none: an AuditLog whose parts are named,
grouped and left out differently. What it does not log stays empty: groups, uid and extra of users,
the level, the query of the URI but for dryRun and the command of an exec, the answer's HTTP status
where the call succeeded, when the request came in, the object's uid.

What is rested on, and where it was read:

* LogEntry and AuditLog in Cloud Logging's and Cloud Audit Logs' reference, and records in
  elastic/integrations, packages/gcp, test-audit.log: ``operation.id`` is one UUID for all entries
  of a call and is taken for the API server's audit id (``insertId`` repeats it, and is another in
  older entries: liggitt/audit2rbac issue 18); ``status`` is ``{}`` for a success; a long-running
  call has an entry with ``operation.first`` and one with ``last``, every other call one with both
  (GoogleCloudPlatform/khi reads them so; requests just received are in no entry, by GKE's policy).
* ``status.code`` is Google's canonical code, made from HTTP's: 400 is 3, 403 is 7, 409 is 10
  (records in panther-labs/panther-analysis, gcp k8s rules, whose ``response`` is the API server's
  own Status). Such a Status gives ``responseStatus.code``; else a code that google/rpc/code.proto
  maps to one HTTP status that nothing else becomes. 0, 9 and 13 stand for many (200, 201 and 101;
  any other 4xx; any other 5xx) and give none. How it ended is in ``responseStatus.status``.
* ``authoritySelector`` is who is acted as (kyma-project/kyma issue 2811; elastic/detection-rules,
  "GKE API Request Impersonating Privileged Identity"), ``principalEmail`` who asked. Workforce
  identities have only ``principalSubject`` (AuthenticationInfo in the reference).
* ``labels`` are the event's annotations, besides ``command.gke.io/command``, the words of an exec
  in one text, and ``command.gke.io/dryRun`` (cloud.google.com/kubernetes-engine/docs/how-to/
  audit-logging; GoogleCloudPlatform/khi issue 866; elastic/detection-rules pull request 6456).
* Where the decision is not among the labels, ``authorizationInfo.granted`` is it; a false may be
  left out in JSON.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import quote_plus

import msgspec
import orjson
from msgspec import Raw, Struct

from ingest.formats.audit_event import NO_BODY, AuditEvent, HttpCode, ResponseStatus
from ingest.formats.gke_entry import Entry, Operation, Payload, Place, read_entry
from ingest.formats.gke_names import call_of
from ingest.formats.lenient import load
from ingest.formats.origin import Origin
from ingest.formats.seen import NotThisFormatError, NotWantedError
from ingest.formats.tolerant import coerce_annotations

_SERVICE: Final = "k8s.io"
_METHODS: Final = "io.k8s."
_COMMAND: Final = "command.gke.io/command"
_DRY_RUN: Final = "command.gke.io/dryRun"
_DECISION: Final = "authorization.k8s.io/decision"
_TYPE: Final = b'{"@type":"'
_REMEMBERED: Final = 4_096
_LENGTH_MAX: Final = 1_024
"""Bytes of a part that is remembered: what is remembered must be bounded."""

_DENIED: Final = 7
_HTTP: Final = {
    1: 499,
    3: 400,
    4: 504,
    5: 404,
    6: 409,
    7: 403,
    8: 429,
    10: 409,
    12: 501,
    14: 503,
    16: 401,
}
_SUCCESS: Final = Raw(b'{"status":"Success"}')
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Translated:
    """The audit event, where it says that it is from, and what was not as it should be."""

    event: AuditEvent
    origin: Origin
    issues: list[str] = field(default_factory=list)


class _Labels(NamedTuple):
    annotations: dict[str, str]
    command: str | None = None
    is_dry_run: bool = False
    is_whole: bool = True
    """Whether the annotations are all labels, as they stand in the entry."""
    issues: tuple[str, ...] = ()


class _Answer(Struct, frozen=True, gc=False):
    """The API server's Status, where it answered with one."""

    kind: str | None = None
    code: HttpCode | None = None
    status: str | None = None
    reason: str | None = None
    message: str | None = None


class _Grant(Struct, frozen=True, gc=False):
    granted: bool | None = None


_decode_answer: Final = msgspec.json.Decoder(_Answer).decode
_decode_grants: Final = msgspec.json.Decoder(list[_Grant]).decode
_decode_labels: Final = msgspec.json.Decoder(dict[str, str]).decode
_decode_members: Final = msgspec.json.Decoder(dict[str, Raw]).decode
_encode: Final = msgspec.json.Encoder().encode


def translate(raw: bytes) -> Translated:
    """Translate one entry; a wrong type costs a member and is named.

    Raises ``NotWantedError`` for an entry of another service, ``NotThisFormatError`` for one that
    names no method.
    """
    entry, issues = read_entry(raw)
    payload, operation = entry.protoPayload, entry.operation
    if not _is_kubernetes(payload):
        message = f"an entry of service {payload.serviceName!r:.60}, not of {_SERVICE}"
        raise (NotWantedError if payload.serviceName else NotThisFormatError)(message)
    if not payload.methodName:
        raise NotThisFormatError("an entry that names no method")
    caller, identity = payload.requestMetadata, payload.authenticationInfo
    call = call_of(payload.methodName, payload.resourceName or "")
    labels = _labels(bytes(entry.labels))
    issues += labels.issues
    agent = caller.callerSuppliedUserAgent
    event = AuditEvent(
        auditID=operation.id or entry.insertId,
        stage=_stage(operation),
        requestURI=call.path + _query(labels),
        verb=call.verb,
        user=_user(identity.principalEmail or identity.principalSubject or None),
        impersonatedUser=_user(identity.authoritySelector or None),
        sourceIPs=_addresses(caller.callerIp or caller.caller_ip or None),
        userAgent=caller.caller_supplied_user_agent if agent is None else agent,
        objectRef=call.object,
        responseStatus=_status(payload),
        requestObject=_body(payload.request),
        responseObject=_body(payload.response),
        stageTimestamp=entry.timestamp,
        annotations=_annotations(entry, labels, issues),
    )
    return Translated(event, _origin(entry.resource.labels), issues)


def _is_kubernetes(payload: Payload) -> bool:
    if payload.serviceName is None:
        return (payload.methodName or "").startswith(_METHODS)
    return payload.serviceName == _SERVICE


def _origin(place: Place) -> Origin:
    return Origin(place.cluster_name, "gcp", place.project_id, place.location)


def _stage(operation: Operation) -> str | None:
    if operation.last:
        return "ResponseComplete"
    return "ResponseStarted" if operation.first else None


def _query(labels: _Labels) -> str:
    if labels.command is None and not labels.is_dry_run:
        return ""
    parts = [] if labels.command is None else [f"command={quote_plus(labels.command)}"]
    return "?" + "&".join([*parts, *(["dryRun=All"] if labels.is_dry_run else [])])


def _user(name: str | None) -> Raw:
    if name is None:
        return NO_BODY
    return Raw((_user_of if len(name) > _LENGTH_MAX else _remembered_user)(name))


def _user_of(name: str) -> bytes:
    return _encode({"username": name})


_remembered_user: Final = lru_cache(_REMEMBERED)(_user_of)


def _addresses(address: str | None) -> Raw:
    return NO_BODY if address is None else Raw(_encode([address]))


def _labels(raw: bytes) -> _Labels:
    return (_labels_of if len(raw) > _LENGTH_MAX else _remembered_labels)(raw)


def _labels_of(raw: bytes) -> _Labels:
    if raw in {b"", b"null"}:
        return _Labels({})
    issues: list[str] = []
    try:
        found = _decode_labels(raw)
    except _UNREADABLE:
        found, issues = _labels_tolerantly(raw)
    height = len(found)
    command, dry_run = found.pop(_COMMAND, None), found.pop(_DRY_RUN, "")
    is_whole = len(found) == height and not issues
    return _Labels(found, command, dry_run not in {"", "false"}, is_whole, tuple(issues))


def _labels_tolerantly(raw: bytes) -> tuple[dict[str, str], list[str]]:
    try:
        return coerce_annotations(load(raw)[0], "labels")
    except (orjson.JSONDecodeError, RecursionError):
        return {}, ["unreadable:labels"]


_remembered_labels: Final = lru_cache(_REMEMBERED)(_labels_of)


def _annotations(entry: Entry, labels: _Labels, issues: list[str]) -> Raw:
    """Return the labels as annotations, with the decision where only the grant tells it."""
    if _DECISION in labels.annotations:
        return entry.labels if labels.is_whole else Raw(_encode(labels.annotations))
    decision = _decision(entry.protoPayload, issues)
    if decision is None:
        return Raw(_encode(labels.annotations)) if labels.annotations else NO_BODY
    return Raw(_encode({**labels.annotations, _DECISION: decision}))


def _decision(payload: Payload, issues: list[str]) -> str | None:
    if payload.authorizationInfo is NO_BODY:
        return None
    try:
        grants = [grant.granted for grant in _decode_grants(payload.authorizationInfo)]
    except _UNREADABLE:
        issues.append("wrong-type:authorizationInfo")
        return None
    is_denied = payload.status is not None and payload.status.code == _DENIED
    if False in grants or (is_denied and None in grants):
        return "forbid"
    return "allow" if grants and None not in grants else None


def _status(payload: Payload) -> Raw:
    """Return the answer; nothing where neither a status nor a Status of the API server is there."""
    status = payload.status
    if status is not None and not status.code:
        return _SUCCESS
    answer = _answer(bytes(payload.response))
    if answer is None:
        if status is None:
            return NO_BODY
        answer = _Answer(code=_HTTP.get(status.code or 0))
    message = answer.message or (status.message if status else None)
    ending = (answer.status if status is None else None) or "Failure"
    return Raw(_encode(ResponseStatus(answer.code, ending, answer.reason, message)))


def _answer(response: bytes) -> _Answer | None:
    if b'"Status"' not in response:
        return None
    try:
        answer = _decode_answer(response)
    except _UNREADABLE:
        return None
    return answer if answer.kind == "Status" else None


def _body(body: Raw) -> Raw:
    """Return a body without the ``@type`` that GKE adds: mostly the first of its members."""
    if body is NO_BODY:
        return body
    raw = bytes(body)
    end = raw.find(b'"', len(_TYPE)) if raw.startswith(_TYPE) else -1
    if end > 0 and b"\\" not in raw[len(_TYPE) : end] and raw[end + 1 : end + 2] == b",":
        return Raw(b"{" + raw[end + 2 :])
    return body if b'"@type"' not in raw else _without_type(raw)


def _without_type(raw: bytes) -> Raw:
    try:
        members = _decode_members(raw)
    except _UNREADABLE:  # a list, or what the facets will find unreadable themselves
        return Raw(raw)
    members.pop("@type", None)
    return Raw(_encode(members)) if members else NO_BODY
