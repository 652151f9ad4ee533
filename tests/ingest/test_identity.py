from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ingest.identity import Identity, identify

Build = Callable[..., dict[str, Any]]
Row = Callable[..., dict[str, Any]]

CONTROLLER = "system:serviceaccount:kube-system:replicaset-controller"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (None, Identity("unauthenticated")),
        ("", Identity("unauthenticated")),
        ("system:anonymous", Identity("anonymous")),
        ("jane", Identity("human")),
        ("arn:aws:iam::1:user/jane", Identity("human")),
        ("systemd", Identity("human")),
        ("system:admin", Identity("system")),
        ("system:serviceaccount:shop:web", Identity("service_account", "shop", "web")),
        (CONTROLLER, Identity("controller", "kube-system", "replicaset-controller")),
        # the same name in another namespace is no controller
        (
            "system:serviceaccount:shop:replicaset-controller",
            Identity("service_account", "shop", "replicaset-controller"),
        ),
        ("system:kube-controller-manager", Identity("controller")),
        ("system:kube-scheduler", Identity("controller")),
        ("system:node:worker-1", Identity("node", node_name="worker-1")),
        ("system:nodes:worker-1", Identity("system")),
        ("SYSTEM:NODE:worker-1", Identity("human")),
    ],
)
def test_a_name_says_what_it_names(name: str | None, expected: Identity) -> None:
    assert identify(name) == expected


def test_an_event_has_the_parts_of_its_caller(build: Build, row: Row) -> None:
    found = row(build(user={"username": "system:serviceaccount:shop:web"}))
    assert found["trailwarden.identity.type"] == "service_account"
    assert found["trailwarden.identity.service_account.namespace"] == "shop"
    assert found["trailwarden.identity.service_account.name"] == "web"
    assert found["trailwarden.identity.node.name"] is None


def test_who_is_acted_as_does_not_hide_who_acts(build: Build, row: Row) -> None:
    found = row(build(impersonatedUser={"username": "system:admin", "groups": ["system:masters"]}))
    assert found["user.name"] == "jane"
    assert found["user.effective.name"] == "system:admin"
    assert found["kubernetes.audit.user.groups"] == ["dev", "system:authenticated"]
    assert found["kubernetes.audit.impersonatedUser.groups"] == ["system:masters"]
    assert found["trailwarden.identity.type"] == "human"


def test_a_bound_token_names_its_pod_node_and_credential(build: Build, row: Row) -> None:
    prefix = "authentication.kubernetes.io/"
    extra = {
        f"{prefix}credential-id": ["JTI=1", "JTI=2"],
        f"{prefix}pod-name": ["web-1"],
        f"{prefix}pod-uid": ["p-1"],
        f"{prefix}node-name": ["worker-1"],
        "scopes": ["a", "b"],
        "empty": [],
    }
    found = row(build(user={"username": "x", "extra": extra}))
    assert found["trailwarden.credential.id"] == "JTI=1"
    assert found["trailwarden.token.pod.name"] == "web-1"
    assert found["trailwarden.token.pod.uid"] == "p-1"
    assert found["trailwarden.token.node.name"] == "worker-1"
    # lists stay lists, and a second value of a column is not lost
    expected = (
        '{"authentication.kubernetes.io/credential-id":["JTI=2"],"scopes":["a","b"],"empty":[]}'
    )
    assert found["kubernetes.audit.user.extra"] == expected


def test_the_memory_for_names_is_bounded() -> None:
    for number in range(70_000):
        identify(f"user-{number}")
    info = identify.cache_info()
    assert info.maxsize is not None
    assert info.currsize <= info.maxsize <= 65_536
