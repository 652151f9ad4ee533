"""The root of a workload: which object a person made, behind the ReplicaSet, Job or pod.

Separate because ids rest on it (design: ids): a finding on a pod spec belongs to the root, so that
the person's request and what controllers made of it are one act, whatever a batch happens to hold.
Only for what a built-in controller of kube-system creates is the owner believed: a forged owner
reference in anybody else's request changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ingest.facets.body import items, mapping, text

if TYPE_CHECKING:
    from collections.abc import Mapping

_SERVICE_ACCOUNT: Final = "system:serviceaccount:kube-system:"
BUILT_IN_CONTROLLERS: Final = frozenset(
    {
        f"{_SERVICE_ACCOUNT}{name}-controller"
        for name in (
            "deployment",
            "replicaset",
            "replication",
            "daemon-set",
            "statefulset",
            "job",
            "cronjob",
        )
    }
    | {"system:kube-controller-manager"}
)
"""Who makes pods and their parents for others (kubernetes/kubernetes,
pkg/controller ``ClientBuilder`` names)."""

_KINDS: Final = {
    "pods": "Pod",
    "deployments": "Deployment",
    "replicasets": "ReplicaSet",
    "replicationcontrollers": "ReplicationController",
    "daemonsets": "DaemonSet",
    "statefulsets": "StatefulSet",
    "jobs": "Job",
    "cronjobs": "CronJob",
    "podtemplates": "PodTemplate",
    "persistentvolumes": "PersistentVolume",
}
_TEMPLATE_HASH: Final = "pod-template-hash"
_JOB_SUFFIX_MIN_DIGITS: Final = 8
"""cronjob-controller names a Job NAME-<scheduled time in unix minutes>, eight digits since 1989."""

Root = tuple[str, str]


def workload_root(
    resource: str, name: str | None, user: str | None, body: Mapping[str, Any]
) -> Root:
    """Return kind and name of the workload that a request belongs to.

    Parameters
        resource: plural resource of the request.
        name: the object's name, None where only generateName was sent.
        user: who authenticated.
        body: the parsed request body.
    """
    metadata = mapping(body.get("metadata"))
    own = _KINDS.get(resource, text(body.get("kind")) or resource)
    own_name = name or text(metadata.get("name")) or text(metadata.get("generateName")) or ""
    if user not in BUILT_IN_CONTROLLERS:
        return own, own_name
    return _owner(metadata) or (own, own_name)


def _owner(metadata: Mapping[str, Any]) -> Root | None:
    for reference in map(mapping, items(metadata.get("ownerReferences"))):
        kind, name = text(reference.get("kind")), text(reference.get("name"))
        if reference.get("controller") is True and kind and name:
            return _above(kind, name, mapping(metadata.get("labels")))
    return None


def _above(kind: str, name: str, labels: Mapping[str, Any]) -> Root:
    """Step over the ReplicaSet of a Deployment and the Job of a CronJob, by their names."""
    template_hash = text(labels.get(_TEMPLATE_HASH))
    if kind == "ReplicaSet" and template_hash and name.endswith(f"-{template_hash}"):
        return "Deployment", name.removesuffix(f"-{template_hash}")
    parent, dash, minutes = name.rpartition("-")
    if kind == "Job" and dash and minutes.isdigit() and len(minutes) >= _JOB_SUFFIX_MIN_DIGITS:
        return "CronJob", parent
    return kind, name


def owner(body: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Return ``Kind/name`` and uid of the controlling owner that a body names, believed or not."""
    references = mapping(body.get("metadata")).get("ownerReferences")
    for reference in map(mapping, items(references)) if references else ():
        kind, name = text(reference.get("kind")), text(reference.get("name"))
        if reference.get("controller") is True and kind and name:
            return f"{kind}/{name}", text(reference.get("uid"))
    return None, None
