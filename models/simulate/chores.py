"""A cluster in, what its people and pipelines do rarely, and rightly, out.

Separate because these are the acts that look like attacks: rights granted, pods run by hand, tokens
made, webhooks patched. A detector is worth what it makes of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from models.simulate.chance import name_suffix, new_uuid, wait_us
from models.simulate.people import is_at_work, people
from models.simulate.pipelines import APPLICATIONS, jenkins
from models.simulate.record import Request
from models.simulate.sessions import open_shell, pods_in
from models.simulate.timeline import DAY, MINUTE, SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

    from models.simulate.cluster import Cluster
    from models.simulate.record import Caller

    Chore = Callable[[Cluster, Caller, Random], Iterator[int]]

_RBAC: Final = "rbac.authorization.k8s.io"
_OFFICE_MIN: Final = (9 * 60, 17 * 60)


def start_chores(cluster: Cluster) -> None:
    """Start every chore, each with its team and its own time."""
    for chore, (team, a_week) in _CHORES.items():
        cluster.spawn(_repeat(cluster, chore, team, a_week))


def _repeat(cluster: Cluster, chore: Chore, team: str, a_week: float) -> Iterator[int]:
    """Do a chore on working days, by somebody of its team who is there."""
    chance = cluster.stream("chore", team, chore.__name__)
    members = [one for one in people() if team in {one.team.name, *one.team.groups}]
    seed = cluster.settings.seed
    while True:
        yield cluster.now_us + wait_us(chance, 7 * DAY / a_week)
        person = chance.choice(members)
        day = person.site.day_of(cluster.now_us)
        if not is_at_work(seed, person, day):
            continue
        yield max(cluster.now_us, person.site.at(day, chance.uniform(*_OFFICE_MIN)))
        yield from chore(cluster, person.caller(seed, cluster.now_us), chance)


def _make(
    cluster: Cluster, caller: Caller, place: tuple[str, str | None, str], **parts: Any
) -> None:
    """Create an object; ``place`` is its resource, namespace and name."""
    body = orjson.dumps({"metadata": {"name": place[2]}, **parts})
    cluster.send(caller, Request("create", *place, asked=body, answered=body))


def _grant(cluster: Cluster, caller: Caller, chance: Random) -> Iterator[int]:
    """Give a new colleague the rights of the team."""
    namespace = chance.choice(APPLICATIONS)
    subject = {"kind": "User", "apiGroup": _RBAC, "name": f"new-{name_suffix(chance)}@corp.example"}
    _make(
        cluster,
        caller,
        ("rolebindings", namespace, f"view-{name_suffix(chance)}"),
        kind="RoleBinding",
        apiVersion=f"{_RBAC}/v1",
        subjects=[subject],
        roleRef={"apiGroup": _RBAC, "kind": "ClusterRole", "name": "view"},
    )
    yield cluster.now_us + SECOND


def _add_role(cluster: Cluster, caller: Caller, chance: Random) -> Iterator[int]:
    """Install an operator's cluster role and its binding."""
    name = f"operator-{name_suffix(chance)}"
    rules = [{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list"]}]
    role = ("clusterroles", None, name)
    _make(cluster, caller, role, kind="ClusterRole", rules=rules)
    yield cluster.now_us + 2 * SECOND
    _make(
        cluster,
        caller,
        ("clusterrolebindings", None, name),
        kind="ClusterRoleBinding",
        apiVersion=f"{_RBAC}/v1",
        subjects=[{"kind": "ServiceAccount", "name": "keda-operator", "namespace": "keda"}],
        roleRef={"apiGroup": _RBAC, "kind": "ClusterRole", "name": name},
    )


def _run_by_hand(cluster: Cluster, caller: Caller, chance: Random) -> Iterator[int]:
    """Run a pod for a quick look at the network, attach to it, remove it."""
    namespace = chance.choice(APPLICATIONS)
    place = (namespace, f"tmp-{name_suffix(chance)}")
    image = chance.choice(("busybox", "registry.corp.example/tools/netshoot:1.4"))
    container = {"name": "tmp", "image": image, "stdin": True, "tty": True, "args": ["sh"]}
    spec = {"containers": [container], "restartPolicy": "Never"}
    _make(cluster, caller, ("pods", *place), kind="Pod", apiVersion="v1", spec=spec)
    yield cluster.now_us + 4 * SECOND
    cluster.send(caller, Request("get", "pods", *place))
    attach = Request("get", "pods/attach", *place, "?stdin=true", 101, long_us=3 * MINUTE)
    cluster.send(caller, attach)
    yield cluster.now_us + 3 * MINUTE
    cluster.send(caller, Request("delete", "pods", *place))


def _make_token(cluster: Cluster, caller: Caller, chance: Random) -> Iterator[int]:
    """Make a short-lived token for a script outside the cluster."""
    note = b'"authentication.kubernetes.io/issued-credential-id":"JTI=%b",' % new_uuid(chance)
    place = (chance.choice(APPLICATIONS), "default")
    cluster.send(caller, Request("create", "serviceaccounts/token", *place, notes=note))
    yield cluster.now_us + SECOND


def _patch_webhooks(cluster: Cluster, _caller: Caller, _chance: Random) -> Iterator[int]:
    """Let the CA injector renew the bundles of admission webhooks."""
    injector = next(one for one in cluster.workloads if one.name == "cainjector")
    caller = injector.pods[0].caller if injector.pods else None
    patch = b'[{"op":"replace","path":"/webhooks/0/clientConfig/caBundle","value":"Cg=="}]'
    if caller:
        plural = "mutatingwebhookconfigurations"
        cluster.send(caller, Request("patch", plural, None, "cert-manager-webhook", asked=patch))
    yield cluster.now_us + SECOND


def _edit_dns(cluster: Cluster, caller: Caller, _chance: Random) -> Iterator[int]:
    """Add a forwarder to the cluster's name server, with a change request somewhere else."""
    cluster.send(caller, Request("get", "configmaps", "kube-system", "coredns"))
    yield cluster.now_us + MINUTE
    cluster.send(caller, Request("patch", "configmaps", "kube-system", "coredns"))


def _rotate_secret(cluster: Cluster, caller: Caller, chance: Random) -> Iterator[int]:
    """Replace a password by hand, then restart who uses it."""
    place = (chance.choice(APPLICATIONS), "db-credentials")
    cluster.send(caller, Request("get", "secrets", *place))
    yield cluster.now_us + 40 * SECOND
    cluster.send(caller, Request("patch", "secrets", *place))


def _look_into_node(cluster: Cluster, caller: Caller, chance: Random) -> Iterator[int]:
    """Look at a node's network from the pod of its network plugin."""
    found = [
        pod for workload, pod in pods_in(cluster, "kube-system") if workload.name == "cni-node"
    ]
    pod = chance.choice(found)
    cluster.send(caller, Request("get", "pods", "kube-system", pod.name))
    place = ("kube-system", pod.name)
    open_shell(cluster, caller, place, ("ip", "route"), long_us=10 * SECOND)
    yield cluster.now_us + 20 * SECOND


def _debug_pod(cluster: Cluster, caller: Caller, chance: Random) -> Iterator[int]:
    """Add a debugging container of the company's own image to a pod without a shell."""
    namespace = chance.choice(APPLICATIONS)
    pod = chance.choice(pods_in(cluster, namespace))[1]
    container = {
        "name": f"debugger-{name_suffix(chance)}",
        "image": "registry.corp.example/tools/netshoot:1.4",
        "stdin": True,
        "tty": True,
    }
    body = orjson.dumps({"spec": {"ephemeralContainers": [container]}})
    place = (namespace, pod.name)
    cluster.send(caller, Request("get", "pods", *place))
    patch = Request("patch", "pods/ephemeralcontainers", *place, asked=body, answered=body)
    cluster.send(caller, patch)
    yield cluster.now_us + 5 * SECOND
    cluster.send(caller, Request("get", "pods/attach", *place, code=101, long_us=5 * MINUTE))


def _delete_failed(cluster: Cluster, caller: Caller, chance: Random) -> Iterator[int]:
    """Delete all failed jobs of a namespace at once."""
    namespace = chance.choice(APPLICATIONS)
    query = "?labelSelector=app%3Detl"
    cluster.send(caller, Request("deletecollection", "jobs", namespace, query=query))
    yield cluster.now_us + SECOND


def _install_chart(cluster: Cluster, _caller: Caller, chance: Random) -> Iterator[int]:
    """Let the pipeline install a chart: account, role, binding, service, secret."""
    caller, namespace = jenkins(), chance.choice(APPLICATIONS)
    name = f"exporter-{name_suffix(chance)}"
    _make(cluster, caller, ("serviceaccounts", namespace, name), kind="ServiceAccount")
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]
    _make(cluster, caller, ("roles", namespace, name), kind="Role", rules=rules)
    subject = {"kind": "ServiceAccount", "name": name, "namespace": namespace}
    role = {"apiGroup": _RBAC, "kind": "Role", "name": name}
    place = ("rolebindings", namespace, name)
    _make(cluster, caller, place, kind="RoleBinding", subjects=[subject], roleRef=role)
    yield cluster.now_us + SECOND
    spec = {"type": "ClusterIP", "selector": {"app": name}, "ports": [{"port": 9100}]}
    _make(cluster, caller, ("services", namespace, name), kind="Service", spec=spec)
    cluster.send(caller, Request("create", "secrets", namespace, f"sh.helm.release.v1.{name}.v1"))


_CHORES: Final[dict[Chore, tuple[str, float]]] = {
    _grant: ("platform", 2.0),
    _add_role: ("platform", 0.7),
    _run_by_hand: ("developers", 5.0),
    _make_token: ("platform", 1.5),
    _patch_webhooks: ("platform", 10.0),
    _edit_dns: ("platform", 0.3),
    _rotate_secret: ("platform", 1.0),
    _look_into_node: ("platform", 1.5),
    _debug_pod: ("sre", 1.5),
    _delete_failed: ("developers", 1.0),
    _install_chart: ("platform", 2.0),
}
"""Chores, whose they are (`developers`: all but the platform's), how often a week in a cluster."""
