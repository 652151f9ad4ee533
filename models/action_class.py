"""What was done becomes one of a dozen classes, the same for sessions, volumes and reasons.

Separate because counts of classes mean something only if everybody counts the same classes. A class
says what an act is good for: reading a Secret is one thing whatever the verb was.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import polars as pl


class ActionClass(StrEnum):
    """Classes of action; the first that fits is an event's class (the order of `_CLASSES`)."""

    LOGIN = "login"
    TOKEN = "token"  # noqa: S105 - a class of action
    EXEC = "exec"
    SECRET = "secret"  # noqa: S105 - a class of action
    ACCESS = "access"
    REVIEW = "review"
    INSTALL = "install"
    DELETE = "delete"
    WRITE = "write"
    READ = "read"
    WATCH = "watch"
    MACHINE = "machine"


CLASS_TYPE: Final = pl.Enum([each.value for each in ActionClass])

_RESOURCE: Final = pl.col("orchestrator.resource.type")
_ACTION: Final = pl.col("event.action")
_GROUP: Final = pl.col("kubernetes.audit.objectRef.apiGroup")

_CHANGES: Final = ("create", "update", "patch", "delete", "deletecollection")
_REVIEWS: Final = (
    *("tokenreviews", "subjectaccessreviews", "selfsubjectaccessreviews"),
    *("localsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"),
)
_WORKLOADS: Final = (
    *("pods", "deployments", "daemonsets", "statefulsets", "replicasets", "jobs", "cronjobs"),
    *("replicationcontrollers", "podtemplates"),
)
_ACCESS_GROUPS: Final = ("rbac.authorization.k8s.io", "certificates.k8s.io")

_CLASSES: Final = (
    (ActionClass.LOGIN, _ACTION.is_in(("login", "authenticate", "switch-user"))),
    (ActionClass.TOKEN, _ACTION == "token-request"),
    (ActionClass.EXEC, _ACTION.is_in(("exec", "attach", "portforward", "proxy"))),
    (ActionClass.SECRET, _RESOURCE == "secrets"),
    (
        ActionClass.ACCESS,
        (_ACTION == "approve")
        | (_ACTION.is_in(_CHANGES) & (_GROUP.is_in(_ACCESS_GROUPS) | (_RESOURCE == "users"))),
    ),
    (ActionClass.REVIEW, _RESOURCE.is_in(_REVIEWS)),
    (
        ActionClass.INSTALL,
        _ACTION.is_in(("create", "update", "patch"))
        & _RESOURCE.is_in(_WORKLOADS)
        & (pl.col("kubernetes.audit.objectRef.subresource").fill_null("") != "status"),
    ),
    (ActionClass.DELETE, _ACTION.is_in(("delete", "deletecollection", "evict"))),
    (ActionClass.WRITE, _ACTION.is_in(("create", "update", "patch", "bind-pod", "scale"))),
    (ActionClass.READ, _ACTION.is_in(("get", "list", "log"))),
    (ActionClass.WATCH, _ACTION == "watch"),
)

CLASS_COLUMNS: Final = (
    "event.action",
    "orchestrator.resource.type",
    "kubernetes.audit.objectRef.apiGroup",
    "kubernetes.audit.objectRef.subresource",
)
"""The event columns that `action_class` reads."""


def action_class() -> pl.Expr:
    """Return the class of each event; what no class names is `machine`, null included."""
    value = pl.lit(ActionClass.MACHINE.value)
    for name, test in reversed(_CLASSES):
        value = pl.when(test.fill_null(value=False)).then(pl.lit(name.value)).otherwise(value)
    return value.cast(CLASS_TYPE)
