"""The typed shape of a Kubernetes audit event, as the decoders fill it.

Separate from the decoders because the fast and the tolerant one both return it, and everything
behind them reads nothing else. Fields and their spelling: audit.k8s.io/v1 ``Event`` in
https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/
"""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta, Raw, Struct

HttpCode = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
"""Bounded: an unbounded integer decodes 10^23 happily and then kills the whole Arrow batch."""

NO_BODY: Final = Raw()
_ENOUGH: Final = 3


class User(Struct, frozen=True, gc=False):
    """Who called, as the authenticator said."""

    username: str | None = None
    uid: str | None = None
    groups: list[str] | None = None
    extra: dict[str, list[str]] | None = None


class ObjectRef(Struct, frozen=True, gc=False):
    """What was called upon."""

    resource: str | None = None
    namespace: str | None = None
    name: str | None = None
    uid: str | None = None
    apiGroup: str | None = None  # noqa: N815 - spelled as in the record
    apiVersion: str | None = None  # noqa: N815 - spelled as in the record
    subresource: str | None = None


class ResponseStatus(Struct, frozen=True, gc=False):
    """What the API server answered."""

    code: HttpCode | None = None
    status: str | None = None
    reason: str | None = None
    message: str | None = None


class AuthenticationMetadata(Struct, frozen=True, gc=False):
    """How the caller was allowed to impersonate (Kubernetes 1.35+)."""

    impersonationConstraint: str | None = None  # noqa: N815 - spelled as in the record


NO_USER: Final = User()
NO_OBJECT: Final = ObjectRef()
NO_STATUS: Final = ResponseStatus()


class AuditEvent(Struct, frozen=True, gc=False):
    """One audit event. Bodies and the parts that recur from event to event stay raw bytes.

    Five thousand events have some seventy different ``user`` objects: those are decoded once
    (ingest/formats/parts.py), bodies only where somebody wants them.
    """

    kind: str | None = None
    apiVersion: str | None = None  # noqa: N815 - spelled as in the record
    level: str | None = None
    auditID: str | None = None  # noqa: N815 - spelled as in the record
    stage: str | None = None
    requestURI: str | None = None  # noqa: N815 - spelled as in the record
    verb: str | None = None
    user: Raw = NO_BODY
    impersonatedUser: Raw = NO_BODY  # noqa: N815 - spelled as in the record
    authenticationMetadata: Raw = NO_BODY  # noqa: N815 - spelled as in the record
    sourceIPs: Raw = NO_BODY  # noqa: N815 - spelled as in the record
    userAgent: str | None = None  # noqa: N815 - spelled as in the record
    objectRef: ObjectRef = NO_OBJECT  # noqa: N815 - spelled as in the record
    responseStatus: Raw = NO_BODY  # noqa: N815 - spelled as in the record
    requestObject: Raw = NO_BODY  # noqa: N815 - spelled as in the record
    responseObject: Raw = NO_BODY  # noqa: N815 - spelled as in the record
    requestReceivedTimestamp: str | None = None  # noqa: N815 - spelled as in the record
    stageTimestamp: str | None = None  # noqa: N815 - spelled as in the record
    annotations: Raw = NO_BODY
    items: Raw = NO_BODY

    @property
    def looks_like_an_event(self) -> bool:
        """Whether at least three of the four fields that every audit event has are there."""
        found = (self.auditID, self.stage, self.verb, self.requestURI)
        return sum(field is not None for field in found) >= _ENOUGH
