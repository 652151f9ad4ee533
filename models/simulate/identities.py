"""Who somebody is in; the caller that the API server would see out.

Separate because each kind of identity is logged in its own way: groups, extra fields, credential
ids, addresses (kubernetes.io, reference/access-authn-authz/authentication).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import orjson

from models.simulate.chance import new_uuid, stream
from models.simulate.record import Caller

if TYPE_CHECKING:
    from collections.abc import Sequence

_CREDENTIAL: Final = "authentication.kubernetes.io/credential-id"
_EXTRA: Final = "authentication.kubernetes.io/"

CONTROL_PLANE: Final = "10.0.0.2"
"""Where the controllers and the scheduler of a cluster call from."""

ANONYMOUS: Final = "system:anonymous"


def _texts(values: Sequence[str]) -> bytes:
    return orjson.dumps(list(values))


def _user(name: str, groups: Sequence[str], extra: dict[str, str], uid: str = "") -> bytes:
    user: dict[str, Any] = {"username": name}
    if uid:
        user["uid"] = uid
    user["groups"] = [*groups, "system:authenticated"]
    if extra:
        user["extra"] = {_EXTRA + key: [value] for key, value in extra.items()}
    return orjson.dumps(user)


@dataclass(frozen=True, slots=True)
class Account:
    """A service account."""

    namespace: str
    name: str
    uid: str

    @property
    def username(self) -> str:
        """The name under which its tokens authenticate."""
        return f"system:serviceaccount:{self.namespace}:{self.name}"


@dataclass(frozen=True, slots=True)
class Binding:
    """The pod that a token is bound to."""

    pod: str
    pod_uid: str
    node: str
    node_uid: str


def account_of(seed: int, cluster: str, namespace: str, name: str) -> Account:
    """Return the service account of a name; whoever speaks of it means the same uid."""
    uid = new_uuid(stream(seed, cluster, "account", namespace, name))
    return Account(namespace, name, uid.decode())


def account_caller(
    account: Account,
    credential: bytes,
    addresses: Sequence[str],
    agent: str,
    binding: Binding | None = None,
) -> Caller:
    """Return a caller with a service account's token, bound to a pod or not."""
    extra = {"credential-id": f"JTI={credential.decode()}"}
    if binding:
        extra |= {
            "node-name": binding.node,
            "node-uid": binding.node_uid,
            "pod-name": binding.pod,
            "pod-uid": binding.pod_uid,
        }
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{account.namespace}")
    role = account.name if account.namespace != "kube-system" else f"system:{account.name}"
    grant = (
        f'RBAC: allowed by ClusterRoleBinding "{role}" of ClusterRole "{role}" '
        f'to ServiceAccount "{account.name}/{account.namespace}"'
    )
    user = _user(account.username, groups, extra, account.uid)
    return Caller(account.username, user, _texts(addresses), orjson.dumps(agent), grant)


def component_caller(name: str, credential: str, agent: str) -> Caller:
    """Return a part of the control plane that has a certificate."""
    grant = f'RBAC: allowed by ClusterRoleBinding "{name}" of ClusterRole "{name}" to User "{name}"'
    user = _user(name, (), {"credential-id": f"X509SHA256={credential}"})
    return Caller(name, user, _texts([CONTROL_PLANE]), orjson.dumps(agent), grant)


def node_caller(name: str, credential: str, address: str, agent: str) -> Caller:
    """Return a kubelet."""
    full = f"system:node:{name}"
    user = _user(full, ("system:nodes",), {"credential-id": f"X509SHA256={credential}"})
    return Caller(full, user, _texts([address]), orjson.dumps(agent), is_node=True)


def person_caller(
    name: str, groups: Sequence[str], credential: str, addresses: Sequence[str], agent: str
) -> Caller:
    """Return a person with a client certificate."""
    grant = (
        f'RBAC: allowed by ClusterRoleBinding "{groups[0]}" of ClusterRole '
        f'"{role_of(groups)}" to Group "{groups[0]}"'
    )
    user = _user(name, groups, {"credential-id": f"X509SHA256={credential}"})
    return Caller(name, user, _texts(addresses), orjson.dumps(agent), grant)


def role_of(groups: Sequence[str]) -> str:
    """Return the cluster role of a person's first group."""
    return "cluster-admin" if groups[0] == "platform-admins" else "developer"


def machine_caller(
    name: str, groups: Sequence[str], addresses: Sequence[str], agent: str
) -> Caller:
    """Return a machine outside the cluster with a token of the front proxy: no credential id."""
    grant = f'RBAC: allowed by ClusterRoleBinding "{groups[0]}" of ClusterRole "{groups[0]}" to Group "{groups[0]}"'  # noqa: E501 - one sentence
    user = _user(name, groups, {}, uid=name)
    return Caller(name, user, _texts(addresses), orjson.dumps(agent), grant)


def anonymous_caller(addresses: Sequence[str], agent: str) -> Caller:
    """Return somebody without credentials."""
    user = orjson.dumps({"username": ANONYMOUS, "groups": ["system:unauthenticated"]})
    grant = (
        'RBAC: allowed by ClusterRoleBinding "system:public-info-viewer" of ClusterRole '
        '"system:public-info-viewer" to Group "system:unauthenticated"'
    )
    return Caller(ANONYMOUS, user, _texts(addresses), orjson.dumps(agent), grant)


def unknown_caller(addresses: Sequence[str], agent: str) -> Caller:
    """Return somebody whose credential is refused: the event's user is empty."""
    return Caller("", b"{}", _texts(addresses), orjson.dumps(agent))


def elsewhere(caller: Caller, addresses: Sequence[str], agent: str | None = None) -> Caller:
    """Return the same credential used from another place, with another agent if one is named."""
    return replace(
        caller,
        addresses=_texts(addresses),
        agent=caller.agent if agent is None else orjson.dumps(agent),
    )


def acting_as(caller: Caller, name: str, groups: Sequence[str]) -> Caller:
    """Return a caller who impersonates somebody else."""
    user = _user(name, groups, {})
    return replace(caller, impersonated=user)
