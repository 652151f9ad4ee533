"""A user name becomes what it names: a person, a service account, a node, the control plane.

Separate because rules, profiles and entities all ask it, of the caller and of who is acted as.
Source: Kubernetes documentation, "Authenticating" (service account and anonymous names), "Using
Node Authorization" and "Using RBAC Authorization" (component names).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from ingest.facets.workload import BUILT_IN_CONTROLLERS

_SERVICE_ACCOUNT: Final = "system:serviceaccount:"
_NODE: Final = "system:node:"
_CONTROL_PLANE: Final = frozenset(
    {"system:kube-controller-manager", "system:kube-scheduler", "system:apiserver"}
)
_CACHE_SIZE: Final = 65_536
"""Names remembered: more than a large cluster has, and bounded against a million forged ones."""


class Identity(NamedTuple):
    """The parts of an identity; None where it has no such part."""

    type: str
    service_account_namespace: str | None = None
    service_account_name: str | None = None
    node_name: str | None = None


@lru_cache(_CACHE_SIZE)
def identify(user_name: str | None) -> Identity:
    """Return the type and parts of a user name.

    ``controller`` is a built-in controller or component of the control plane, ``system`` any other
    reserved name, ``unauthenticated`` a request that failed authentication (it has no user).
    """
    if not user_name:
        return Identity("unauthenticated")
    if user_name == "system:anonymous":
        return Identity("anonymous")
    if user_name.startswith(_SERVICE_ACCOUNT):
        namespace, _, name = user_name.removeprefix(_SERVICE_ACCOUNT).partition(":")
        kind = "controller" if user_name in BUILT_IN_CONTROLLERS else "service_account"
        return Identity(kind, namespace, name)
    if user_name.startswith(_NODE):
        return Identity("node", node_name=user_name.removeprefix(_NODE))
    if user_name in _CONTROL_PLANE:
        return Identity("controller")
    return Identity("system" if user_name.startswith("system:") else "human")
