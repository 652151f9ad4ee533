"""An entry of GKE becomes the audit event it was made from; what it does not say stays empty."""

from __future__ import annotations

import copy
import json
from typing import Any

import msgspec
import orjson
import pytest

from ingest.formats.gke import Translated, translate
from ingest.formats.origin import Origin
from ingest.formats.seen import NotThisFormatError

Entry = dict[str, Any]

PLAIN: Entry = {
    "insertId": "1x2y3z",
    "labels": {"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": ""},
    "operation": {"first": True, "id": "audit-1", "last": True, "producer": "k8s.io"},
    "protoPayload": {
        "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
        "authenticationInfo": {"principalEmail": "jane@example.com"},
        "authorizationInfo": [{"granted": True, "permission": "io.k8s.core.v1.pods.create"}],
        "methodName": "io.k8s.core.v1.pods.create",
        "request": {"@type": "core.k8s.io/v1.Pod", "kind": "Pod", "metadata": {"name": "web"}},
        "requestMetadata": {"callerIp": "203.0.113.7", "callerSuppliedUserAgent": "kubectl/v1.34"},
        "resourceName": "core/v1/namespaces/shop/pods/web",
        "serviceName": "k8s.io",
        "status": {},
    },
    "resource": {
        "labels": {"cluster_name": "prod-1", "location": "europe-west1", "project_id": "p"},
        "type": "k8s_cluster",
    },
    "timestamp": "2026-11-21T10:46:08.594628Z",
}


def entry(**payload: Any) -> Entry:
    """Build an entry: a plain one with members of its payload replaced; None takes one away."""
    built = copy.deepcopy(PLAIN)
    built["protoPayload"] = {
        name: value
        for name, value in {**built["protoPayload"], **payload}.items()
        if value is not None
    }
    return built


def read(document: Entry) -> Translated:
    return translate(json.dumps(document).encode())


def plain(raw: msgspec.Raw) -> Any:
    return orjson.loads(bytes(raw)) if bytes(raw) else None


def test_what_is_logged_is_the_event() -> None:
    found = read(PLAIN)
    event = found.event
    assert found.issues == []
    assert found.origin == Origin("prod-1", "gcp", "p", "europe-west1")
    assert (event.auditID, event.stage, event.verb) == ("audit-1", "ResponseComplete", "create")
    assert (event.stageTimestamp, event.requestReceivedTimestamp) == (PLAIN["timestamp"], None)
    assert (event.level, event.kind) == (None, None)
    assert plain(event.user) == {"username": "jane@example.com"}
    assert plain(event.impersonatedUser) is None
    assert plain(event.sourceIPs) == ["203.0.113.7"]
    assert event.userAgent == "kubectl/v1.34"
    assert plain(event.annotations) == PLAIN["labels"]
    assert plain(event.requestObject) == {"kind": "Pod", "metadata": {"name": "web"}}
    assert plain(event.responseObject) is None


@pytest.mark.parametrize(
    ("status", "response", "code", "ending"),
    [
        ({}, None, None, "Success"),
        ({"code": 0}, None, None, "Success"),
        ({"code": 7}, None, 403, "Failure"),
        ({"code": 16}, None, 401, "Failure"),
        ({"code": 5}, None, 404, "Failure"),
        ({"code": 10}, None, 409, "Failure"),
        ({"code": 9}, None, None, "Failure"),
        ({"code": 13}, None, None, "Failure"),
        ({"code": 99}, None, None, "Failure"),
        ({"code": -1}, None, None, "Failure"),
        ({"code": 2**70}, None, None, "Failure"),
        ({"code": "7"}, None, 403, "Failure"),
        ({"code": "?"}, None, None, "Failure"),
        ({"code": 9}, {"kind": "Status", "code": 422, "status": "Failure"}, 422, "Failure"),
        ({"code": 7}, {"kind": "Status", "code": 2**40}, 403, "Failure"),
        ({"code": 7}, {"kind": "Pod", "code": 200, "x": "Status"}, 403, "Failure"),
        (None, {"kind": "Status", "code": 200, "status": "Success"}, 200, "Success"),
        (None, {"kind": "Status", "code": 409, "status": "Failure"}, 409, "Failure"),
    ],
)
def test_a_status_is_translated_and_never_guessed(
    status: Entry | None, response: Entry | None, code: int | None, ending: str
) -> None:
    answer = plain(read(entry(status=status, response=response)).event.responseStatus)
    assert (answer.get("code"), answer["status"]) == (code, ending)


def test_without_any_status_nothing_is_said_of_the_end() -> None:
    assert plain(read(entry(status=None)).event.responseStatus) is None


def test_the_answers_own_words_go_before_the_entrys() -> None:
    status = {"code": 7, "message": "short"}
    response = {"kind": "Status", "code": 403, "reason": "Forbidden", "message": "long"}
    answer = plain(read(entry(status=status, response=response)).event.responseStatus)
    assert (answer["message"], answer["reason"]) == ("long", "Forbidden")
    assert plain(read(entry(status=status)).event.responseStatus)["message"] == "short"


@pytest.mark.parametrize(
    ("labels", "granted", "code", "decision"),
    [
        ({"authorization.k8s.io/decision": "allow"}, [False], 0, "allow"),
        ({}, [True], 0, "allow"),
        ({}, [True], 7, "allow"),
        ({}, [False], 7, "forbid"),
        ({}, [None], 7, "forbid"),
        ({}, [None], 0, None),
        ({}, [None], 10, None),
        ({}, [True, False], 0, "forbid"),
        ({}, [], 7, None),
        (None, [True], 0, "allow"),
    ],
)
def test_the_decision_is_the_labels_else_what_was_granted(
    labels: Entry | None, granted: list[bool | None], code: int, decision: str | None
) -> None:
    grants = [{} if one is None else {"granted": one} for one in granted]
    document = entry(authorizationInfo=grants, status={"code": code})
    document["labels"] = labels
    annotations = plain(read(document).event.annotations) or {}
    assert annotations.get("authorization.k8s.io/decision") == decision


@pytest.mark.parametrize(
    ("labels", "query"),
    [
        ({}, ""),
        ({"command.gke.io/command": "cat /etc/shadow"}, "?command=cat+%2Fetc%2Fshadow"),
        ({"command.gke.io/command": "a&b=c"}, "?command=a%26b%3Dc"),
        ({"command.gke.io/dryRun": "All"}, "?dryRun=All"),
        ({"command.gke.io/dryRun": ""}, ""),
        ({"command.gke.io/dryRun": "false"}, ""),
        ({"command.gke.io/command": "", "command.gke.io/dryRun": "true"}, "?command=&dryRun=All"),
    ],
)
def test_labels_of_the_command_become_the_query_and_stay_in_it(labels: Entry, query: str) -> None:
    document = copy.deepcopy(PLAIN)
    document["labels"] = {**PLAIN["labels"], **labels}
    event = read(document).event
    assert event.requestURI == "/api/v1/namespaces/shop/pods" + query
    assert plain(event.annotations) == PLAIN["labels"]


@pytest.mark.parametrize(
    ("operation", "stage"),
    [
        ({"id": "a", "first": True, "last": True}, "ResponseComplete"),
        ({"id": "a", "first": True}, "ResponseStarted"),
        ({"id": "a", "last": True}, "ResponseComplete"),
        ({"id": "a"}, None),
        ({"id": "a", "first": "true"}, "ResponseStarted"),
    ],
)
def test_the_stage_is_what_the_operation_says(operation: Entry, stage: str | None) -> None:
    assert read({**PLAIN, "operation": operation}).event.stage == stage


def test_without_an_operation_the_entrys_own_id_is_the_audit_id() -> None:
    document = {name: value for name, value in PLAIN.items() if name != "operation"}
    assert read(document).event.auditID == "1x2y3z"


@pytest.mark.parametrize(
    ("identity", "user", "acted_as"),
    [
        ({"principalEmail": "system:serviceaccount:a:b"}, "system:serviceaccount:a:b", None),
        ({"principalEmail": "", "principalSubject": "principal://x"}, "principal://x", None),
        ({"principalEmail": "a", "authoritySelector": "system:admin"}, "a", "system:admin"),
        ({"authoritySelector": ""}, None, None),
        ({}, None, None),
    ],
)
def test_who_asked_and_who_is_acted_as(
    identity: Entry, user: str | None, acted_as: str | None
) -> None:
    event = read(entry(authenticationInfo=identity)).event
    assert (plain(event.user) or {}).get("username") == user
    assert (plain(event.impersonatedUser) or {}).get("username") == acted_as


@pytest.mark.parametrize(
    "body",
    [
        b'{"@type":"core.k8s.io/v1.Pod","a":1}',
        b'{"a":1,"@type":"core.k8s.io/v1.Pod"}',
        b'{ "@type" : "core.k8s.io/v1.Pod" , "a" : 1 }',
        b'{"@type":"a\\"b","a":1}',
        b'{"@type":{"x":1},"a":1}',
        b'{"a":1}',
    ],
)
def test_the_type_of_a_body_is_taken_off(body: bytes) -> None:
    raw = orjson.dumps(entry(request="HERE")).replace(b'"HERE"', body)
    assert plain(translate(raw).event.requestObject) == {"a": 1}


def test_a_body_that_is_only_its_type_is_none() -> None:
    assert plain(read(entry(request={"@type": "k8s.io/Patch"})).event.requestObject) is None


def test_a_type_within_a_body_stays() -> None:
    body = {"metadata": {"annotations": {"@type": "x"}}}
    assert plain(read(entry(request=body)).event.requestObject) == body


def test_a_body_that_is_a_list_stays_a_list() -> None:
    patch = [{"op": "add", "path": "/a", "value": {"@type": "x"}}]
    assert plain(read(entry(request=patch)).event.requestObject) == patch


def test_the_other_json_form_is_the_same_event() -> None:
    snake = {
        "insert_id": "1x2y3z",
        "labels": PLAIN["labels"],
        "operation": PLAIN["operation"],
        "proto_payload": {
            "audit_log": {
                "authentication_info": {"principal_email": "jane@example.com"},
                "authorization_info": [{"granted": True}],
                "method_name": "io.k8s.core.v1.pods.create",
                "request": PLAIN["protoPayload"]["request"],
                "request_metadata": {
                    "caller_ip": "203.0.113.7",
                    "caller_supplied_user_agent": "kubectl/v1.34",
                },
                "resource_name": "core/v1/namespaces/shop/pods/web",
                "service_name": "k8s.io",
                "status": {},
            }
        },
        "resource": PLAIN["resource"],
        "timestamp": PLAIN["timestamp"],
    }
    mine, theirs = read(PLAIN), read(snake)
    assert theirs.origin == mine.origin
    assert theirs.issues == []
    for name in mine.event.__struct_fields__:
        one, other = getattr(mine.event, name), getattr(theirs.event, name)
        assert plain(one) == plain(other) if isinstance(one, msgspec.Raw) else one == other


def test_both_spellings_may_stand_in_one_entry() -> None:
    event = read(
        entry(requestMetadata={"caller_ip": "192.0.2.1", "caller_supplied_user_agent": "curl/8"})
    ).event
    assert plain(event.sourceIPs) == ["192.0.2.1"]
    assert event.userAgent == "curl/8"


@pytest.mark.parametrize(
    "document",
    [
        entry(serviceName="compute.googleapis.com", methodName="v1.compute.instances.insert"),
        entry(serviceName="container.googleapis.com"),
        entry(serviceName=None, methodName="google.container.v1.ClusterManager.CreateCluster"),
        entry(methodName=None),
        entry(methodName=""),
        {"protoPayload": None},
        {"protoPayload": {}},
        {"protoPayload": "x"},
        {"protoPayload": []},
        {"kind": "Event", "auditID": "a", "stage": "ResponseComplete", "verb": "get"},
    ],
    ids=range(10),
)
def test_another_services_entry_is_refused(document: Entry) -> None:
    with pytest.raises(NotThisFormatError):
        read(document)


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'"x"', b"null", b"\xff", b'{"protoPayload":{'])
def test_what_is_no_entry_is_refused(raw: bytes) -> None:
    with pytest.raises(NotThisFormatError):
        translate(raw)


def test_an_entry_that_does_not_name_its_service_is_told_by_its_method() -> None:
    assert read(entry(serviceName=None)).event.verb == "create"


WRONG: tuple[Any, ...] = (None, True, 7, 2**70, 1.5, "x", [], ["x"], {}, {"a": {"b": 1}}, [[[]]])


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    members = value.items() if isinstance(value, dict) else ()
    return found + [place for name, below in members for place in places(below, (*path, name))]


@pytest.mark.parametrize("place", places(PLAIN), ids=".".join)
def test_a_wrong_type_anywhere_costs_that_member_at_most(place: tuple[str, ...]) -> None:
    for wrong in WRONG:
        document = copy.deepcopy(PLAIN)
        target = document
        for name in place[:-1]:
            target = target[name]
        target[place[-1]] = wrong
        try:
            event = read(document).event
        except NotThisFormatError:
            assert place[0] == "protoPayload"
            assert len(place) == 1 or place[1] in {"serviceName", "methodName"}
            continue
        if place[0] != "protoPayload":
            assert plain(event.user) == {"username": "jane@example.com"}


def test_depth_and_length_cost_nothing_else() -> None:
    deep = b'{"a":' * 900 + b"1" + b"}" * 900
    raw = orjson.dumps(entry(request="HERE")).replace(b'"HERE"', deep)
    assert translate(raw).event.verb == "create"
    name = "n" * 1_000_000
    found = read(entry(resourceName=f"core/v1/namespaces/shop/pods/{name}"))
    assert found.event.objectRef.name == name
    assert read(entry(authenticationInfo={"principalEmail": name})).issues == []


def test_a_bad_member_is_named() -> None:
    document = entry(resourceName=["x"], authorizationInfo="x", status={"code": 7})
    document["labels"] = {"authorization.k8s.io/reason": 7}
    assert sorted(read(document).issues) == [
        "wrong-type:authorizationInfo",
        "wrong-type:labels",
        "wrong-type:resourceName",
    ]
