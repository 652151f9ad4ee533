from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ingest.authorization import granted_by

Build = Callable[..., dict[str, Any]]
Row = Callable[..., dict[str, Any]]

NONE = (None, None)


@pytest.mark.parametrize(
    ("reason", "grant"),
    [
        (None, NONE),
        ("", NONE),
        ("node can only read its own lease", NONE),
        ("RBAC: allowed by ", NONE),
        ("RBAC: allowed by RoleBinding", NONE),
        ('RBAC: allowed by ClusterRoleBinding "vuln-sa-admin"', NONE),
        ('RBAC: allowed by ClusterRoleBinding "open', NONE),
        (
            'RBAC: allowed by ClusterRoleBinding "admins" of ClusterRole "cluster-admin" to X',
            ("ClusterRoleBinding/admins", "ClusterRole/cluster-admin"),
        ),
        # a RoleBinding's name comes with its namespace
        (
            'RBAC: allowed by RoleBinding "view/shop" of ClusterRole "view" to Group "dev"',
            ("RoleBinding/view/shop", "ClusterRole/view"),
        ),
        (
            'RBAC: allowed by RoleBinding "leader/shop" of Role "leader" to User "a"',
            ("RoleBinding/leader/shop", "Role/leader"),
        ),
    ],
)
def test_the_reason_names_binding_and_role(
    reason: str | None, grant: tuple[str | None, str | None]
) -> None:
    assert granted_by(reason) == grant


def test_a_binding_cannot_name_a_harmless_role_in_its_name() -> None:
    """RBAC names may hold quotes; Go's %q escapes them."""
    reason = (
        r'RBAC: allowed by ClusterRoleBinding "x\" of ClusterRole \"view" '
        r'of ClusterRole "cluster-admin" to User "eve"'
    )
    binding, role = granted_by(reason)
    assert role == "ClusterRole/cluster-admin"
    assert binding == 'ClusterRoleBinding/x" of ClusterRole "view'
    assert granted_by(r'RBAC: allowed by ClusterRoleBinding "x\\" of ClusterRole "y" to') == (
        "ClusterRoleBinding/x\\",
        "ClusterRole/y",
    )


def test_an_event_says_what_allowed_it(build: Build, row: Row) -> None:
    found = row(build())
    assert found["trailwarden.authorization.decision"] == "allow"
    assert found["trailwarden.authorization.binding"] == "RoleBinding/edit/shop"
    assert found["trailwarden.authorization.role"] == "ClusterRole/edit"
    assert found["trailwarden.authorization.reason"].startswith("RBAC: allowed by RoleBinding")


def test_annotations_with_a_column_are_told_apart_from_the_others(build: Build, row: Row) -> None:
    annotations = {
        "authorization.k8s.io/decision": "allow",
        "authentication.kubernetes.io/issued-credential-id": "JTI=9",
        "authentication.k8s.io/legacy-token": "system:serviceaccount:shop:old",
        "authentication.k8s.io/stale-token": "subject: x, seconds after warning threshold: 9",
        "pod-security.kubernetes.io/enforce-policy": "baseline:latest",
        "pod-security.kubernetes.io/audit-violations": "privileged",
        "pod-security.kubernetes.io/exempt": "namespace",
        "failed-open.validating.webhook.admission.k8s.io/round_0_index_0": "policy.example.com",
        # an attribute of a user, not of a request: it has no column here
        "authentication.kubernetes.io/pod-name": "web-1",
        "k8s.io/deprecated": "true",
    }
    found = row(build(annotations=annotations))
    assert found["trailwarden.credential.issued_id"] == "JTI=9"
    for name in ("legacy-token", "stale-token"):
        column = f"trailwarden.credential.{name.replace('-', '_')}"
        assert found[column] == annotations[f"authentication.k8s.io/{name}"]
    assert found["trailwarden.pod_security.enforce_policy"] == "baseline:latest"
    assert found["trailwarden.pod_security.audit_violations"] == "privileged"
    assert found["trailwarden.pod_security.exempt"] == "namespace"
    assert found["trailwarden.admission.failed_open"] == ["policy.example.com"]
    for key in ("authentication.kubernetes.io/pod-name", "k8s.io/deprecated"):
        assert key in found["kubernetes.audit.annotations"]
    assert "decision" not in found["kubernetes.audit.annotations"]
