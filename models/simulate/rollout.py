"""A workload and who changes it in, the records of its installation, deploys and scaling out.

Separate from a pod's life because a rollout is about revisions: replica sets come and go, pods are
exchanged one by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from models.simulate.chance import name_suffix, new_uuid
from models.simulate.control_plane import CRON_JOBS, DEPLOYMENTS, FINISHED, JOBS, controller
from models.simulate.pod_life import report_ready, start_pod, stop_pod
from models.simulate.record import Request
from models.simulate.timeline import MINUTE, SECOND, object_time
from models.simulate.workload import Kind
from models.simulate.workload_bodies import bodies_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from models.simulate.cluster import Cluster
    from models.simulate.labels import Label
    from models.simulate.node import Node
    from models.simulate.record import Caller
    from models.simulate.workload import Pod, Workload

_PLURALS: Final = {
    Kind.DEPLOYMENT: "deployments",
    Kind.DAEMON_SET: "daemonsets",
    Kind.CRON_JOB: "cronjobs",
}


def plural_of(workload: Workload) -> str:
    """Return the resource of a workload."""
    return _PLURALS[workload.kind]


def install(
    cluster: Cluster, workload: Workload, caller: Caller, label: Label | None = None
) -> Iterator[int]:
    """Create a workload and start its pods."""
    workload.created_us = cluster.now_us
    _revise(cluster, workload)
    if workload not in cluster.workloads:
        cluster.workloads.append(workload)
    request = change_request(cluster, workload, "create")
    cluster.send(caller, request, label)
    derived = label.derived() if label else None
    yield cluster.now_us + int(0.05 * SECOND)
    if workload.kind is Kind.DEPLOYMENT:
        _create_replica_set(cluster, workload, derived)
    if workload.kind is not Kind.CRON_JOB:
        yield from fill_up(cluster, workload, derived)


def deploy(
    cluster: Cluster, workload: Workload, caller: Caller, label: Label | None = None
) -> Iterator[int]:
    """Change a workload's template, and exchange its pods for new ones one by one."""
    _revise(cluster, workload)
    cluster.send(caller, change_request(cluster, workload, "patch"), label)
    derived = label.derived() if label else None
    yield cluster.now_us + int(0.08 * SECOND)
    if workload.kind is Kind.CRON_JOB:
        return
    if workload.kind is Kind.DEPLOYMENT:
        _create_replica_set(cluster, workload, derived)
    old = list(workload.pods)
    for pod in old:
        cluster.spawn(start_pod(cluster, workload, derived, node=_node_for(workload, pod)))
        yield cluster.now_us + int(cluster.chance.uniform(4, 12) * SECOND)
        cluster.spawn(stop_pod(cluster, workload, pod, derived))
        scale_set(cluster, workload, derived)
        yield cluster.now_us + int(cluster.chance.uniform(0.5, 3) * SECOND)


def fill_up(cluster: Cluster, workload: Workload, label: Label | None = None) -> Iterator[int]:
    """Start pods until a workload has as many as it wants."""
    if workload.kind is Kind.DAEMON_SET:
        for node in cluster.nodes:
            cluster.spawn(start_pod(cluster, workload, label, node=node))
            yield cluster.now_us + int(0.02 * SECOND)
        return
    for _ in range(len(workload.pods), workload.replicas):
        cluster.spawn(start_pod(cluster, workload, label))
        yield cluster.now_us + int(0.02 * SECOND)


def scale(
    cluster: Cluster, workload: Workload, replicas: int, label: Label | None = None
) -> Iterator[int]:
    """Follow a new number of replicas that somebody has set."""
    workload.replicas = replicas
    scale_set(cluster, workload, label)
    yield from fill_up(cluster, workload, label)
    for pod in workload.pods[replicas:]:
        cluster.spawn(stop_pod(cluster, workload, pod, label))
    yield cluster.now_us + 3 * SECOND
    report_ready(cluster, workload, label)


def run_job(cluster: Cluster, workload: Workload, label: Label | None = None) -> Iterator[int]:
    """Run a cron job once: a job, its pod, its end, and its removal."""
    chance, namespace = cluster.chance, workload.namespace
    owner = (f"{workload.name}-{cluster.now_us // MINUTE}", new_uuid(chance))
    jobs = controller(cluster, JOBS)
    crons = controller(cluster, CRON_JOBS)
    body = change_request(cluster, workload, "update").answered
    create = Request("create", "jobs", namespace, owner[0], asked=body, answered=body)
    cluster.send(crons, create, label)
    cluster.send(crons, Request("create", "events", namespace), label)
    status = Request(
        "update", "cronjobs/status", namespace, workload.name, asked=body, answered=body
    )
    cluster.send(crons, status, label)
    cluster.spawn(start_pod(cluster, workload, label, owner=owner))
    status = Request("update", "jobs/status", namespace, owner[0], asked=body, answered=body)
    for pause_s in (0.5, 6.0, chance.uniform(15, 60)):
        yield cluster.now_us + int(pause_s * SECOND)
        cluster.send(jobs, status, label)
    cluster.send(crons, Request("get", "jobs", namespace, owner[0]), label)
    yield cluster.now_us + 90 * SECOND
    delete = Request("delete", "jobs", namespace, owner[0])
    cluster.send(controller(cluster, FINISHED), delete, label)
    for pod in [pod for pod in workload.pods if pod.name.startswith(owner[0])]:
        yield from stop_pod(cluster, workload, pod, label)


def change_request(cluster: Cluster, workload: Workload, verb: str) -> Request:
    """Return the request that writes a workload's template."""
    bodies = workload.bodies
    answered = bodies.workload.fill(
        version=b"%d" % cluster.next_version(),
        created=object_time(workload.created_us),
        generation=b"%d" % workload.revision,
        replicas=b"%d" % workload.replicas,
        ready=b"%d" % len(workload.pods),
    )
    return Request(
        verb,
        plural_of(workload),
        workload.namespace,
        workload.name,
        "?fieldManager=helm&force=true" if verb == "patch" else "",
        asked=bodies.workload_asked.fill(),
        answered=answered,
    )


def scale_set(cluster: Cluster, workload: Workload, label: Label | None) -> None:
    """Write a replica set's new size."""
    if workload.kind is not Kind.DEPLOYMENT:
        return
    caller = controller(cluster, DEPLOYMENTS)
    body = _replica_set(cluster, workload)
    place = (workload.namespace, workload.replica_set)
    cluster.send(caller, Request("update", "replicasets", *place, asked=body, answered=body), label)
    cluster.send(caller, Request("create", "events", workload.namespace), label)


def _node_for(workload: Workload, pod: Pod) -> Node | None:
    """Keep a daemon's pod on its node; elsewhere the scheduler chooses."""
    return pod.node if workload.kind is Kind.DAEMON_SET else None


def _revise(cluster: Cluster, workload: Workload) -> None:
    workload.revision += 1
    workload.hash = name_suffix(cluster.chance, 10)
    if workload.kind is Kind.DEPLOYMENT:
        workload.replica_set_uid = new_uuid(cluster.chance)
        workload.slice_name = (
            workload.slice_name or f"{workload.name}-{name_suffix(cluster.chance)}"
        )
    workload.bodies = bodies_of(workload)


def _replica_set(cluster: Cluster, workload: Workload) -> bytes:
    return workload.bodies.replica_set.fill(
        version=b"%d" % cluster.next_version(),
        created=object_time(cluster.now_us),
        replicas=b"%d" % workload.replicas,
        ready=b"%d" % len(workload.pods),
    )


def _create_replica_set(cluster: Cluster, workload: Workload, label: Label | None) -> None:
    body = _replica_set(cluster, workload)
    place = (workload.namespace, workload.replica_set)
    request = Request("create", "replicasets", *place, asked=body, answered=body)
    cluster.send(controller(cluster, DEPLOYMENTS), request, label)
