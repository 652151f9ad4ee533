"""Settings in, clusters with everything that lives in them out.

Separate because it is the only place that knows all actors: what is installed, and who starts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from models.simulate.agents import AGENTS, Act, Agent
from models.simulate.builds import guards
from models.simulate.chance import new_uuid
from models.simulate.chores import start_chores
from models.simulate.cluster import Cluster
from models.simulate.control_plane import ADMIN, start_control_plane
from models.simulate.identities import person_caller
from models.simulate.labels import BOOTSTRAP, Label
from models.simulate.node import Node
from models.simulate.people import start_people
from models.simulate.pipelines import APPLICATIONS, start_pipelines
from models.simulate.record import Request
from models.simulate.rollout import install
from models.simulate.timeline import MINUTE, SECOND, day_start_us
from models.simulate.traffic import (
    agent_workload,
    kubelet_caller,
    start_agents,
    start_kubelets,
    start_probes,
)
from models.simulate.workload import Kind, Traits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from models.simulate.settings import SimulationSettings
    from models.simulate.workload import Workload

_PLATFORM: Final = (
    "kube-system",
    "logging",
    "monitoring",
    "argocd",
    "cert-manager",
    "ingress-nginx",
    "keda",
    "external-secrets",
    "vault",
    "velero",
    "ci",
)
_INSTALLED_US: Final = 10 * MINUTE
"""Installation, before anybody works."""

_EVENTS_A_NODE: Final = 9_000
_NODES: Final = (3, 40)


def _application(namespace: str, name: str, agent: str = "", weight: float = 0.0) -> Agent:
    """Return a team's service; some read the cluster's API, as real ones do."""
    acts = (
        (
            Act(2.6 * weight, "get", "configmaps", namespace, "app-config"),
            Act(weight, "get", "endpoints", namespace, name),
            Act(weight, "list", "pods", namespace, query="?limit=500"),
        )
        if agent
        else ()
    )
    traits = Traits(secret="db-credentials")  # noqa: S106 - the name of an object
    return Agent(namespace, name, name, agent, "1.4.0", acts, replicas=2, traits=traits)


def _denied(agent: Agent, weight: float) -> Agent:
    """Return a service that was bound to the wrong role: some of what it asks is refused."""
    acts = (
        *agent.acts,
        Act(weight, "list", "configmaps", agent.namespace, query="?limit=500", code=403),
        Act(weight / 2, "get", "secrets", "shop", "db-credentials", code=403),
    )
    return Agent(
        agent.namespace,
        agent.name,
        agent.account,
        agent.agent,
        agent.version,
        acts,
        replicas=2,
        traits=agent.traits,
    )


_SERVICES: Final = (
    _application("shop", "web", "kubernetes-client/python", 100),
    _application("shop", "cart", "OpenAPI-Generator/32.0.0/python", 90),
    _application("shop", "search"),
    _application("shop", "checkout"),
    _denied(_application("payments", "api", "okhttp/4.12.0", 85), 60),
    _application("payments", "ledger"),
    _application("data", "spark", "kubernetes-client/java", 90),
    _application("data", "airflow", "kubernetes-client/python", 30),
    _application("staging", "web-next", "kubernetes-client/python", 90),
    _application("staging", "api-next"),
)
_RUNNER: Final = Agent(
    "ci", "gitlab-runner", "gitlab-runner", "gitlab-runner %s linux/amd64", "17.4.0", ()
)
_JOBS: Final = (("data", "etl"), ("payments", "settle"), ("shop", "reindex"))

CAST: Final = (*AGENTS, *_SERVICES, _RUNNER)
"""Everything that runs, except cron jobs."""


def build_cluster(settings: SimulationSettings, index: int) -> Cluster:
    """Return a cluster whose first minutes install it, and whose life follows."""
    name = settings.cluster_names()[index]
    cluster = Cluster(name, index, settings, day_start_us(settings.start))
    cluster.namespaces = [*_PLATFORM, *APPLICATIONS]
    _add_nodes(cluster)
    workloads = {agent.name: agent_workload(cluster, agent) for agent in CAST}
    jobs = [_job(cluster, *job) for job in _JOBS]
    cluster.spawn(_install(cluster, [*workloads.values(), *jobs]))
    cluster.spawn(_live(cluster, workloads), cluster.start_us + _INSTALLED_US)
    return cluster


def _add_nodes(cluster: Cluster) -> None:
    wanted = cluster.settings.events_per_day // _EVENTS_A_NODE
    chance = cluster.stream("nodes")
    for number in range(1, 1 + max(_NODES[0], min(_NODES[1], wanted))):
        name, address = f"node-{number}", f"10.{cluster.index + 1}.0.{10 + number}"
        caller = kubelet_caller(cluster, name, address, 0)
        cluster.nodes.append(Node(name, new_uuid(chance), address, number, cluster.index, caller))


def _job(cluster: Cluster, namespace: str, name: str) -> Workload:
    agent = Agent(namespace, name, "default", "", "2.3.1", (), Kind.CRON_JOB)
    return agent_workload(cluster, agent)


def _install(cluster: Cluster, workloads: list[Workload]) -> Iterator[int]:
    """Let the administrator make namespaces and workloads; labelled as installation."""
    label = Label(BOOTSTRAP)
    agent = f"kubectl/{cluster.release} (linux/amd64) kubernetes/a7f1c3e"
    admin = person_caller(ADMIN, ("system:masters",), "0" * 64, ["10.0.0.2"], agent)
    for namespace in cluster.namespaces:
        cluster.send(admin, Request("create", "namespaces", None, namespace), label)
        yield cluster.now_us + SECOND // 10
    for namespace in APPLICATIONS:
        for request in guards(namespace):
            cluster.send(admin, request, label)
        yield cluster.now_us + SECOND // 10
    for workload in workloads:
        yield from install(cluster, workload, admin, label)
        yield cluster.now_us + 2 * SECOND


def _live(cluster: Cluster, workloads: dict[str, Workload]) -> Iterator[int]:
    """Start all actors."""
    start_control_plane(cluster)
    start_kubelets(cluster)
    start_agents(cluster, CAST, workloads)
    start_probes(cluster)
    start_people(cluster)
    start_pipelines(cluster, workloads)
    start_chores(cluster)
    yield from ()
