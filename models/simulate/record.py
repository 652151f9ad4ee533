"""A caller and a request in, the audit event's line with holes for its id and times out.

Separate because it is the format: fields in the order in which the API server writes them, one
record a stage, bodies and stages as the audit policy of the sample log has them
(kubernetes.io, reference/config-api/apiserver-audit.v1).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

import orjson

from models.simulate.audit_level import AuditLevel, level_of
from models.simulate.resources import object_ref, path_of

COMPLETE: Final = b"ResponseComplete"
STARTED: Final = b"ResponseStarted"

_OK: Final = 200
_FORBIDDEN: Final = 403
_UNAUTHORIZED: Final = 401
_FAILED: Final = 400
_REASONS: Final = {401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "Conflict"}
_CODES: Final = {"create": 201}
_KEPT_LINES: Final = 500
_DENIED: Final = b'"authorization.k8s.io/decision":"forbid","authorization.k8s.io/reason":""}}\n'
_HEADS: Final = {
    level: b'{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"%b","auditID":"'
    % level.encode()
    for level in AuditLevel
}


@dataclass(slots=True, eq=False)
class Request:
    """What is asked of the API server, whoever asks: an action on an object or a path.

    Compared by identity: what an actor asks again and again is one object, and its texts are kept.
    """

    verb: str
    resource: str
    namespace: str | None = None
    name: str | None = None
    query: str = ""
    code: int = 0
    asked: bytes = b""
    answered: bytes = b""
    notes: bytes = b""
    """More annotations: the inside of a JSON object, with a comma at its end."""
    uid: str = ""
    long_us: int = 0
    """How long it stays open (watch, exec, log): then there are two records."""

    uri: str = field(init=False)
    status: int = field(init=False)
    """The response's code; what is not said went well."""
    opening: bytes = field(init=False)
    target: bytes = field(init=False)

    def __post_init__(self) -> None:
        """Encode what every caller's record of it has in common."""
        is_new = self.verb == "create" and "/" not in self.resource
        named = None if is_new else self.name  # an object is created in its collection
        self.uri = path_of(self.resource, self.namespace, named, self.query)
        self.status = self.code or _CODES.get(self.verb, _OK)
        self.opening = b'","requestURI":%b,"verb":"%b","user":' % (
            orjson.dumps(self.uri),
            self.verb.encode(),
        )
        # A namespace lies in itself, once it is there.
        inside = named if self.resource == "namespaces" else self.namespace
        ref = object_ref(self.resource, inside, self.name, self.uid)
        ref = b',"objectRef":' + ref if ref else b""
        plain = b'{"metadata":{},"code":%d}' % self.status if self.status < _FAILED else b""
        self.target = ref + b',"responseStatus":' + plain


class Line(NamedTuple):
    """A record's line around its audit id and its two times."""

    head: bytes
    middle: bytes
    tail: bytes


@dataclass(slots=True, eq=False)
class Caller:
    """Somebody who calls: identity with its credential, address and agent, as JSON texts."""

    name: str
    user: bytes
    addresses: bytes
    agent: bytes
    grant: str = ""
    """Why the authorizer allows what is asked (annotation authorization.k8s.io/reason)."""
    impersonated: bytes = b""
    is_node: bool = False
    lines: dict[tuple[Request, bytes], Line] = field(init=False, default_factory=dict)
    origin: bytes = field(init=False)
    allowed: bytes = field(init=False)

    def __post_init__(self) -> None:
        """Encode what all records of the caller have in common."""
        self.origin = b"".join(
            (
                self.user,
                b',"impersonatedUser":' + self.impersonated if self.impersonated else b"",
                b',"sourceIPs":%b,"userAgent":%b' % (self.addresses, self.agent),
            )
        )
        self.allowed = (
            b'"authorization.k8s.io/decision":"allow","authorization.k8s.io/reason":%b}}\n'
            % orjson.dumps(self.grant)
        )

    def line(self, request: Request, stage: bytes) -> Line:
        """Return the line of a request that is repeated; made once."""
        key = (request, stage)
        if (line := self.lines.get(key)) is None:
            if len(self.lines) > _KEPT_LINES:
                self.lines.clear()
            line = self.lines[key] = line_of(self, request, stage)
        return line


def line_of(caller: Caller, request: Request, stage: bytes) -> Line:
    """Write the line of a request at a stage."""
    level = level_of(request.verb, request.resource, is_node=caller.is_node)
    failed = request.status >= _FAILED
    middle = b"".join(
        (
            b'","stage":"',
            stage,
            request.opening,
            caller.origin,
            request.target,
            _failure(caller, request) if failed else b"",
            _bodies(request, level),
            b',"requestReceivedTimestamp":"',
        )
    )
    return Line(_HEADS[level], middle, _annotations(caller, request))


def _bodies(request: Request, level: AuditLevel) -> bytes:
    asked = request.asked and level is not AuditLevel.METADATA
    answered = request.answered and level is AuditLevel.REQUEST_RESPONSE
    return (b',"requestObject":' + request.asked if asked else b"") + (
        b',"responseObject":' + request.answered if answered else b""
    )


def _annotations(caller: Caller, request: Request) -> bytes:
    if request.status == _UNAUTHORIZED:
        return b'"}\n'
    decision = _DENIED if request.status == _FORBIDDEN else caller.allowed
    return b'","annotations":{' + request.notes + decision


def _failure(caller: Caller, request: Request) -> bytes:
    status = {
        "metadata": {},
        "status": "Failure",
        "message": _message(caller, request),
        "reason": _REASONS.get(request.status, "Unknown"),
        "code": request.status,
    }
    return orjson.dumps(status)


def _message(caller: Caller, request: Request) -> str:
    """Say why a request failed, in the API server's words."""
    plural = request.resource.partition("/")[0]
    if request.status == _UNAUTHORIZED:
        return "Unauthorized"
    if request.resource.startswith("/"):
        return f'forbidden: User "{caller.name}" cannot {request.verb} path "{request.resource}"'
    if request.status != _FORBIDDEN:
        return f'{plural} "{request.name}" {_REASONS.get(request.status, "failed").lower()}'
    where = (
        f'in the namespace "{request.namespace}"' if request.namespace else "at the cluster scope"
    )
    named = f' "{request.name}"' if request.name else ""
    return (
        f'{plural}{named} is forbidden: User "{caller.name}" cannot {request.verb} resource '
        f'"{request.resource}" in API group "" {where}'
    )
