"""A resource's plural, namespace and name in; its URI and its objectRef out.

Separate because it is the part of the Kubernetes API that every actor speaks: groups, versions and
scopes of the resources that the simulated fleet uses.
"""

from __future__ import annotations

from typing import Final

_APPS: Final = ("apps", "v1")
_RBAC: Final = ("rbac.authorization.k8s.io", "v1")
_CORE: Final = ("", "v1")

GROUPS: Final[dict[str, tuple[str, str]]] = {
    "clusterrolebindings": _RBAC,
    "clusterroles": _RBAC,
    "rolebindings": _RBAC,
    "roles": _RBAC,
    "daemonsets": _APPS,
    "deployments": _APPS,
    "replicasets": _APPS,
    "statefulsets": _APPS,
    "controllerrevisions": _APPS,
    "cronjobs": ("batch", "v1"),
    "jobs": ("batch", "v1"),
    "leases": ("coordination.k8s.io", "v1"),
    "endpointslices": ("discovery.k8s.io", "v1"),
    "ingresses": ("networking.k8s.io", "v1"),
    "networkpolicies": ("networking.k8s.io", "v1"),
    "horizontalpodautoscalers": ("autoscaling", "v2"),
    "poddisruptionbudgets": ("policy", "v1"),
    "storageclasses": ("storage.k8s.io", "v1"),
    "csinodes": ("storage.k8s.io", "v1"),
    "certificatesigningrequests": ("certificates.k8s.io", "v1"),
    "mutatingwebhookconfigurations": ("admissionregistration.k8s.io", "v1"),
    "subjectaccessreviews": ("authorization.k8s.io", "v1"),
    "selfsubjectaccessreviews": ("authorization.k8s.io", "v1"),
    "selfsubjectrulesreviews": ("authorization.k8s.io", "v1"),
    "tokenreviews": ("authentication.k8s.io", "v1"),
    "certificates": ("cert-manager.io", "v1"),
    "applications": ("argoproj.io", "v1alpha1"),
    "externalsecrets": ("external-secrets.io", "v1"),
    "scaledobjects": ("keda.sh", "v1alpha1"),
}
"""API groups and versions by plural; what is missing is of the core group."""


def path_of(resource: str, namespace: str | None, name: str | None, query: str) -> str:
    """Return the request URI of a resource (`pods/exec` names a subresource), or of a path."""
    if resource.startswith("/"):
        return resource + query
    plural, _, sub = resource.partition("/")
    group, version = GROUPS.get(plural, _CORE)
    root = f"/apis/{group}/{version}" if group else f"/api/{version}"
    within = f"/namespaces/{namespace}" if namespace and plural != "namespaces" else ""
    tail = f"/{name}" if name else ""
    return f"{root}{within}/{plural}{tail}{f'/{sub}' if sub else ''}{query}"


def object_ref(resource: str, namespace: str | None, name: str | None, uid: str) -> bytes:
    """Return the objectRef's JSON, its keys in the order of the API server; empty for a path.

    Names of objects need no escape: they are DNS labels or subdomains.
    """
    if resource.startswith("/"):
        return b""
    plural, _, sub = resource.partition("/")
    group, version = GROUPS.get(plural, _CORE)
    ref = f'{{"resource":"{plural}"'
    if namespace:
        ref += f',"namespace":"{namespace}"'
    if name:
        ref += f',"name":"{name}"'
    if uid:
        ref += f',"uid":"{uid}"'
    if group:
        ref += f',"apiGroup":"{group}"'
    ref += f',"apiVersion":"{version}"'
    return (f'{ref},"subresource":"{sub}"}}' if sub else ref + "}").encode()
