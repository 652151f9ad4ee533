from __future__ import annotations

from datetime import date

import orjson
import pytest

from models.simulate.audit_level import AuditLevel, level_of
from models.simulate.blank import Blank, hole, value_hole
from models.simulate.identities import acting_as, node_caller, person_caller
from models.simulate.managed_fields import managed_fields
from models.simulate.people import is_at_work, people
from models.simulate.record import COMPLETE, Request, line_of
from models.simulate.timeline import HOUR, SITES, day_start_us, object_time, timestamp


def event_of(request: Request, **caller: str) -> dict[str, object]:
    somebody = person_caller("alba@corp.example", ("platform-admins",), "0" * 64, ["10.0.0.1"], "k")
    if caller:
        somebody = acting_as(somebody, caller["name"], ["system:masters"])
    line = line_of(somebody, request, COMPLETE)
    text = line.head + b"id" + line.middle + b"r" + b'","stageTimestamp":"' + b"s" + line.tail
    event: dict[str, object] = orjson.loads(text)
    return event


def test_fields_stand_in_the_order_of_the_api_server() -> None:
    create = Request("create", "deployments", "shop", "web", asked=b"{}", answered=b"{}")

    assert list(event_of(create, name="system:admin")) == [
        "kind",
        "apiVersion",
        "level",
        "auditID",
        "stage",
        "requestURI",
        "verb",
        "user",
        "impersonatedUser",
        "sourceIPs",
        "userAgent",
        "objectRef",
        "responseStatus",
        "requestObject",
        "responseObject",
        "requestReceivedTimestamp",
        "stageTimestamp",
        "annotations",
    ]


def test_a_name_in_a_group_has_its_uri_and_reference() -> None:
    event = event_of(Request("get", "deployments/scale", "shop", "web", uid="u"))

    assert event["requestURI"] == "/apis/apps/v1/namespaces/shop/deployments/web/scale"
    assert event["objectRef"] == {
        "resource": "deployments",
        "namespace": "shop",
        "name": "web",
        "uid": "u",
        "apiGroup": "apps",
        "apiVersion": "v1",
        "subresource": "scale",
    }


def test_an_object_is_created_in_its_collection_and_a_subresource_at_its_object() -> None:
    made = event_of(Request("create", "secrets", "shop", "key"))
    bound = event_of(Request("create", "pods/binding", "shop", "web-1"))

    assert made["requestURI"] == "/api/v1/namespaces/shop/secrets"
    assert made["objectRef"] == {
        "resource": "secrets",
        "namespace": "shop",
        "name": "key",
        "apiVersion": "v1",
    }
    assert event_of(Request("create", "namespaces", None, "shop"))["objectRef"] == {
        "resource": "namespaces",
        "name": "shop",
        "apiVersion": "v1",
    }
    assert event_of(Request("get", "namespaces", None, "shop"))["objectRef"] == {
        "resource": "namespaces",
        "namespace": "shop",
        "name": "shop",
        "apiVersion": "v1",
    }
    assert bound["requestURI"] == "/api/v1/namespaces/shop/pods/web-1/binding"


def test_a_path_has_no_reference_and_a_refusal_says_why() -> None:
    event = event_of(Request("get", "/metrics", code=403))

    assert "objectRef" not in event
    assert event["responseStatus"] == {
        "metadata": {},
        "status": "Failure",
        "message": 'forbidden: User "alba@corp.example" cannot get path "/metrics"',
        "reason": "Forbidden",
        "code": 403,
    }
    assert event["annotations"] == {
        "authorization.k8s.io/decision": "forbid",
        "authorization.k8s.io/reason": "",
    }


@pytest.mark.parametrize(
    ("verb", "resource", "is_node", "level"),
    [
        ("get", "secrets", False, AuditLevel.METADATA),
        ("create", "serviceaccounts/token", True, AuditLevel.METADATA),
        ("get", "/version", False, AuditLevel.METADATA),
        ("patch", "pods/status", True, AuditLevel.REQUEST),
        ("patch", "pods/status", False, AuditLevel.REQUEST_RESPONSE),
        ("list", "pods", False, AuditLevel.REQUEST),
        ("get", "pods/exec", False, AuditLevel.REQUEST_RESPONSE),
        ("create", "pods", False, AuditLevel.REQUEST_RESPONSE),
    ],
)
def test_levels_are_those_of_the_policy(
    verb: str, resource: str, level: AuditLevel, *, is_node: bool
) -> None:
    assert level_of(verb, resource, is_node=is_node) is level


def test_bodies_are_logged_as_far_as_the_level_goes() -> None:
    asked, answered = b'{"a":1}', b'{"b":2}'
    secret = event_of(Request("create", "secrets", "shop", "s", asked=asked, answered=answered))
    read = event_of(Request("get", "pods", "shop", "p", asked=asked, answered=answered))

    assert not {"requestObject", "responseObject"} & set(secret)
    assert "requestObject" in read
    assert "responseObject" not in read


def test_a_node_is_logged_with_its_certificate() -> None:
    line = line_of(
        node_caller("node-1", "ab", "10.0.0.9", "kubelet/v1"), Request("get", "pods"), b"x"
    )

    assert b'"system:node:node-1","groups":["system:nodes","system:authenticated"]' in line.middle
    assert b'"authentication.kubernetes.io/credential-id":["X509SHA256=ab"]' in line.middle


def test_a_blank_takes_parts_of_strings_and_whole_values() -> None:
    blank = Blank(
        {"name": "web-" + hole("suffix"), "spec": {"n": value_hole("count")}, "x": "%b{}"}
    )

    filled = orjson.loads(blank.fill(suffix=b"abc", count=b"[1,2]"))
    assert filled == {"name": "web-abc", "spec": {"n": [1, 2]}, "x": "%b{}"}
    with pytest.raises(KeyError):
        blank.fill(suffix=b"abc")


def test_managed_fields_name_every_field_and_named_items_by_their_name() -> None:
    fields = managed_fields(
        "m", {"spec": {"replicas": 1, "containers": [{"name": "a", "image": "b"}]}}
    )

    assert fields[0]["fieldsV1"]["f:spec"] == {
        "f:replicas": {},
        "f:containers": {'k:{"name":"a"}': {".": {}, "f:name": {}, "f:image": {}}},
    }


def test_times_are_written_as_the_api_server_writes_them() -> None:
    midnight = day_start_us(date(2026, 6, 1))

    assert timestamp(midnight + 5 * HOUR + 7) == b"2026-06-01T05:00:00.000007Z"
    assert object_time(midnight - 1) == b"2026-05-31T23:59:59Z"


def test_sites_have_their_own_hours_and_holidays() -> None:
    berlin, new_york, _ = SITES
    day = date(2026, 6, 19)  # a Friday, and a holiday of one of them

    assert new_york.at(day, 9 * 60) - berlin.at(day, 9 * 60) == 6 * HOUR
    assert berlin.is_working_day(day)
    assert not new_york.is_working_day(day)
    assert not berlin.is_working_day(date(2026, 6, 20))


def test_some_people_are_on_leave_and_most_are_not() -> None:
    monday = date(2026, 6, 8)
    working = [is_at_work(seed, one, monday) for seed in range(20) for one in people()]

    assert 0.85 < sum(working) / len(working) < 0.99
