from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Build = Callable[..., dict[str, Any]]
Row = Callable[..., dict[str, Any]]


def test_labels_annotations_owner_and_type(build: Build, row: Row) -> None:
    body = {
        "type": "kubernetes.io/tls",
        "metadata": {
            "labels": {"b": "2", "a": "1", "empty": "", "null": None, "odd": [1]},
            "annotations": {"z": "1", "y": "2"},
            "ownerReferences": [{"kind": "App", "name": "x", "controller": True}],
        },
    }
    found = row(build(objectRef={"resource": "secrets"}, requestObject=body))
    assert found["trailwarden.object.labels"] == ["a=1", "b=2", "empty=", "null=", "odd="]
    assert found["trailwarden.object.annotation_keys"] == ["y", "z"]
    assert found["trailwarden.object.owner"] == "App/x"
    assert found["trailwarden.object.type"] == "kubernetes.io/tls"


def test_a_service_that_is_reachable_from_outside(build: Build, row: Row) -> None:
    ports = [{"nodePort": 30_080}, {"port": 80}, {"nodePort": True}, {"nodePort": 2**20}, "odd"]
    spec = {"type": "NodePort", "externalIPs": ["203.0.113.9", 5], "ports": ports}
    found = row(build(objectRef={"resource": "services"}, requestObject={"spec": spec}))
    assert found["trailwarden.service.external_ips"] == ["203.0.113.9"]
    assert found["trailwarden.service.node_ports"] == [30_080]
    assert found["trailwarden.object.type"] == "NodePort"


@pytest.mark.parametrize(
    "resource", ["validatingwebhookconfigurations", "mutatingwebhookconfigurations"]
)
def test_an_admission_webhook(build: Build, row: Row, resource: str) -> None:
    hooks = [
        {"clientConfig": {"url": "https://evil.example/x"}, "failurePolicy": "Ignore"},
        {"clientConfig": {"service": {"name": "y"}}, "failurePolicy": "Fail"},
        {"failurePolicy": "Ignore"},
    ]
    found = row(build(objectRef={"resource": resource}, requestObject={"webhooks": hooks}))
    assert found["trailwarden.webhook.urls"] == ["https://evil.example/x"]
    assert found["trailwarden.webhook.failure_policies"] == ["Fail", "Ignore"]


def test_an_admission_webhook_patched_at_its_url(build: Build, row: Row) -> None:
    body = [{"op": "replace", "path": "/webhooks/0/clientConfig/url", "value": "https://e/x"}]
    reference = {"resource": "mutatingwebhookconfigurations"}
    found = row(build(verb="patch", objectRef=reference, requestObject=body))
    assert found["trailwarden.webhook.urls"] == ["https://e/x"]


def test_a_conversion_webhook(build: Build, row: Row) -> None:
    config = {"clientConfig": {"url": "https://evil.example/convert"}}
    spec = {"conversion": {"strategy": "Webhook", "webhook": config}}
    reference = {"resource": "customresourcedefinitions"}
    found = row(build(objectRef=reference, requestObject={"spec": spec}))
    assert found["trailwarden.webhook.urls"] == ["https://evil.example/convert"]


def test_a_certificate_request_and_its_approval(build: Build, row: Row) -> None:
    body = {
        "spec": {"signerName": "kubernetes.io/kube-apiserver-client", "username": "eve"},
        "status": {"conditions": [{"type": "Approved"}, {"type": 5}, None]},
    }
    reference = {"resource": "certificatesigningrequests", "subresource": "approval"}
    found = row(build(verb="update", objectRef=reference, requestObject=body))
    assert found["event.action"] == "approve"
    assert found["trailwarden.certificate.signer"] == "kubernetes.io/kube-apiserver-client"
    assert found["trailwarden.certificate.requester"] == "eve"
    assert found["trailwarden.certificate.conditions"] == ["Approved"]
    assert found["trailwarden.object.type"] == "kubernetes.io/kube-apiserver-client"


@pytest.mark.parametrize(
    ("verb", "resource", "subresource"),
    [
        ("get", "pods", None),
        ("delete", "pods", None),
        ("create", "leases", None),
        ("create", "subjectaccessreviews", None),
        ("patch", "nodes", "status"),
        ("update", "pods", "status"),
    ],
)
def test_routine_bodies_are_not_read(
    build: Build, row: Row, verb: str, resource: str, subresource: str | None
) -> None:
    found = row(build(verb=verb, objectRef={"resource": resource, "subresource": subresource}))
    assert found["kubernetes.audit.requestObject"] is None
    assert found["trailwarden.object.labels"] is None
