"""Patches of all four types become the fragment of object that they set."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import orjson
import pytest

from ingest.facets.body import MAX_PATHS, fragment, patch

Build = Callable[..., dict[str, Any]]
Row = Callable[..., dict[str, Any]]

P: Final = "trailwarden.pod_spec."
EVIL: Final = {"name": "x", "image": "evil/x", "securityContext": {"privileged": True}}


def operation(op: str, path: str, value: Any = None) -> dict[str, Any]:
    return {"op": op, "path": path, "value": value}


SPEC: Final = "/spec/template/spec"
BODIES: Final[dict[str, tuple[str, Any]]] = {
    "an appended container": ("json", [operation("add", f"{SPEC}/containers/-", EVIL)]),
    "an inserted container": ("json", [operation("add", f"{SPEC}/containers/0", EVIL)]),
    "all containers": ("json", [operation("replace", f"{SPEC}/containers", [EVIL])]),
    "the pod spec": ("json", [operation("replace", SPEC, {"containers": [EVIL]})]),
    "the template": (
        "json",
        [operation("replace", "/spec/template", {"spec": {"containers": [EVIL]}})],
    ),
    "the whole object": (
        "json",
        [operation("replace", "", {"spec": {"template": {"spec": {"containers": [EVIL]}}}})],
    ),
    "bit by bit": (
        "json",
        [
            operation("replace", f"{SPEC}/containers/0/image", "evil/x"),
            operation("add", f"{SPEC}/containers/0/securityContext/privileged", value=True),
        ],
    ),
    "an init container": ("json", [operation("add", f"{SPEC}/initContainers", [EVIL])]),
    "a strategic patch": (
        "strategic",
        {
            "spec": {
                "template": {
                    "spec": {"$setElementOrder/containers": [{"name": "x"}], "containers": [EVIL]}
                }
            }
        },
    ),
    "a merge patch": ("merge", {"spec": {"template": {"spec": {"containers": [EVIL]}}}}),
    "an apply": (
        "apply",
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "spec": {"template": {"spec": {"containers": [EVIL]}}},
        },
    ),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_privileged_container_is_seen_in_every_kind_of_patch(
    build: Build, row: Row, name: str
) -> None:
    kind, body = BODIES[name]
    reference = {"resource": "deployments", "name": "web", "apiGroup": "apps"}
    found = row(build(verb="patch", objectRef=reference, requestObject=body))
    assert found["trailwarden.patch.type"] == kind
    assert found[f"{P}images"] == ["evil/x"]
    assert found[f"{P}privileged"] is True
    assert found[f"{P}workload.kind"] == "Deployment"
    assert found["trailwarden.parse.issues"] is None
    # what is stored is what was sent
    assert orjson.loads(found["kubernetes.audit.requestObject"]) == body


def test_paths_are_json_pointers() -> None:
    body = [
        operation("add", "/a/b~1c", 1),
        operation("remove", "/d"),
        {"op": "move", "from": "/e", "path": "/f"},
        operation("add", "/a/b~1c", 2),
        "odd",
        {"op": "test"},
    ]
    found = patch(body)
    assert found is not None
    assert found.paths == ["/a/b~1c", "/d", "/f"]
    merge = patch({"metadata": {"annotations": {"a/b~c": "x"}, "labels": {}}, "spec": None})
    assert merge is not None
    assert merge.paths == ["/metadata/annotations/a~1b~0c", "/metadata/labels", "/spec"]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ([], "json"),
        ({}, "merge"),
        ({"spec": {"$patch": "delete"}}, "strategic"),
        ({"spec": [{"$retainKeys": []}]}, "strategic"),
        ({"$deleteFromPrimitiveList/finalizers": ["a"]}, "strategic"),
        ({"kind": "Pod"}, "merge"),
        ({"kind": "Pod", "apiVersion": "v1"}, "apply"),
    ],
)
def test_the_type_is_inferred(body: Any, kind: str) -> None:
    found = patch(body)
    assert found is not None
    assert found.type == kind


@pytest.mark.parametrize("body", [None, 5, "text", True])
def test_what_is_neither_list_nor_object_is_no_patch(body: Any) -> None:
    assert patch(body) is None
    assert fragment(body) == {}


def test_operations_that_set_nothing_set_nothing() -> None:
    body = [
        operation("remove", "/a", 1),
        operation("test", "/b", 1),
        {"op": ["add"], "path": "/c", "value": 1},
        {"op": "add", "path": 5, "value": 1},
        {"op": "copy", "from": "/a", "path": "/d"},
        None,
    ]
    assert fragment(body) == {}


def test_an_index_means_the_same_element_throughout_a_patch() -> None:
    body = [
        operation("add", "/items/3/a", 1),
        operation("add", "/items/3/b", 2),
        operation("add", "/items/0/a", 3),
        operation("add", "/items/-", {"c": 4}),
        operation("add", "/items/-", {"c": 5}),
    ]
    assert fragment(body) == {"items": [{"a": 1, "b": 2}, {"a": 3}, {"c": 4}, {"c": 5}]}


def test_an_index_into_a_list_of_the_patch_itself_is_known() -> None:
    body = [
        operation("add", "/items", [{"n": 0}, {"n": 1}]),
        operation("add", "/items/1/x", "second"),
        operation("add", "/items/-", {"n": 2}),
        operation("add", "/items/99999999999999999999/x", "far"),
    ]
    assert fragment(body) == {"items": [{"n": 0}, {"n": 1, "x": "second"}, {"n": 2}, {"x": "far"}]}


def test_two_host_paths_of_one_patch_are_both_seen(build: Build, row: Row) -> None:
    body = [
        operation("replace", f"{SPEC}/volumes/0/hostPath/path", "/etc/"),
        operation("replace", f"{SPEC}/volumes/1/hostPath/path", "/tmp"),  # noqa: S108 - a value
    ]
    found = row(build(verb="patch", objectRef={"resource": "deployments"}, requestObject=body))
    assert found[f"{P}host_paths"] == ["/etc", "/tmp"]  # noqa: S108 - a value


def test_later_operations_do_not_change_what_is_stored_of_earlier_ones(
    build: Build, row: Row
) -> None:
    body = [
        operation("add", "/spec/template", {"spec": {"hostPID": False}}),
        operation("add", f"{SPEC}/hostPID", value=True),
    ]
    found = row(build(verb="patch", objectRef={"resource": "deployments"}, requestObject=body))
    assert found[f"{P}host_pid"] is True
    assert orjson.loads(found["kubernetes.audit.requestObject"]) == body


def test_paths_are_bounded() -> None:
    wide = patch({f"k{n}": n for n in range(10_000)})
    many = patch([operation("add", f"/k{n}", n) for n in range(10_000)])
    assert wide is not None
    assert many is not None
    assert len(wide.paths) == len(many.paths) == MAX_PATHS


def test_a_hostile_patch_is_read_in_time() -> None:
    started = time.process_time()
    fragment([operation("add", "/" + "a/" * 5_000, n) for n in range(2_000)])
    fragment([operation("add", f"/l/{n}/x", n) for n in range(20_000)])
    fragment([operation("add", "/l/-/x", n) for n in range(20_000)])
    deep = orjson.loads(b'{"a":' * 1_000 + b"1" + b"}" * 1_000)
    found = patch(deep)
    assert found is not None
    assert len(found.paths[0]) < 100
    assert time.process_time() - started < 2
