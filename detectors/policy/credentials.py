"""Which bodies are credentials: what no detection is worth writing into a log.

One place, because verdicts, changes and hints must agree about it. Sources: Kubernetes, "Auditing"
(https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/), and the policy that Kubernetes' own
cluster/gce/gci/configure-helper.sh writes, which keep secrets, configmaps and token reviews at
Metadata.
"""

from __future__ import annotations

from typing import Final

from detectors.policy.audit_policy import AuditLevel, Request

_HIGHEST: Final = {
    ("", "secrets"): AuditLevel.METADATA,
    ("authentication.k8s.io", "tokenreviews"): AuditLevel.METADATA,
    ("", "serviceaccounts/token"): AuditLevel.REQUEST,
}
"""The highest level that keeps credentials out of the log. A request for a token holds none, the
answer to it does."""

CREDENTIALS: Final = tuple(_HIGHEST)


def highest_level(group: str, resource: str) -> AuditLevel:
    """Return the highest level at which a resource may be logged."""
    return _HIGHEST.get((group, resource), AuditLevel.REQUEST_RESPONSE)


def is_safe(request: Request, level: AuditLevel) -> bool:
    """Return whether a request may be logged at a level: no body of it is a credential."""
    return level <= highest_level(request.group, request.combined)


def is_delicate(request: Request) -> bool:
    """Return whether a body may hold credentials although it should not.

    What is suggested for such bodies stands apart, so that people can leave it out.
    """
    return (request.group, request.combined) == ("", "configmaps")
