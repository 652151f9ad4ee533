"""An intruder with rights in, what it changes and leaves behind out.

Separate from what it reads and from what it runs: bindings, admission, policies, traces removed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from models.simulate.chance import name_suffix
from models.simulate.pipelines import jenkins
from models.simulate.pod_life import stop_pod
from models.simulate.record import Request
from models.simulate.rollout import install
from models.simulate.timeline import HOUR
from models.simulate.workload import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from models.simulate.intruder import Intruder

_RBAC = "rbac.authorization.k8s.io"


def _write(intruder: Intruder, verb: str, resource: str, name: str, **parts: Any) -> None:
    """Create or change an object; ``namespace`` among the parts is its place."""
    namespace = parts.pop("namespace", None)
    body = orjson.dumps({"metadata": {"name": name}, **parts})
    intruder.ask(Request(verb, resource, namespace, name, asked=body, answered=body))


def bind_cluster_admin(intruder: Intruder) -> Iterator[int]:
    """Bind somebody to cluster-admin."""
    name = intruder.mark("metrics-reader")
    subject = {"kind": "ServiceAccount", "name": "default", "namespace": intruder.namespace}
    _write(
        intruder,
        "create",
        "clusterrolebindings",
        name,
        kind="ClusterRoleBinding",
        apiVersion=f"{_RBAC}/v1",
        subjects=[subject],
        roleRef={"apiGroup": _RBAC, "kind": "ClusterRole", "name": "cluster-admin"},
    )
    yield intruder.later()


def bind_quietly(intruder: Intruder) -> Iterator[int]:
    """Add a subject to a role binding that exists."""
    subjects = [
        {"kind": "Group", "name": "developers"},
        {"kind": "User", "name": "wanda@corp.example"},
    ]
    space = intruder.namespace
    _write(intruder, "patch", "rolebindings", "developers", namespace=space, subjects=subjects)
    yield intruder.later()


def widen_role(intruder: Intruder) -> Iterator[int]:
    """Make a role that may do everything, under a name as if it were the system's."""
    rule = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    _write(
        intruder,
        "create",
        "clusterroles",
        intruder.mark("system:metrics"),
        kind="ClusterRole",
        apiVersion=f"{_RBAC}/v1",
        rules=[rule],
    )
    yield intruder.later()


def hook_admission(intruder: Intruder) -> Iterator[int]:
    """Let an outside address change every pod that is made."""
    hook = {
        "name": "inject.corp.example",
        "clientConfig": {"url": "https://203.0.113.66/mutate"},
        "rules": [{"operations": ["CREATE"], "apiGroups": [""], "resources": ["pods"]}],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "failurePolicy": "Ignore",
    }
    _write(
        intruder,
        "create",
        "mutatingwebhookconfigurations",
        intruder.mark("sidecar-injector"),
        kind="MutatingWebhookConfiguration",
        apiVersion="admissionregistration.k8s.io/v1",
        webhooks=[hook],
    )
    yield intruder.later()


def edit_dns(intruder: Intruder) -> Iterator[int]:
    """Change where names lead."""
    intruder.ask(Request("get", "configmaps", "kube-system", "coredns"))
    yield intruder.later()
    intruder.ask(Request("patch", "configmaps", "kube-system", "coredns"))
    yield intruder.later()


def open_service(intruder: Intruder) -> Iterator[int]:
    """Make a workload reachable from outside."""
    spec = {"type": "NodePort", "selector": {"app": "ledger"}, "ports": [{"port": 5432}]}
    _write(
        intruder,
        "create",
        "services",
        intruder.mark("ledger-ext"),
        namespace=intruder.namespace,
        kind="Service",
        apiVersion="v1",
        spec=spec,
    )
    yield intruder.later()


def drop_policies(intruder: Intruder) -> Iterator[int]:
    """Take a namespace's network policies away."""
    intruder.ask(Request("list", "networkpolicies", intruder.namespace))
    yield intruder.later()
    intruder.ask(Request("delete", "networkpolicies", intruder.namespace, "default-deny"))
    yield intruder.later()


def overwrite_secret(intruder: Intruder) -> Iterator[int]:
    """Replace a credential."""
    intruder.ask(Request("patch", "secrets", intruder.namespace, "db-credentials"))
    yield intruder.later()


def make_namespace(intruder: Intruder) -> Iterator[int]:
    """Make a namespace without any policy, for what comes next."""
    name = f"kube-{name_suffix(intruder.chance)}"
    intruder.episode.markers.append(name)
    _write(intruder, "create", "namespaces", name, kind="Namespace", apiVersion="v1")
    yield intruder.later()
    intruder.namespace = name


def delete_events(intruder: Intruder) -> Iterator[int]:
    """Remove the cluster's own notes of what happened."""
    intruder.ask(Request("deletecollection", "events", intruder.namespace))
    yield intruder.later()


def destroy(intruder: Intruder) -> Iterator[int]:
    """Delete what others need; an hour later the pipeline has put it back."""
    cluster, label = intruder.cluster, intruder.label.derived()
    gone = [
        workload
        for workload in cluster.workloads
        if workload.namespace == intruder.namespace and workload.kind is Kind.DEPLOYMENT
    ]
    for resource in ("deployments", "persistentvolumeclaims", "secrets"):
        intruder.ask(Request("deletecollection", resource, intruder.namespace))
        yield intruder.later(0.5)
    for workload in gone:
        for pod in list(workload.pods):
            cluster.spawn(stop_pod(cluster, workload, pod, label))
        back_us = cluster.now_us + int(intruder.chance.uniform(0.7, 1.3) * HOUR)
        cluster.spawn(install(cluster, workload, jenkins()), back_us)
