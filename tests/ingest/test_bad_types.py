"""A wrong type is no way around detection: the event is there, marked, its neighbours untouched."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from typing import Any, Final

import orjson
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.normalize import Normalized
from ingest.schema import DTYPES

Build = Callable[..., dict[str, Any]]
Run = Callable[..., Normalized]
Row = Callable[..., dict[str, Any]]

ISSUES: Final = "trailwarden.parse.issues"
PLACE: Final = ("log.offset",)
DEEP: Final[list[Any]] = [[[[[[[[{"a": [{"b": None}]}]]]]]]]]
ODD: Final[dict[str, Any]] = {
    "int": 7,
    "huge": 10**30,
    "float": 1.5,
    "bool": True,
    "text": "odd",
    "list": [1, "x", None, {}],
    "empty list": [],
    "object": {"a": {"b": 1}},
    "empty object": {},
    "deep": DEEP,
}
TEXTS: Final = frozenset(
    {
        *("kind", "apiVersion", "level", "auditID", "stage", "requestURI", "verb", "userAgent"),
        *("requestReceivedTimestamp", "stageTimestamp"),
    }
)
OBJECTS: Final = frozenset(
    {
        *("user", "impersonatedUser", "authenticationMetadata", "objectRef", "responseStatus"),
        "annotations",
    }
)
MEMBERS: Final = (
    *(f"user.{name}" for name in ("username", "uid", "groups", "extra")),
    *(f"impersonatedUser.{name}" for name in ("username", "groups")),
    "authenticationMetadata.impersonationConstraint",
    *(
        f"objectRef.{name}"
        for name in (
            "resource",
            "namespace",
            "name",
            "uid",
            "apiGroup",
            "apiVersion",
            "subresource",
        )
    ),
    *(f"responseStatus.{name}" for name in ("code", "status", "reason", "message")),
)


def dumps(event: Any) -> bytes:
    return json.dumps(event).encode()  # orjson knows no 10**30


def fits(field: str, value: Any) -> bool:
    """Whether a value has the right type for a field."""
    if field in TEXTS or field.startswith("objectRef."):
        return isinstance(value, str)
    if field in OBJECTS:
        return bool(value == {}) or (isinstance(value, dict) and field != "annotations")
    if field == "sourceIPs" or field.endswith("groups"):
        return bool(value == [])
    if field.endswith("extra"):
        return bool(value == {})
    if field.endswith("code"):
        return value == 7 and not isinstance(value, bool)
    return isinstance(value, str)


def full(build: Build) -> dict[str, Any]:
    return build(
        impersonatedUser={"username": "root", "groups": ["g"], "extra": {"a": ["b"]}},
        authenticationMetadata={"impersonationConstraint": "x"},
    )


def altered(event: dict[str, Any], field: str, value: Any) -> dict[str, Any]:
    event = copy.deepcopy(event)
    *parents, last = field.split(".")
    node = event
    for parent in parents:
        node = node[parent]
    node[last] = value
    return event


def wrong_types() -> Iterator[tuple[str, str]]:
    for field in (*sorted(TEXTS), *sorted(OBJECTS), "sourceIPs", *MEMBERS):
        for name, value in ODD.items():
            if not fits(field, value):
                yield field, name


def neighbours_untouched(run: Run, build: Build, odd: bytes) -> Normalized:
    """Normalize a record between two good ones and compare these with themselves alone."""
    before, after = build(auditID="before"), build(auditID="after", verb="delete")
    found = run(before, odd, after)
    alone = run(before, after).events
    good = found.events.filter(pl.col("kubernetes.audit.auditID").is_in(["before", "after"]))
    assert good.drop(PLACE).equals(alone.drop(PLACE))
    return found


@pytest.mark.parametrize(("field", "name"), list(wrong_types()))
def test_a_wrong_type_is_marked_and_evaluated(
    build: Build, run: Run, field: str, name: str
) -> None:
    odd = dumps(altered(full(build), field, ODD[name]))
    found = neighbours_untouched(run, build, odd)
    assert not found.refused
    assert found.events.height == 3
    event = found.events.row(1, named=True)
    assert any(field in issue for issue in event[ISSUES] or ()), event[ISSUES]
    # what has nothing to do with the field is worked out all the same
    if field not in {"verb", "objectRef", "objectRef.resource", "objectRef.subresource"}:
        assert event["trailwarden.pod_spec.images"] == ["nginx:1.27"]
    if not field.startswith("user") or field == "userAgent":
        assert event["user.name"] == "jane"


@pytest.mark.parametrize("field", [*sorted(TEXTS), *sorted(OBJECTS), "sourceIPs", *MEMBERS])
def test_null_is_the_same_as_nothing(build: Build, run: Run, field: str) -> None:
    found = neighbours_untouched(run, build, dumps(altered(full(build), field, None)))
    assert not found.refused
    issues = found.events[ISSUES][1]
    if field == "stageTimestamp":
        assert found.events["@timestamp"][1] == found.events["event.start"][1]
    assert issues is None


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("field", ["requestObject", "responseObject"])
def test_a_body_of_any_type_is_taken(build: Build, run: Run, field: str, name: str) -> None:
    found = neighbours_untouched(run, build, dumps(build(**{field: ODD[name]})))
    assert found.events.height == 3
    assert not found.refused


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("403", 403),
        (" 403 ", 403),
        (403.0, 403),
        (403.5, None),
        (True, None),
        ("٤٠٣", None),
        ("4e2", None),
        ("9" * 5_000, None),
        (2**31, None),
        (-(2**40), None),
        (10**30, None),
        ([403], None),
    ],
)
def test_a_code_is_read_where_it_is_one(
    build: Build, row: Row, code: Any, expected: int | None
) -> None:
    found = row(dumps(build(responseStatus={"code": code})))
    assert found["http.response.status_code"] == expected
    assert any("responseStatus.code" in issue for issue in found[ISSUES])


def test_the_largest_codes_are_taken(build: Build, row: Row) -> None:
    for code in (0, -(2**31), 2**31 - 1):
        found = row(build(responseStatus={"code": code}))
        assert found["http.response.status_code"] == code
        assert found[ISSUES] is None


def test_elements_that_are_null_are_left_out_and_named(build: Build, row: Row) -> None:
    found = row(build(user={"username": "x", "groups": [None, "g"]}, sourceIPs=[None, "1.1.1.1"]))
    assert found["kubernetes.audit.user.groups"] == ["g"]
    assert found["source.ip"] == "1.1.1.1"
    assert found[ISSUES] == ["wrong-type:sourceIPs", "wrong-type:user.groups"]


def test_odd_annotations_leave_the_others(build: Build, row: Row) -> None:
    found = row(build(annotations={"authorization.k8s.io/decision": "forbid", "odd": {"a": 1}}))
    assert found["event.outcome"] == "failure"
    assert found["kubernetes.audit.annotations"] == '{"odd":"{\\"a\\":1}"}'
    assert found[ISSUES] == ["wrong-type:annotations"]


BODIES: Final[tuple[tuple[str, str | None, Any], ...]] = (
    (
        "deployments",
        None,
        {
            "kind": "Deployment",
            "metadata": {
                "name": "n",
                "labels": {"a": "b"},
                "annotations": {"a": "b"},
                "ownerReferences": [{"kind": "A", "name": "b", "controller": True}],
            },
            "spec": {
                "replicas": 1,
                "template": {
                    "metadata": {"annotations": {"a": "b"}},
                    "spec": {
                        "containers": [
                            {
                                "name": "c",
                                "image": "i",
                                "command": ["a"],
                                "args": ["b"],
                                "env": [{"name": "a", "value": "b"}],
                                "envFrom": [{"secretRef": {"name": "s"}}],
                                "ports": [{"hostPort": 1}],
                                "securityContext": {
                                    "privileged": True,
                                    "capabilities": {"add": ["a"]},
                                    "seccompProfile": {"type": "Unconfined"},
                                },
                                "volumeMounts": [{"name": "v", "readOnly": True}],
                                "lifecycle": {"preStop": {"exec": {"command": ["x"]}}},
                                "livenessProbe": {"exec": {"command": ["y"]}},
                            }
                        ],
                        "volumes": [
                            {"name": "v", "hostPath": {"path": "/"}},
                            {"name": "s", "secret": {"secretName": "x"}},
                        ],
                        "hostPID": True,
                        "nodeName": "n",
                        "serviceAccountName": "s",
                    },
                },
            },
        },
    ),
    (
        "clusterroles",
        None,
        {
            "metadata": {"labels": {"rbac.authorization.k8s.io/aggregate-to-admin": "true"}},
            "rules": [
                {
                    "verbs": ["*"],
                    "resources": ["*"],
                    "apiGroups": ["*"],
                    "resourceNames": ["a"],
                    "nonResourceURLs": ["/"],
                }
            ],
        },
    ),
    (
        "rolebindings",
        None,
        {"roleRef": {"kind": "Role", "name": "r"}, "subjects": [{"kind": "User", "name": "u"}]},
    ),
    (
        "pods",
        "status",
        {
            "metadata": {"uid": "u"},
            "status": {
                "podIPs": [{"ip": "10.0.0.1"}],
                "podIP": "10.0.0.1",
                "hostIP": "10.0.0.2",
                "phase": "Running",
                "containerStatuses": [{"imageID": "x"}],
                "initContainerStatuses": [{"imageID": "x"}],
            },
        },
    ),
    (
        "pods",
        "status",
        [
            {"op": "replace", "path": "/status/podIPs/0", "value": {"ip": "10.0.0.1"}},
            {"op": "add", "path": "/metadata/uid", "value": "u"},
        ],
    ),
    ("pods", "binding", {"metadata": {"uid": "u"}, "target": {"kind": "Node", "name": "n"}}),
    (
        "pods",
        None,
        {
            "metadata": {"uid": "u", "annotations": {"kubernetes.io/config.mirror": "x"}},
            "spec": {
                "nodeName": "n",
                "resources": {"requests": {"cpu": "1"}},
                "initContainers": [{"restartPolicy": "Always", "resources": {"limits": {}}}],
                "containers": [
                    {"resources": {"requests": {"cpu": "1"}, "limits": {"nvidia.com/gpu": 1}}}
                ],
            },
        },
    ),
    ("services", None, {"spec": {"externalIPs": ["1.1.1.1"], "ports": [{"nodePort": 30_000}]}}),
    ("persistentvolumes", None, {"spec": {"hostPath": {"path": "/"}}}),
    ("secrets", None, {"kind": "Secret", "data": {"a": "b"}, "stringData": {"a": "b"}}),
    ("configmaps", None, {"data": {"a": "password: b", "c": "d"}, "binaryData": {"a": "b"}}),
    (
        "mutatingwebhookconfigurations",
        None,
        {"webhooks": [{"clientConfig": {"url": "https://x"}, "failurePolicy": "Fail"}]},
    ),
    (
        "certificatesigningrequests",
        "approval",
        {
            "spec": {"signerName": "s", "username": "u"},
            "status": {"conditions": [{"type": "Approved"}]},
        },
    ),
    (
        "deployments",
        None,
        [
            {"op": "add", "path": "/spec/template/spec/containers/-", "value": {"name": "x"}},
            {"op": "replace", "path": "/spec/template/spec/hostPID", "value": True},
            {"op": "remove", "path": "/metadata/labels/a"},
        ],
    ),
)


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(node, dict | list):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from places(value, (*path, key))


def replaced(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    document = copy.deepcopy(document)
    node = document
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return document


@pytest.mark.parametrize("number", range(len(BODIES)))
def test_any_type_at_any_place_of_a_body_is_taken(build: Build, run: Run, number: int) -> None:
    resource, subresource, body = BODIES[number]
    reference = {"resource": resource, "subresource": subresource, "name": "n"}
    verb = "patch" if isinstance(body, list) else "update"
    records = [
        dumps(build(verb=verb, objectRef=reference, requestObject=replaced(body, path, value)))
        for path in places(body)
        for value in (*ODD.values(), None)
    ]
    found = run(*records)
    assert not found.refused
    assert found.events.height == len(records)
    assert found.events[ISSUES].null_count() == len(records)
    assert dict(zip(found.events.columns, found.events.dtypes, strict=True)) == DTYPES


JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**25), 10**25) | st.floats() | st.text(max_size=9),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(
            st.sampled_from(["op", "path", "value", "spec", "data", "kind", "items", "env", "name"])
            | st.text(max_size=5),
            children,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_hostile_records_cost_themselves_alone(build: Build, run: Run, data: st.DataObject) -> None:
    event = full(build)
    for _ in range(data.draw(st.integers(1, 3))):
        event[data.draw(st.sampled_from([*event, "items"]))] = data.draw(JSON)
    found = neighbours_untouched(run, build, dumps(event))
    assert found.events.height - 2 + len(found.refused) >= (event.get("items") is None)


def test_hostile_bytes_cost_themselves_alone(build: Build, run: Run) -> None:
    """Bytes cut, flipped and inserted: nothing is raised, every record is an event or refused."""
    chance = random.Random(7)
    raw = dumps(full(build))
    records = []
    for _ in range(400):
        odd = bytearray(raw)
        for _ in range(chance.randint(1, 4)):
            place = chance.randrange(len(odd))
            match chance.randrange(4):
                case 0:
                    odd[place] = chance.randrange(256)
                case 1:
                    del odd[place : place + chance.randint(1, 40)]
                case 2:
                    odd[place:place] = chance.choice(
                        [b'"', b"\\", b"{", b"]", b"\xff", b"\0", b"1e"]
                    )
                case _:
                    del odd[place:]
            odd = odd or bytearray(b"{")
        records.append(bytes(odd))
    good = build(auditID="good")
    mixed = [record for odd in records for record in (odd, good)]
    found = run(*mixed)
    events = found.events.filter(pl.col("kubernetes.audit.auditID") == "good")
    assert events.height == len(records)
    alone = run(good).events
    expected = pl.concat([alone] * len(records))
    assert events.drop(PLACE).equals(expected.drop(PLACE))
    assert found.events.height + len(found.refused) == len(mixed)


def test_orjson_takes_every_text_of_a_frame(build: Build, run: Run) -> None:
    """No column holds what JSON cannot say."""
    found = run(*(dumps(altered(full(build), field, ODD[name])) for field, name in wrong_types()))
    for event in found.events.iter_rows(named=True):
        orjson.dumps(event)
