"""Which pod a request is about, where it runs, and what its kubelet says of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

import pytest

from ingest.normalize import Normalized

Build = Callable[..., dict[str, Any]]
Run = Callable[..., Normalized]
Row = Callable[..., dict[str, Any]]

P: Final = "trailwarden.pod."
BODY: Final = "kubernetes.audit.requestObject"
ISSUES: Final = "trailwarden.parse.issues"
UID: Final = "6d9f3f5e-0000-4000-8000-000000000001"
FORGED: Final = "6d9f3f5e-0000-4000-8000-00000000beef"
A: Final = "sha256:" + "a" * 64
B: Final = "sha256:" + "b" * 64
KUBELET: Final = {"username": "system:node:node-1", "groups": ["system:nodes"]}


def state(found: dict[str, Any]) -> dict[str, Any]:
    return {
        name.removeprefix(P): value
        for name, value in found.items()
        if name.startswith(P) and value is not None
    }


def reference(subresource: str | None, **more: Any) -> dict[str, Any]:
    return {
        "resource": "pods",
        "namespace": "shop",
        "name": "web",
        "apiVersion": "v1",
        "subresource": subresource,
        **more,
    }


def reported(build: Build, status: Any, **members: Any) -> dict[str, Any]:
    """Build a kubelet's patch of a pod's status."""
    return build(
        **{
            "verb": "patch",
            "level": "Request",
            "user": KUBELET,
            "objectRef": reference("status"),
            "requestObject": {"metadata": {"uid": UID}, "status": status},
            **members,
        }
    )


RUNNING: Final[dict[str, Any]] = {
    "conditions": [{"type": "Ready", "status": "True"}],
    "containerStatuses": [
        {"name": "app", "imageID": f"registry.example/shop/web@{A}", "state": {"running": {}}},
        {"name": "more", "imageID": f"docker-pullable://registry.example/shop/web@{A}"},
    ],
    "initContainerStatuses": [{"name": "init", "imageID": B}],
    "ephemeralContainerStatuses": [{"name": "debug", "imageID": ""}],
    "hostIP": "192.0.2.7",
    "phase": "Running",
    "podIP": "10.244.2.2",
    "podIPs": [{"ip": "10.244.2.2"}, {"ip": "FD00::2"}],
}
STATE: Final = {
    "uid": UID,
    "node": "node-1",
    "addresses": ["10.244.2.2", "fd00::2"],
    "host_address": "192.0.2.7",
    "phase": "Running",
    "image_digests": [A, B],
}


@pytest.mark.parametrize("verb", ["patch", "update"])
def test_a_kubelet_says_where_a_pod_is_and_what_runs(build: Build, row: Row, verb: str) -> None:
    found = row(reported(build, RUNNING, verb=verb))
    assert state(found) == STATE
    assert found[BODY] is None
    assert found["trailwarden.redacted"] is None
    assert found[ISSUES] is None


def test_the_same_by_json_patch(build: Build, row: Row) -> None:
    patch = [{"op": "add", "path": f"/status/{name}", "value": v} for name, v in RUNNING.items()]
    patch.append({"op": "test", "path": "/metadata/uid", "value": UID})
    found = row(reported(build, None, requestObject=patch))
    assert state(found) == {name: value for name, value in STATE.items() if name != "uid"}


def test_one_wrong_type_hides_nothing_else(build: Build, row: Row) -> None:
    status = {**RUNNING, "conditions": 5, "podIPs": [7, {"ip": "10.244.2.2"}, {"ip": [1]}, None]}
    status["initContainerStatuses"] = {"imageID": B}
    found = row(reported(build, status))
    expected = {**STATE, "addresses": ["10.244.2.2"], "image_digests": [A]}
    assert state(found) == expected
    assert found[ISSUES] is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("phase", "run sh -c 'x'"),
        ("phase", 5),
        ("hostIP", "password=hunter2hunter2"),
        ("hostIP", "1" * 100_000),
        ("hostIP", ["10.0.0.1"]),
        ("podIPs", [{"ip": "none"}, {"ip": ""}, {}]),
        ("podIPs", {"ip": "10.0.0.1"}),
        ("podIP", 10),
        ("containerStatuses", [{"imageID": "registry.example/x:latest"}, {"imageID": A[:-1]}]),
        ("containerStatuses", [{"imageID": A.upper()}, {"imageID": f"x{A}"}, {"imageID": 1}]),
        ("containerStatuses", None),
    ],
)
def test_what_is_no_address_phase_or_digest_is_left_out(
    build: Build, row: Row, name: str, value: Any
) -> None:
    assert state(row(reported(build, {name: value}))) == {"uid": UID, "node": "node-1"}


def test_only_a_kubelet_is_a_pods_node(build: Build, row: Row) -> None:
    found = state(row(reported(build, RUNNING, user={"username": "mallory"})))
    assert found == {name: value for name, value in STATE.items() if name != "node"}


def test_a_resource_that_is_only_called_pods_is_none(build: Build, row: Row) -> None:
    group = {"apiGroup": "evil.example"}
    assert not state(row(reported(build, RUNNING, objectRef=reference("status", **group))))
    binding = {"target": {"kind": "Node", "name": "node-2"}}
    for subresource, body in (("binding", binding), (None, {"spec": {"nodeName": "node-2"}})):
        event = build(objectRef=reference(subresource, **group), requestObject=body)
        assert not state(row(event))


@pytest.mark.parametrize("target", [{"kind": "Node", "name": "node-2"}, {"name": "node-2"}])
@pytest.mark.parametrize("resource", ["pods", "bindings"])
def test_a_binding_names_the_node(
    build: Build, row: Row, resource: str, target: dict[str, str]
) -> None:
    ref = reference("binding" if resource == "pods" else None, resource=resource, uid=UID)
    body = {"metadata": {"name": "web"}, "target": target}
    found = row(build(objectRef=ref, requestObject=body))
    assert state(found) == {"uid": UID, "node": "node-2"}
    assert found[BODY] is None


def test_a_binding_to_something_else_names_none(build: Build, row: Row) -> None:
    body = {"metadata": {"uid": UID}, "target": {"kind": "Cloud", "name": "x"}}
    found = row(build(objectRef=reference("binding"), requestObject=body))
    assert state(found) == {"uid": UID}


def test_a_new_pods_uid_is_that_of_the_answer(build: Build, row: Row) -> None:
    body = {"kind": "Pod", "metadata": {"uid": FORGED}, "spec": {"nodeName": "node-3"}}
    answer = {"kind": "Pod", "metadata": {"name": "web", "uid": UID}}
    ref = reference(None, uid=FORGED)
    asked = build(objectRef=ref, requestObject=body)
    assert state(row(asked)) == {"node": "node-3"}
    assert state(row({**asked, "responseObject": answer})) == {"uid": UID, "node": "node-3"}
    odd: Any
    for odd in ({"metadata": {"uid": 5}}, {"metadata": None}, {"metadata": [1]}, [], "x", 7):
        assert state(row({**asked, "responseObject": odd})) == {"node": "node-3"}
    changed = state(row(build(verb="update", objectRef=ref, requestObject=body)))
    assert changed == {"uid": FORGED, "node": "node-3"}


def test_a_mirror_pod_is_told_by_its_annotation(build: Build, row: Row) -> None:
    def made(annotations: Any) -> dict[str, Any]:
        body = {"metadata": {"annotations": annotations}, "spec": {"containers": [{"name": "c"}]}}
        return state(row(build(user=KUBELET, requestObject=body)))

    assert made({"kubernetes.io/config.mirror": "0123456789abcdef"}) == {"is_mirror": True}
    for other in ({"kubernetes.io/config.hash": "x"}, {}, None, ["kubernetes.io/config.mirror"], 5):
        assert made(other) == {}


def test_a_controllers_pod_has_its_state_though_its_body_is_not_kept(
    build: Build, row: Row
) -> None:
    owner = {"kind": "ReplicaSet", "name": "web-1", "controller": True, "uid": FORGED}
    body = {"metadata": {"ownerReferences": [owner]}, "spec": {"containers": [{"name": "c"}]}}
    found = row(
        build(
            user={"username": "system:serviceaccount:kube-system:replicaset-controller"},
            requestObject=body,
            responseObject={"metadata": {"uid": UID}},
        )
    )
    assert found[BODY] is None
    assert state(found) == {"uid": UID}
    assert found["trailwarden.object.owner_uid"] == FORGED


HOSTILE: Final[dict[str, bytes]] = {
    "200,000 containers": b'{"status":{"containerStatuses":[%s{}]}}' % (b"{}," * 200_000),
    "200,000 addresses": b'{"status":{"podIPs":[%s{"ip":"x"}]}}' % (b'{"ip":"x"},' * 200_000),
    "deep": b'{"status":{"podIPs":%s%s}}' % (b"[" * 60_000, b"]" * 60_000),
    "deep, skipped": b'{"x":%s%s}' % (b"[" * 60_000, b"]" * 60_000),
    "no object": b"[[[1]]]",
    "a text": b'"status"',
    "lone surrogate": b'{"metadata":{"uid":"\\ud800"}}',
    "not UTF-8": b'{"metadata":{"uid":"\xff"}}',
    "not a number": b'{"metadata":{"uid":NaN},"status":NaN}',
    "a large number": b'{"metadata":{"uid":1e999},"status":{"hostIP":%s}}' % (b"9" * 5_000),
}


@pytest.mark.parametrize("subresource", ["status", "binding", None])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_body_costs_itself_alone(
    build: Build, run: Run, name: str, subresource: str | None
) -> None:
    good = reported(build, RUNNING)
    whole = json.dumps(reported(build, None, objectRef=reference(subresource), requestObject=0))
    odd = whole.encode().replace(b'"requestObject": 0', b'"requestObject": ' + HOSTILE[name])
    assert HOSTILE[name] in odd
    events = run(good, odd, good).events
    assert events.height == 3
    rows = events.rows(named=True)
    assert state(rows[0]) == state(rows[2]) == STATE


def test_the_last_of_repeated_members_counts(build: Build, row: Row) -> None:
    """As it does to the API server (Go, encoding/json): the first would be a place to hide."""
    whole = json.dumps(reported(build, None, requestObject=0)).encode()
    twice = b'{"metadata":{"uid":"%s","uid":"%s"}}' % (FORGED.encode(), UID.encode())
    found = row(whole.replace(b'"requestObject": 0', b'"requestObject": ' + twice))
    assert state(found) == {"uid": UID, "node": "node-1"}
