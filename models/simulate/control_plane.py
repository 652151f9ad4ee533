"""A controller's name in, the caller it is out; and the control plane's own periodic requests.

Separate because everything that happens in a cluster is finished by these few identities.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from models.simulate.chance import around_us, fingerprint, new_uuid
from models.simulate.identities import CONTROL_PLANE, account_caller, component_caller
from models.simulate.record import Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from models.simulate.cluster import Cluster
    from models.simulate.record import Caller

SCHEDULER: Final = "system:kube-scheduler"
MANAGER: Final = "system:kube-controller-manager"
API_SERVER: Final = "system:apiserver"
ADMIN: Final = "kubernetes-admin"

DEPLOYMENTS: Final = "deployment-controller"
REPLICA_SETS: Final = "replicaset-controller"
DAEMON_SETS: Final = "daemon-set-controller"
CRON_JOBS: Final = "cronjob-controller"
JOBS: Final = "job-controller"
SLICES: Final = "endpointslice-controller"
ENDPOINTS: Final = "endpoint-controller"
GARBAGE: Final = "generic-garbage-collector"
FINISHED: Final = "ttl-after-finished-controller"
NAMESPACES: Final = "namespace-controller"
CERTIFICATES: Final = "certificate-controller"
ROOT_CA: Final = "root-ca-cert-publisher"
ACCOUNTS: Final = "service-account-controller"
QUOTAS: Final = "resourcequota-controller"

_LEASES: Final = ((MANAGER, "kube-controller-manager", 883.0), (SCHEDULER, "kube-scheduler", 882.0))
_COMMIT: Final = "kubernetes/a7f1c3e"


def controller(cluster: Cluster, name: str) -> Caller:
    """Return a controller of the controller manager, with its own service account."""
    if name not in cluster.callers:
        chance = cluster.stream("controller", name)
        account = cluster.account("kube-system", name)
        agent = (
            f"kube-controller-manager/{cluster.release} (linux/amd64) {_COMMIT}/{account.username}"
        )
        cluster.callers[name] = account_caller(account, new_uuid(chance), [CONTROL_PLANE], agent)
    return cluster.callers[name]


def component(cluster: Cluster, name: str) -> Caller:
    """Return the scheduler, the controller manager or the API server itself."""
    if name not in cluster.callers:
        program = "kube-apiserver" if name == API_SERVER else name.removeprefix("system:")
        agent = f"{program}/{cluster.release} (linux/amd64) {_COMMIT}/leader-election"
        credential = fingerprint(cluster.settings.seed, cluster.name, name)
        cluster.callers[name] = component_caller(name, credential, agent)
    return cluster.callers[name]


def start_control_plane(cluster: Cluster) -> None:
    """Start what the control plane does all the time."""
    for name, lease, weight in _LEASES:
        cluster.spawn(_renew(cluster, name, lease, weight))
    cluster.spawn(_renew(cluster, API_SERVER, f"apiserver-{cluster.name}", 173.0))
    cluster.spawn(_look_up(cluster, GARBAGE, "/apis", 270.0))
    cluster.spawn(_look_up(cluster, QUOTAS, "/api", 64.0))


def _renew(cluster: Cluster, name: str, lease: str, weight: float) -> Iterator[int]:
    """Renew a lease, again and again."""
    chance = cluster.stream("lease", lease)
    request = Request("update", "leases", "kube-system", lease, "?timeout=5s")
    while True:
        yield cluster.now_us + around_us(chance, cluster.share_us(weight))
        cluster.send(component(cluster, name), request)


def _look_up(cluster: Cluster, name: str, path: str, weight: float) -> Iterator[int]:
    """Read what kinds of objects the API has."""
    chance = cluster.stream("look-up", name)
    request = Request("get", path)
    while True:
        yield cluster.now_us + around_us(chance, cluster.share_us(weight))
        cluster.send(controller(cluster, name), request)
