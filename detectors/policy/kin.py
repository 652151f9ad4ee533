"""One recorded request becomes the requests that would do the same: by another verb, on its kin.

A rule about privileged pods has a case for Deployments and none for StatefulSets, which an attacker
who reads the audit policy takes. Whether the rule does see such a request is for the rule to say;
here is only what may be tried. Separate because it knows how kinds of objects nest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from detectors.policy.record_cut import CONNECTED, Record, request_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_SAME: Final = (
    ("create", "update", "patch"),
    ("get", "list", "watch"),
    ("delete", "deletecollection"),
)
"""Verbs by which the same is done or read; creating and deleting are not the same."""

_CONNECTING: Final = ("get", "create")
_POD: Final = ("spec",)
_TEMPLATE: Final = ("spec", "template", "spec")
_WORKLOADS: Final = {
    ("", "pods"): _POD,
    ("", "podtemplates"): ("template", "spec"),
    ("", "replicationcontrollers"): _TEMPLATE,
    ("apps", "daemonsets"): _TEMPLATE,
    ("apps", "deployments"): _TEMPLATE,
    ("apps", "replicasets"): _TEMPLATE,
    ("apps", "statefulsets"): _TEMPLATE,
    ("batch", "cronjobs"): ("spec", "jobTemplate", *_TEMPLATE),
    ("batch", "jobs"): _TEMPLATE,
}
"""Kinds that run pods, and where they keep the pod's spec (Kubernetes API reference)."""

_RBAC: Final = "rbac.authorization.k8s.io"
_ADMISSION: Final = "admissionregistration.k8s.io"
_PAIRS: Final = (
    (_RBAC, ("roles", "clusterroles")),
    (_RBAC, ("rolebindings", "clusterrolebindings")),
    (_ADMISSION, ("mutatingwebhookconfigurations", "validatingwebhookconfigurations")),
)
_OF_A_NAMESPACE: Final = frozenset({"roles", "rolebindings"})


def kin_of(record: Record) -> Iterator[Record]:
    """Yield records of requests like this one, itself left out; ``record`` is not changed."""
    request = request_of(record)
    if not request.is_resource:
        return
    if request.subresource in CONNECTED:
        verbs: tuple[str, ...] = _CONNECTING
    else:
        verbs = next((same for same in _SAME if request.verb in same), (request.verb,))
    for relative in (record, *_relatives(record)):
        for verb in verbs:
            if relative is not record or verb != request.verb:
                yield relative | {"verb": verb}


def _relatives(record: Record) -> Iterator[Record]:
    request = request_of(record)
    if request.subresource:
        return
    own = (request.group, request.resource)
    for group, pair in _PAIRS:
        if request.group == group and request.resource in pair:
            yield from (_about(record, group, other) for other in pair if other != own[1])
    body = record.get("requestObject")
    spec = _at(body, _WORKLOADS[own]) if own in _WORKLOADS else None
    if spec is None:
        return
    for (group, resource), place in _WORKLOADS.items():
        if (group, resource) != own:
            wrapped = _wrapped(body, spec, place)
            yield _about(record, group, resource) | {"requestObject": wrapped}


def _about(record: Record, group: str, resource: str) -> Record:
    target = dict(record["objectRef"]) | {"resource": resource, "apiGroup": group}
    if resource in _OF_A_NAMESPACE:
        target.setdefault("namespace", "default")
    elif group == _RBAC:
        target.pop("namespace", None)
    return record | {"objectRef": target}


def _at(body: object, place: tuple[str, ...]) -> object:
    for key in place:
        body = body.get(key) if isinstance(body, dict) else None
    return body if isinstance(body, dict) else None


def _wrapped(body: object, spec: object, place: tuple[str, ...]) -> dict[str, Any]:
    """Put a pod's spec where a kind keeps it, under the metadata that was there."""
    metadata = body.get("metadata", {}) if isinstance(body, dict) else {}
    found: object = {"metadata": metadata, place[-1]: spec}
    for key in reversed(place[:-1]):
        found = {"metadata": metadata, key: found}
    return found if isinstance(found, dict) else {}
