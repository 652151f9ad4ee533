from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest

from ingest.facets.workload import BUILT_IN_CONTROLLERS, owner, workload_root

Build = Callable[..., dict[str, Any]]
Row = Callable[..., dict[str, Any]]

P: Final = "trailwarden.pod_spec.workload."


def controller(name: str) -> str:
    return f"system:serviceaccount:kube-system:{name}-controller"


def owned(kind: str, name: str, *, controls: object = True, **labels: str) -> dict[str, Any]:
    reference = {"kind": kind, "name": name, "controller": controls}
    return {"metadata": {"name": "x", "labels": labels, "ownerReferences": [reference]}}


@pytest.mark.parametrize(
    ("resource", "user", "body", "root"),
    [
        # Deployment -> ReplicaSet -> Pod
        ("deployments", "jane", {}, ("Deployment", "own")),
        (
            "replicasets",
            controller("deployment"),
            owned("Deployment", "web"),
            ("Deployment", "web"),
        ),
        (
            "pods",
            controller("replicaset"),
            owned("ReplicaSet", "web-7d9f", **{"pod-template-hash": "7d9f"}),
            ("Deployment", "web"),
        ),
        # a ReplicaSet of its own
        ("pods", controller("replicaset"), owned("ReplicaSet", "lone"), ("ReplicaSet", "lone")),
        (
            "pods",
            controller("replicaset"),
            owned("ReplicaSet", "web-7d9f", **{"pod-template-hash": "other"}),
            ("ReplicaSet", "web-7d9f"),
        ),
        # CronJob -> Job -> Pod
        ("cronjobs", "jane", {}, ("CronJob", "own")),
        ("jobs", controller("cronjob"), owned("CronJob", "nightly"), ("CronJob", "nightly")),
        ("pods", controller("job"), owned("Job", "nightly-29123456"), ("CronJob", "nightly")),
        ("pods", controller("job"), owned("Job", "once"), ("Job", "once")),
        ("pods", controller("job"), owned("Job", "run-42"), ("Job", "run-42")),
        # the others make their pods themselves
        ("pods", controller("daemon-set"), owned("DaemonSet", "agent"), ("DaemonSet", "agent")),
        ("pods", controller("statefulset"), owned("StatefulSet", "db"), ("StatefulSet", "db")),
        (
            "pods",
            controller("replication"),
            owned("ReplicationController", "old"),
            ("ReplicationController", "old"),
        ),
        ("pods", "system:kube-controller-manager", owned("Job", "once"), ("Job", "once")),
        # without an owner, or one that does not control, even a controller's pod is its own
        ("pods", controller("replicaset"), {}, ("Pod", "own")),
        ("pods", controller("replicaset"), owned("A", "b", controls=False), ("Pod", "own")),
        ("pods", controller("replicaset"), owned("A", "b", controls="true"), ("Pod", "own")),
        # who is no built-in controller is not believed
        ("pods", "eve", owned("DaemonSet", "agent"), ("Pod", "own")),
        ("pods", None, owned("DaemonSet", "agent"), ("Pod", "own")),
        (
            "pods",
            "system:serviceaccount:shop:replicaset-controller",
            owned("DaemonSet", "agent"),
            ("Pod", "own"),
        ),
        ("pods", "system:node:worker-1", owned("Node", "worker-1"), ("Pod", "own")),
        # custom workloads by their kind, a patch of one by its resource
        ("rollouts", "jane", {"kind": "Rollout"}, ("Rollout", "own")),
        ("rollouts", "jane", {}, ("rollouts", "own")),
    ],
)
def test_the_root_is_what_a_person_made(
    resource: str, user: str | None, body: dict[str, Any], root: tuple[str, str]
) -> None:
    assert workload_root(resource, "own", user, body) == root


@pytest.mark.parametrize(
    ("metadata", "name"),
    [
        ({"name": "a"}, "a"),
        ({"generateName": "b-"}, "b-"),
        ({"name": "a", "generateName": "b-"}, "a"),
        ({}, ""),
        ({"name": 5}, ""),
    ],
)
def test_a_name_that_the_reference_lacks_is_in_the_body(metadata: Any, name: str) -> None:
    assert workload_root("pods", None, "jane", {"metadata": metadata}) == ("Pod", name)


def test_request_and_derived_pod_have_one_root(build: Build, row: Row) -> None:
    spec = {"containers": [{"name": "a", "image": "i"}], "hostPID": True}
    asked = row(
        build(
            objectRef={"resource": "deployments", "name": "web"},
            requestObject={"spec": {"template": {"spec": spec}}},
        )
    )
    body = owned("ReplicaSet", "web-7d9f", **{"pod-template-hash": "7d9f"}) | {"spec": spec}
    derived = row(
        build(
            user={"username": controller("replicaset")},
            requestObject=body,
            objectRef={"resource": "pods", "name": "web-7d9f-x"},
        ),
    )
    forged = row(build(user={"username": "eve"}, requestObject=body))
    for column in (f"{P}kind", f"{P}name"):
        assert asked[column] == derived[column]
    assert (forged[f"{P}kind"], forged[f"{P}name"]) == ("Pod", "web")
    # what the forger says is shown, but not believed
    assert forged["trailwarden.object.owner"] == "ReplicaSet/web-7d9f"


def test_bodies_of_built_in_controllers_are_not_kept(build: Build, row: Row) -> None:
    """They repeat what somebody asked for; facets are made from them all the same."""
    found = row(build(user={"username": controller("replicaset")}))
    assert found["kubernetes.audit.requestObject"] is None
    assert found["trailwarden.pod_spec.images"] == ["nginx:1.27"]
    assert row(build())["kubernetes.audit.requestObject"] is not None


def test_controllers_are_those_that_make_pods_for_others() -> None:
    assert controller("deployment") in BUILT_IN_CONTROLLERS
    assert controller("namespace") not in BUILT_IN_CONTROLLERS
    assert not [name for name in BUILT_IN_CONTROLLERS if not name.startswith("system:")]


@pytest.mark.parametrize("odd", [None, 5, [], [5], [{}], [{"controller": True}]])
def test_odd_owner_references_are_none(odd: Any) -> None:
    body = {"metadata": {"ownerReferences": odd}}
    assert owner(body) == (None, None)
    assert workload_root("pods", "own", controller("job"), body) == ("Pod", "own")


def test_an_owner_is_the_one_that_controls() -> None:
    references: list[dict[str, Any]] = [
        {"kind": "A", "name": "a", "uid": "u-1"},
        {"kind": "B", "name": "b", "uid": "u-2", "controller": True},
    ]
    assert owner({"metadata": {"ownerReferences": references}}) == ("B/b", "u-2")
    references[1]["uid"] = 5
    assert owner({"metadata": {"ownerReferences": references}}) == ("B/b", None)
