"""Pipelines, schedules and scalers in, their changes to a cluster out.

Separate because this is what makes a cluster change all day: deploys, jobs, previews, replicas,
upgrades, each with the records that the cluster adds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from models.simulate.builds import keep_previews, run_builds
from models.simulate.chance import wait_us
from models.simulate.identities import machine_caller
from models.simulate.office import QUIET_SHARE, is_office_time
from models.simulate.people import is_at_work, people
from models.simulate.pod_life import start_pod, stop_pod
from models.simulate.record import Request
from models.simulate.rollout import deploy, run_job, scale
from models.simulate.timeline import DAY, HOUR, MINUTE, SECOND
from models.simulate.workload import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from models.simulate.cluster import Cluster
    from models.simulate.record import Caller
    from models.simulate.workload import Workload

APPLICATIONS: Final = ("shop", "payments", "data", "staging")
"""Namespaces of the teams' own software."""

_UPGRADE_US: Final = 16 * DAY


def jenkins(agent: str = "Helm/3.18.4") -> Caller:
    """Return the pipeline that deploys with Helm, behind a proxy."""
    return machine_caller("ci-jenkins", ("ci-bots",), ["10.60.4.12", "10.40.0.10"], agent)


def start_pipelines(cluster: Cluster, workloads: dict[str, Workload]) -> None:
    """Start everything that changes workloads by itself."""
    cluster.spawn(_deploys(cluster))
    cluster.spawn(run_builds(cluster, workloads["gitlab-runner"]))
    cluster.spawn(keep_previews(cluster))
    cluster.spawn(_syncs(cluster, workloads["argocd-application-controller"]))
    cluster.spawn(_scaling(cluster, workloads["keda-operator"]))
    cluster.spawn(_schedules(cluster))
    cluster.spawn(_upgrades(cluster, workloads["argocd-application-controller"]))
    cluster.spawn(_drains(cluster))


def _applications(cluster: Cluster, kind: Kind = Kind.DEPLOYMENT) -> list[Workload]:
    return [
        workload
        for workload in cluster.workloads
        if workload.namespace in APPLICATIONS and workload.kind is kind and not workload.label
    ]


def _deploys(cluster: Cluster) -> Iterator[int]:
    chance = cluster.stream("deploys")
    caller = jenkins()
    while True:
        yield cluster.now_us + wait_us(chance, cluster.share_us(127 * 2.2))
        if not is_office_time(cluster) and chance.random() > QUIET_SHARE:
            continue
        workload = chance.choice(_applications(cluster))
        cluster.spawn(_helm(cluster, caller, workload, chance))


def _helm(cluster: Cluster, caller: Caller, workload: Workload, chance: Random) -> Iterator[int]:
    namespace = workload.namespace
    cluster.send(caller, Request("list", "secrets", namespace, query="?labelSelector=owner%3Dhelm"))
    for _ in range(6):
        cluster.send(caller, Request("get", "deployments", namespace, workload.name))
        yield cluster.now_us + int(chance.uniform(0.05, 0.4) * SECOND)
    release = f"sh.helm.release.v1.{workload.name}.v{workload.revision + 1}"
    cluster.send(caller, Request("create", "secrets", namespace, release))
    cluster.send(caller, Request("patch", "configmaps", namespace, "app-config"))
    major, minor, _ = workload.tag.split(".")
    workload.tag = f"{major}.{int(minor) + 1}.0"
    workload.image_override = ""
    yield from deploy(cluster, workload, caller)


def _syncs(cluster: Cluster, argocd: Workload) -> Iterator[int]:
    """Let Argo CD write when it last compared a deployment with its repository."""
    chance = cluster.stream("syncs")
    asked = b'{"metadata":{"annotations":{"argocd.argoproj.io/refresh":"normal"}}}'
    while True:
        yield cluster.now_us + wait_us(chance, cluster.share_us(322))
        workload = chance.choice(_applications(cluster))
        caller = argocd.pods[0].caller if argocd.pods else None
        if caller:
            place = (workload.namespace, workload.name)
            cluster.send(caller, Request("patch", "deployments", *place, asked=asked))


def _scaling(cluster: Cluster, keda: Workload) -> Iterator[int]:
    """Scale applications up and down with their load."""
    chance = cluster.stream("scaling")
    while True:
        yield cluster.now_us + wait_us(chance, cluster.share_us(131))
        workload = chance.choice(_applications(cluster))
        caller = keda.pods[0].caller if keda.pods else None
        if caller is None:
            continue
        busy = 2 if is_office_time(cluster) else 1
        replicas = max(1, min(busy + 3, workload.replicas + chance.choice((-1, 1, busy - 1))))
        body = b'{"kind":"Scale","apiVersion":"autoscaling/v1","spec":{"replicas":%d}}' % replicas
        place = (workload.namespace, workload.name)
        request = Request("update", "deployments/scale", *place, asked=body, answered=body)
        cluster.send(caller, request)
        cluster.spawn(scale(cluster, workload, replicas))


def _schedules(cluster: Cluster) -> Iterator[int]:
    """Run cron jobs; the more events a day are asked for, the shorter their schedule."""
    period = int(min(cluster.share_us(39), 6 * HOUR))
    while True:
        yield cluster.now_us + period
        for workload in _applications(cluster, Kind.CRON_JOB):
            cluster.spawn(run_job(cluster, workload), cluster.now_us + SECOND)


def _upgrades(cluster: Cluster, argocd: Workload) -> Iterator[int]:
    """Upgrade one agent of the platform after the other: a new version calls under a new name."""
    chance = cluster.stream("upgrades")
    agents = [workload for workload in cluster.workloads if workload.agent]
    while True:
        yield cluster.now_us + wait_us(chance, _UPGRADE_US / len(agents))
        workload = chance.choice(agents)
        caller = argocd.pods[0].caller if argocd.pods else None
        if caller and is_office_time(cluster):
            head, _, patch = workload.tag.rpartition(".")
            workload.tag = f"{head}.{int(patch) + 1}"
            cluster.spawn(deploy(cluster, workload, caller))


def _drains(cluster: Cluster) -> Iterator[int]:
    """Drain a node for its patches, every week: somebody of the platform's team evicts its pods."""
    chance = cluster.stream("drains")
    team = [person for person in people() if person.team.name == "platform"]
    while True:
        yield cluster.now_us + wait_us(chance, 5 * DAY)
        seed = cluster.settings.seed
        here = [one for one in team if is_at_work(seed, one, one.site.day_of(cluster.now_us))]
        if not here or not is_office_time(cluster):
            continue
        caller = chance.choice(here).caller(seed, cluster.now_us)
        node = chance.choice(cluster.nodes)
        cordon = b'{"spec":{"unschedulable":true}}'
        cluster.send(caller, Request("patch", "nodes", None, node.name, asked=cordon))
        for workload in _applications(cluster):
            for pod in [pod for pod in workload.pods if pod.node is node]:
                place = (workload.namespace, pod.name)
                cluster.send(caller, Request("create", "pods/eviction", *place))
                cluster.spawn(stop_pod(cluster, workload, pod))
                cluster.spawn(start_pod(cluster, workload), cluster.now_us + SECOND)
                yield cluster.now_us + 2 * SECOND
        yield cluster.now_us + 20 * MINUTE
        cordon = b'{"spec":{"unschedulable":null}}'
        cluster.send(caller, Request("patch", "nodes", None, node.name, asked=cordon))
