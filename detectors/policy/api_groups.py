"""The resources of a Kubernetes cluster by API group, as far as Kubernetes itself brings them.

A list, because a policy that names a resource in the wrong group is silently about nothing. Source:
Kubernetes API reference 1.36 (https://kubernetes.io/docs/reference/kubernetes-api/).
"""

from __future__ import annotations

from typing import Final

BUILT_IN: Final = {
    "": [
        "bindings",
        "configmaps",
        "endpoints",
        "events",
        "limitranges",
        "namespaces",
        "nodes",
        "persistentvolumeclaims",
        "persistentvolumes",
        "pods",
        "podtemplates",
        "replicationcontrollers",
        "resourcequotas",
        "secrets",
        "serviceaccounts",
        "services",
    ],
    "admissionregistration.k8s.io": [
        "mutatingadmissionpolicies",
        "mutatingadmissionpolicybindings",
        "mutatingwebhookconfigurations",
        "validatingadmissionpolicies",
        "validatingadmissionpolicybindings",
        "validatingwebhookconfigurations",
    ],
    "apiextensions.k8s.io": ["customresourcedefinitions"],
    "apiregistration.k8s.io": ["apiservices"],
    "apps": ["controllerrevisions", "daemonsets", "deployments", "replicasets", "statefulsets"],
    "authentication.k8s.io": ["selfsubjectreviews", "tokenreviews"],
    "authorization.k8s.io": [
        "localsubjectaccessreviews",
        "selfsubjectaccessreviews",
        "selfsubjectrulesreviews",
        "subjectaccessreviews",
    ],
    "autoscaling": ["horizontalpodautoscalers"],
    "batch": ["cronjobs", "jobs"],
    "certificates.k8s.io": ["certificatesigningrequests", "clustertrustbundles"],
    "coordination.k8s.io": ["leases"],
    "discovery.k8s.io": ["endpointslices"],
    "events.k8s.io": ["events"],
    "flowcontrol.apiserver.k8s.io": ["flowschemas", "prioritylevelconfigurations"],
    "networking.k8s.io": ["ingressclasses", "ingresses", "networkpolicies"],
    "node.k8s.io": ["runtimeclasses"],
    "policy": ["poddisruptionbudgets"],
    "rbac.authorization.k8s.io": ["clusterrolebindings", "clusterroles", "rolebindings", "roles"],
    "scheduling.k8s.io": ["priorityclasses"],
    "storage.k8s.io": ["csidrivers", "csinodes", "storageclasses", "volumeattachments"],
}

FORMER: Final = frozenset({"extensions"})
"""Groups that current API servers do not serve any more."""

SUBRESOURCES: Final = {
    "pods": [
        "attach",
        "binding",
        "ephemeralcontainers",
        "eviction",
        "exec",
        "log",
        "portforward",
        "proxy",
    ],
    "nodes": ["proxy"],
    "services": ["proxy"],
    "serviceaccounts": ["token"],
    "certificatesigningrequests": ["approval"],
    "deployments": ["scale"],
}
"""Those by which something is done; the status of an object is its controller's."""

RESOURCE_VERBS: Final = (
    "get",
    "list",
    "watch",
    "create",
    "update",
    "patch",
    "delete",
    "deletecollection",
)
HTTP_VERBS: Final = ("get", "head", "options", "patch", "post", "put", "delete")


def groups_of(resource: str) -> list[str]:
    """Return the groups that a resource is in; none for one that Kubernetes does not bring."""
    return [group for group, resources in BUILT_IN.items() if resource in resources]
