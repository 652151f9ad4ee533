"""Agents, kubelets and applications in, their periodic requests out.

Separate because all of them do the same: wait for a turn of a timer, choose one of their pods, ask.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from models.simulate.agents import NODE_ACTS
from models.simulate.chance import around_us, fingerprint, name_suffix, new_uuid, wait_us
from models.simulate.control_plane import CERTIFICATES, controller
from models.simulate.identities import (
    anonymous_caller,
    node_caller,
    unknown_caller,
)
from models.simulate.record import Request
from models.simulate.status_bodies import NODE_STATUS
from models.simulate.timeline import DAY, SECOND, object_time
from models.simulate.workload import Workload

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from random import Random

    from models.simulate.agents import Act, Agent
    from models.simulate.cluster import Cluster
    from models.simulate.node import Node
    from models.simulate.record import Caller

SECRETS: Final = ("db-credentials", "api-keys", "app-config", "registry-pull", "session-key")
"""Secrets that every namespace of an application has."""

_STATUS_WEIGHT: Final = 362.0
_CERTIFICATE_US: Final = 9 * DAY
_KEPT_REQUESTS: Final = 2_000


def agent_workload(cluster: Cluster, agent: Agent) -> Workload:
    """Return an agent's workload; nothing of it is installed yet."""
    chance = cluster.stream("agent", agent.namespace, agent.name)
    return Workload(
        kind=agent.kind,
        namespace=agent.namespace,
        name=agent.name,
        uid=new_uuid(chance),
        account=cluster.account(agent.namespace, agent.account),
        image=f"registry.corp.example/{agent.namespace}/{agent.name}",
        replicas=agent.replicas,
        traits=agent.traits,
        agent=agent.agent,
        tag=agent.version,
    )


def start_agents(cluster: Cluster, agents: Sequence[Agent], workloads: dict[str, Workload]) -> None:
    """Start the periodic requests of all agents; ``workloads`` go by the agents' names."""
    for agent in agents:
        for number, act in enumerate(agent.acts):
            chance = cluster.stream("act", agent.name, number)
            cluster.spawn(_repeat(cluster, workloads[agent.name], act, chance))


def _repeat(cluster: Cluster, workload: Workload, act: Act, chance: Random) -> Iterator[int]:
    """Make one kind of request, again and again, from one of the workload's pods."""
    kept: dict[tuple[str | None, str | None], Request] = {}
    leads = act.resource == "leases"
    while True:
        yield cluster.now_us + around_us(chance, cluster.share_us(act.weight))
        if not workload.pods:
            continue
        caller = (workload.pods[0] if leads else chance.choice(workload.pods)).caller
        if caller:
            cluster.send(caller, _aimed(cluster, act, chance, kept))


def _aimed(
    cluster: Cluster,
    act: Act,
    chance: Random,
    kept: dict[tuple[str | None, str | None], Request],
) -> Request:
    """Return an act's request with a namespace and a name that exist now."""
    namespace, name = act.namespace, act.name
    if namespace == "*" and name == "*" and act.resource != "secrets":
        workload = chance.choice(cluster.workloads)
        namespace, name = workload.namespace, workload.name
        if act.resource == "pods":
            name = chance.choice(workload.pods).name if workload.pods else workload.name
    elif namespace == "*":
        namespace = chance.choice(cluster.namespaces)
        name = chance.choice(SECRETS) if name == "*" else name
    if name == "gone":
        name = f"{chance.choice(cluster.workloads).replica_set}-{name_suffix(chance)}"
    key = (namespace, name)
    if (request := kept.get(key)) is None:
        if len(kept) > _KEPT_REQUESTS:
            kept.clear()
        request = kept[key] = Request(
            act.verb, act.resource, namespace, name, act.query, act.code, long_us=act.long_us
        )
    return request


def start_kubelets(cluster: Cluster) -> None:
    """Start what nodes do all the time."""
    for node in cluster.nodes:
        for number, act in enumerate(NODE_ACTS):
            chance = cluster.stream("kubelet", node.name, number)
            cluster.spawn(_node_act(cluster, node, act, chance))
        cluster.spawn(_report_status(cluster, node))
        cluster.spawn(_renew_certificate(cluster, node))


def _node_act(cluster: Cluster, node: Node, act: Act, chance: Random) -> Iterator[int]:
    name = node.name if act.name == "*" else act.name
    request = Request(act.verb, act.resource, act.namespace, name, act.query, long_us=act.long_us)
    period = cluster.share_us(act.weight) * len(cluster.nodes)
    while True:
        yield cluster.now_us + around_us(chance, period)
        cluster.send(node.caller, request)


def _report_status(cluster: Cluster, node: Node) -> Iterator[int]:
    chance = cluster.stream("status", node.name)
    created = object_time(cluster.start_us)
    period = cluster.share_us(_STATUS_WEIGHT) * len(cluster.nodes)
    while True:
        yield cluster.now_us + around_us(chance, period)
        asked = NODE_STATUS.fill(
            now=object_time(cluster.now_us),
            created=created,
            address=node.address.encode(),
            name=node.name.encode(),
            version=cluster.release.encode(),
        )
        request = Request("patch", "nodes/status", None, node.name, "?timeout=10s", asked=asked)
        cluster.send(node.caller, request)


def kubelet_caller(cluster: Cluster, name: str, address: str, serial: int) -> Caller:
    """Return a kubelet with its certificate of a serial number."""
    credential = fingerprint(cluster.settings.seed, cluster.name, name, serial)
    agent = f"kubelet/{cluster.release} (linux/amd64) kubernetes/a7f1c3e"
    return node_caller(name, credential, address, agent)


def _renew_certificate(cluster: Cluster, node: Node) -> Iterator[int]:
    """Rotate a kubelet's certificate: a request, its approval by a controller, a new credential."""
    chance = cluster.stream("certificate", node.name)
    approver = "certificatesigningrequests/approval"
    serial = 0
    while True:
        yield cluster.now_us + int(_CERTIFICATE_US * chance.uniform(0.5, 1.0))
        serial += 1
        name = f"csr-{name_suffix(chance)}"
        plural = "certificatesigningrequests"
        cluster.send(node.caller, Request("create", plural))
        yield cluster.now_us + int(0.1 * SECOND)
        certificates = controller(cluster, CERTIFICATES)
        cluster.send(certificates, Request("create", "subjectaccessreviews"))
        cluster.send(certificates, Request("update", approver, None, name))
        cluster.send(certificates, Request("update", f"{plural}/status", None, name))
        cluster.send(node.caller, Request("get", plural, None, name))
        node.caller = kubelet_caller(cluster, node.name, node.address, serial)


def start_probes(cluster: Cluster) -> None:
    """Start who asks from outside: load balancers without credentials, jobs with expired tokens."""
    balancer = anonymous_caller(["10.0.9.1"], "ELB-HealthChecker/2.0")
    probe = anonymous_caller(["10.0.9.2"], "kube-probe/1.35")
    cluster.spawn(_probe(cluster, balancer, Request("get", "/version"), 96))
    cluster.spawn(_probe(cluster, balancer, Request("get", "/", code=403), 82))
    cluster.spawn(_probe(cluster, probe, Request("get", "/version", query="?timeout=2s"), 75))
    cluster.spawn(_probe(cluster, probe, Request("get", "/metrics", code=403), 104))
    cluster.spawn(_expired(cluster))


def _probe(cluster: Cluster, caller: Caller, request: Request, weight: float) -> Iterator[int]:
    chance = cluster.stream("probe", caller.agent, request.resource)
    while True:
        yield cluster.now_us + around_us(chance, cluster.share_us(weight))
        cluster.send(caller, request)


def _expired(cluster: Cluster) -> Iterator[int]:
    """Let a nightly job ask with a token that has expired, a dozen times, until somebody helps."""
    chance = cluster.stream("expired")
    caller = unknown_caller(["10.60.4.20"], "python-requests/2.32.3")
    while True:
        yield cluster.now_us + wait_us(chance, cluster.share_us(100) * 12)
        request = Request("list", "pods", chance.choice(cluster.namespaces), code=401)
        for _ in range(chance.randint(4, 20)):
            cluster.send(caller, request)
            yield cluster.now_us + int(chance.uniform(1, 40) * SECOND)
