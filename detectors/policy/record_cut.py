"""A recorded audit event as a policy would have let it through: at a level, at a stage.

Separate because it alone knows how the API server fills an event: what a request is to a policy,
which stages it passes, what each of them holds. Sources: k8s.io/apiserver pkg/audit/request.go and
pkg/endpoints/filters/{audit,authn_audit}.go; checked against a recording of a real API server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import unquote

import orjson

from detectors.policy.audit_policy import AuditLevel, Request, Stage

if TYPE_CHECKING:
    from collections.abc import Mapping

Record: TypeAlias = "dict[str, Any]"

CONNECTED: Final = frozenset({"attach", "exec", "portforward", "proxy"})
"""Subresources whose request has no body: what they do is in the URL."""

_LONG_RUNNING: Final = CONNECTED | {"log"}
_LONG_RUNNING_VERBS: Final = frozenset({"watch", "proxy"})
_WITH_BODY: Final = frozenset({"create", "update", "patch"})
_IN_A_COLLECTION: Final = frozenset({"create", "deletecollection"})
_UNAUTHORIZED: Final = 401
_REFUSED: Final = frozenset({_UNAUTHORIZED, 403})
_TRUNCATED: Final = "audit.k8s.io/truncated"
_ONLY_ANSWERED: Final = (
    "annotations",
    "authenticationMetadata",
    "impersonatedUser",
    "requestObject",
    "responseObject",
    "responseStatus",
)
"""What an event of stage RequestReceived cannot hold yet."""


def audit_record(raw: bytes) -> Record | None:
    """Return a record as an API server's event, None if it is none."""
    try:
        record = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    is_event = isinstance(record, dict) and {"auditID", "verb", "requestURI"} <= record.keys()
    return record if is_event else None


def request_of(record: Record) -> Request:
    """Return what a policy sees of the request.

    Not all of it is in the event's ``objectRef``: that names what is created, its URL does not.
    """
    target = _mapping(record.get("objectRef"))
    user = _mapping(record.get("user"))
    verb, subresource = _text(record, "verb"), _text(target, "subresource")
    created = verb in _IN_A_COLLECTION and not subresource
    return Request(
        verb=verb,
        user=_text(user, "username") or None,
        user_groups=tuple(user.get("groups") or ()),
        is_resource=bool(target.get("resource")),
        group=_text(target, "apiGroup"),
        resource=_text(target, "resource"),
        subresource=subresource,
        namespace=_text(target, "namespace"),
        name="" if created else _text(target, "name"),
        path=unquote(_text(record, "requestURI").partition("?")[0]),
    )


def stages_of(record: Record) -> tuple[Stage, ...]:
    """Return the stages that the request passes, the recorded one first.

    A failed authentication is one event, of stage ResponseStarted: it never comes to the handler
    that writes the others.
    """
    own = Stage(record.get("stage") or Stage.RESPONSE_COMPLETE)
    request = request_of(record)
    if request.user is None and _code(record) == _UNAUTHORIZED:
        return tuple(dict.fromkeys((own, Stage.RESPONSE_STARTED)))
    stages = [own, Stage.REQUEST_RECEIVED]
    if request.verb in _LONG_RUNNING_VERBS or request.subresource in _LONG_RUNNING:
        stages.append(Stage.RESPONSE_STARTED)
    if own is not Stage.PANIC:
        stages.append(Stage.RESPONSE_COMPLETE)
    return tuple(dict.fromkeys(stages))


def cut(record: Record, level: AuditLevel, stage: Stage) -> Record:
    """Return the event of one stage that a request leaves at a level; ``record`` is not changed.

    Managed fields are not cut: normalization leaves them out, so nobody sees them anyway. A body
    that the level lets through and that the record, made at a lower one, does not have, is there
    but says nothing: so a rule that wants to see no body does not see it missing.
    """
    found = dict(record) | {"level": level.text, "stage": stage.value}
    if stage is Stage.REQUEST_RECEIVED:
        for key in _ONLY_ANSWERED:
            found.pop(key, None)
        return found
    if level < AuditLevel.REQUEST:
        found.pop("requestObject", None)
    elif _lacks_body(record):
        found["requestObject"] = {}
    if level < AuditLevel.REQUEST_RESPONSE:
        found.pop("responseObject", None)
    return found


def sends_body(request: Request) -> bool:
    """Return whether a request has a body that says what is written."""
    connects = request.subresource in CONNECTED
    return request.is_resource and request.verb in _WITH_BODY and not connects


def _lacks_body(record: Record) -> bool:
    """Return whether a body would be logged where bodies are, and the record has none.

    Whom authorization refuses has none: nothing has been read of the request yet.
    """
    truncated = _TRUNCATED in _mapping(record.get("annotations"))
    refused = _code(record) in _REFUSED
    missing = "requestObject" not in record
    return missing and not truncated and not refused and sends_body(request_of(record))


def _code(record: Record) -> object:
    return _mapping(record.get("responseStatus")).get("code")


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(mapping: Mapping[str, Any], key: str) -> str:
    value = mapping.get(key)
    return value if isinstance(value, str) else ""
