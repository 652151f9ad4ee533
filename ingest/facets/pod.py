"""The pod facet: which pod a request is about, where it runs, and what its kubelet says of it.

Separate from the pod_spec facet because that is what somebody asks for, this is what came of it:
uid, node and addresses are the cluster's own words. Status updates are one event in thirty, so that
their usual form is read by types, and only what does not fit by hand.
Sources: Kubernetes API reference, PodStatus v1 core and Binding v1 core; mirror pods:
kubernetes/kubernetes pkg/kubelet/types/pod_update.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from ingest.address import canonical_address
from ingest.facets.body import fragment, items, mapping, text
from ingest.formats.image_digest import image_digests
from ingest.formats.lenient import load

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ingest.formats.audit_event import AuditEvent
    from ingest.redact.token import Redactor

P: Final = "trailwarden.pod."
PODS: Final = "pods"
BINDINGS: Final = "bindings"

_KUBELET: Final = "system:node:"
_NODE: Final = "Node"
_MIRROR: Final = "kubernetes.io/config.mirror"
_PHASES: Final = frozenset({"Pending", "Running", "Succeeded", "Failed", "Unknown"})
_STATUSES: Final = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
_ADDRESS_CHARACTERS: Final = 64
"""More than any address has: what is remembered of addresses must be bounded."""

_UNUSUAL: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

Facet = dict[str, object]


class _Address(msgspec.Struct, gc=False):
    ip: str | None = None


class _Container(msgspec.Struct, gc=False):
    imageID: str | None = None  # noqa: N815 - spelled as in the record


class _Status(msgspec.Struct, gc=False):
    podIPs: list[_Address] | None = None  # noqa: N815 - spelled as in the record
    podIP: str | None = None  # noqa: N815 - spelled as in the record
    hostIP: str | None = None  # noqa: N815 - spelled as in the record
    phase: str | None = None
    containerStatuses: list[_Container] | None = None  # noqa: N815 - spelled as in the record
    initContainerStatuses: list[_Container] | None = None  # noqa: N815 - spelled as in the record
    ephemeralContainerStatuses: list[_Container] | None = None  # noqa: N815 - spelled as in the record


class _Metadata(msgspec.Struct, gc=False):
    uid: str | None = None


class _Reported(msgspec.Struct, gc=False):
    metadata: _Metadata | None = None
    status: _Status | None = None


_decode: Final = msgspec.json.Decoder(_Reported).decode


def status_facet(
    event: AuditEvent, user: str | None, _redactor: Redactor
) -> tuple[Facet, str | None]:
    """Extract what a write to ``pods/status`` says, and what had to be mended in its body.

    Nothing of the body is kept beside it. Texts that are no address, phase or digest are left out:
    a client may write what it likes.

    Raises ``orjson.JSONDecodeError`` or ``RecursionError`` where the body does not parse.
    """
    mended = None
    try:
        facet = _of_types(_decode(event.requestObject))
    except _UNUSUAL:
        facet, mended = _of_any(bytes(event.requestObject))
    uid = facet.get(P + "uid") or event.objectRef.uid
    if uid:
        facet[P + "uid"] = uid
    if user is not None and user.startswith(_KUBELET):
        facet[P + "node"] = user.removeprefix(_KUBELET)
    return facet, mended


def _of_types(body: _Reported) -> Facet:
    uid = body.metadata.uid if body.metadata else None
    status = body.status
    if status is None:
        return {P + "uid": uid} if uid else {}
    addresses = [address.ip for address in status.podIPs] if status.podIPs else []
    if status.podIP:
        addresses.append(status.podIP)
    images = [
        container.imageID
        for containers in (
            status.containerStatuses,
            status.initContainerStatuses,
            status.ephemeralContainerStatuses,
        )
        if containers
        for container in containers
    ]
    return _columns(uid, addresses, status.hostIP, status.phase, images)


def _of_any(raw: bytes) -> tuple[Facet, str | None]:
    """Do the same for a body of any shape: a JSON patch, or wrong types somewhere in it."""
    document, mended = load(raw)
    body = fragment(document)
    status = mapping(body.get("status"))
    facet = _columns(
        mapping(body.get("metadata")).get("uid"),
        [*(mapping(a).get("ip") for a in items(status.get("podIPs"))), status.get("podIP")],
        status.get("hostIP"),
        status.get("phase"),
        [mapping(c).get("imageID") for name in _STATUSES for c in items(status.get(name))],
    )
    return facet, mended


def _columns(
    uid: object, addresses: list[Any], host: object, phase: object, images: list[Any]
) -> Facet:
    """Return what is said: three of four reports have neither addresses nor digests."""
    facet: Facet = {}
    if isinstance(uid, str) and uid:
        facet[P + "uid"] = uid
    if addresses and (found := [a for a in map(_address, addresses) if a]):
        facet[P + "addresses"] = list(dict.fromkeys(found))
    if host and (found_host := _address(host)):
        facet[P + "host_address"] = found_host
    if isinstance(phase, str) and phase in _PHASES:
        facet[P + "phase"] = phase
    if images and (digests := image_digests(images)):
        facet[P + "image_digests"] = digests
    return facet


def _address(value: object) -> str | None:
    is_short = isinstance(value, str) and 0 < len(value) <= _ADDRESS_CHARACTERS
    return canonical_address(value) if is_short else None


def binding_facet(
    event: AuditEvent,
    user: str | None,  # noqa: ARG001 - every reader of bodies is called alike
    _redactor: Redactor,
) -> tuple[Facet, str | None]:
    """Extract which pod is put on which node, and what had to be mended in the body.

    Raises ``orjson.JSONDecodeError`` or ``RecursionError`` where the body does not parse.
    """
    document, mended = load(bytes(event.requestObject))
    body = mapping(document)
    target = mapping(body.get("target"))
    is_node = (text(target.get("kind")) or _NODE) == _NODE
    facet = {
        P + "uid": text(mapping(body.get("metadata")).get("uid")) or event.objectRef.uid,
        P + "node": text(target.get("name")) if is_node else None,
    }
    return {column: value for column, value in facet.items() if value}, mended


def pod_facet(event: AuditEvent, body: Mapping[str, Any]) -> Facet:
    """Extract uid, node and whether it stands for a static pod, from a write to a pod itself.

    A pod that is made gets its uid from the API server, whatever the request says: only the answer
    is believed.
    """
    metadata = mapping(body.get("metadata"))
    uid = _answered_uid(event.responseObject)
    if uid is None and event.verb != "create":
        uid = text(metadata.get("uid")) or event.objectRef.uid
    return {
        P + "uid": uid,
        P + "node": text(mapping(body.get("spec")).get("nodeName")),
        P + "is_mirror": True if _MIRROR in mapping(metadata.get("annotations")) else None,
    }


def _answered_uid(raw: msgspec.Raw) -> str | None:
    if not raw:
        return None
    try:
        answer = _decode_answer(raw)
    except _UNUSUAL:
        return None
    return answer.metadata.uid or None if answer.metadata else None


class _Answer(msgspec.Struct, gc=False):
    metadata: _Metadata | None = None


_decode_answer: Final = msgspec.json.Decoder(_Answer).decode
