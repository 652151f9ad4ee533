"""A workload in, the records of a pod's start and of its end out.

Separate because controllers, pipelines, autoscaling and attacks all start pods, and each start is
the same chain of two dozen records: controller, scheduler, kubelet, token, status, endpoints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from models.simulate.chance import fingerprint, name_suffix, new_uuid
from models.simulate.control_plane import (
    DAEMON_SETS,
    ENDPOINTS,
    GARBAGE,
    JOBS,
    REPLICA_SETS,
    SCHEDULER,
    SLICES,
    component,
    controller,
)
from models.simulate.identities import Binding, account_caller
from models.simulate.record import Request
from models.simulate.status_bodies import (
    BINDING,
    ENDPOINT,
    ENDPOINT_SLICE,
    GRACE,
    POD_PENDING,
    POD_RUNNING,
    SUCCESS,
)
from models.simulate.timeline import HOUR, SECOND, object_time
from models.simulate.workload import Kind, Pod

if TYPE_CHECKING:
    from collections.abc import Iterator

    from models.simulate.blank import Blank
    from models.simulate.cluster import Cluster
    from models.simulate.labels import Label
    from models.simulate.node import Node
    from models.simulate.record import Caller
    from models.simulate.workload import Workload

_CONTROLLERS: Final = {
    Kind.DEPLOYMENT: REPLICA_SETS,
    Kind.DAEMON_SET: DAEMON_SETS,
    Kind.CRON_JOB: JOBS,
}
_TOKEN_US: Final = 50 * 60 * SECOND
"""The kubelet renews a token of an hour at four fifths of it, with jitter (kubelet, token)."""


def start_pod(
    cluster: Cluster,
    workload: Workload,
    label: Label | None = None,
    *,
    owner: tuple[str, bytes] | None = None,
    node: Node | None = None,
) -> Iterator[int]:
    """Make a pod of a workload run; it is the workload's from its first record on."""
    chance = cluster.chance
    owner = owner or (workload.replica_set, workload.replica_set_uid or workload.uid)
    pod = _new_pod(cluster, workload, owner[0], node)
    workload.pods.append(pod)
    maker = controller(cluster, _CONTROLLERS[workload.kind])
    bodies = workload.bodies
    asked = bodies.pod_asked.fill(owner=owner[0].encode(), owner_uid=owner[1])
    answered = pod_body(cluster, workload, pod, owner, b"Pending")
    cluster.send(
        maker,
        Request("create", "pods", workload.namespace, asked=asked, answered=answered),
        label,
    )
    cluster.send(maker, Request("create", "events", workload.namespace), label)
    yield cluster.now_us + int(chance.uniform(0.004, 0.03) * SECOND)
    if workload.kind is Kind.DEPLOYMENT:
        report_ready(cluster, workload, label)
    bind(cluster, workload.namespace, pod, label)
    yield cluster.now_us + int(chance.uniform(0.02, 0.2) * SECOND)
    yield from _run_on_node(cluster, workload, pod, label)


def pod_body(
    cluster: Cluster, workload: Workload, pod: Pod, owner: tuple[str, bytes], phase: bytes
) -> bytes:
    """Return a pod as the API server answers with it."""
    return workload.bodies.pod.fill(
        owner=owner[0].encode(),
        owner_uid=owner[1],
        name=pod.name.encode(),
        uid=pod.uid,
        version=b"%d" % cluster.next_version(),
        created=object_time(pod.created_us),
        suffix=pod.uid[:5],
        phase=phase,
    )


def _new_pod(cluster: Cluster, workload: Workload, owner: str, node: Node | None) -> Pod:
    chance = cluster.chance
    node = node or chance.choice(cluster.nodes)
    host = workload.traits.host_network
    address = node.address if host else node.next_pod_address()
    name = f"{owner}-{name_suffix(chance)}"
    return Pod(name, new_uuid(chance), node, address, cluster.now_us)


def bind(cluster: Cluster, namespace: str, pod: Pod, label: Label | None) -> None:
    """Give a pod to its node, as the scheduler does."""
    asked = BINDING.fill(
        name=pod.name.encode(),
        namespace=namespace.encode(),
        uid=pod.uid,
        node=pod.node.name.encode(),
    )
    scheduler = component(cluster, SCHEDULER)
    cluster.send(
        scheduler,
        Request(
            "create",
            "pods/binding",
            namespace,
            pod.name,
            asked=asked,
            answered=SUCCESS,
            uid=pod.uid.decode(),
        ),
        label,
    )
    cluster.send(scheduler, Request("create", "events", namespace), label)


def _run_on_node(
    cluster: Cluster, workload: Workload, pod: Pod, label: Label | None
) -> Iterator[int]:
    chance, kubelet = cluster.chance, pod.node.caller
    namespace = workload.namespace
    cluster.send(kubelet, Request("get", "pods", namespace, pod.name), label)
    cluster.send(kubelet, Request("get", "configmaps", namespace, "kube-root-ca.crt"), label)
    mint_pod_token(cluster, workload, pod, label)
    cluster.send(kubelet, status_request(workload, pod, POD_PENDING), label)
    if workload.kind is Kind.DEPLOYMENT:
        report_ready(cluster, workload, label)
    yield cluster.now_us + int(chance.uniform(0.5, 3.0) * SECOND)
    for _ in range(3):
        cluster.send(kubelet, Request("create", "events", namespace), label)
        yield cluster.now_us + int(chance.uniform(0.05, 0.9) * SECOND)
    cluster.send(kubelet, Request("get", "pods", namespace, pod.name), label)
    cluster.send(kubelet, status_request(workload, pod, POD_RUNNING), label)
    yield cluster.now_us + int(chance.uniform(0.01, 0.1) * SECOND)
    if workload.kind is Kind.DEPLOYMENT:
        report_ready(cluster, workload, label)
        update_endpoints(cluster, workload, label)
    cluster.spawn(_renew_token(cluster, workload, pod), cluster.now_us + _TOKEN_US)


def status_request(workload: Workload, pod: Pod, blank: Blank) -> Request:
    """Return the kubelet's report of a pod."""
    digest = fingerprint(workload.image_name)
    image_id = f"{workload.image_name.rpartition(':')[0]}@sha256:{digest}"
    asked = blank.fill(
        uid=pod.uid,
        created=object_time(pod.created_us),
        image=workload.image_name.encode(),
        image_id=image_id.encode() if blank is POD_RUNNING else b"",
        container=workload.name.encode(),
        host=pod.node.address.encode(),
        address=pod.address.encode(),
    )
    return Request("patch", "pods/status", workload.namespace, pod.name, asked=asked)


def mint_pod_token(
    cluster: Cluster, workload: Workload, pod: Pod, label: Label | None = None
) -> None:
    """Let the kubelet ask for a pod's token; the pod uses it from now on."""
    pod.credential = new_uuid(cluster.chance)
    pod.caller = _pod_caller(workload, pod) if workload.agent else None
    note = b'"authentication.kubernetes.io/issued-credential-id":"JTI=%b",' % pod.credential
    account = workload.account
    place = (account.namespace, account.name)
    request = Request("create", "serviceaccounts/token", *place, notes=note)
    cluster.send(pod.node.caller, request, label)


def _pod_caller(workload: Workload, pod: Pod) -> Caller:
    binding = Binding(pod.name, pod.uid.decode(), pod.node.name, pod.node.uid.decode())
    agent = workload.user_agent()
    return account_caller(workload.account, pod.credential, [pod.address], agent, binding)


def _renew_token(cluster: Cluster, workload: Workload, pod: Pod) -> Iterator[int]:
    """Renew a pod's token every fifty minutes, as long as it runs and if it calls at all.

    Pods that never call renew four times a day only: their tokens would be a tenth of the log.
    """
    period = _TOKEN_US if workload.agent else 6 * HOUR
    while pod in workload.pods:
        mint_pod_token(cluster, workload, pod, workload.label)
        yield cluster.now_us + int(period * cluster.chance.uniform(0.9, 1.1))


def report_ready(cluster: Cluster, workload: Workload, label: Label | None = None) -> None:
    """Let the controllers count a workload's pods."""
    bodies = workload.bodies
    values = {
        "version": b"%d" % cluster.next_version(),
        "created": object_time(workload.created_us),
        "replicas": b"%d" % workload.replicas,
        "ready": b"%d" % len(workload.pods),
    }
    body = bodies.replica_set.fill(**values)
    place = (workload.namespace, workload.replica_set)
    update = Request("update", "replicasets/status", *place, asked=body, answered=body)
    cluster.send(controller(cluster, REPLICA_SETS), update, label)
    whole = bodies.workload.fill(generation=b"%d" % max(1, workload.revision), **values)
    conflict = cluster.chance.random() < 0.12  # noqa: PLR2004 - 378 of 2,962 in the sample log
    update = Request(
        "update",
        "deployments/status",
        workload.namespace,
        workload.name,
        code=409 if conflict else 200,
        asked=whole,
        answered=b"" if conflict else whole,
    )
    cluster.send(controller(cluster, "deployment-controller"), update, label)


def update_endpoints(cluster: Cluster, workload: Workload, label: Label | None = None) -> None:
    """Let the controllers write which addresses serve."""
    endpoints = b",".join(
        ENDPOINT.fill(
            address=pod.address.encode(),
            namespace=workload.namespace.encode(),
            name=pod.name.encode(),
            uid=pod.uid,
            node=pod.node.name.encode(),
        )
        for pod in workload.pods
    )
    body = ENDPOINT_SLICE.fill(
        name=workload.slice_name.encode(),
        service=workload.name.encode(),
        namespace=workload.namespace.encode(),
        version=b"%d" % cluster.next_version(),
        endpoints=b"[%b]" % endpoints,
    )
    place = (workload.namespace, workload.slice_name)
    request = Request("update", "endpointslices", *place, asked=body, answered=body)
    cluster.send(controller(cluster, SLICES), request, label)
    place = (workload.namespace, workload.name)
    request = Request("update", "endpoints", *place, asked=body, answered=body)
    cluster.send(controller(cluster, ENDPOINTS), request, label)


def stop_pod(
    cluster: Cluster, workload: Workload, pod: Pod, label: Label | None = None
) -> Iterator[int]:
    """End a pod: its controller deletes it, its kubelet takes it down."""
    if pod not in workload.pods:
        return
    workload.pods.remove(pod)
    chance, namespace = cluster.chance, workload.namespace
    owner = (workload.replica_set, workload.replica_set_uid or workload.uid)
    body = pod_body(cluster, workload, pod, owner, b"Running")
    delete = Request("delete", "pods", namespace, pod.name, answered=body)
    maker = GARBAGE if workload.kind is Kind.CRON_JOB else _CONTROLLERS[workload.kind]
    cluster.send(controller(cluster, maker), delete, label)
    yield cluster.now_us + int(chance.uniform(0.05, 0.4) * SECOND)
    kubelet = pod.node.caller
    cluster.send(kubelet, Request("create", "events", namespace), label)
    cluster.send(kubelet, status_request(workload, pod, POD_RUNNING), label)
    if workload.kind is Kind.DEPLOYMENT:
        update_endpoints(cluster, workload, label)
        report_ready(cluster, workload, label)
    yield cluster.now_us + int(chance.uniform(0.8, 4.0) * SECOND)
    grace = GRACE.fill(uid=pod.uid)
    cluster.send(
        kubelet,
        Request("delete", "pods", namespace, pod.name, asked=grace, answered=body),
        label,
    )
