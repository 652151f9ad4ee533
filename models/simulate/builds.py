"""A cluster's runner and its pipeline for namespaces in, builds and previews out.

Separate from deploys: what comes and goes as a whole, pods of builds and namespaces of previews.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from models.simulate.chance import name_suffix, wait_us
from models.simulate.control_plane import NAMESPACES, ROOT_CA, controller
from models.simulate.identities import machine_caller
from models.simulate.office import QUIET_SHARE, is_office_time
from models.simulate.record import Request
from models.simulate.sessions import open_shell
from models.simulate.timeline import HOUR, SECOND

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from models.simulate.cluster import Cluster
    from models.simulate.record import Caller
    from models.simulate.workload import Workload


def terraform() -> Caller:
    """Return the pipeline that keeps namespaces."""
    agent = "HashiCorp/1.0 Terraform/1.13.0"
    return machine_caller("terraform-cloud", ("infra",), ["10.60.4.13", "10.40.0.11"], agent)


def run_builds(cluster: Cluster, runner: Workload) -> Iterator[int]:
    """Run build jobs in pods of their own."""
    chance = cluster.stream("builds")
    while True:
        yield cluster.now_us + wait_us(chance, cluster.share_us(152 * 2.0))
        if (is_office_time(cluster) or chance.random() < QUIET_SHARE) and runner.pods:
            cluster.spawn(_build(cluster, runner, chance))


_COMMANDS: Final = (
    ("sh", "-c", "make test"),
    ("pip", "install", "-r", "requirements.txt"),
    ("npm", "ci"),
    ("sh", "-c", "docker-credential-login && make image"),
)


def _build(cluster: Cluster, runner: Workload, chance: Random) -> Iterator[int]:
    caller = runner.pods[0].caller
    if caller is None:
        return
    name = f"runner-{name_suffix(chance, 8)}-project-{chance.randint(10, 99)}-concurrent-0"
    place = ("ci", name)
    cluster.send(caller, Request("create", "secrets", "ci", name))
    asked = _build_pod(name)
    cluster.send(caller, Request("create", "pods", *place, asked=asked, answered=asked))
    for _ in range(chance.randint(2, 4)):
        yield cluster.now_us + 3 * SECOND
        cluster.send(caller, Request("get", "pods", *place))
    for command in chance.sample(_COMMANDS, k=2):
        long_us = int(chance.uniform(5, 240) * SECOND)
        open_shell(cluster, caller, place, command, verb="create", long_us=long_us)
        yield cluster.now_us + long_us
    log = Request("get", "pods/log", *place, "?follow=true", long_us=20 * SECOND)
    cluster.send(caller, log)
    yield cluster.now_us + 20 * SECOND
    cluster.send(caller, Request("delete", "pods", *place, answered=asked))
    cluster.send(caller, Request("delete", "secrets", "ci", name))


def _build_pod(name: str) -> bytes:
    container = {
        "name": "build",
        "image": "registry.corp.example/ci/builder:24.04",
        "command": ["sh", "-c", "sleep 3600"],
        "resources": {"limits": {"memory": "2Gi"}, "requests": {"cpu": "500m"}},
        "securityContext": {"allowPrivilegeEscalation": False},
    }
    pod = {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {"name": name, "namespace": "ci", "labels": {"app": "runner-build"}},
        "spec": {
            "containers": [container],
            "restartPolicy": "Never",
            "serviceAccountName": "build",
            "automountServiceAccountToken": False,
        },
        "status": {},
    }
    return orjson.dumps(pod)


def keep_previews(cluster: Cluster) -> Iterator[int]:
    """Keep preview environments: namespaces with their policies, made and removed again."""
    chance = cluster.stream("previews")
    caller = terraform()
    while True:
        yield cluster.now_us + wait_us(chance, cluster.share_us(20))
        cluster.spawn(_preview(cluster, caller, f"preview-{name_suffix(chance)}", chance))


def guards(namespace: str) -> list[Request]:
    """Return the requests that fence a namespace in: policy, quota, the developers' rights."""
    policy = {
        "kind": "NetworkPolicy",
        "apiVersion": "networking.k8s.io/v1",
        "metadata": {"name": "default-deny"},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
    }
    quota = {
        "kind": "ResourceQuota",
        "apiVersion": "v1",
        "metadata": {"name": "quota"},
        "spec": {"hard": {"pods": "50"}},
    }
    binding = {
        "kind": "RoleBinding",
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "metadata": {"name": "developers"},
        "subjects": [{"kind": "Group", "name": "developers"}],
        "roleRef": {"kind": "ClusterRole", "name": "edit"},
    }
    made = (
        ("networkpolicies", "default-deny", policy),
        ("resourcequotas", "quota", quota),
        ("rolebindings", "developers", binding),
    )
    return [
        Request("create", plural, namespace, name, asked=body, answered=body)
        for plural, name, body in ((p, n, orjson.dumps(b)) for p, n, b in made)
    ]


def _preview(cluster: Cluster, caller: Caller, namespace: str, chance: Random) -> Iterator[int]:
    cluster.send(caller, Request("get", "namespaces", None, namespace, code=404))
    asked = b'{"kind":"Namespace","apiVersion":"v1","metadata":{"name":"%b","labels":{"pod-security.kubernetes.io/enforce":"baseline"}}}'  # noqa: E501 - one object
    body = asked % namespace.encode()
    cluster.send(
        caller, Request("create", "namespaces", None, namespace, asked=body, answered=body)
    )
    root = controller(cluster, ROOT_CA)
    cluster.send(root, Request("create", "configmaps", namespace, "kube-root-ca.crt"))
    for request in guards(namespace):
        cluster.send(caller, request)
    yield cluster.now_us + int(chance.uniform(2, 20) * HOUR)
    cluster.send(caller, Request("delete", "namespaces", None, namespace))
    sweeper = controller(cluster, NAMESPACES)
    for resource in (
        "pods",
        "secrets",
        "configmaps",
        "rolebindings",
        "networkpolicies",
        "deployments",
    ):
        cluster.send(sweeper, Request("deletecollection", resource, namespace))
        yield cluster.now_us + int(0.05 * SECOND)
