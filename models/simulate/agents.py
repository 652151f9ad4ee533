"""The software that serves a cluster: who it is, where it runs and what it asks all the time.

Separate because it is a table. A weight is how many of the 65,000 events of the sample log (half
an hour) are that request's: simulated machines keep these shares, whatever number of events a day
is asked for, so their periods grow with fewer events.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from models.simulate.timeline import MINUTE
from models.simulate.workload import Kind, Traits


@dataclass(frozen=True, slots=True)
class Act:
    """A request made again and again; `*` as a name or namespace is one of those that exist."""

    weight: float
    verb: str
    resource: str
    namespace: str | None = None
    name: str | None = None
    query: str = ""
    code: int = 0
    long_us: int = 0


@dataclass(frozen=True, slots=True)
class Agent:
    """A part of the platform."""

    namespace: str
    name: str
    account: str
    agent: str
    version: str
    acts: tuple[Act, ...]
    kind: Kind = Kind.DEPLOYMENT
    replicas: int = 1
    traits: Traits = field(default_factory=Traits)


_GO: Final = "%s (linux/amd64) kubernetes/$Format"


def _go(program: str) -> str:
    return f"{program}/{_GO}"


def _lease(weight: float, namespace: str, name: str) -> Act:
    return Act(weight, "update", "leases", namespace, name)


def _lists(weight: float, *resources: str) -> tuple[Act, ...]:
    return tuple(Act(weight, "list", resource, query="?limit=500") for resource in resources)


def _watches(weight: float, *resources: str) -> tuple[Act, ...]:
    query = "?allowWatchBookmarks=true&timeoutSeconds=480&watch=true"
    long_us = 8 * MINUTE
    return tuple(Act(weight, "watch", r, query=query, long_us=long_us) for r in resources)


AGENTS: Final = (
    Agent(
        "kube-system",
        "kube-proxy",
        "kube-proxy",
        "kube-proxy/%s (linux/amd64) kubernetes/a7f1c3e",
        "v1.35.4",
        (*_watches(235, "endpointslices", "services"), *_lists(60, "endpointslices", "services")),
        Kind.DAEMON_SET,
        traits=Traits(privileged=True, host_network=True, host_paths=("/lib/modules",)),
    ),
    Agent(
        "kube-system",
        "cni-node",
        "cni-node",
        _go("cni-agent"),
        "v1.19.0",
        (*_watches(12, "nodes", "pods"), Act(20, "list", "networkpolicies")),
        Kind.DAEMON_SET,
        traits=Traits(privileged=True, host_network=True, host_paths=("/var/run/cni",)),
    ),
    Agent(
        "kube-system",
        "coredns",
        "coredns",
        "coredns/%s",
        "v1.12.1",
        (*_watches(40, "endpointslices", "services"), *_lists(48, "endpointslices", "namespaces")),
        replicas=2,
    ),
    Agent(
        "kube-system",
        "metrics-server",
        "metrics-server",
        _go("metrics-server"),
        "v0.8.0",
        (*_lists(196, "nodes", "pods"), Act(97, "create", "subjectaccessreviews")),
    ),
    Agent(
        "kube-system",
        "cluster-autoscaler",
        "cluster-autoscaler",
        _go("cluster-autoscaler"),
        "v1.33.0",
        (
            _lease(882, "kube-system", "cluster-autoscaler"),
            *_lists(193, "nodes", "pods"),
            Act(193, "get", "configmaps", "kube-system", "cluster-autoscaler-status"),
            Act(193, "update", "configmaps", "kube-system", "cluster-autoscaler-status"),
            Act(318, "create", "events", "kube-system"),
        ),
    ),
    Agent(
        "kube-system",
        "csi-controller",
        "csi-controller",
        _go("csi-attacher"),
        "v4.9.0",
        (_lease(709, "kube-system", "external-attacher-leader"), *_watches(4, "csinodes")),
        replicas=2,
    ),
    Agent(
        "logging",
        "fluent-bit",
        "fluent-bit",
        "Fluent-Bit",
        "3.2.1",
        (Act(5091, "get", "pods", "*", "*"), Act(185, "get", "pods", "*", "gone", code=404)),
        Kind.DAEMON_SET,
        traits=Traits(host_paths=("/var/log",)),
    ),
    Agent(
        "monitoring",
        "node-exporter",
        "node-exporter",
        "",
        "v1.9.0",
        (),
        Kind.DAEMON_SET,
        traits=Traits(host_network=True, host_pid=True, host_paths=("/",)),
    ),
    Agent(
        "monitoring",
        "prometheus",
        "prometheus",
        "Prometheus/%s",
        "v3.4.0",
        (
            Act(352, "get", "/metrics"),
            *_lists(160, "endpointslices", "nodes"),
            *_watches(38, "pods", "services"),
        ),
        replicas=2,
    ),
    Agent(
        "monitoring",
        "kube-state-metrics",
        "kube-state-metrics",
        _go("kube-state-metrics"),
        "v2.15.0",
        (
            *_lists(
                50,
                "secrets",
                "configmaps",
                "nodes",
                "services",
                "namespaces",
                "deployments",
                "daemonsets",
                "replicasets",
                "statefulsets",
                "pods",
            ),
            *_watches(45, "pods", "secrets"),
        ),
    ),
    Agent(
        "argocd",
        "argocd-application-controller",
        "argocd-application-controller",
        _go("argocd-application-controller"),
        "v3.1.0",
        (
            *(
                Act(738, "list", resource, "*", query="?limit=500")
                for resource in (
                    "deployments",
                    "services",
                    "configmaps",
                    "replicasets",
                    "rolebindings",
                    "jobs",
                    "ingresses",
                )
            ),
            *_watches(37, "deployments", "services"),
            Act(309, "create", "events", "argocd"),
        ),
    ),
    Agent(
        "argocd",
        "argocd-server",
        "argocd-server",
        _go("argocd-server"),
        "v3.1.0",
        (Act(686, "list", "pods", "*"),),
        replicas=2,
    ),
    Agent(
        "cert-manager",
        "cert-manager",
        "cert-manager",
        _go("cert-manager-certificates-issuing"),
        "v1.18.2",
        (
            _lease(882, "cert-manager", "cert-manager-controller"),
            Act(49, "get", "secrets", "ingress-nginx", "wildcard-tls"),
            Act(20, "patch", "secrets", "ingress-nginx", "wildcard-tls"),
            *_watches(8, "certificates"),
        ),
    ),
    Agent(
        "cert-manager",
        "cainjector",
        "cert-manager-cainjector",
        _go("cainjector"),
        "v1.18.2",
        (_lease(884, "cert-manager", "cert-manager-cainjector-leader-election"),),
    ),
    Agent(
        "ingress-nginx",
        "ingress-nginx-controller",
        "ingress-nginx",
        _go("nginx-ingress-controller"),
        "v1.13.0",
        (
            _lease(254, "ingress-nginx", "ingress-nginx-leader"),
            *_lists(239, "ingresses"),
            Act(73, "get", "secrets", "ingress-nginx", "wildcard-tls"),
            *_watches(41, "secrets", "services"),
        ),
        replicas=2,
        traits=Traits(host_network=True),
    ),
    Agent(
        "keda",
        "keda-operator",
        "keda-operator",
        _go("keda"),
        "v2.17.2",
        (
            _lease(590, "keda", "operator.keda.sh"),
            Act(364, "get", "deployments/scale", "*", "*"),
            *_watches(6, "scaledobjects"),
        ),
    ),
    Agent(
        "external-secrets",
        "external-secrets",
        "external-secrets",
        _go("external-secrets"),
        "v0.18.0",
        (
            _lease(354, "external-secrets", "external-secrets-controller"),
            Act(347, "get", "secrets", "*", "*"),
            Act(110, "update", "secrets", "*", "*"),
            *_watches(4, "externalsecrets"),
        ),
    ),
    Agent(
        "vault",
        "vault",
        "vault",
        "Go-http-client/2.0",
        "1.20.0",
        (Act(364, "create", "tokenreviews"),),
        replicas=2,
    ),
    Agent(
        "velero",
        "velero",
        "velero",
        _go("velero-server"),
        "v1.16.1",
        (
            *_lists(
                19, "namespaces", "configmaps", "secrets", "serviceaccounts", "pods", "services"
            ),
        ),
    ),
)
"""What runs on the platform; names of products, requests counted on the sample log."""

NODE_ACTS: Final = (
    Act(1057, "update", "leases", "kube-node-lease", "*"),
    Act(300, "get", "configmaps", "kube-system", "kube-root-ca.crt"),
    Act(900, "create", "events", "default"),
    *_watches(26, "services", "nodes"),
)
"""What kubelets do beside the life of pods; `*` is the node's own name."""
