"""A person at a keyboard in, the requests of a session of kubectl out.

Separate from who works when: what people do with a cluster in ten minutes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from models.simulate.record import Request
from models.simulate.rollout import deploy
from models.simulate.timeline import MINUTE, SECOND
from models.simulate.traffic import SECRETS
from models.simulate.workload import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from random import Random

    from models.simulate.cluster import Cluster
    from models.simulate.labels import Label
    from models.simulate.record import Caller
    from models.simulate.workload import Pod, Workload

    Task = Callable[[Cluster, Caller, str, Random], Iterator[int]]

_THINKING_S: Final = (3.0, 50.0)
_SHELLS: Final = (
    ("sh",),
    ("ls", "-la", "/app"),
    ("env",),
    ("cat", "/app/config/settings.yaml"),
    ("curl", "-s", "localhost:8080/healthz"),
)


def session(
    cluster: Cluster, caller: Caller, namespaces: Sequence[str], chance: Random
) -> Iterator[int]:
    """Do some tasks in the team's namespaces, with pauses."""
    cluster.send(caller, Request("get", "/version", query="?timeout=5s"))
    tasks = list(_TASKS)
    for _ in range(chance.randint(2, 6)):
        namespace = chance.choice(namespaces)
        task = chance.choices(tasks, [_TASKS[task] for task in tasks])[0]
        yield from task(cluster, caller, namespace, chance)
        yield _thought(cluster, chance)


def night_session(
    cluster: Cluster, caller: Caller, namespaces: Sequence[str], chance: Random
) -> Iterator[int]:
    """Find out what broke, look into a pod, restart the workload."""
    namespace = chance.choice(namespaces)
    for task in (_look, _debug, _debug, _shell):
        yield from task(cluster, caller, namespace, chance)
        yield _thought(cluster, chance)
    yield from _restart(cluster, caller, namespace, chance)
    yield from _look(cluster, caller, namespace, chance)


def open_shell(
    cluster: Cluster,
    caller: Caller,
    place: tuple[str, str],
    command: Sequence[str],
    label: Label | None = None,
    *,
    verb: str = "get",
    long_us: int = MINUTE,
) -> bytes:
    """Run a command in a pod (a current kubectl asks with get: a websocket)."""
    words = "&".join(f"command={quote(word, safe='')}" for word in command)
    query = f"?{words}&stderr=true&stdin=true&stdout=true"
    request = Request(verb, "pods/exec", *place, query, code=101, long_us=long_us)
    return cluster.send(caller, request, label)


def pods_in(cluster: Cluster, namespace: str) -> list[tuple[Workload, Pod]]:
    """Return what runs in a namespace."""
    return [
        (workload, pod)
        for workload in cluster.workloads
        if workload.namespace == namespace
        for pod in workload.pods
    ]


def _thought(cluster: Cluster, chance: Random) -> int:
    return cluster.now_us + int(chance.uniform(*_THINKING_S) * SECOND)


def _look(cluster: Cluster, caller: Caller, namespace: str, chance: Random) -> Iterator[int]:
    for resource in chance.sample(("pods", "deployments", "services", "events", "pods"), k=3):
        cluster.send(caller, Request("list", resource, namespace, query="?limit=500"))
        yield _thought(cluster, chance)


def _nodes(cluster: Cluster, caller: Caller, _namespace: str, chance: Random) -> Iterator[int]:
    cluster.send(caller, Request("list", "nodes", query="?limit=500"))
    yield _thought(cluster, chance)
    node = chance.choice(cluster.nodes)
    cluster.send(caller, Request("get", "namespaces", None, _namespace))
    cluster.send(caller, Request("get", "nodes", None, node.name))


def _debug(cluster: Cluster, caller: Caller, namespace: str, chance: Random) -> Iterator[int]:
    """Describe a pod and read its log."""
    found = pods_in(cluster, namespace)
    if not found:
        return
    pod = chance.choice(found)[1]
    selector = "?fieldSelector=" + quote(f"involvedObject.name={pod.name}")
    cluster.send(caller, Request("get", "pods", namespace, pod.name))
    cluster.send(caller, Request("list", "events", namespace, query=selector))
    yield _thought(cluster, chance)
    long_us = int(chance.uniform(1, 90) * SECOND)
    log = Request("get", "pods/log", namespace, pod.name, "?follow=true", long_us=long_us)
    cluster.send(caller, log)
    yield _thought(cluster, chance)


def _shell(cluster: Cluster, caller: Caller, namespace: str, chance: Random) -> Iterator[int]:
    found = pods_in(cluster, namespace)
    if found and namespace != "kube-system":
        pod = chance.choice(found)[1]
        cluster.send(caller, Request("get", "pods", namespace, pod.name))
        long_us = int(chance.uniform(2, 400) * SECOND)
        place = (namespace, pod.name)
        open_shell(cluster, caller, place, chance.choice(_SHELLS), long_us=long_us)
    yield _thought(cluster, chance)


def _forward(cluster: Cluster, caller: Caller, namespace: str, chance: Random) -> Iterator[int]:
    found = pods_in(cluster, namespace)
    if found:
        pod = chance.choice(found)[1]
        cluster.send(caller, Request("get", "pods", namespace, pod.name))
        long_us = int(chance.uniform(1, 20) * MINUTE)
        forward = Request("get", "pods/portforward", namespace, pod.name, code=101, long_us=long_us)
        cluster.send(caller, forward)
    yield _thought(cluster, chance)


def _restart(cluster: Cluster, caller: Caller, namespace: str, chance: Random) -> Iterator[int]:
    """Restart a deployment: the template gets an annotation, the pods are exchanged."""
    found = [
        workload
        for workload in cluster.workloads
        if workload.namespace == namespace
        and workload.kind is Kind.DEPLOYMENT
        and not workload.label
    ]
    if found:
        workload = chance.choice(found)
        cluster.send(caller, Request("get", "deployments", namespace, workload.name))
        cluster.spawn(deploy(cluster, workload, caller))
    yield _thought(cluster, chance)


def _configure(cluster: Cluster, caller: Caller, namespace: str, chance: Random) -> Iterator[int]:
    cluster.send(caller, Request("get", "configmaps", namespace, "app-config"))
    yield _thought(cluster, chance)
    cluster.send(caller, Request("patch", "configmaps", namespace, "app-config"))


def _secret(cluster: Cluster, caller: Caller, namespace: str, chance: Random) -> Iterator[int]:
    """Read a secret of the own namespace by name, as people do to debug a connection."""
    cluster.send(caller, Request("get", "secrets", namespace, chance.choice(SECRETS)))
    yield _thought(cluster, chance)


def _mistype(cluster: Cluster, caller: Caller, namespace: str, chance: Random) -> Iterator[int]:
    name = f"{chance.choice(cluster.workloads).name}-0"
    cluster.send(caller, Request("get", "pods", namespace, name, code=404))
    yield _thought(cluster, chance)


def _wrong_namespace(
    cluster: Cluster, caller: Caller, _namespace: str, chance: Random
) -> Iterator[int]:
    """Forget to switch the context: the same question again and again, always denied."""
    namespace = chance.choice(("vault", "cert-manager", "velero"))
    resource = chance.choice(("pods", "deployments", "configmaps", "secrets"))
    denied = Request("list", resource, namespace, query="?limit=500", code=403)
    for _ in range(chance.randint(1, 7)):
        cluster.send(caller, denied)
        yield cluster.now_us + int(chance.uniform(1, 15) * SECOND)


_TASKS: Final[dict[Task, float]] = {
    _look: 40,
    _debug: 25,
    _nodes: 8,
    _shell: 3,
    _forward: 3,
    _restart: 0.8,
    _configure: 2,
    _secret: 0.8,
    _mistype: 4,
    _wrong_namespace: 1.2,
}
"""Tasks and how often they are done, from the people of the sample log."""
