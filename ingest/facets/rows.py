"""Which events have bodies worth reading, and the facets that come of them.

Separate from the facets because it decides the cost: bodies are nine tenths of the bytes and one
event in fifteen has one that matters. Leases, events, reviews and most status updates do not; of
those of pods only a few members are read.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec
import orjson

from ingest.facets.body import fragment, patch
from ingest.facets.exec import exec_facet
from ingest.facets.objects import BY_RESOURCE, object_facet
from ingest.facets.pod import BINDINGS, PODS, binding_facet, pod_facet, status_facet
from ingest.facets.pod_spec import pod_spec_facet
from ingest.facets.rbac import rbac_facet
from ingest.facets.workload import BUILT_IN_CONTROLLERS, workload_root
from ingest.formats.audit_event import NO_BODY, AuditEvent
from ingest.formats.lenient import load
from ingest.redact.document import redact_document
from ingest.redact.token import Redactor
from ingest.schema import POD_SPEC_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

Facet = dict[str, object]
Reader = Callable[[AuditEvent, str | None, Redactor], tuple[Facet, str | None]]
"""From an event and its user's name to columns, and what had to be mended in its body."""

BODY: Final = "kubernetes.audit.requestObject"
UNREADABLE: Final = "body-unreadable"
_WRITES: Final = frozenset({"create", "update", "patch", "apply"})
_SUBRESOURCES: Final = frozenset({None, "", "ephemeralcontainers", "approval", "scale"})
_ROUTINE: Final = frozenset(
    {
        "leases",
        "events",
        "endpoints",
        "endpointslices",
        "tokenreviews",
        "subjectaccessreviews",
        "selfsubjectaccessreviews",
        "selfsubjectrulesreviews",
        "localsubjectaccessreviews",
        "bindings",
    }
)
_RBAC: Final = frozenset({"roles", "clusterroles", "rolebindings", "clusterrolebindings"})
_STREAMS: Final = frozenset({"exec", "attach", "proxy"})
_OF_PODS: Final[dict[str | None, Reader]] = {"status": status_facet, "binding": binding_facet}


class _Metadata(msgspec.Struct):
    name: str | None = None


class _Named(msgspec.Struct):
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)


_decode_name = msgspec.json.Decoder(_Named).decode


def facet_rows(
    events: list[AuditEvent],
    users: list[str | None],
    redactor: Redactor,
    issues: dict[int, list[str]],
) -> Iterator[tuple[int, Facet]]:
    """Yield (row, columns) for the events that have facets.

    ``users`` holds each event's user name: whose owner references are believed rests on it.
    ``issues`` gets ``body-unreadable`` for rows whose body does not parse: they are still
    evaluated by everything that needs no body. Where the body had to be mended to parse, it gets
    ``not-utf-8:requestObject`` or ``malformed-json:requestObject``.
    """
    # Seven of ten events have neither body nor stream: one comprehension passes over them.
    worth = [
        row
        for row, event in enumerate(events)
        if event.requestObject is not NO_BODY or event.objectRef.subresource in _STREAMS
    ]
    for row in worth:
        event = events[row]
        ref = event.objectRef
        if ref.subresource in _STREAMS and event.requestURI:
            if facet := exec_facet(event.requestURI, redactor):
                yield row, facet
        elif event.requestObject and (
            read := _reader_of(event.verb, ref.apiGroup, ref.resource, ref.subresource)
        ):
            try:
                facet, mended = read(event, users[row], redactor)
            except (orjson.JSONDecodeError, RecursionError):
                issues.setdefault(row, []).append(UNREADABLE)
                continue
            if mended is not None:
                issues.setdefault(row, []).append(f"{mended}:requestObject")
            yield row, facet


@lru_cache(4_096)
def _reader_of(
    verb: str | None, group: str | None, resource: str | None, subresource: str | None
) -> Reader | None:
    """Return what reads the body of such a request, None where nothing does."""
    if verb not in _WRITES:
        return None
    if not group and resource == PODS and subresource in _OF_PODS:
        return _OF_PODS[subresource]
    if not group and resource == BINDINGS and not subresource:
        return binding_facet
    is_wanted = subresource in _SUBRESOURCES and resource not in _ROUTINE
    return _body_facets if is_wanted else None


def _body_facets(
    event: AuditEvent, user: str | None, redactor: Redactor
) -> tuple[Facet, str | None]:
    """Return the columns, and what had to be mended in the body (`ingest.formats.lenient`)."""
    ref = event.objectRef
    resource = ref.resource or ""
    document, mended = load(bytes(event.requestObject))
    # A JSON patch is parsed again: its fragment is built from the parsed values.
    body = fragment(load(bytes(event.requestObject))[0] if isinstance(document, list) else document)
    pod_spec = pod_spec_facet(resource, body, redactor)
    facet: Facet = {**object_facet(body), **pod_spec}
    if pod_spec:
        root = workload_root(resource, ref.name, user, body)
        facet[POD_SPEC_PREFIX + "workload.kind"], facet[POD_SPEC_PREFIX + "workload.name"] = root
    if resource == PODS and not ref.apiGroup:
        facet.update(pod_facet(event, body))
    if resource in _RBAC:
        facet.update(rbac_facet(body))
    if resource in BY_RESOURCE:
        facet.update(BY_RESOURCE[resource](body))
    if event.verb == "patch" and (change := patch(document)):
        facet["trailwarden.patch.type"] = change.type
        facet["trailwarden.patch.paths"] = change.paths
    if user not in BUILT_IN_CONTROLLERS:
        redacted = redact_document(document, redactor, ref.resource)
        facet[BODY] = orjson.dumps(redacted).decode()
    found = {column: value for column, value in facet.items() if value is not None and value != []}
    return found, mended


def object_name(event: AuditEvent) -> str | None:
    """Return the object's name: as logged, else from the answer to a create, else asked for."""
    if (
        (name := event.objectRef.name)
        or event.verb != "create"
        or event.objectRef.resource in _ROUTINE
    ):
        return name
    for body in (event.responseObject, event.requestObject):
        if found := _name_in(bytes(body)):
            return found
    return None


def _name_in(body: bytes) -> str | None:
    if not body:
        return None
    try:
        return _decode_name(body).metadata.name or None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
