from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest
from msgspec import Raw

from ingest.action import derived
from ingest.formats.openshift import NO_LOGIN, Login, login_of
from ingest.formats.parts import Parts
from ingest.part_columns import part_columns
from ingest.redact.token import Redactor

DECISION = "authentication.openshift.io/decision"
USERNAME = "authentication.openshift.io/username"
CLI = "/oauth/authorize?client_id=openshift-challenging-client&response_type=code"
CONSOLE = "/oauth/authorize?client_id=console&response_type=code"


@pytest.mark.parametrize(
    ("annotations", "login"),
    [
        ({DECISION: "allow", USERNAME: "jane"}, Login("oauth-server", "oauth", None, "jane")),
        ({DECISION: "deny", USERNAME: "jane"}, Login("oauth-server", "oauth", "deny", "jane")),
        ({DECISION: "error"}, Login("oauth-server", "oauth", "error", None)),
        ({DECISION: "allow", USERNAME: ""}, Login("oauth-server", "oauth", None, None)),
        ({DECISION: "Allow", USERNAME: "jane"}, NO_LOGIN),
        ({DECISION: "", USERNAME: "jane"}, NO_LOGIN),
        ({USERNAME: "jane"}, NO_LOGIN),
        ({"authorization.k8s.io/decision": "allow"}, NO_LOGIN),
        ({}, NO_LOGIN),
    ],
)
def test_annotations_say_who_logged_in(annotations: dict[str, str], login: Login) -> None:
    assert login_of(annotations) == login


def columns(*records: dict[str, Any]) -> pl.DataFrame:
    """Work out the columns of records, each a user, annotations, a URI and a code."""
    parts = Parts()

    def raws(name: str, default: Any) -> list[Raw]:
        return [Raw(json.dumps(record.get(name, default)).encode()) for record in records]

    anonymous = {"username": "system:anonymous"}
    parts.users.extend(raws("user", anonymous))
    parts.annotations.extend(raws("annotations", {}))
    parts.statuses.extend([Raw(json.dumps({"code": r.get("code", 302)}).encode()) for r in records])
    for table in (parts.impersonated, parts.authentication, parts.addresses):
        table.extend([Raw()] * len(records))
    found = part_columns(parts, (), Redactor(b"key"))
    texts: dict[str, list[str | None]] = {
        "kubernetes.audit.requestURI": [record.get("uri") for record in records],
        "kubernetes.audit.verb": ["get"] * len(records),
        "orchestrator.resource.type": [None] * len(records),
        "kubernetes.audit.objectRef.subresource": [None] * len(records),
        "kubernetes.audit.stage": ["ResponseComplete"] * len(records),
    }
    frame = pl.DataFrame(list(found.values())).with_columns(
        pl.Series(name, values, pl.String) for name, values in texts.items()
    )
    return frame.with_columns(derived(frame))


def row(decision: str | None, name: str | None, uri: str, **members: Any) -> dict[str, Any]:
    annotations = {DECISION: decision, USERNAME: name}
    found = {key: value for key, value in annotations.items() if value is not None}
    return columns({"annotations": found, "uri": uri, **members}).row(0, named=True)


@pytest.mark.parametrize(
    ("decision", "name", "uri", "action", "outcome"),
    [
        ("allow", "jane", "/login", "login", "success"),
        ("allow", "jane", "/login?then=%2Foauth", "login", "success"),
        ("allow", "jane", "/login/ldap", "login", "success"),
        ("deny", "jane", "/login/ldap", "login", "failure"),
        ("deny", None, "/login", "login", "failure"),
        ("error", "jane", "/login", "login", "failure"),
        ("allow", "jane", "/oauth2callback/github?code=x", "login", "success"),
        ("error", None, "/oauth2callback/github?error=x", "login", "failure"),
        ("allow", "jane", CLI, "login", "success"),
        ("deny", "jane", CLI, "login", "failure"),
        ("deny", None, CLI, "get", "success"),
        ("allow", "jane", CONSOLE, "authenticate", "success"),
        ("deny", "jane", CONSOLE, "login", "failure"),
        ("deny", None, CONSOLE, "get", "success"),
        ("allow", "jane", "/oauth/authorize/approve?client_id=x", "authenticate", "success"),
        ("allow", None, CONSOLE, "get", "success"),
        ("Allow", "jane", "/login", "get", "success"),
        (None, "jane", "/login", "get", "success"),
        (None, None, "/login", "get", "success"),
        ("allow", "jane", "/loginx", "authenticate", "success"),
    ],
)
def test_what_a_request_to_the_oauth_server_was(
    decision: str | None, name: str | None, uri: str, action: str, outcome: str
) -> None:
    found = row(decision, name, uri)
    assert (found["event.action"], found["event.outcome"]) == (action, outcome)
    is_session = action in {"login", "authenticate"}
    assert found["trailwarden.session.service"] == ("oauth-server" if is_session else None)
    expected = "password" if uri.startswith("/login") and action == "login" else "oauth"
    assert found["trailwarden.session.method"] == (expected if is_session else None)
    assert found["trailwarden.session.reason"] == (decision if outcome == "failure" else None)


def test_a_code_of_failure_is_one_whatever_the_decision() -> None:
    assert row("allow", "jane", "/login", code=500)["event.outcome"] == "failure"


def test_who_logged_in_is_the_user_where_the_caller_is_anonymous() -> None:
    found = row("allow", "jane", "/login")
    assert (found["user.name"], found["trailwarden.identity.type"]) == ("jane", "human")
    caller = {"username": "system:serviceaccount:a:b"}
    found = row("allow", "jane", "/login", user=caller)
    assert found["user.name"] == "system:serviceaccount:a:b"
    assert found["trailwarden.identity.type"] == "service_account"


def test_a_refused_name_is_only_what_somebody_typed() -> None:
    found = row("deny", "system:serviceaccount:kube-system:admin", "/login")
    assert found["user.name"] == "system:serviceaccount:kube-system:admin"
    assert found["trailwarden.identity.type"] == "anonymous"
    assert found["trailwarden.identity.service_account.name"] is None


def test_events_beside_a_login_keep_their_own() -> None:
    login = {"annotations": {DECISION: "allow", USERNAME: "jane"}, "uri": "/login"}
    other = {"user": {"username": "eve"}, "uri": "/login", "code": 200}
    found = columns(other, login, {"uri": "/version", "code": 403}, login)
    assert found["user.name"].to_list() == ["eve", "jane", "system:anonymous", "jane"]
    assert found["event.action"].to_list() == ["get", "login", "get", "login"]
    assert found["event.outcome"].to_list() == ["success", "success", "failure", "success"]


def test_without_a_login_no_uri_is_looked_at() -> None:
    frame = columns({"uri": "/login", "code": 200})
    assert len(derived(frame)) == 2
