from __future__ import annotations

import polars as pl
import pytest

from models.action_class import ActionClass, action_class
from tests.models.event_rows import event_frame

GROUP = "kubernetes.audit.objectRef.apiGroup"
RBAC = "rbac.authorization.k8s.io"


@pytest.mark.parametrize(
    ("action", "resource", "more", "expected"),
    [
        ("get", "secrets", {}, ActionClass.SECRET),
        ("delete", "secrets", {}, ActionClass.SECRET),
        ("exec", "pods", {}, ActionClass.EXEC),
        ("portforward", "pods", {}, ActionClass.EXEC),
        ("token-request", "serviceaccounts", {}, ActionClass.TOKEN),
        ("create", "clusterrolebindings", {GROUP: RBAC}, ActionClass.ACCESS),
        ("get", "clusterrolebindings", {GROUP: RBAC}, ActionClass.READ),
        ("approve", "certificatesigningrequests", {}, ActionClass.ACCESS),
        ("create", "selfsubjectaccessreviews", {}, ActionClass.REVIEW),
        ("patch", "deployments", {}, ActionClass.INSTALL),
        (
            "patch",
            "pods",
            {"kubernetes.audit.objectRef.subresource": "status"},
            ActionClass.WRITE,
        ),
        ("deletecollection", "pods", {}, ActionClass.DELETE),
        ("scale", "deployments", {}, ActionClass.WRITE),
        ("list", "pods", {}, ActionClass.READ),
        ("watch", "pods", {}, ActionClass.WATCH),
        ("login", None, {}, ActionClass.LOGIN),
        ("file-modify", None, {}, ActionClass.MACHINE),
        (None, None, {}, ActionClass.MACHINE),
    ],
)
def test_an_act_is_of_one_class(
    action: str | None, resource: str | None, more: dict[str, object], expected: ActionClass
) -> None:
    row = {"event.action": action, "orchestrator.resource.type": resource, **more}
    found = event_frame([row]).select(action_class().cast(pl.String)).item()
    assert found == expected
