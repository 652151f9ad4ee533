from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Build = Callable[..., dict[str, Any]]
Row = Callable[..., dict[str, Any]]


@pytest.mark.parametrize(
    ("verb", "resource", "code", "action"),
    [
        # websocket (kubectl 1.30 and later) and SPDY are the same act
        ("get", "pods/exec", 101, "exec"),
        ("create", "pods/exec", 101, "exec"),
        ("get", "pods/exec", 403, "exec"),
        ("create", "pods/attach", 101, "attach"),
        ("get", "pods/portforward", 101, "portforward"),
        ("get", "pods/log", 200, "log"),
        ("get", "nodes/proxy", 200, "proxy"),
        ("create", "services/proxy", 200, "proxy"),
        # a custom resource may call its subresource as it likes
        ("update", "widgets/exec", 200, "update"),
        ("create", "serviceaccounts/token", 201, "token-request"),
        ("get", "serviceaccounts/token", 405, "get"),
        ("create", "pods/binding", 201, "bind-pod"),
        ("create", "bindings", 201, "bind-pod"),
        ("create", "rolebindings", 201, "create"),
        ("create", "pods/eviction", 201, "evict"),
        ("update", "certificatesigningrequests/approval", 200, "approve"),
        ("patch", "certificatesigningrequests/approval", 200, "approve"),
        ("update", "deployments/scale", 200, "scale"),
        ("get", "deployments/scale", 200, "get"),
        # an apply or a PUT that made the object
        ("patch", "configmaps", 201, "create"),
        ("patch", "configmaps", 200, "patch"),
        ("update", "leases", 201, "create"),
        ("deletecollection", "events", 200, "deletecollection"),
        ("delete", "pods", 200, "delete"),
        ("list", "secrets", 200, "list"),
        ("patch", "nodes/status", 200, "patch"),
    ],
)
def test_the_same_act_has_the_same_name(
    build: Build, row: Row, verb: str, resource: str, code: int, action: str
) -> None:
    kind, _, subresource = resource.partition("/")
    reference = {"resource": kind, "subresource": subresource or None, "name": "x"}
    found = row(build(verb=verb, objectRef=reference, responseStatus={"code": code}))
    assert found["event.action"] == action
    assert found["kubernetes.audit.verb"] == verb


def test_a_url_that_is_no_resource_keeps_its_method(build: Build, row: Row) -> None:
    found = row(build(verb="get", requestURI="/healthz", objectRef=None, requestObject=None))
    assert found["event.action"] == "get"


@pytest.mark.parametrize(
    ("members", "outcome"),
    [
        ({"responseStatus": {"code": 200}}, "success"),
        ({"responseStatus": {"code": 101}}, "success"),
        ({"responseStatus": {"code": 399}}, "success"),
        ({"responseStatus": {"code": 400}}, "failure"),
        ({"responseStatus": {"code": 503}}, "failure"),
        ({"responseStatus": {"status": "Failure"}}, "failure"),
        ({"responseStatus": {"status": "Success"}}, "success"),
        ({"responseStatus": None}, "unknown"),
        ({"responseStatus": {}}, "unknown"),
        ({"stage": "RequestReceived", "responseStatus": None}, "unknown"),
        ({"stage": "Panic", "responseStatus": {"code": 200}}, "failure"),
        ({"stage": "Panic", "responseStatus": None}, "failure"),
        # a denial is one whatever the code
        (
            {
                "annotations": {"authorization.k8s.io/decision": "forbid"},
                "responseStatus": {"code": 200},
            },
            "failure",
        ),
        ({"annotations": {"authorization.k8s.io/decision": "allow"}}, "success"),
    ],
)
def test_the_outcome_comes_from_code_and_decision(
    build: Build, row: Row, members: dict[str, Any], outcome: str
) -> None:
    event = build(**members) | {key: value for key, value in members.items() if value is not None}
    assert row(event)["event.outcome"] == outcome
