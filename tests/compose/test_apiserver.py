from __future__ import annotations

from typing import Any

import pytest
import yaml

from ingest.facets.objects import BY_RESOURCE
from ingest.facets.rows import _RBAC
from ingest.salvage import MAX_RECORD_BYTES
from tests.compose.stack import COMPOSE
from worker.configuration import load_settings

FOLDER = COMPOSE / "apiserver"


def policy() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((FOLDER / "audit-policy.yaml").read_text())
    return loaded


def flags() -> dict[str, str]:
    loaded = yaml.safe_load((FOLDER / "kubeadm.yaml").read_text())
    return {flag["name"]: flag["value"] for flag in loaded["apiServer"]["extraArgs"]}


def level(api: str, resource: str, verb: str, user: str = "alice", group: str = "dev") -> str:
    """Return the level of a request: what the first fitting rule says."""
    for rule in policy()["rules"]:
        if "nonResourceURLs" in rule or verb not in rule.get("verbs", [verb]):
            continue
        if user not in rule.get("users", [user]) or group not in rule.get("userGroups", [group]):
            continue
        named = rule.get("resources", [{"group": api}])
        if any(_fits(entry, api, resource) for entry in named):
            return str(rule["level"])
    return "None"


def _fits(entry: dict[str, Any], api: str, resource: str) -> bool:
    return entry["group"] == api and resource in entry.get("resources", [resource])


@pytest.mark.parametrize(
    ("group", "resource"),
    [
        ("", "secrets"),
        ("", "configmaps"),
        ("", "serviceaccounts/token"),
        ("authentication.k8s.io", "tokenreviews"),
    ],
)
@pytest.mark.parametrize("verb", ["create", "update", "patch", "get", "list", "delete"])
def test_a_secret_s_body_is_never_recorded(group: str, resource: str, verb: str) -> None:
    assert level(group, resource, verb) == "Metadata"


@pytest.mark.parametrize(
    ("group", "resource"),
    [
        ("", "pods"),
        ("", "pods/ephemeralcontainers"),
        ("apps", "deployments"),
        ("apps", "daemonsets"),
        ("certificates.k8s.io", "certificatesigningrequests"),
        ("batch", "cronjobs"),
        ("rbac.authorization.k8s.io", "clusterrolebindings"),
        ("admissionregistration.k8s.io", "validatingwebhookconfigurations"),
    ],
)
@pytest.mark.parametrize("verb", ["create", "update", "patch"])
def test_bodies_that_rules_read_are_recorded(group: str, resource: str, verb: str) -> None:
    assert level(group, resource, verb) == "Request"


def test_every_body_that_becomes_columns_is_recorded() -> None:
    groups = {entry["group"] for rule in policy()["rules"] for entry in rule.get("resources", [])}
    for resource in (*BY_RESOURCE, *_RBAC):
        levels = {level(group, resource, "create") for group in groups}
        assert "Request" in levels, resource


@pytest.mark.parametrize("verb", ["get", "list", "watch", "delete", "deletecollection", "escalate"])
def test_whatever_nobody_thought_of_is_recorded(verb: str) -> None:
    assert level("new.example.org", "things", verb) == "Metadata"


@pytest.mark.parametrize("user", ["alice", "system:anonymous", "system:serviceaccount:a:b"])
def test_nobody_can_hide_behind_the_heartbeat(user: str) -> None:
    assert level("coordination.k8s.io", "leases", "update", user=user, group="dev") != "None"
    assert level("", "nodes/status", "patch", user=user, group="dev") != "None"


def test_the_log_has_each_answer_and_not_each_question() -> None:
    assert policy()["omitStages"] == ["RequestReceived"]


def test_a_batch_is_never_more_than_the_webhook_takes() -> None:
    body_bytes = load_settings(None).webhook.body_bytes
    assert int(flags()["audit-webhook-truncate-max-batch-size"]) < body_bytes
    assert int(flags()["audit-webhook-truncate-max-event-size"]) == MAX_RECORD_BYTES


def test_both_kubeconfigs_are_whole() -> None:
    config = yaml.safe_load((FOLDER / "webhook-client-certificate.yaml").read_text())
    context = config["contexts"][0]
    assert context["name"] == config["current-context"]
    assert context["context"]["cluster"] == config["clusters"][0]["name"]
    assert context["context"]["user"] == config["users"][0]["name"]
    assert config["clusters"][0]["cluster"]["server"].endswith("/audit")
