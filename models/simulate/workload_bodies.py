"""A workload at a revision in, blanks of all bodies that its life writes into the log out.

Separate because they are made once a revision, and filled for thousands of records.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from models.simulate.blank import Blank, hole, value_hole
from models.simulate.managed_fields import managed_fields
from models.simulate.pod_template import admitted, completed, template_spec
from models.simulate.workload import Kind

if TYPE_CHECKING:
    from models.simulate.workload import Workload

_MANAGER: Final = "kube-controller-manager"
_OWNERS: Final = {
    Kind.DEPLOYMENT: ("apps/v1", "ReplicaSet"),
    Kind.DAEMON_SET: ("apps/v1", "DaemonSet"),
    Kind.CRON_JOB: ("batch/v1", "Job"),
}


@dataclass(frozen=True, slots=True)
class WorkloadBodies:
    """Blanks; their holes are named in the functions that make them."""

    pod_asked: Blank
    pod: Blank
    workload_asked: Blank
    workload: Blank
    replica_set: Blank


def bodies_of(workload: Workload) -> WorkloadBodies:
    """Encode what a workload's records hold."""
    spec = completed(template_spec(workload))
    template = {"metadata": {"labels": _labels(workload)}, "spec": spec}
    return WorkloadBodies(
        pod_asked=Blank(_pod(workload, spec, asked=True)),
        pod=Blank(_pod(workload, spec, asked=False)),
        workload_asked=Blank(_asked(workload)),
        workload=Blank(_workload(workload, template)),
        replica_set=Blank(_replica_set(workload, template)),
    )


def _labels(workload: Workload) -> dict[str, str]:
    labels = {"app": workload.name, "app.kubernetes.io/part-of": workload.namespace}
    if workload.kind is Kind.DEPLOYMENT:
        labels["pod-template-hash"] = workload.hash
    elif workload.kind is Kind.DAEMON_SET:
        labels |= {"controller-revision-hash": workload.hash, "pod-template-generation": "1"}
    else:
        labels["batch.kubernetes.io/job-name"] = workload.name
    return labels


def _pod(workload: Workload, spec: dict[str, Any], *, asked: bool) -> dict[str, Any]:
    """Holes: owner, owner_uid; of an answer also name, uid, version, created, suffix."""
    version, kind = _OWNERS[workload.kind]
    owner = {
        "apiVersion": version,
        "kind": kind,
        "name": hole("owner"),
        "uid": hole("owner_uid"),
        "controller": True,
        "blockOwnerDeletion": True,
    }
    generated = hole("owner") + "-"
    metadata: dict[str, Any] = {"generateName": generated, "labels": _labels(workload)}
    if not asked:
        metadata |= {
            "name": hole("name"),
            "namespace": workload.namespace,
            "uid": hole("uid"),
            "resourceVersion": hole("version"),
            "generation": 1,
            "creationTimestamp": hole("created"),
        }
    metadata["ownerReferences"] = [owner]
    whole = spec if asked else admitted(spec)
    pod = {"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": whole}
    if asked:
        return pod | {"status": {}}
    metadata["managedFields"] = managed_fields(_MANAGER, {**pod, "spec": spec})
    return pod | {"status": {"phase": hole("phase"), "qosClass": "Burstable"}}


def _kind(workload: Workload) -> dict[str, str]:
    version = "batch/v1" if workload.kind is Kind.CRON_JOB else "apps/v1"
    return {"apiVersion": version, "kind": workload.kind.value}


def _asked(workload: Workload) -> dict[str, Any]:
    """Return what a pipeline applies: no defaults. No holes."""
    template = {"metadata": {"labels": {"app": workload.name}}, "spec": template_spec(workload)}
    head = _kind(workload) | {
        "metadata": {
            "name": workload.name,
            "namespace": workload.namespace,
            "labels": {"app": workload.name},
        }
    }
    if workload.kind is Kind.CRON_JOB:
        template["spec"]["restartPolicy"] = "Never"
        job = {"schedule": "*/30 * * * *", "jobTemplate": {"spec": {"template": template}}}
        return head | {"spec": job}
    selector = {"matchLabels": {"app": workload.name}}
    return head | {
        "spec": {"replicas": workload.replicas, "selector": selector, "template": template}
    }


def _workload(workload: Workload, template: dict[str, Any]) -> dict[str, Any]:
    """Holes: version, generation (a value), created, replicas, ready (values)."""
    metadata: dict[str, Any] = {
        "name": workload.name,
        "namespace": workload.namespace,
        "uid": workload.uid.decode(),
        "resourceVersion": hole("version"),
        "generation": value_hole("generation"),
        "creationTimestamp": hole("created"),
        "labels": {"app": workload.name},
        "annotations": {"deployment.kubernetes.io/revision": str(workload.revision)},
    }
    spec: dict[str, Any] = {
        "replicas": value_hole("replicas"),
        "selector": {"matchLabels": {"app": workload.name}},
        "template": template,
        "revisionHistoryLimit": 3,
        "progressDeadlineSeconds": 600,
    }
    if workload.kind is Kind.CRON_JOB:
        spec = {"schedule": "*/30 * * * *", "jobTemplate": {"spec": {"template": template}}}
    body = _kind(workload) | {"metadata": metadata, "spec": spec}
    metadata["managedFields"] = managed_fields("helm", body)
    status = {
        "observedGeneration": value_hole("generation"),
        "replicas": value_hole("replicas"),
        "readyReplicas": value_hole("ready"),
        "availableReplicas": value_hole("ready"),
    }
    return body | {"status": status}


def _replica_set(workload: Workload, template: dict[str, Any]) -> dict[str, Any]:
    """Holes: version, created, replicas, ready (values)."""
    owner = {
        **_kind(workload),
        "name": workload.name,
        "uid": workload.uid.decode(),
        "controller": True,
        "blockOwnerDeletion": True,
    }
    metadata: dict[str, Any] = {
        "name": workload.replica_set,
        "namespace": workload.namespace,
        "uid": workload.replica_set_uid.decode(),
        "resourceVersion": hole("version"),
        "generation": 1,
        "creationTimestamp": hole("created"),
        "labels": _labels(workload),
        "annotations": {"deployment.kubernetes.io/revision": str(workload.revision)},
        "ownerReferences": [owner],
    }
    selector = {"matchLabels": {"app": workload.name, "pod-template-hash": workload.hash}}
    body: dict[str, Any] = {
        "kind": "ReplicaSet",
        "apiVersion": "apps/v1",
        "metadata": metadata,
        "spec": {
            "replicas": value_hole("replicas"),
            "selector": selector,
            "template": template,
        },
    }
    metadata["managedFields"] = managed_fields(_MANAGER, body)
    status = {"replicas": value_hole("replicas"), "readyReplicas": value_hole("ready")}
    return body | {"status": status}
