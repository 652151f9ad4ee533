from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest

from ingest.facets.body import fragment
from ingest.facets.rbac import rbac_facet, subject

Build = Callable[..., dict[str, Any]]
Row = Callable[..., dict[str, Any]]

R: Final = "trailwarden.rbac."


def facet(body: dict[str, Any]) -> dict[str, Any]:
    return {name.removeprefix(R): value for name, value in rbac_facet(body).items()}


def rules(verbs: str, resources: str, **more: Any) -> dict[str, Any]:
    return {"rules": [{"verbs": verbs.split(","), "resources": resources.split(","), **more}]}


@pytest.mark.parametrize(
    ("verbs", "resources", "expected"),
    [
        ("*", "*", True),
        ("*,get", "*,pods", True),
        ("*", "pods", False),
        ("get", "*", False),
        ("*", "*/*", False),
    ],
)
def test_a_wildcard_is_one_in_verbs_and_resources(
    verbs: str, resources: str, expected: bool
) -> None:
    assert facet(rules(verbs, resources))["wildcard"] is expected


def test_wildcards_of_two_rules_are_none() -> None:
    body = {"rules": [{"verbs": ["*"], "resources": ["a"]}, {"verbs": ["get"], "resources": ["*"]}]}
    assert facet(body)["wildcard"] is False


@pytest.mark.parametrize(
    ("verbs", "resources", "pairs"),
    [
        ("bind", "clusterroles", ["bind clusterroles"]),
        ("escalate", "roles", ["escalate roles"]),
        ("impersonate", "users,groups", ["impersonate groups", "impersonate users"]),
        ("create", "serviceaccounts/token", ["create serviceaccounts/token"]),
        ("create", "serviceaccounts", []),
        ("create", "pods/exec", ["create pods/exec"]),
        ("get", "pods/exec", ["get pods/exec"]),
        ("list", "pods/exec", []),
        ("get", "pods", []),
        ("create", "*/exec", ["create pods/exec"]),
        ("patch", "pods/ephemeralcontainers", ["patch pods/ephemeralcontainers"]),
        ("get", "nodes/proxy", ["get nodes/proxy"]),
        ("get,list,watch", "secrets", ["get secrets", "list secrets", "watch secrets"]),
        ("delete", "secrets", []),
        ("approve", "signers", ["approve signers"]),
        (
            "update",
            "certificatesigningrequests/approval",
            ["update certificatesigningrequests/approval"],
        ),
        (
            "create",
            "mutatingwebhookconfigurations",
            ["create mutatingwebhookconfigurations"],
        ),
        ("get", "configmaps", []),
    ],
)
def test_pairs_that_lead_to_more_rights_are_named(
    verbs: str, resources: str, pairs: list[str]
) -> None:
    assert facet(rules(verbs, resources)).get("escalations", []) == pairs


def test_a_wildcard_holds_every_pair() -> None:
    found = facet(rules("*", "*"))["escalations"]
    for pair in ("impersonate users", "escalate clusterroles", "get secrets", "create pods/exec"):
        assert pair in found
    assert found == sorted(set(found))
    assert facet(rules("*", "secrets"))["escalations"] == [
        "get secrets",
        "list secrets",
        "watch secrets",
    ]


def test_verb_and_resource_of_different_rules_are_no_pair() -> None:
    body = {
        "rules": [
            {"verbs": ["get"], "resources": ["pods"]},
            {"verbs": ["delete"], "resources": ["secrets"]},
        ]
    }
    assert "escalations" not in facet(body)


def test_all_that_a_role_says_is_there() -> None:
    body = rules("watch,get", "pods,configmaps", apiGroups=["", "apps"], nonResourceURLs=["/x"])
    assert facet(body) == {
        "verbs": ["get", "watch"],
        "resources": ["configmaps", "pods"],
        "api_groups": ["", "apps"],
        "non_resource_urls": ["/x"],
        "wildcard": False,
        "rules": ["get,watch|,apps|configmaps,pods||/x"],
    }


def test_labels_aggregate_a_role_into_others() -> None:
    prefix = "rbac.authorization.k8s.io/aggregate-to-"
    labels = {
        f"{prefix}admin": "true",
        f"{prefix}edit": "false",
        f"{prefix}view": True,
        "x": "true",
    }
    assert facet({"metadata": {"labels": labels}})["aggregates_to"] == ["admin"]


def test_a_binding_names_role_and_subjects() -> None:
    body = {
        "roleRef": {"kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [
            {"kind": "User", "name": "eve"},
            {"kind": "Group", "name": "system:unauthenticated"},
            {"kind": "ServiceAccount", "name": "default", "namespace": "shop"},
            {"kind": "ServiceAccount", "name": "default"},
            {"name": 5},
            "odd",
        ],
    }
    assert facet(body) == {
        "role_ref": "ClusterRole/cluster-admin",
        "subjects": [
            "User/eve",
            "Group/system:unauthenticated",
            "ServiceAccount/shop/default",
            "ServiceAccount/?/default",
            "?/?",
            "?/?",
        ],
    }
    assert subject({}) == "?/?"
    assert facet({"roleRef": {"name": "r"}}) == {"role_ref": "?/r"}
    assert facet({}) == {}


def patched(*operations: tuple[str, str, Any]) -> dict[str, Any]:
    return facet(
        dict(fragment([{"op": op, "path": path, "value": value} for op, path, value in operations]))
    )


def test_a_json_patch_that_adds_a_rule_is_seen() -> None:
    rule = {"verbs": ["*"], "resources": ["*"], "apiGroups": ["*"]}
    assert patched(("add", "/rules/-", rule))["wildcard"] is True
    assert patched(("replace", "/rules", [rule]))["wildcard"] is True
    assert patched(("replace", "", {"rules": [rule]}))["wildcard"] is True


def test_a_rule_patched_bit_by_bit_is_one_rule() -> None:
    """Two operations on the same index; apart, neither is a wildcard."""
    found = patched(("add", "/rules/0/verbs/-", "*"), ("add", "/rules/0/resources/-", "*"))
    assert found["wildcard"] is True
    found = patched(("add", "/rules/0/verbs/-", "*"), ("add", "/rules/1/resources/-", "*"))
    assert found["wildcard"] is False


def test_a_patched_subject_is_seen() -> None:
    eve = {"kind": "User", "name": "eve"}
    assert patched(("add", "/subjects/-", eve), ("add", "/subjects/-", eve))["subjects"] == [
        "User/eve",
        "User/eve",
    ]


@pytest.mark.parametrize("resource", ["roles", "clusterroles"])
@pytest.mark.parametrize("verb", ["create", "update", "patch"])
def test_an_event_on_a_role_has_the_columns(
    build: Build, row: Row, resource: str, verb: str
) -> None:
    found = row(build(verb=verb, objectRef={"resource": resource}, requestObject=rules("*", "*")))
    assert found[f"{R}wildcard"] is True


def test_an_event_on_something_else_has_none(build: Build, row: Row) -> None:
    found = row(
        build(verb="create", objectRef={"resource": "widgets"}, requestObject=rules("*", "*"))
    )
    assert found[f"{R}wildcard"] is None


def test_a_rule_is_one_text_whatever_the_order_of_its_words() -> None:
    one = {"verbs": ["list", "get"], "apiGroups": ["", "apps"], "resources": ["b", "a", "a"]}
    other = {"resources": ["a", "b"], "verbs": ["get", "list"], "apiGroups": ["apps", ""]}
    named = {"verbs": ["get"], "resourceNames": ["x"], "resources": ["secrets"]}
    urls = {"verbs": ["*"], "nonResourceURLs": ["/metrics", "/healthz"]}
    assert facet({"rules": [one, other, named, urls]})["rules"] == [
        "get,list|,apps|a,b||",
        "get,list|,apps|a,b||",
        "get||secrets|x|",
        "*||||/healthz,/metrics",
    ]


def test_no_name_reads_as_another_part_of_its_rule() -> None:
    rule = {"verbs": ["get|*|secrets", "a,b"], "resources": ["*"], "resourceNames": ["100%7C"]}
    (text,) = facet({"rules": [rule]})["rules"]
    assert text == "a%2Cb,get%7C*%7Csecrets||*|100%257C|"


@pytest.mark.parametrize("odd", [None, 5, "x", {}, {"verbs": "get"}, {"verbs": [1, None, {}]}, [1]])
def test_an_odd_rule_allows_nothing(odd: Any) -> None:
    assert facet({"rules": [odd]})["rules"] == ["||||"]
