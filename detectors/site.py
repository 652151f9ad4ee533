"""What a site knows about itself, as values: named lists, criticality of namespaces, maintenance.

Separate from the rules because site knowledge is data of whoever runs this, not edits to rules. A
default stands here only where it is true of any cluster; its source stands beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from detectors.sigma.pattern import Pattern, Wild, parse

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from detectors.entities.geography import Geography

    Lists = Mapping[str, tuple[str, ...]]

HIDDEN: Final = "shared_networks"
"""The list of networks whose addresses stand for others: a proxy, a NAT."""

DEFAULT_LISTS: Final[Lists] = MappingProxyType(
    {
        "trusted_registries": (),
        "admin_identities": (),
        "break_glass_identities": (
            # kubeadm: admin.conf, and since 1.29 super-admin.conf (KEP-4214).
            "kubernetes-admin",
            "kubernetes-super-admin",
            # k3s and RKE2 (docs.k3s.io, "Cluster Access"); OpenShift's installer kubeconfig.
            "system:admin",
            # OpenShift, "Removing the kubeadmin user": the name at login, and in the audit log.
            "kubeadmin",
            "kube:admin",
            # RKE's generated kubeconfig (rke.docs.rancher.com, "Kubeconfig File").
            "kube-admin",
            # AKS local account, `az aks get-credentials --admin`: the certificate's common name.
            "masterclient",
        ),
        "ci_identities": (),
        "known_identities": (),
        "trusted_networks": (
            # RFC 1918, private.
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            # RFC 1122 section 3.2.1.3 and RFC 4291 section 2.5.3, loopback.
            "127.0.0.0/8",
            "::1/128",
            # RFC 3927 and RFC 4291 section 2.5.6, link-local.
            "169.254.0.0/16",
            "fe80::/10",
            # RFC 4193, unique local.
            "fc00::/7",
            # RFC 6598, shared address space; pod and node networks of some providers.
            "100.64.0.0/10",
        ),
        "threat_networks": (),
        "known_package_sources": (),
        "system_namespaces": (
            # Kubernetes documentation, "Namespaces": initial namespaces.
            "kube-system",
            "kube-public",
            "kube-node-lease",
            # OpenShift documentation, "Working with projects": only cluster admins may create them.
            "openshift",
            "openshift-*",
        ),
        "crown_jewel_secrets": (),
        "known_namespaces": (),
        "node_names": (),
        "gitops_identities": (
            # Argo CD's manifests/install.yaml; OpenShift GitOps names its instance so.
            "system:serviceaccount:argocd:argocd-application-controller",
            "system:serviceaccount:openshift-gitops:openshift-gitops-argocd-application-controller",
            # Flux: manifests/bases of the controllers that apply.
            "system:serviceaccount:flux-system:kustomize-controller",
            "system:serviceaccount:flux-system:helm-controller",
            # Rancher Fleet: charts/fleet-agent; the second is of the management cluster itself.
            "system:serviceaccount:cattle-fleet-system:fleet-agent",
            "system:serviceaccount:cattle-fleet-local-system:fleet-agent",
        ),
        "automated_namespaces": (),
        "watched_files": (),
        "allowed_ingress_hosts": (),
        "shared_networks": (),
        "geoip_databases": (),
    }
)
"""List -> its values where the site says nothing. Empty ones cannot be known from outside."""


class Criticality(StrEnum):
    """What a namespace is worth to the site."""

    CRITICAL = "critical"
    NORMAL = "normal"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class Window:
    """Announced maintenance: from ``start`` on, up to and without ``end``; both are aware."""

    start: datetime
    end: datetime
    reason: str
    clusters: tuple[str, ...] = ()
    """Names or patterns with ``*`` and ``?``; empty: all clusters."""
    rules: tuple[str, ...] = ()
    """Ids, names or file stems; empty: all rules."""


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """Named lists; a rule refers to one as ``%name%`` with the modifier ``expand``."""

    lists: Lists = field(default_factory=lambda: DEFAULT_LISTS)
    criticality: Mapping[str, Criticality] = field(default_factory=lambda: MappingProxyType({}))
    """Namespace or ``cluster/namespace``, both perhaps patterns -> what it is worth."""
    maintenance: tuple[Window, ...] = ()
    geography: Geography | None = None
    """Where addresses are, by a database that the site has; `geoip_databases` then names it."""

    def criticality_of(self, cluster: str, namespace: str | None) -> Criticality | None:
        """Return what a namespace is worth, None where the site does not say.

        The exact name wins over patterns; of several patterns the first that fits. What is in no
        namespace concerns the cluster, so only a pattern that names the cluster fits it: that all
        namespaces are of little worth says nothing about a cluster-wide binding.
        """
        return _criticality(self, cluster, namespace)


@lru_cache(maxsize=4_096)
def _criticality(site: Site, cluster: str, namespace: str | None) -> Criticality | None:
    """Remember: 50 patterns take 70 microseconds, and findings come by the hundred (2026-11-21)."""
    if namespace is not None and namespace in site.criticality:
        return site.criticality[namespace]
    for written, worth in site.criticality.items():
        of_cluster, named, of_namespace = written.rpartition("/")
        if named and not fits(of_cluster, cluster):
            continue
        if (named or namespace is not None) and fits(of_namespace, namespace or ""):
            return worth
    return None


def fits(written: str, name: str) -> bool:
    """Return whether ``name`` is ``written``, in which ``*`` and ``?`` are wildcards.

    Upper and lower case differ: names in Kubernetes do.
    """
    return _matches(_parsed(written).parts, name)


@lru_cache(maxsize=1_024)
def _parsed(written: str) -> Pattern:
    return parse(written)


def _matches(parts: tuple[str | Wild, ...], name: str) -> bool:
    """Match from the left; after ``*`` the first place that fits is enough for a text."""
    reach = {0}
    for part in parts:
        if part is Wild.ANY:
            reach = set(range(min(reach), len(name) + 1))
        elif part is Wild.ONE:
            reach = {at + 1 for at in reach if at < len(name)}
        else:
            reach = {at + len(part) for at in reach if name.startswith(part, at)}
        if not reach:
            return False
    return len(name) in reach
